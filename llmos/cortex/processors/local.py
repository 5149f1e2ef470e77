"""A GGUF model in this process: no account, no network, no cost.

A small model needs help: it replies by one JSON object that a grammar enforces, sees few
arguments, is shown jobs done right, must go on after a failed write, is nudged when it repeats
itself, and is asked once whether it forgot a part of the job.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING

from llmos.cortex.processors.local_engine import Engine, LlamaEngine
from llmos.cortex.processors.local_run import LocalRun
from llmos.values import Context, Done, Event, Limits, Syscalls

if TYPE_CHECKING:
    from llmos.config import LLMOSConfig


class LocalProcessor:
    """Runs goals with a model file. Runs at the same time wait for each other's replies.

    Args:
        path: The GGUF file; loaded when the first run asks, about 2 GB for 1.5 B parameters.
        threads: CPU threads; all cores when None.
        context: Tokens of the whole conversation; what does not fit is shortened.
        engine: Stands in for the model file.
    """

    name = "local"
    free = True
    rereads_tools = True

    def __init__(
        self,
        path: str | Path,
        *,
        threads: int | None = None,
        context: int = 8192,
        engine: Engine | None = None,
    ) -> None:
        self._path = Path(path).expanduser()
        self._engine = engine or LlamaEngine(self._path, threads, context)
        self._checked = engine is not None

    async def run(
        self, goal: str, context: Context, syscalls: Syscalls, limits: Limits
    ) -> AsyncIterator[Event]:
        """Work towards ``goal``; see `llmos.values.Processor`.

        Cancelling returns when the model has stopped, which takes up to a second or so.
        """
        if not self._checked and (reason := _unusable(self._path)):
            yield Done("", stop="error", model=self._path.stem, error=reason)
            return
        run = LocalRun(self._engine, self._path.stem, goal, context, syscalls, limits)
        async with aclosing(run.events()) as events:
            async for event in events:
                yield event

    async def aclose(self) -> None:
        """Free the model. A run that comes later loads it again."""
        await asyncio.to_thread(self._engine.close)


def usable(config: LLMOSConfig) -> str | None:
    """None if `make` gives a processor that can be tried, else why not, in one line."""
    if not config.local_model:
        return "no model file is set: LLMOS_LOCAL_MODEL=/path/to/model.gguf"
    return _unusable(Path(config.local_model).expanduser())


def make(config: LLMOSConfig) -> LocalProcessor:
    """The processor that the settings describe."""
    return LocalProcessor(config.local_model)


def _unusable(path: Path) -> str | None:
    from importlib.util import find_spec

    if find_spec("xllamacpp") is None:
        return "the package xllamacpp is not installed: pip install 'llmos[local]'"
    try:
        with path.open("rb") as f:
            magic = f.read(4)
    except OSError as e:
        return f"the model file {str(path)!r} cannot be read: {e.strerror}"
    return None if magic == b"GGUF" else f"{str(path)!r} is no GGUF file"
