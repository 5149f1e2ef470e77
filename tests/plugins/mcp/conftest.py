"""Real servers: processes that speak MCP on their standard streams, or on a loopback port."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from llmos.plugins import Registry, ToolContext, invoke
from llmos.plugins.mcp import Servers, parse_server
from llmos.values import Json

HERE = Path(__file__).parent

PAY: dict[str, Any] = {
    "name": "pay",
    "description": "Pay into an account.",
    "inputSchema": {
        "type": "object",
        "properties": {"to": {"type": "string"}, "amount": {"type": "integer"}},
        "required": ["to"],
        "additionalProperties": False,
    },
    "annotations": {"readOnlyHint": True},
}


class Odd:
    """The state that the server by hand reads, and what it has noted."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.say()

    @property
    def raw(self) -> dict[str, Any]:
        """What the settings say of it."""
        server = str(HERE / "odd_server.py")
        return {"command": sys.executable, "args": ["-I", "-S", server, str(self.path)]}

    def say(self, *tools: dict[str, Any], mood: str = "") -> None:
        self.path.write_text(json.dumps({"tools": list(tools) or [PAY], "mood": mood}))

    def noted(self, what: str) -> list[Any]:
        try:
            lines = Path(f"{self.path}.calls").read_text().splitlines()
        except FileNotFoundError:
            return []
        return [entry[what] for entry in map(json.loads, lines) if what in entry]


@pytest.fixture
def odd(tmp_path: Path) -> Odd:
    return Odd(tmp_path / "odd.json")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """One in which nobody has been: a real database is made in it."""
    folder = tmp_path / "os-home"
    folder.mkdir()
    return folder.resolve()


class Opened:
    """Servers with their registry, as a kernel has them."""

    def __init__(self, home: Path, raw: dict[str, Any]) -> None:
        self.registry = Registry()
        parsed = {name: parse_server(name, one) for name, one in raw.items()}
        self.servers = Servers(home, parsed, self.registry)

    async def call(self, context: ToolContext, name: str, **arguments: Any) -> Json:
        tool = self.registry.get(name)
        return await invoke(tool, context, tool.validate(arguments), context.timeout_s)


@pytest.fixture
def opened(home: Path) -> Iterator[Any]:
    """Opens servers of one home; all are closed at the end."""
    made: list[Opened] = []

    def open_(**raw: dict[str, Any]) -> Opened:
        made.append(Opened(home, raw))
        return made[-1]

    yield open_
    for one in made:
        one.servers.close()
