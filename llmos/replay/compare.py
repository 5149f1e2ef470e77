"""Do two observations tell the same? And which fresh ids stand for which old ones?

Equality is the rule. A tool may declare its own comparison, and which fields hold ids that it
makes up: those may differ in a write's result, and the old id is then renamed in everything
that follows.
"""

from __future__ import annotations

import re

from llmos.plugins import Tool
from llmos.values import Json

_SMALL = 6
"""Digits. A shorter bare number may be a count, so it is renamed at id fields only."""


class Mismatch(Exception):
    """Two observations differ; the message says where."""


class Renames:
    """Old id to fresh id, as they came up in this replay."""

    def __init__(self) -> None:
        self._new: dict[str, Json] = {}
        self._old: dict[str, str] = {}

    def __bool__(self) -> bool:
        return bool(self._new)

    def add(self, old: Json, new: Json, where: str) -> None:
        """Learn that ``old`` is called ``new`` now.

        Raises:
            Mismatch: It contradicts what was learnt before.
        """
        known, back = self._new.get(str(old), new), self._old.get(str(new), str(old))
        if known != new or back != str(old):
            raise Mismatch(f"{where}: {old!r} became both {known!r} and {new!r}")
        self._new[str(old)] = new
        self._old[str(new)] = str(old)

    def apply(self, value: Json, ids: tuple[str, ...]) -> Json:
        """``value`` with old ids replaced.

        Args:
            value: Recorded arguments or a recorded observation.
            ids: The id fields that the tool declares.
        """
        if not self._new:
            return value
        return self._field(value, ids) if "$" in ids else self._walk(value, ids)

    def _walk(self, value: Json, ids: tuple[str, ...]) -> Json:
        if isinstance(value, dict):
            return {
                k: self._field(v, ids) if k in ids else self._walk(v, ids) for k, v in value.items()
            }
        if isinstance(value, (list, tuple)):
            return [self._walk(v, ids) for v in value]
        if isinstance(value, str):
            return self._text(value)
        return value

    def _field(self, value: Json, ids: tuple[str, ...]) -> Json:
        if isinstance(value, (str, int)) and not isinstance(value, bool):
            new = self._new.get(str(value), value)
            # A number written as text stays text, as the tool got it.
            return str(new) if isinstance(value, str) and not isinstance(new, str) else new
        if isinstance(value, (list, tuple)):
            return [self._field(v, ids) for v in value]
        return self._walk(value, ids)

    def _text(self, text: str) -> str:
        usable = [o for o in self._new if o in text and not (o.isdigit() and len(o) < _SMALL)]
        if not usable:
            return text
        # All at once: a fresh id that equals another old one must not be renamed again.
        either = "|".join(re.escape(o) for o in sorted(usable, key=len, reverse=True))
        return re.sub(
            rf"(?<![\w-])(?:{either})(?![\w-])", lambda m: str(self._new[m.group()]), text
        )


def compare(tool: Tool, recorded: Json, live: Json, renames: Renames, *, fresh: bool) -> None:
    """Check that ``live`` tells what ``recorded`` told.

    Args:
        tool: Whose observations these are.
        recorded: From the trace.
        live: From just now.
        renames: Applied to ``recorded`` first; learns fresh ids.
        fresh: The call is a write, which may make up ids.

    Raises:
        Mismatch: They differ.
    """
    recorded = renames.apply(recorded, tool.ids)
    if recorded == live and _same_types(recorded, live):
        return
    if tool.compare is not None:
        if not tool.compare(recorded, live):
            raise Mismatch(_difference(recorded, live))
        return
    _same(tool, recorded, live, renames, fresh and "$" in tool.ids, fresh, "the result")


def _same(
    tool: Tool, old: Json, new: Json, renames: Renames, is_id: bool, fresh: bool, where: str
) -> None:
    if isinstance(old, dict) and isinstance(new, dict):
        if old.keys() != new.keys():
            odd = ", ".join(sorted(map(str, old.keys() ^ new.keys()))[:5])
            raise Mismatch(f"{where}: other fields ({odd})")
        for key in old:
            inner = fresh and key in tool.ids
            _same(tool, old[key], new[key], renames, inner, fresh, f"{where}.{key}")
    elif isinstance(old, list) and isinstance(new, list):
        if len(old) != len(new):
            raise Mismatch(f"{where}: {len(new)} items, not {len(old)}")
        for i, (a, b) in enumerate(zip(old, new, strict=True)):
            _same(tool, a, b, renames, is_id, fresh, f"{where}[{i}]")
    elif old == new and type(old) is type(new):
        return
    elif is_id and type(old) is type(new) and isinstance(old, (str, int)):
        renames.add(old, new, where)
    else:
        raise Mismatch(f"{where}: {_difference(old, new)}")


def _same_types(old: Json, new: Json) -> bool:
    # In Python True == 1 == 1.0; in JSON they are three different things.
    if isinstance(old, dict) and isinstance(new, dict):
        return all(_same_types(old[k], new[k]) for k in old)
    if isinstance(old, (list, tuple)) and isinstance(new, (list, tuple)):
        return all(map(_same_types, old, new))
    return type(old) is type(new)


def _difference(old: Json, new: Json) -> str:
    """Both values, cut to where they begin to differ."""
    a, b = (v if isinstance(v, str) else repr(v) for v in (old, new))
    if max(len(a), len(b)) <= 120:
        return f"{b!r}, not {a!r}"
    i = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
    start = max(0, i - 20)
    return f"…{b[start : i + 60]!r}, not …{a[start : i + 60]!r}"
