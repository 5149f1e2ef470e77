"""Do two observations tell the same? And which fresh ids stand for which old ones?

Equality is the rule. A tool may declare its own comparison, and which fields hold ids that it
makes up: those may differ in a write's result, and the old id is then renamed in everything
that follows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from llmos.plugins import Tool
from llmos.values import Json

_SMALL = 6
"""Characters. A shorter bare number may be a count, a shorter bare word may be just that word: it
is renamed at id fields only."""


class Mismatch(Exception):
    """Two observations differ; the message says where."""


class Renames:
    """Old id to fresh id, as they came up in this replay."""

    def __init__(self) -> None:
        self._new: dict[str, Json] = {}
        self._old: dict[str, str] = {}

    def __bool__(self) -> bool:
        """Whether anything is called otherwise now."""
        return any(str(new) != old for old, new in self._new.items())

    def add(self, old: Json, new: Json, where: str) -> None:
        """Learn that ``old`` is called ``new`` now; that may be the same.

        Raises:
            Mismatch: It contradicts what was learnt before.
        """
        known, back = self._new.get(str(old), new), self._old.get(str(new), str(old))
        if str(known) != str(new):
            raise Mismatch(f"{where}: {old!r} became both {known!r} and {new!r}")
        if back != str(old):
            raise Mismatch(f"{where}: both {back!r} and {old!r} became {new!r}")
        self._new[str(old)] = new
        self._old[str(new)] = str(old)

    def apply(self, value: Json, ids: tuple[str, ...]) -> Json:
        """``value`` with old ids replaced.

        Args:
            value: Recorded arguments or a recorded observation.
            ids: The id fields that the tool declares.
        """
        if not self:
            return value
        return self._field(value, ids) if "$" in ids else self._walk(value, ids)

    def doubt(self, arguments: Json, ids: tuple[str, ...]) -> str | None:
        """An old id that `apply` leaves in ``arguments``, since it may be something else; or None.

        A call with it must not be made: it may mean the thing that has another id now.
        """
        left = [o for o, new in self._new.items() if str(new) != o and _ordinary(o)]
        found = (_tokens(left).search(text) for text in _undeclared(arguments, ids) if left)
        return next((match[0] for match in found if match), None)

    def _walk(self, value: Json, ids: tuple[str, ...]) -> Json:
        if isinstance(value, dict):
            return {
                k: self._field(v, ids) if k in ids else self._walk(v, ids) for k, v in value.items()
            }
        if isinstance(value, (list, tuple)):
            return [self._walk(v, ids) for v in value]
        if isinstance(value, str):
            return self._text(value)
        if type(value) is int and not _ordinary(str(value)):
            return self._field(value, ids)
        return value

    def _field(self, value: Json, ids: tuple[str, ...]) -> Json:
        if isinstance(value, (str, int)) and not isinstance(value, bool):
            new = self._new.get(str(value), value)
            # A number written as text stays text, as the tool got it, and the other way round.
            return type(value)(new) if str(new).isdecimal() else new
        if isinstance(value, (list, tuple)):
            return [self._field(v, ids) for v in value]
        return self._walk(value, ids)

    def _text(self, text: str) -> str:
        usable = [o for o in self._new if o in text and not _ordinary(o)]
        if not usable:
            return text
        # All at once: a fresh id that equals another old one must not be renamed again.
        return _tokens(usable).sub(lambda m: str(self._new[m[0]]), text)


def _ordinary(id: str) -> bool:
    return len(id) < _SMALL and (id.lstrip("-").isdigit() or id.isalpha())


def _tokens(ids: list[str]) -> re.Pattern[str]:
    """Whole delimited tokens; a number is none where it is a part of "123456.78"."""
    either = "|".join(
        rf"{re.escape(o)}(?![.,]\d)" if o.isdigit() else re.escape(o)
        for o in sorted(ids, key=len, reverse=True)
    )
    return re.compile(rf"(?<![\w-])(?<!\d[.,])(?:{either})(?![\w-])")


def _undeclared(value: Json, ids: tuple[str, ...]) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            if key not in ids:
                yield from _undeclared(inner, ids)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from _undeclared(inner, ids)
    elif isinstance(value, (str, int)) and not isinstance(value, bool):
        yield str(value)


def compare(tool: Tool, recorded: Json, live: Json, renames: Renames, *, fresh: bool) -> None:
    """Check that ``live`` tells what ``recorded`` told.

    Args:
        tool: Whose observations these are.
        recorded: From the trace.
        live: From just now.
        renames: Learns fresh ids, and is applied to ``recorded``.
        fresh: The call is a write, which may make up ids.

    Raises:
        Mismatch: They differ.
    """
    if fresh and tool.ids:
        _learn(tool.ids, recorded, live, renames, "$" in tool.ids, "the result")
    recorded = renames.apply(recorded, tool.ids)
    if tool.compare is None:
        _same(recorded, live, "the result")
    elif not _equal(recorded, live) and not tool.compare(recorded, live):
        raise Mismatch(_difference(recorded, live))


def _learn(
    ids: tuple[str, ...], old: Json, new: Json, renames: Renames, is_id: bool, where: str
) -> None:
    """Learn every declared id, also one that has not changed: no two may become one."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in old.keys() & new.keys():
            _learn(ids, old[key], new[key], renames, key in ids, f"{where}.{key}")
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for i, (a, b) in enumerate(zip(old, new, strict=True)):
            _learn(ids, a, b, renames, is_id, f"{where}[{i}]")
    elif is_id and type(old) is type(new) and type(old) in (str, int) and old != "":
        renames.add(old, new, where)


def _same(old: Json, new: Json, where: str) -> None:
    if isinstance(old, dict) and isinstance(new, dict):
        if old.keys() != new.keys():
            odd = ", ".join(sorted(map(str, old.keys() ^ new.keys()))[:5])
            raise Mismatch(f"{where}: other fields ({odd})")
        for key in old:
            _same(old[key], new[key], f"{where}.{key}")
    elif isinstance(old, list) and isinstance(new, list):
        if len(old) != len(new):
            raise Mismatch(f"{where}: {len(new)} items, not {len(old)}")
        for i, (a, b) in enumerate(zip(old, new, strict=True)):
            _same(a, b, f"{where}[{i}]")
    # In Python True == 1 == 1.0; in JSON they are three different things.
    elif old != new or type(old) is not type(new):
        raise Mismatch(f"{where}: {_difference(old, new)}")


def _equal(old: Json, new: Json) -> bool:
    try:
        _same(old, new, "")
    except Mismatch:
        return False
    return True


def _difference(old: Json, new: Json) -> str:
    """Both values, cut to where they begin to differ."""
    a, b = (v if isinstance(v, str) else repr(v) for v in (old, new))
    if max(len(a), len(b)) <= 120:
        return f"{b!r}, not {a!r}"
    i = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
    start = max(0, i - 20)
    return f"…{b[start : i + 60]!r}, not …{a[start : i + 60]!r}"
