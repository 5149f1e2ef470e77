"""The part of the runtime that an emitted tool carries with it."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from llmos.evolution import runtime


@dataclass(frozen=True, slots=True)
class _Part:
    """A definition of the runtime."""

    source: str
    uses: frozenset[str]
    """Names that it needs, of definitions and of imports."""


def needs(*texts: str | None) -> None:
    """Stop where the wording of the goal does not say something: it is None."""
    for text in texts:
        if text is None:
            raise ValueError("the goal does not say all that is needed")


def names() -> frozenset[str]:
    """Every name that a bundle may define or import."""
    return frozenset(_definitions()) | frozenset(_imports()) | {needs.__name__}


def bundle(functions: Iterable[str], *, slots: bool = False) -> str:
    """Source of functions of the runtime, and of everything that they use.

    Args:
        functions: Their names.
        slots: Whether `needs` is called too.

    Returns:
        Imports and definitions, in the order of the runtime; "" for no functions.

    Raises:
        ValueError: One is no function of the runtime.
    """
    definitions = _definitions()
    wanted: set[str] = set()
    waiting = list(functions)
    while waiting:
        name = waiting.pop()
        if name in wanted or name in _imports():
            continue
        if name not in definitions:
            raise ValueError(f"{name[:60]!r} is no function of the runtime")
        wanted.add(name)
        waiting += definitions[name].uses
    used = {name for part in wanted for name in definitions[part].uses}
    parts = [part.source for name, part in definitions.items() if name in wanted]
    own = inspect.getsource(needs).rstrip() if slots else ""
    return "\n\n\n".join(filter(None, [_header(used), *parts, own]))


def _header(used: set[str]) -> str:
    whole = [f"import {name}" for name, module in _imports().items() if not module and name in used]
    pieces: dict[str, list[str]] = {}
    for name, module in _imports().items():
        if module and name in used:
            pieces.setdefault(module, []).append(name)
    several = [f"from {module} import {', '.join(found)}" for module, found in pieces.items()]
    return "\n".join([*whole, *several])


@cache
def _tree() -> tuple[str, ast.Module]:
    source = inspect.getsource(runtime)
    return source, ast.parse(source)


@cache
def _imports() -> Mapping[str, str]:
    """Imported name to the module that it comes from; "" where it is the module."""
    found: dict[str, str] = {}
    for node in _tree()[1].body:
        if isinstance(node, ast.Import):
            found.update({alias.name: "" for alias in node.names})
        elif isinstance(node, ast.ImportFrom) and node.module and node.module != "__future__":
            found.update({alias.name: node.module for alias in node.names})
    return MappingProxyType(found)


@cache
def _definitions() -> Mapping[str, _Part]:
    """Functions and constants by name, in order."""
    source, tree = _tree()
    known = {name for node in tree.body for name in _defines(node)} | set(_imports())
    lines = source.splitlines()
    found: dict[str, _Part] = {}
    for node in tree.body:
        for name in _defines(node):
            text = "\n".join(lines[node.lineno - 1 : node.end_lineno])
            found[name] = _Part(text, frozenset((_free(node) & known) - {name}))
    return MappingProxyType(found)


def _defines(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.FunctionDef):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else []
    if isinstance(node, ast.AnnAssign):
        targets = [node.target]
    return [target.id for target in targets if isinstance(target, ast.Name)]


def _free(node: ast.stmt) -> set[str]:
    """Names that a definition reads and does not bind itself."""
    bound: set[str] = set()
    read: set[str] = set()
    for part in ast.walk(node):
        if isinstance(part, ast.arg):
            bound.add(part.arg)
        elif isinstance(part, ast.Name):
            (read if isinstance(part.ctx, ast.Load) else bound).add(part.id)
    return read - bound
