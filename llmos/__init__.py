"""LLM OS: learn a job once, replay it for nothing, under guards.

The names below are the public ones. Each is imported when it is first asked for, so that
``import llmos`` costs nothing and a command loads only what it uses.
"""

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from llmos.boot import LLMOS
    from llmos.config import LLMOSConfig
    from llmos.errors import (
        BugError,
        ConfigError,
        IntegrityError,
        LLMOSError,
        LowBatteryError,
        NeedsProcessor,
        PermissionDenied,
        RunStopped,
        SandboxError,
        StoreError,
        UserError,
    )
    from llmos.kernel.economy import TokenEconomy
    from llmos.memory.injection import Injected, MemoryInjection
    from llmos.plugins.tool import tool
    from llmos.values import ArtifactType, EventType, Mode, Step, Trace, Verdict

__all__ = [
    "LLMOS",
    "ArtifactType",
    "BugError",
    "ConfigError",
    "EventType",
    "Injected",
    "IntegrityError",
    "LLMOSConfig",
    "LLMOSError",
    "LowBatteryError",
    "MemoryInjection",
    "Mode",
    "NeedsProcessor",
    "PermissionDenied",
    "RunStopped",
    "SandboxError",
    "Step",
    "StoreError",
    "TokenEconomy",
    "Trace",
    "UserError",
    "Verdict",
    "__version__",
    "tool",
]

_HOME_OF = {
    "LLMOS": "llmos.boot",
    "LLMOSConfig": "llmos.config",
    "TokenEconomy": "llmos.kernel.economy",
    "tool": "llmos.plugins.tool",
    **dict.fromkeys(("Injected", "MemoryInjection"), "llmos.memory.injection"),
    **dict.fromkeys(
        ("ArtifactType", "EventType", "Mode", "Step", "Trace", "Verdict"), "llmos.values"
    ),
}

if not TYPE_CHECKING:  # a type checker would take this for "any name exists"

    def __getattr__(name: str) -> Any:
        if name not in __all__:
            raise AttributeError(f"module 'llmos' has no attribute {name!r}")
        from importlib import import_module

        value = getattr(import_module(_HOME_OF.get(name, "llmos.errors")), name)
        globals()[name] = value
        return value

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
