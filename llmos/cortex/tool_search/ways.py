"""How a model reaches the tools that it was not given, and what a processor can do of it."""

from __future__ import annotations

from dataclasses import dataclass

from llmos.cortex.tool_search.offer import Offer
from llmos.values import Effect, Processor, ToolSpec

SEARCH_TOOLS, CALL_TOOL = "search_tools", "call_tool"


@dataclass(frozen=True, slots=True)
class Ways:
    """What a processor can do with tools; each is an attribute that it may have."""

    rereads_tools: bool = False
    """It asks for the tools before every model call, so that what was found can be called."""
    writes_programs: bool = False
    """Its model is to be offered ``run_program``."""

    @classmethod
    def of(cls, processor: Processor) -> Ways:
        """Those of a processor."""
        return cls(
            bool(getattr(processor, "rereads_tools", False)),
            bool(getattr(processor, "writes_programs", False)),
        )


def search_spec(offer: Offer, ways: Ways) -> ToolSpec:
    """The tool that searches, as a model sees it."""
    how = "" if ways.rereads_tools else f"; call it by {CALL_TOOL}"
    rest = offer.of - len(offer.given)
    described = (
        f"Find tools by what they do, in a few words: there are {rest} "
        f"beside those that you see. Search before you say that something cannot be done. "
        f"What is found can be called from then on{how}."
    )
    schema = {
        "type": "object",
        "properties": {"query": {"type": "string", "description": "what the tool should do"}},
        "required": ["query"],
        "additionalProperties": False,
    }
    return ToolSpec(SEARCH_TOOLS, described, schema, Effect.READ)


CALL = ToolSpec(
    CALL_TOOL,
    f"Call a tool that {SEARCH_TOOLS} found.",
    {
        "type": "object",
        "properties": {
            "tool": {"type": "string", "description": "its name, as it was found"},
            "arguments": {"type": "object", "description": "its arguments, by its schema"},
        },
        "required": ["tool", "arguments"],
        "additionalProperties": False,
    },
    Effect.EXTERNAL,
)
