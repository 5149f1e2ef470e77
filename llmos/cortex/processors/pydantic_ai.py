"""Any provider's model through pydantic-ai.

The loop is ours, over pydantic-ai's direct API: its agent would validate arguments, retry and
reorder calls by itself, and could not ask the budget before each model call. Here every call goes
to `Syscalls` as the model made it, one after the other, so that a trace has one order.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import TYPE_CHECKING

from llmos.cortex.processors.pricing import Cost
from llmos.values import Context, Done, Event, Limits, Syscalls

if TYPE_CHECKING:
    from pydantic_ai.models import Model

    from llmos.config import LLMOSConfig

_INSTALL = "pip install 'llmos[models]'"


class PydanticAIProcessor:
    """Runs goals with a model of any provider that pydantic-ai knows.

    Args:
        model: ``provider:name``, such as ``openai:gpt-5``, or a pydantic-ai model that can
            stream.
        price: What its tokens cost; the provider's list price when None. A model served on this
            machine costs nothing.
    """

    name = "pydantic_ai"
    free = False
    rereads_tools = True
    writes_programs = True

    def __init__(self, model: str | Model, *, price: Cost | None = None) -> None:
        self._model = model
        self._price = price

    async def run(
        self, goal: str, context: Context, syscalls: Syscalls, limits: Limits
    ) -> AsyncIterator[Event]:
        """Work towards ``goal``; see `llmos.values.Processor`.

        Calls of one turn are made one after the other, in the model's order.
        """
        try:
            from llmos.cortex.processors.pydantic_ai_run import PydanticAIRun, load
        except ImportError as e:
            yield Done("", stop="error", model=str(self._model), error=_missing(e))
            return
        model = _chosen(self._model, context.model)
        found = load(model)
        if isinstance(found, str):
            yield Done("", stop="error", model=str(model), error=found)
            return
        run = PydanticAIRun(found, self._price, goal, context, syscalls, limits)
        async with aclosing(run.events()) as events:
            async for event in events:
                yield event

    async def aclose(self) -> None:
        """Nothing to release: pydantic-ai shares its connections in the process."""


def _chosen(configured: str | Model, wanted: str) -> str | Model:
    """The model of a run: the one that is wanted, if it names its provider.

    A model that was handed in as an object is what the embedding program wants.
    """
    return wanted if isinstance(configured, str) and ":" in wanted else configured


def usable(config: LLMOSConfig) -> str | None:
    """None if `make` gives a processor that can be tried, else why not, in one line."""
    from importlib.util import find_spec

    if not config.model:
        return "no model is set: LLMOS_MODEL=provider:name, such as openai:gpt-5"
    if ":" not in config.model:
        return f"the model {config.model!r} names no provider: write provider:name"
    if find_spec("pydantic_ai") is None:
        return _missing(None)
    try:
        from llmos.cortex.processors.pydantic_ai_run import load
    except ImportError as e:
        return _missing(e)
    found = load(config.model)
    return found if isinstance(found, str) else None


def make(config: LLMOSConfig) -> PydanticAIProcessor:
    """The processor that the settings describe."""
    return PydanticAIProcessor(config.model)


def _missing(error: ImportError | None) -> str:
    why = f" ({' '.join(str(error).split())})" if error else ""
    return f"the package pydantic-ai-slim is not installed{why}: {_INSTALL}"
