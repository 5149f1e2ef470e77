"""The MCP servers of a home, as people edit them: in the settings, without opening the home."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmos.config import LLMOSConfig, config_path, read_file
from llmos.errors import ConfigError, UserError
from llmos.plugins.mcp import Definition, Listing, Server, Servers, parse_server, redacted
from llmos.plugins.mcp.listing import Remembered
from llmos.plugins.registry import Registry
from llmos.surfaces.settings import set_table
from llmos.values import Effect, Json

SETTING = "mcp_servers"
_TAKEN_OVER = ("type", "command", "args", "env", "cwd", "url", "headers")


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of one entry of an imported file."""

    name: str
    outcome: str
    """``new``, ``kept`` (there is one of that name) or ``refused``."""
    told: str = ""


def server_rows(home: Path) -> list[dict[str, Json]]:
    """All servers, for a list.

    Raises:
        ConfigError: The settings are wrong.
    """
    rows: list[dict[str, Json]] = []
    for name, raw in LLMOSConfig.load(home).mcp_servers.items():
        server, shown = parse_server(name, raw), redacted(raw)
        listing = Remembered(home).load(server)
        args: Any = shown.get("args") or []
        where = shown.get("url") or " ".join([server.command, *map(str, args)])
        rows.append(
            {
                "name": name,
                "transport": "stdio" if server.command else "http",
                "where": where,
                "enabled": server.enabled,
                "tools": len(listing.tools) if listing else None,
                "read_at": listing.read_at if listing else None,
            }
        )
    return rows


def shown_server(home: Path, name: str) -> dict[str, Json]:
    """What the settings say of a server, without secrets, and what was last read of it.

    Raises:
        UserError: There is no such server.
    """
    raw = _raw(home, name)
    listing = Remembered(home).load(parse_server(name, raw))
    read: Json = None
    if listing is not None:
        read = {"at": listing.read_at, "program": listing.program, "tools": len(listing.tools)}
    return {"name": name, "settings": redacted(raw), "read": read}


def add_server(home: Path, name: str, raw: Mapping[str, Any], replace: bool = False) -> Server:
    """Write a server into the settings.

    Raises:
        ConfigError: It cannot be meant so.
        UserError: There is one of that name, and it shall not be replaced.
    """
    server = parse_server(name, raw)
    if name in read_file(config_path(home)).get(SETTING, {}) and not replace:
        raise UserError(f"there is an MCP server {name!r}", f"llmos mcp remove {name} takes it out")
    set_table(home, SETTING, name, raw)
    return server


def require_no_secret(name: str, raw: Mapping[str, Any]) -> None:
    """Check that no header would put a secret into the settings.

    Raises:
        ConfigError: It cannot be meant so.
        UserError: One looks like it.
    """
    for header in parse_server(name, raw).bare_secrets:
        variable = re.sub(r"\W", "_", f"{name}_{header}").upper()
        raise UserError(
            f"what the header {header!r} holds would stand in the settings, for all who read them",
            f"give it by a variable: export {variable}=…, and --header {header}='${{{variable}}}'",
        )


def remove_server(home: Path, name: str) -> None:
    """Take a server out of the settings, with what was read of it.

    Raises:
        UserError: There is no such server.
    """
    _raw(home, name)
    set_table(home, SETTING, name, None)
    Remembered(home).forget(name)


async def read_server(home: Path, name: str) -> tuple[Server, Listing]:
    """Start or reach a server, ask for its tools, remember them, and end it.

    Raises:
        UserError: There is no such server.
        ToolError: It cannot be used.
    """
    server = parse_server(name, {**_raw(home, name), "enabled": True})
    servers = Servers(home, {name: server}, Registry())
    try:
        return server, await servers.read(name)
    finally:
        servers.close()


def tool_rows(server: Server, listing: Listing) -> list[dict[str, Json]]:
    """The tools of a server, with what the user says of each and what the server hints."""
    return [
        {
            "name": f"{server.name}.{tool.name}",
            "effect": server.effect(tool.name, tool.digest).value,
            "trusted": server.effects.get(tool.name),
            "hints": dict(tool.hints),
            "description": tool.description,
            "parameters": dict(tool.schema),
            "digest": tool.digest[:12],
        }
        for tool in listing.tools
    ]


def trust(home: Path, name: str, tool: str, effect: str) -> Definition:
    """Declare what a tool does. It holds for the tool as it was last read.

    Raises:
        UserError: There is no such server or tool, or it was never read.
    """
    if effect not in list(Effect):
        raise UserError(
            f"{effect[:40]!r} is not an effect", f"effects: {', '.join(e.value for e in Effect)}"
        )
    raw = _raw(home, name)
    listing = Remembered(home).load(parse_server(name, raw))
    if listing is None:
        raise UserError(f"the tools of {name!r} were never read", f"llmos mcp tools {name}")
    found = listing.find(tool.removeprefix(f"{name}."))
    if found is None:
        known = ", ".join(t.name for t in listing.tools[:20]) or "none"
        raise UserError(f"{name!r} has no tool {tool[:64]!r}", f"tools: {known}")
    effects = {k: v for k, v in raw.get("effects", {}).items() if k != found.name}
    if effect != Effect.EXTERNAL:
        effects[found.name] = f"{effect}@{found.digest[:12]}"
    set_table(home, SETTING, name, {**raw, "effects": effects})
    return found


def import_servers(home: Path, file: Path) -> list[Imported]:
    """Take over the ``mcpServers`` of another program's file.

    Raises:
        UserError: It cannot be read, or names no servers.
    """
    try:
        raw = json.loads(file.read_text("utf-8"))
    except OSError as e:
        raise UserError(f"cannot read {file}: {e.strerror}") from e
    except ValueError as e:
        raise UserError(f"{file} is no JSON: {e}") from e
    entries = raw.get("mcpServers") if isinstance(raw, dict) else None
    if not isinstance(entries, dict) or not all(isinstance(v, dict) for v in entries.values()):
        raise UserError(f"{file} holds no servers under 'mcpServers'")
    return [_import(home, str(name), entry) for name, entry in entries.items()]


def _import(home: Path, name: str, entry: Mapping[str, Any]) -> Imported:
    usable = re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-")[:32]
    known = {k: v for k, v in entry.items() if k in _TAKEN_OVER}
    left = sorted(set(entry) - set(_TAKEN_OVER) - {"disabled"})
    if entry.get("disabled") is True:
        known["enabled"] = False
    try:
        server = add_server(home, usable, known)
    except UserError:
        return Imported(usable, "kept", "there is one of that name already")
    except ConfigError as e:
        return Imported(usable or name, "refused", e.message)
    told = [f"not taken over: {', '.join(left)}"] if left else []
    if server.bare_secrets:
        told.append(f"now in the settings as it is: the header {', '.join(server.bare_secrets)}")
    return Imported(usable, "new", "; ".join(told))


def _raw(home: Path, name: str) -> dict[str, Any]:
    servers = read_file(config_path(home)).get(SETTING, {})
    if name not in servers:
        known = ", ".join(servers) or "none"
        raise UserError(f"there is no MCP server {name[:40]!r}", f"servers: {known}")
    return dict(servers[name])
