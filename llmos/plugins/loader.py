"""Loads user plugins: every ``<home>/plugins/*.py``, each on its own.

A plugin file is imported under a module name of its own and takes part as a whole or not at
all. Files whose name starts with ``_`` are left alone.
"""

from __future__ import annotations

import hashlib
import sys
import types
from dataclasses import dataclass
from pathlib import Path

from llmos.errors import UserError
from llmos.plugins.invoke import one_line
from llmos.plugins.tool import Tool


@dataclass(frozen=True, slots=True)
class LoadProblem:
    """Why a plugin takes no part."""

    path: Path | str
    """Its file; for what is no file its name."""
    line: int | None
    reason: str

    def __str__(self) -> str:
        where = f"{self.path}:{self.line}" if self.line else str(self.path)
        return f"{where}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Plugin:
    """One loaded file."""

    path: Path
    tools: tuple[Tool, ...]


def load_folder(folder: Path) -> tuple[list[Plugin], list[LoadProblem]]:
    """Load every plugin file of a folder, in the order of their names.

    A folder that does not exist holds no plugins.
    """
    plugins: list[Plugin] = []
    problems: list[LoadProblem] = []
    for path in plugin_files(folder):
        loaded = load_file(path)
        if isinstance(loaded, Plugin):
            plugins.append(loaded)
        else:
            problems.append(loaded)
    return plugins, problems


def plugin_files(folder: Path) -> list[Path]:
    """The plugin files of a folder, in the order of their names; none if there is no folder."""
    return [p for p in sorted(folder.glob("*.py")) if not p.name.startswith("_")]


def load_file(path: Path) -> Plugin | LoadProblem:
    """Import one plugin file and return its tools, or say why it cannot be used."""
    try:
        source = path.read_bytes().decode("utf-8-sig")
        code = compile(source, str(path), "exec", dont_inherit=True)
    except UnicodeDecodeError as e:
        line = e.object[: e.start].count(b"\n") + 1
        return LoadProblem(path, line, f"is not UTF-8: byte 0x{e.object[e.start]:02x}")
    except SyntaxError as e:
        return LoadProblem(path, e.lineno, f"is not Python: {e.msg}")
    except ValueError as e:
        return LoadProblem(path, None, f"is not Python: {e}")
    except OSError as e:
        return LoadProblem(path, None, f"cannot be read: {e.strerror}")
    return _execute(path, code)


def _execute(path: Path, code: types.CodeType) -> Plugin | LoadProblem:
    module = types.ModuleType(_module_name(path))
    module.__file__ = str(path)
    before = sys.modules.get(module.__name__)
    # Dataclasses and annotations look their module up by name.
    sys.modules[module.__name__] = module
    try:
        exec(code, module.__dict__)
        tools = _tools_of(module)
    except BaseException as e:
        _put_back(module.__name__, before)
        if isinstance(e, KeyboardInterrupt):
            raise
        reason = e.message if isinstance(e, UserError) else f"does not import: {one_line(e)}"
        return LoadProblem(path, _line_of(e, path), reason)
    if not tools:
        _put_back(module.__name__, before)
        return LoadProblem(path, None, "defines no tool: decorate a function with @tool")
    return Plugin(path, tools)


def _put_back(name: str, before: types.ModuleType | None) -> None:
    """Leave the modules as they were: the version before may still be in use."""
    if before is not None:
        sys.modules[name] = before
    else:
        del sys.modules[name]


def _tools_of(module: types.ModuleType) -> tuple[Tool, ...]:
    found: list[Tool] = []
    for value in list(vars(module).values()):
        made = getattr(value, "__llmos_tool__", None)
        # What the file only imported belongs to somebody else.
        if isinstance(made, Tool) and made.function.__module__ == module.__name__:
            _ = made.parameters  # now, so that a type without a schema is told here
            if made not in found:
                found.append(made)
    return tuple(found)


def _module_name(path: Path) -> str:
    # The same in every process, and another one for a file of the same name elsewhere.
    where = hashlib.sha256(str(path.resolve()).encode("utf-8", "surrogateescape")).hexdigest()
    return f"llmos_plugin_{where[:12]}_{path.stem}"


def _line_of(error: BaseException, path: Path) -> int | None:
    line = None
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(path):
            line = trace.tb_lineno
        trace = trace.tb_next
    return line
