"""The agents that come with the package: Markdown files, read when they are asked for."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType

from llmos.cortex.agents.agent import Agent, parse

_ENDING = ".md"


@cache
def shipped() -> Mapping[str, Agent]:
    """The agents by name."""
    found = {}
    for file in sorted(files(__name__).iterdir(), key=lambda f: f.name):
        if file.name.endswith(_ENDING):
            name = file.name.removesuffix(_ENDING)
            found[name] = parse(file.read_text("utf-8"), name)
    return MappingProxyType(found)
