"""What leaves a program: JSON of bounded size, and its failures in one line."""

from __future__ import annotations

import json
from collections.abc import Sized
from typing import TYPE_CHECKING, cast

from llmos.errors import SandboxError
from llmos.plugins.invoke import one_line
from llmos.plugins.program_limits import ProgramLimits
from llmos.values import Json

if TYPE_CHECKING:
    from pydantic_monty import Frame, MontyError

_SHOWN = 80
"""Characters of a name that are told."""


_NO_JSON = ("not JSON serializable", "Circular reference")
"""How `json.dumps` in the interpreter says so."""


def shown(name: object) -> str:
    """``name`` in quotes, on one line and of bounded length."""
    return repr(name[:_SHOWN] if isinstance(name, str) else type(name).__name__)


def as_json(value: object, limit: int, did: str) -> Json:
    """Return ``value`` if it is plain JSON: no tuple, no set, no key but text, no NaN.

    A few lists that hold each other a thousand times over are small in the program and endless
    when written out, so that the size is counted before anything is made of them.

    Args:
        value: What came out of the program.
        limit: JSON bytes that it may have.
        did: How the error begins (``"the program returned"``).

    Raises:
        SandboxError: It is too large or no JSON.
    """
    left, waiting = limit, [value]
    while waiting:
        item = waiting.pop()
        left -= _size(item, did)
        if left < 0:
            raise SandboxError(f"{did} more than {limit:,} bytes")
        if isinstance(item, list):
            waiting += item
        elif isinstance(item, dict):
            waiting += item.keys()
            waiting += item.values()
            if not all(type(key) is str for key in item):
                raise SandboxError(f"{did} a dict with keys that are no text")
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        size = len(text.encode())
    except (ValueError, RecursionError) as e:
        raise SandboxError(f"{did} what is no JSON: {one_line(e)}") from e
    if size > limit:
        raise SandboxError(f"{did} more than {limit:,} bytes")
    return value


def _size(item: object, did: str) -> int:
    """JSON bytes of ``item`` without what it holds, or fewer."""
    if isinstance(item, bool | float) or item is None:
        return 1
    if isinstance(item, int):
        return item.bit_length() // 4 + 1
    # The exact types: a namedtuple or the like would be written as something else.
    if type(item) in (str, list, dict):
        return len(cast(Sized, item)) + 2
    raise SandboxError(f"{did} a value of type {type(item).__name__}")


def told(error: MontyError, limits: ProgramLimits, lines: int) -> SandboxError:
    """What the interpreter says, in one line that names what happened.

    Args:
        error: The interpreter's error.
        limits: The limits that the program ran under.
        lines: Lines of the program's own text; frames below it are ours.
    """
    from pydantic_monty import MontyConversionError, MontyCrashedError, MontySyntaxError

    inner, text = error.exception(), str(error)
    if isinstance(error, MontyCrashedError):
        return _slow(limits) if error.timed_out else SandboxError("the program's worker died")
    if isinstance(error, MontySyntaxError):
        return SandboxError(f"the program has a {one_line(inner)}{_where(error, lines)}")
    if isinstance(error, MontyConversionError):
        return SandboxError(f"the program was given what is no JSON: {one_line(inner)}")
    if isinstance(inner, TimeoutError) and "time limit exceeded" in text:
        return _slow(limits)
    if isinstance(inner, MemoryError) and "memory limit" in text:
        return SandboxError(f"the program needed more than {limits.memory_mb} MB of memory")
    if isinstance(inner, RuntimeError) and "suspension limit" in text:
        return SandboxError("the program asked for too many names that do not exist")
    where = _where(error, lines)
    if not where and any(why in text for why in _NO_JSON):
        return SandboxError(f"the program returned what is no JSON: {one_line(inner)}")
    return SandboxError(f"the program raised {one_line(inner)}{where}")


def _slow(limits: ProgramLimits) -> SandboxError:
    return SandboxError(f"the program ran longer than {limits.wall_s:g} s")


def _where(error: MontyError, lines: int) -> str:
    """`` (line 3)`` of the program where the error came from; nothing for code of ours."""
    frames: list[Frame] = getattr(error, "traceback", list)()
    ours = [f.line for f in frames if f.filename.startswith("<python-input") and f.line <= lines]
    return f" (line {ours[-1]})" if ours else ""
