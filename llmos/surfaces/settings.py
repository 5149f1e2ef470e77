"""Shows and edits the settings file; comments and order of the file are kept."""

from __future__ import annotations

import ast
import inspect
import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any

from llmos import config as settings
from llmos.config import LLMOSConfig, check_setting, config_path, masked, parse_setting, read_file
from llmos.errors import ConfigError, StoreError


@dataclass(frozen=True, slots=True)
class Shown:
    """One setting, for people."""

    name: str
    value: Any
    source: str
    """``default``, the path of the file, or the name of the variable."""
    about: str


def shown_settings(home: Path, environ: Mapping[str, str] | None = None) -> list[Shown]:
    """All settings with their values, where these come from, and what they mean.

    Raises:
        ConfigError: The file or a variable is wrong.
    """
    environ = os.environ if environ is None else environ
    path = config_path(home)
    values, in_file = LLMOSConfig.load(home, environ), read_file(path)
    shown = []
    for f in fields(LLMOSConfig):
        variable = f"LLMOS_{f.name.upper()}"
        source = str(path) if f.name in in_file else "default"
        source = variable if variable in environ else source
        value = masked(f.name, getattr(values, f.name))
        shown.append(Shown(f.name, value, source, abouts()[f.name]))
    return shown


@cache
def abouts() -> dict[str, str]:
    """The docstring beside each setting."""
    (tree,) = ast.parse(inspect.getsource(settings.LLMOSConfig)).body
    assert isinstance(tree, ast.ClassDef)
    told: dict[str, str] = {}
    for line, following in zip(tree.body, tree.body[1:], strict=False):
        if isinstance(line, ast.AnnAssign) and isinstance(following, ast.Expr):
            about = str(ast.literal_eval(following.value)).replace("``", "`")
            told[ast.unparse(line.target)] = " ".join(about.split())
    return told


def set_setting(home: Path, name: str, text: str) -> Any:
    """Write one setting and return its value.

    Args:
        home: Home of LLM OS.
        name: The setting.
        text: Its value as one line; lists with commas between.

    Raises:
        ConfigError: Unknown name, a value that does not fit, or a file that is not TOML.
    """
    value = check_setting(name, parse_setting(name, text))
    _check_rules(home, name, value)
    _edit(config_path(home), name, value)
    return value


def add_allow_rule(home: Path, rule: str) -> None:
    """Add a permission rule to the setting ``allow``; one that is there already stays.

    Raises:
        ConfigError: The rule is malformed, or the file is not TOML.
    """
    known = read_file(config_path(home)).get("allow", ())
    if rule not in known:
        rules = (*known, rule)
        _check_rules(home, "allow", rules)
        _edit(config_path(home), "allow", rules)


def set_table(home: Path, name: str, key: str, values: Mapping[str, Any] | None) -> None:
    """Write one table of a setting that holds several; None removes it.

    Raises:
        ConfigError: The file is not TOML.
    """
    tables = dict(read_file(config_path(home)).get(name, {}))
    tables.pop(key, None)
    if values is not None:
        tables[key] = dict(values)
    check_setting(name, tables)
    _edit(config_path(home), name, tables, key)


def set_quota(home: Path, scope: str, values: Mapping[str, Any] | None) -> None:
    """Write what is given of a scope's quota; None lifts it.

    Raises:
        ConfigError: It cannot be meant so.
    """
    from llmos.kernel.quotas import parse_quotas

    known = read_file(config_path(home)).get("quotas", {}).get(scope, {})
    given = {k: v for k, v in (values or {}).items() if v is not None}
    parse_quotas({scope: {**known, **given}})
    set_table(home, "quotas", scope, None if values is None else {**known, **given})


def _check_rules(home: Path, name: str, value: Any) -> None:
    if name in ("allow", "ask", "deny"):
        from llmos.kernel.permissions import Permissions

        Permissions(**{name: value}, cwd=home, home=home)  # parses them


def _edit(path: Path, name: str, value: Any, key: str | None = None) -> None:
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    try:
        document = tomlkit.parse(path.read_text("utf-8")) if path.exists() else tomlkit.document()
    except (TOMLKitError, UnicodeDecodeError) as e:
        raise ConfigError(f"{path} is not a TOML file: {e}", "mend or delete it") from e
    except OSError as e:
        raise ConfigError(f"cannot read {path}: {e.strerror}") from e
    if key is None:
        document[name] = list(value) if isinstance(value, tuple) else value
    else:
        _edit_table(document, name, key, value)
    _replace(path, tomlkit.dumps(document))


def _edit_table(document: Any, name: str, key: str, value: Mapping[str, Any]) -> None:
    """Change one table below ``name``; those beside it, and comments, stay as they are."""
    import tomlkit

    if name not in document:
        document[name] = tomlkit.table(is_super_table=True)
    if key in value:
        document[name][key] = value[key]
    elif key in document[name]:
        del document[name][key]
    if not value:
        del document[name]


def _replace(path: Path, text: str) -> None:
    """Put ``text`` at ``path`` at once or not at all; only its owner can read it."""
    draft = path.with_name(f".{path.name}-{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with open(
            os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", -1, "utf-8"
        ) as f:
            f.write(text)
        draft.replace(path.resolve())
    except OSError as e:
        raise StoreError(f"cannot write {path}: {e.strerror}", "check its owner and mode") from e
    finally:
        with suppress(OSError):
            draft.unlink()
