"""Cognition: which way a goal goes, the ways, and the models.

What programs that embed LLM OS need of it is imported when it is first asked for.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from llmos.cortex.processors import Processor, RecordedProcessor

__all__ = ["Processor", "RecordedProcessor"]


if not TYPE_CHECKING:  # a type checker would take this for "any name exists"

    def __getattr__(name: str) -> Any:
        if name not in __all__:
            raise AttributeError(f"module 'llmos.cortex' has no attribute {name!r}")
        from llmos.cortex import processors

        return getattr(processors, name)
