"""What a soak has to tell: a line an hour, and a table at the end."""

from __future__ import annotations

import os
import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from bench.soak.day import Hour, Told
from bench.soak.samples import Sample

_BAR = 24
_SHOWN = (1, 6, 12, 24, 48, 72)
"""Hours that have a column."""
_FOLLOWED, _MADE = "theme FOLLOWER", "note CRYSTALLIZED"
"""The free runs whose time is compared: a read and an edit again, and a learned tool's write."""

_LINES: Sequence[tuple[str, Callable[[Sample], float]]] = (
    ("goals so far", lambda s: s.goals),
    ("resident memory, MB", lambda s: s.rss_kb / 1024),
    ("in use of what the C library gave out, MB", lambda s: s.malloc_kb / 1024),
    ("free pieces that the C library keeps, MB", lambda s: s.malloc_free_kb / 1024),
    ("memory of child processes, MB", lambda s: s.children_kb / 1024),
    ("Python objects, thousands", lambda s: s.objects / 1000),
    ("blocks that Python has given out, thousands", lambda s: s.blocks / 1000),
    ("threads", lambda s: s.threads),
    ("connections to the database file", lambda s: s.connections),
    ("open files", lambda s: s.files),
    ("asyncio tasks", lambda s: s.tasks),
    ("database and its log, MB", lambda s: s.database_kb / 1024),
    ("blobs, MB", lambda s: s.blobs_kb / 1024),
    ("blobs", lambda s: s.blobs),
    ("crons.db, MB", lambda s: s.crons_kb / 1024),
    ("mirror, MB", lambda s: s.mirror_kb / 1024),
    ("rows of all tables", lambda s: sum(s.rows.values())),
)


def as_line(hour: Hour, hours: int) -> str:
    """One hour, as it has ended."""
    done = hour.number * _BAR // hours
    at = _end(hour)
    free = sum(hour.modes[m] for m in ("CRYSTALLIZED", "FOLLOWER"))
    return (
        f"{'█' * done}{'·' * (_BAR - done)} hour {hour.number:2d} of {hours}: "
        f"{at.goals:,} goals, {free} of the hour's {hour.modes.total()} replayed or by a tool, "
        f"{at.rss_kb / 1024:.0f} MB, store {at.store_kb / 1024:.1f} MB, "
        f"{hour.seconds:.1f} s ({hour.crons_s:.1f} s of them crons)"
    )


def as_text(told: Told) -> str:
    """The whole soak, as Markdown."""
    hours = [told.hours[n - 1] for n in _shown(len(told.hours))]
    begin = told.begin
    assert begin is not None
    lines = [
        "| | begin | " + " | ".join(f"hour {h.number}" for h in hours) + " |",
        "| --- |" + " --- |" * (len(hours) + 1),
    ]
    for name, of in _LINES:
        cells = [_number(of(begin)), *(_number(of(_end(h))) for h in hours)]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    for what in (_FOLLOWED, _MADE):
        cells = [_ms(_median([h], what)) for h in hours]
        lines.append(f"| {what}, ms of processor time | | {' | '.join(cells)} |")
    lines += ["", *_growth_lines(told), "", *_count_lines(told), "", *_table_lines(told), ""]
    lines += [f"alice's report of the day begins (her inbox holds {told.waiting}):"]
    lines += [f"    {line}" for line in told.report.splitlines()[:4]]
    for name, found in (("WRONG", told.wrong), ("FAILED", told.failed)):
        lines += [f"{name}: {one}" for one in found[:20]]
    lines += ["", f"{os.cpu_count()} cores, load average {os.getloadavg()[1]:.1f}"]
    return "\n".join(lines)


def as_json(told: Told) -> dict[str, Any]:
    """The whole soak, every hour of it."""
    return {
        "begin": asdict(told.begin) if told.begin else None,
        "hours": [
            {
                "hour": h.number,
                "seconds": round(h.seconds, 2),
                "crons_s": round(h.crons_s, 2),
                "modes": dict(h.modes),
                "cpu_ms": {k: round(statistics.median(v), 2) for k, v in h.took.items()},
                "wall_ms": {k: round(statistics.median(v), 2) for k, v in h.wall.items()},
                **asdict(_end(h)),
            }
            for h in told.hours
        ],
        "growth_per_1000_goals": growth(told),
        "latency": {what: latency(told, what) for what in (_FOLLOWED, _MADE)},
        "counts": dict(told.counts),
        "modes": dict(told.modes),
        "by_kind": {kind: dict(modes) for kind, modes in told.by_kind.items()},
        "cycles": dict(told.cycles),
        "bytes_by_table": told.tables,
        "wrong": told.wrong,
        "failed": told.failed,
        "report": told.report,
        "seconds": round(sum(h.seconds for h in told.hours), 1),
    }


