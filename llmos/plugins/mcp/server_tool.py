"""A tool of an MCP server as a tool of ours: with the server's schema, and the user's effect."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from llmos.errors import BugError, UserError
from llmos.plugins.mcp.listing import Definition, clean
from llmos.plugins.mcp.server import Server
from llmos.plugins.tool import Tool
from llmos.values import Json

if TYPE_CHECKING:
    from pydantic import BaseModel

Ask = Callable[[str, Definition, Mapping[str, Json]], Awaitable[Json]]
"""``(server, tool, arguments)``: makes a call and returns the observation."""

_UNCHECKED = frozenset({"pattern", "patternProperties", "format", "$schema", "$id", "$anchor"})
"""Parts of a stranger's schema that are left to the server: expressions that can take for ever
to match, and names that could lead elsewhere."""

NEEDS = "pip install 'llmos[mcp]'"


@dataclass(frozen=True)
class ServerTool(Tool):
    """One tool of one server. Made by `tool_for`."""

    server: str = ""
    definition: Definition = field(default=Definition("", "", {}, ""))

    @property
    def origin(self) -> str:
        """The server."""
        return f"the MCP server {self.server!r}"

    @cached_property
    def context_parameter(self) -> str | None:
        """A server is told nothing of the run."""
        return None

    @cached_property
    def model(self) -> type[BaseModel]:
        """There is none: the schema is the server's.

        Raises:
            BugError: Always.
        """
        raise BugError(f"{self.name} has a schema and no model")

    @cached_property
    def parameters(self) -> dict[str, Json]:
        """The server's schema of the arguments, without control characters."""
        return dict(self.definition.schema)

    @cached_property
    def digest(self) -> str:
        """Changes with name, schema, description and the effect that the user declares."""
        said = f"{self.name}\0{self.effect.value}\0{self.definition.digest}"
        return hashlib.sha256(said.encode()).hexdigest()[:16]

    def validate(self, arguments: Mapping[str, Json]) -> dict[str, Any]:
        """Check ``arguments`` against the server's schema and return them.

        Raises:
            UserError: One line that names what is wrong.
        """
        error = next(self._check(dict(arguments)), None)
        if error is None:
            return dict(arguments)
        where = ".".join(str(part) for part in error.absolute_path) or "arguments"
        known = ", ".join(map(str, self.parameters.get("properties") or {})) or "none"
        told = clean(" ".join(str(error.message).split()), 300)
        raise UserError(f"{self.name}: {where}: {told}", f"arguments of {self.name}: {known}")

    @cached_property
    def _check(self) -> Callable[[Mapping[str, Json]], Any]:
        try:
            from jsonschema import Draft202012Validator
            from jsonschema.exceptions import SchemaError
            from referencing import Registry as Schemas
        except ImportError as e:
            raise UserError(f"{self.name} needs the MCP client", NEEDS) from e
        schema = _checkable(self.parameters)
        try:
            Draft202012Validator.check_schema(schema)
        except SchemaError:
            schema = {"type": "object"}  # the server will say what is wrong
        # A registry of its own: nothing that a stranger's schema refers to is ever fetched.
        validator = Draft202012Validator(schema, registry=Schemas())
        return lambda arguments: _errors(validator, arguments)


def tool_for(server: Server, definition: Definition, ask: Ask) -> ServerTool:
    """The tool of ours that stands for one of a server.

    Args:
        server: The server.
        definition: What it says of the tool.
        ask: Makes the calls.
    """

    async def call(**arguments: Json) -> Json:
        return await ask(server.name, definition, arguments)

    return ServerTool(
        function=call,
        name=f"{server.name}.{definition.name}",
        effect=server.effect(definition.name, definition.digest),
        description=definition.description,
        timeout_s=server.timeout_s,
        server=server.name,
        definition=definition,
    )


def _errors(validator: Any, arguments: Mapping[str, Json]) -> Any:
    try:
        yield from validator.iter_errors(arguments)
    except Exception:
        # A reference that leads nowhere: the server checks what it is sent itself.
        return


def _checkable(schema: Any) -> Any:
    if isinstance(schema, Mapping):
        kept = {k: _checkable(v) for k, v in schema.items() if not _unchecked(k, v)}
        return kept
    return [_checkable(v) for v in schema] if isinstance(schema, (list, tuple)) else schema


def _unchecked(key: str, value: Any) -> bool:
    # A property may have such a name: then a schema stands under it.
    return key in _UNCHECKED and (key == "patternProperties" or not isinstance(value, Mapping))
