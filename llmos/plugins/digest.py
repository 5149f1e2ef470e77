"""What a function is, as a hash: its code and that of the helpers it uses.

Comments, line numbers, file and module names do not matter, so that a plugin file can be
reformatted or moved. What other modules do is not looked at.
"""

from __future__ import annotations

import hashlib
import inspect
import re
import types
from collections.abc import Callable, Iterator
from typing import Any

_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


def feed_signature(h: hashlib._Hash, function: Callable[..., Any]) -> None:
    """Add names, types and defaults of the parameters to a hash."""
    signature = inspect.signature(function)
    for p in signature.parameters.values():
        annotation = inspect.formatannotation(p.annotation, base_module=function.__module__)
        default = "" if p.default is p.empty else f"={_stable(p.default)}"
        h.update(f"{p.name}:{annotation}{default}\0".encode())


def feed_code(h: hashlib._Hash, function: Callable[..., Any]) -> None:
    """Add the function's code to a hash, with the helpers and constants of its own module."""
    _feed_function(h, function, set())


def _feed_function(h: hashlib._Hash, function: Any, seen: set[int]) -> None:
    code = getattr(function, "__code__", None)
    if code is None or id(code) in seen:
        h.update(repr(type(function)).encode())
        return
    seen.add(id(code))
    _feed_code(h, code)
    h.update(_stable(function.__defaults__).encode())
    for name in sorted(set(_names(code))):
        if name in function.__globals__:
            _feed_used(h, name, function.__globals__[name], function.__module__, seen)
    cells = zip(code.co_freevars, function.__closure__ or (), strict=True)
    for name, cell in cells:
        try:
            _feed_used(h, name, cell.cell_contents, function.__module__, seen)
        except ValueError:  # a cell that is still empty
            continue


def _feed_used(h: hashlib._Hash, name: str, value: object, module: str, seen: set[int]) -> None:
    if isinstance(value, types.FunctionType) and value.__module__ == module:
        h.update(name.encode() + b"()")
        _feed_function(h, value, seen)
    elif isinstance(value, type) and value.__module__ == module and id(value) not in seen:
        seen.add(id(value))
        h.update(name.encode() + b"{}")
        for key, member in sorted(vars(value).items()):
            inner = getattr(member, "__func__", getattr(member, "fget", member))
            if isinstance(inner, types.FunctionType) or not key.startswith("__"):
                _feed_used(h, key, inner, module, seen)
    elif isinstance(value, str | bytes | int | float | bool | tuple | frozenset | None):
        h.update(f"{name}={_stable(value)}\0".encode())


def _feed_code(h: hashlib._Hash, code: types.CodeType) -> None:
    h.update(code.co_code)
    h.update(repr(code.co_names).encode())
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            _feed_code(h, constant)
        else:
            h.update(_stable(constant).encode())


def _names(code: types.CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _names(constant)


def _stable(value: object) -> str:
    # Equal in every process: no addresses, no order of sets.
    if isinstance(value, frozenset | set):
        return f"{{{', '.join(sorted(map(_stable, value)))}}}"
    if isinstance(value, tuple):
        return f"({', '.join(map(_stable, value))},)"
    return _ADDRESS.sub("", repr(value))