def growth(told: Told) -> dict[str, dict[str, float]]:
    """Kilobytes for 1,000 goals, in the second and in the last third of the hours."""
    ends = [_end(hour) for hour in told.hours]
    third = max(1, len(ends) // 3)
    spans = {"second third": ends[third - 1 : 2 * third], "last third": ends[2 * third - 1 :]}
    of: dict[str, Callable[[Sample], float]] = {
        "memory": lambda s: s.rss_kb,
        "in use of the C library's": lambda s: s.malloc_kb,
        "store": lambda s: s.store_kb,
        "database": lambda s: s.database_kb,
        "blobs": lambda s: s.blobs_kb,
        "rows": lambda s: sum(s.rows.values()),
        "objects": lambda s: s.objects,
        "blocks": lambda s: s.blocks,
    }
    return {
        name: {what: round(1000 * _slope(span, value), 1) for what, span in spans.items()}
        for name, value in of.items()
    }


def latency(told: Told, what: str) -> dict[str, float | None]:
    """Median processor time of one kind of free run: first and last quarter of the hours."""
    having = [hour for hour in told.hours if what in hour.took]
    quarter = max(1, len(having) // 4)
    first, last = _median(having[:quarter], what), _median(having[-quarter:], what)
    ratio = round(last / first, 2) if first and last else None
    return {"first_ms": first, "last_ms": last, "ratio": ratio}


def _growth_lines(told: Told) -> list[str]:
    lines = ["| growth per 1,000 goals | second third | last third |", "| --- | --- | --- |"]
    for name, spans in growth(told).items():
        unit = "" if name in ("rows", "objects", "blocks") else " kB"
        cells = " | ".join(f"{value:,.0f}{unit}" for value in spans.values())
        lines.append(f"| {name} | {cells} |")
    return lines


def _count_lines(told: Told) -> list[str]:
    counts, goals = told.counts, told.counts["goals"]
    modes = ", ".join(f"{mode} {n}" for mode, n in told.modes.most_common())
    cycles = ", ".join(f"{n} {what}" for what, n in sorted(told.cycles.items()) if n)
    others = (
        *("side exits", "already done", "undone", "judged right", "chosen agents", "explored"),
        *("audits", "audits: agreed", "audits: disagreed", "failed as they must"),
        "said failed, and was done",
    )
    lines = [
        f"- {goals:,} goals: {modes}",
        f"- free: {counts['free'] / goals:.1%}; {counts['tokens']:,} tokens",
        f"- {counts['successes checked']:,} successes held against the files and the right "
        f"answers: {len(told.wrong)} wrong; {len(told.failed)} failed that should not have",
        "- " + ", ".join(f"{name} {counts[name]}" for name in others),
        f"- crons: {cycles}",
    ]
    for what in (_FOLLOWED, _MADE):
        found = latency(told, what)
        lines.append(
            f"- {what}: {_ms(found['first_ms'])} ms of processor time in the first quarter, "
            f"{_ms(found['last_ms'])} in the last: ratio {found['ratio']}"
        )
    for kind, by in sorted(told.by_kind.items()):
        lines.append(f"- {kind}: " + ", ".join(f"{mode} {n}" for mode, n in by.most_common()))
    lines.append(f"- {sum(h.seconds for h in told.hours):.0f} s of the wall clock")
    return lines


def _table_lines(told: Told) -> list[str]:
    whole = sum(told.tables.values()) or 1
    rows = _end(told.hours[-1]).rows
    lines = ["| table with its indexes | kB | share | rows |", "| --- | --- | --- | --- |"]
    for name, size in list(told.tables.items())[:12]:
        lines.append(
            f"| {name} | {size / 1024:,.0f} | {size / whole:.0%} | {rows.get(name, 0):,} |"
        )
    return lines


def _shown(hours: int) -> list[int]:
    return [n for n in _SHOWN if n < hours] + [hours]


def _end(hour: Hour) -> Sample:
    assert hour.end is not None
    return hour.end


def _slope(span: Sequence[Sample], of: Callable[[Sample], float]) -> float:
    """By least squares, for one goal."""
    goals, values = [float(s.goals) for s in span], [of(s) for s in span]
    if len(set(goals)) < 2:
        return 0.0
    return statistics.linear_regression(goals, values).slope


def _median(hours: Sequence[Hour], what: str) -> float | None:
    taken = [ms for hour in hours for ms in hour.took.get(what, ())]
    return statistics.median(taken) if taken else None


def _ms(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f}"


def _number(value: float) -> str:
    return f"{value:,.1f}" if isinstance(value, float) else f"{value:,}"
