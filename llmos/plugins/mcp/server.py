"""One MCP server as the settings name it: how it is reached, and what the user says of its tools.

The form is that of the ``mcpServers`` of other programs: ``command``, ``args``, ``env``, ``cwd``,
or ``url`` and ``headers``. Own are ``effects``, ``timeout_s``, ``start_timeout_s`` and ``enabled``.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from llmos.errors import ConfigError
from llmos.values import Effect, Json

HIDDEN = "***"
"""Stands for what may be a secret."""

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,31}")
_KNOWN = ("type", "command", "args", "env", "cwd", "url", "headers")
_OWN = ("effects", "timeout_s", "start_timeout_s", "enabled")
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")
_SECRET_OPTION = re.compile(r"(?i)-{1,2}[\w-]*(key|token|secret|password|passwd|auth|header)[\w-]*")
_SECRET_HEADER = re.compile(r"(?i).*(auth|cookie|key|token|secret|passw).*")
_INHERITED = ("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_ALL", "LC_CTYPE", "TZ")
"""All that a server is given of our own environment, with ``TMPDIR``."""


@dataclass(frozen=True, slots=True)
class Server:
    """How one server is reached. Made by `parse_server`."""

    name: str
    command: str = ""
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    cwd: str = ""
    url: str = field(default="", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    effects: Mapping[str, str] = field(default_factory=dict)
    """Tool → effect, or ``effect@digest``: it holds for the tool as it was then."""
    timeout_s: float | None = None
    start_timeout_s: float = 30.0
    enabled: bool = True

    @property
    def identity(self) -> str:
        """Which server it is, without its secrets: what was read of another one is not used."""
        where = [self.command, *self.args, self.cwd] if self.command else [_bare(self.url)]
        return hashlib.sha256(json.dumps(where).encode()).hexdigest()[:16]

    @property
    def bare_secrets(self) -> tuple[str, ...]:
        """Headers whose values look like secrets and name no variable."""
        told = ((k, v) for k, v in self.headers.items() if _SECRET_HEADER.fullmatch(k))
        return tuple(name for name, value in told if not _VARIABLE.search(value))

    def effect(self, tool: str, definition: str) -> Effect:
        """What the user says that a tool does; ``external`` where nothing is said of it.

        Args:
            tool: Its name at the server.
            definition: Digest of what the server says of it.
        """
        said, _, of = self.effects.get(tool, "external").partition("@")
        # A tool that is described in another way than when it was trusted is not that tool.
        return Effect(said) if not of or definition.startswith(of) else Effect.EXTERNAL

    def environment(self, environ: Mapping[str, str]) -> dict[str, str]:
        """The variables that the server's process gets.

        Raises:
            ConfigError: One stands for a variable that is not set.
        """
        given = {k: environ[k] for k in (*_INHERITED, "TMPDIR") if k in environ}
        return given | {k: self.expanded(v, environ) for k, v in self.env.items()}

    def expanded(self, text: str, environ: Mapping[str, str] | None = None) -> str:
        """``text`` with ``${NAME}`` and ``${NAME:-default}`` replaced.

        Raises:
            ConfigError: A variable is not set and has no default.
        """
        known = os.environ if environ is None else environ

        def value(found: re.Match[str]) -> str:
            got = known.get(found[1], found[2])
            if got is None:
                raise ConfigError(
                    f"the MCP server {self.name!r} needs the variable {found[1]}, which is not set",
                    f"set it: export {found[1]}=…",
                )
            return got

        return _VARIABLE.sub(value, text)


def parse_servers(raw: Mapping[str, Any]) -> dict[str, Server]:
    """The servers of the setting ``mcp_servers``.

    Raises:
        ConfigError: One cannot be meant so; the message names the key.
    """
    return {name: parse_server(name, values) for name, values in raw.items()}


def parse_server(name: str, raw: Mapping[str, Any]) -> Server:
    """One server.

    Raises:
        ConfigError: It cannot be meant so; the message names the key.
    """
    if not NAME.fullmatch(name):
        raise _wrong(name, "", "is no usable name: a letter, then up to 31 of letters, digits, - _")
    for key in raw:
        if key not in (*_KNOWN, *_OWN):
            raise _wrong(name, key, f"is not known; keys: {', '.join((*_KNOWN, *_OWN))}")
    command, url = _text(name, raw, "command"), _text(name, raw, "url")
    if bool(command) is bool(url):
        raise _wrong(name, "", "needs either a command or a url")
    kind = _text(name, raw, "type") or ("stdio" if command else "http")
    if kind.replace("_", "-") not in (("stdio",) if command else ("http", "streamable-http")):
        raise _wrong(name, "type", f"is {kind!r}: only stdio and streamable HTTP are spoken")
    if url and not url.startswith("${") and not _is_url(url):
        raise _wrong(name, "url", "must begin with http:// or https:// and name a host")
    args = raw.get("args", ())
    if not isinstance(args, (list, tuple)) or not all(isinstance(a, str) for a in args):
        raise _wrong(name, "args", "must be a list of texts")
    return Server(
        name,
        command,
        tuple(args),
        _texts(name, raw, "env"),
        _text(name, raw, "cwd"),
        url,
        _texts(name, raw, "headers"),
        _effects(name, raw),
        _seconds(name, raw, "timeout_s"),
        _seconds(name, raw, "start_timeout_s") or 30.0,
        _enabled(name, raw),
    )


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)


def redacted(raw: Mapping[str, Any]) -> dict[str, Json]:
    """What the settings say of a server, as it may be shown."""
    shown: dict[str, Json] = dict(raw)
    for key in ("env", "headers"):
        if isinstance(raw.get(key), Mapping):
            shown[key] = {k: _covered(str(v)) for k, v in raw[key].items()}
    if isinstance(raw.get("args"), (list, tuple)):
        shown["args"] = _covered_args([str(a) for a in raw["args"]])
    if isinstance(raw.get("url"), str):
        shown["url"] = _bare(raw["url"])
    return shown


def _covered(value: str) -> str:
    return value if _VARIABLE.fullmatch(value) else HIDDEN


def _covered_args(args: list[str]) -> list[Json]:
    shown: list[Json] = []
    for i, text in enumerate(args):
        option, equals, _ = text.partition("=")
        after = bool(i) and _SECRET_OPTION.fullmatch(args[i - 1]) is not None
        if equals and _SECRET_OPTION.fullmatch(option):
            shown.append(f"{option}={HIDDEN}")
        elif "://" in text:
            shown.append(_bare(text))
        else:
            shown.append(_covered(text) if after and not text.startswith("-") else text)
    return shown


def _bare(url: str) -> str:
    """A URL without what may be a secret in it."""
    url = re.sub(r"(?<=://)[^@/?#]*@", f"{HIDDEN}@", url)
    return re.sub(r"(?<==)[^&#]+", HIDDEN, url)


def _effects(name: str, raw: Mapping[str, Any]) -> dict[str, str]:
    effects = _texts(name, raw, "effects")
    for tool, said in effects.items():
        if said.partition("@")[0] not in list(Effect):
            known = ", ".join(e.value for e in Effect)
            raise _wrong(name, f"effects.{tool}", f"is {said!r}; effects: {known}")
    return effects


def _text(name: str, raw: Mapping[str, Any], key: str) -> str:
    value = raw.get(key, "")
    if not isinstance(value, str) or "\0" in value:
        raise _wrong(name, key, "must be a text")
    return value


def _texts(name: str, raw: Mapping[str, Any], key: str) -> dict[str, str]:
    value = raw.get(key, {})
    if not isinstance(value, Mapping) or not all(isinstance(v, str) for v in value.values()):
        raise _wrong(name, key, "must be a table of texts")
    return {str(k): v for k, v in value.items()}


def _seconds(name: str, raw: Mapping[str, Any], key: str) -> float | None:
    value = raw.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < 1e6:
        raise _wrong(name, key, "must be a number of seconds")
    return float(value)


def _enabled(name: str, raw: Mapping[str, Any]) -> bool:
    value = raw.get("enabled", True)
    if not isinstance(value, bool):
        raise _wrong(name, "enabled", "must be true or false")
    return value


def _wrong(name: str, key: str, what: str) -> ConfigError:
    setting = f"mcp_servers.{name[:40]}{'.' if key else ''}{key[:40]}"
    return ConfigError(f"setting {setting!r} {what}", "see: llmos mcp --help")
