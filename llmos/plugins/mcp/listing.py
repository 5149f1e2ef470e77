"""What a server says of its tools, and the file that remembers it.

All of it is text of a stranger: it is bounded, freed of control characters, and believed in
nothing. A server's hints on its tools are kept to be shown, and decide nothing.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from llmos.errors import StoreError
from llmos.plugins.mcp.server import Server
from llmos.values import Json

MOST_TOOLS = 500
_DESCRIPTION = 4000
"""Characters of a tool's description that are kept."""
_TEXT = 1000
"""Characters of any text in a schema that are kept."""
_SCHEMA_BYTES = 64 << 10
_DEPTH = 20
_TOOL_NAME = re.compile(r"[A-Za-z0-9_.-]+")
_LONGEST_NAME = 64
"""Of a tool with its server's name; what models take."""
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Definition:
    """One tool as its server describes it."""

    name: str
    """At the server; ours has the server's name before it."""
    description: str
    schema: Mapping[str, Json]
    """JSON schema of the arguments."""
    digest: str
    """Of all that the server says of it but hints, before anything was cut."""
    hints: Mapping[str, Json] = field(default_factory=dict)
    """What the server says that it does (``readOnlyHint`` …)."""


@dataclass(frozen=True, slots=True)
class Listing:
    """All tools of a server, as it has told them."""

    identity: str
    read_at: str
    program: str
    """How the server calls itself."""
    tools: tuple[Definition, ...]
    problems: tuple[str, ...] = ()
    """Tools that cannot be used, and why."""

    def find(self, name: str) -> Definition | None:
        """The tool of that name."""
        return next((tool for tool in self.tools if tool.name == name), None)


def listing_of(
    server: Server, program: str, tools: Sequence[Mapping[str, Any]], now: datetime
) -> Listing:
    """What a server has told, made fit to be used.

    Args:
        server: The server.
        program: How it calls itself.
        tools: What it has answered, as JSON.
        now: When that was.
    """
    found: dict[str, Definition] = {}
    problems: list[str] = []
    for raw in tools[:MOST_TOOLS]:
        name = str(raw.get("name", ""))
        why = _unusable(server.name, name, raw) or (name in found and "is told twice")
        if why:
            problems.append(f"{clean(name, 80)!r} {why}")
        else:
            found[name] = _definition(name, raw)
    if len(tools) > MOST_TOOLS:
        problems.append(f"{len(tools) - MOST_TOOLS} tools are left out: {MOST_TOOLS} are used")
    moment = now.isoformat(timespec="seconds")
    return Listing(
        server.identity, moment, clean(program, 80), tuple(found.values()), tuple(problems)
    )


def clean(text: str, longest: int) -> str:
    """Text of a stranger without what a terminal or a database would stumble over."""
    plain = _SURROGATE.sub("\ufffd", _CONTROL.sub(" ", text))
    return plain if len(plain) <= longest else f"{plain[: longest - 1]}…"


def _unusable(server: str, name: str, raw: Mapping[str, Any]) -> str:
    schema = raw.get("inputSchema")
    if not _TOOL_NAME.fullmatch(name):
        return "is no usable name: letters, digits, '_', '.', '-'"
    if len(server) + 1 + len(name) > _LONGEST_NAME:
        return f"is longer than {_LONGEST_NAME} characters with the server's name"
    if not isinstance(schema, Mapping) or schema.get("type", "object") != "object":
        return "takes no object of arguments"
    if _deeper(schema, _DEPTH) or len(json.dumps(schema)) > _SCHEMA_BYTES:
        return f"has a schema of more than {_SCHEMA_BYTES >> 10} KiB or {_DEPTH} levels"
    return ""


def _definition(name: str, raw: Mapping[str, Any]) -> Definition:
    said = {k: raw.get(k) for k in ("name", "title", "description", "inputSchema", "outputSchema")}
    digest = hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()
    schema = {"type": "object", "properties": {}, **_cleaned(raw["inputSchema"])}
    hints = {
        k: v
        for k, v in (raw.get("annotations") or {}).items()
        if k.endswith("Hint") and isinstance(v, bool)
    }
    described = raw.get("description") or raw.get("title") or "The server does not describe it."
    return Definition(name, clean(str(described), _DESCRIPTION), schema, digest, hints)


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return clean(value, _TEXT)
    if isinstance(value, Mapping):
        return {clean(str(k), 200): _cleaned(v) for k, v in value.items()}
    return [_cleaned(v) for v in value] if isinstance(value, (list, tuple)) else value


def _deeper(value: Any, levels: int) -> bool:
    inner = value.values() if isinstance(value, Mapping) else value
    if not isinstance(value, (Mapping, list, tuple)):
        return False
    return levels == 0 or any(_deeper(v, levels - 1) for v in inner)


class Remembered:
    """The listings of a home: a file each, below ``<home>/mcp``."""

    def __init__(self, home: Path) -> None:
        self._folder = home / "mcp"

    def stamp(self, server: str) -> int:
        """Changes when a listing was written; 0 where there is none."""
        try:
            return self._path(server).stat().st_mtime_ns
        except OSError:
            return 0

    def load(self, server: Server) -> Listing | None:
        """What was read of a server; None if nothing was, or only of another one of its name."""
        try:
            raw = json.loads(self._path(server.name).read_text("utf-8"))
            tools = tuple(Definition(**tool) for tool in raw.pop("tools"))
            found = Listing(tools=tools, problems=tuple(raw.pop("problems")), **raw)
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return None  # it is asked again
        return found if found.identity == server.identity else None

    def save(self, server: Server, listing: Listing) -> None:
        """Remember a listing; at once or not at all.

        Raises:
            StoreError: It cannot be written.
        """
        path = self._path(server.name)
        draft = path.with_name(f".{path.name}-{secrets.token_hex(4)}")
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as f:
                json.dump(asdict(listing), f)
            draft.replace(path)
        except OSError as e:
            raise StoreError(f"cannot write {path}: {e.strerror}", "check its owner") from e
        finally:
            with suppress(OSError):
                draft.unlink()

    def forget(self, server: str) -> None:
        """Remove what was read of a server."""
        with suppress(OSError):
            self._path(server).unlink()

    def _path(self, server: str) -> Path:
        return self._folder / f"{server}.json"
