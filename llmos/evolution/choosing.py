"""The rows that a run of writes was made for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from llmos.evolution.pool import same
from llmos.evolution.rows import Rows
from llmos.values import Json, Step


@dataclass(frozen=True, slots=True)
class Chosen:
    """The rows that a run of writes was made for."""

    bits: int
    backwards: bool
    pairs: list[list[tuple[dict[str, Json], Step]]]
    """For each trace, the rows with their writes."""


def chosen_rows(rows: Rows, runs: Sequence[Sequence[Step]], name: str) -> Chosen | None:
    """The rows that the writes of each trace name in one argument, forwards or backwards."""
    for key in rows.fields:
        for backwards in (False, True):
            bits, pairs = 0, []
            for k, run in enumerate(runs):
                steps = list(reversed(run)) if backwards else list(run)
                matched = _matched(rows.items[k], key, [s.arguments[name] for s in steps])
                if matched is None:
                    break
                bits |= sum(1 << n for n in matched) << rows.offsets[k]
                pairs.append([(rows.items[k][n], s) for n, s in zip(matched, steps, strict=True)])
            else:
                return Chosen(bits, backwards, pairs)
    return None


def _matched(
    items: Sequence[Mapping[str, Json]], key: str, wanted: Sequence[Json]
) -> list[int] | None:
    found: list[int] = []
    for value in wanted:
        places = [n for n, item in enumerate(items) if same(item.get(key), value)]
        if len(places) != 1 or (found and places[0] <= found[-1]):
            return None
        found.append(places[0])
    return found
