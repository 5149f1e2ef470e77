"""The tools by name, and calling one without the kernel."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import ModuleType
from typing import NamedTuple

from bench.workbench import analytics, calendar, crm, directory, email, projects
from bench.workbench.rows import Refused
from bench.workbench.world import World
from llmos.errors import UserError
from llmos.values import CallResult, Effect, Json

DOMAINS: dict[str, ModuleType] = {
    "calendar": calendar,
    "email": email,
    "analytics": analytics,
    "project_management": projects,
    "customer_relationship_manager": crm,
    "company_directory": directory,
}


class Entry(NamedTuple):
    """One tool."""

    function: Callable[..., Json]
    """Takes the world, then the arguments."""
    effect: Effect


TOOLS: dict[str, Entry] = {
    f"{domain}.{function.__name__}": Entry(function, effect)
    for domain, module in DOMAINS.items()
    for functions, effect in ((module.READS, Effect.READ), (module.WRITES, Effect.WRITE))
    for function in functions
}
"""All tools by their dotted name."""


def call(world: World, tool: str, arguments: Mapping[str, Json]) -> CallResult:
    """Call one tool; what it refuses to do comes back as a result with ``is_error``.

    Raises:
        UserError: There is no such tool.
        Exception: Whatever the tool raises where it does not answer at all: on a pattern that
            is none, a bound that is no date, a null that it cannot search for.
    """
    if tool not in TOOLS:
        raise UserError(f"there is no tool {tool!r}", f"tools: {', '.join(TOOLS)}")
    try:
        return CallResult(TOOLS[tool].function(world, **arguments))
    except Refused as e:
        return CallResult(str(e), is_error=True)
