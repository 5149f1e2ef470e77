"""The language models, one module each, and the choice between them.

Each module has ``usable(config)``, which says in one line why it cannot be used, or None, and
``make(config)``. They are imported when asked about: a run that needs no model loads none.
"""

from __future__ import annotations

import importlib
import os
from typing import Any

from llmos.config import LLMOSConfig
from llmos.cortex.processors.recorded import RecordedProcessor
from llmos.errors import ConfigError, NeedsProcessor
from llmos.values import Processor

__all__ = ["PROCESSORS", "Processor", "RecordedProcessor", "make_processor", "processor_status"]

PROCESSORS = ("claude", "pydantic_ai", "local")
"""In the order in which they are tried."""

_WAYS = (
    "set ANTHROPIC_API_KEY (with llmos[claude]), or LLMOS_MODEL=provider:name, "
    "or LLMOS_LOCAL_MODEL=/path/to/model.gguf (with llmos[local])"
)


def make_processor(config: LLMOSConfig) -> Processor:
    """The processor that the settings name, else the first usable one.

    Raises:
        ConfigError: The setting ``processor`` names none.
        NeedsProcessor: The named one, or every one, cannot be used.
    """
    named = config.processor or os.environ.get("LLMOS_PROCESSOR", "")
    if named and named not in PROCESSORS:
        known = ", ".join(PROCESSORS)
        raise ConfigError(f"setting 'processor' names no processor: {named!r}", f"one of: {known}")
    for name in (named,) if named else PROCESSORS:
        module = _module(name)
        reason = module.usable(config)
        if reason is None:
            made: Processor = module.make(config)
            return made
        if named:
            raise NeedsProcessor(f"the processor {name!r} cannot be used: {reason}", _WAYS)
    raise NeedsProcessor("no language model is configured", _WAYS)


def processor_status(config: LLMOSConfig) -> list[tuple[str, str | None]]:
    """Name of every processor and why it cannot be used, or None, in the order they are tried."""
    return [(name, _module(name).usable(config)) for name in PROCESSORS]


def _module(name: str) -> Any:
    return importlib.import_module(f"llmos.cortex.processors.{name}")
