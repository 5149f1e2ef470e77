"""The figures as Markdown: targets, phases, causes of lost coverage, costs, templates."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict
from statistics import fmean
from typing import Any, NamedTuple

from bench.workbench.metrics import (
    FIGURES,
    Measured,
    Run,
    SeedResult,
    causes,
    clopper_pearson,
    grouped,
    measure,
    quantile,
    share,
    warm,
    wilson,
    worst_family,
)
from bench.workbench.protocol import Plan

COLUMNS = ("zero", "correct", "false", "harmful", "dirty", "avoided")
"""Figures that are shown side by side."""

LISTED = 25
"""Causes and wrong runs that are listed."""


class Row(NamedTuple):
    """One line of the table of targets."""

    figure: str
    mean: float
    by_seed: tuple[float, ...]
    interval: tuple[float, float]
    target: str
    met: bool | None
    """None where nothing was looked at, or no target is set."""
    unit: str = "%"
    note: str = ""


def report(plan: Plan, results: Sequence[SeedResult], *, per_template: bool = False) -> str:
    """Everything that was measured, as Markdown."""
    runs = [run for result in results for run in result.runs]
    parts = [
        _heading(plan, results),
        _table(
            ("figure", "mean of seeds", "by seed", "95 %", "target", "met", "note"),
            map(_cells, target_rows(plan, results)),
        ),
        "### By phase\n\n" + _table(("phase", "runs", *_names()), _phases(runs)),
        "### Why the learner was needed\n\n" + _table(("runs", "cause"), _causes(runs)),
        _table(("phase", "seed", "task", "mode", "wrong at zero token"), _wrong(runs)),
        _table(("runs", "phase", "dirty side exit"), _dirty(runs)),
        "### Where time went\n\n" + _table(("part", "s a seed", "ms each"), _times(results)),
    ]
    if per_template:
        rows = _templates(_streamed(runs))
        parts.append("### By template\n\n" + _table(("template", "runs", *_names(), "cause"), rows))
    return "\n\n".join(part for part in parts if part)


def as_json(plan: Plan, results: Sequence[SeedResult]) -> dict[str, Any]:
    """The same for programs, every run included."""
    return {
        "plan": {name: _plain(value) for name, value in asdict(plan).items()},
        "targets": [row._asdict() for row in target_rows(plan, results)],
        "seeds": [asdict(result) for result in results],
    }


# --- the table of targets ----------------------------------------------------------------------


def target_rows(plan: Plan, results: Sequence[SeedResult]) -> list[Row]:
    """The figures that have a target on this stream, and the rest without."""
    runs = [run for result in results for run in result.runs]
    stream = _streamed(runs)
    least, most = _bounds(plan)
    rows = [
        _row("correct", stream, least=least if plan.learner == "expert" else None),
        _row("zero", stream, least=least if plan.learner == "gpt4" else None),
        _false_row(stream, most),
        _worst_row(stream, 0.02 if plan.learner == "expert" else None),
        _row("dirty", stream, most=0.0),
        _row("harmful_zero", stream, most=0.002),
        _row("harmful", stream),
        _row("avoided", stream),
    ]
    if warm(stream):
        rows += [_row(name, warm(stream), phase="warm") for name in COLUMNS]
    for phase in ("seen", "fresh"):
        if of_phase := _of(runs, phase):
            rows += [_row(name, of_phase, phase=phase) for name in ("correct", "false")]
    if near := _of(runs, "near misses"):
        rows += [
            _row("original", near, phase="near misses", most=0.0),
            _row("wrong", near, phase="near misses"),
        ]
    for phase in ("drift", "other clock"):
        if elsewhere := _of(runs, phase):
            rows.append(_row("wrong", elsewhere, phase=phase, most=0.0))
    return rows + _learning_rows(results)


def _bounds(plan: Plan) -> tuple[float, float]:
    """Least share served and most false hits."""
    if plan.learner == "gpt4":
        return 0.45, 0.005
    return (0.85 if plan.stream == "long" else 0.45), 0.002


def _row(
    name: str,
    runs: Sequence[Run],
    *,
    phase: str = "",
    least: float | None = None,
    most: float | None = None,
) -> Row:
    figure = FIGURES[name]
    found = measure(figure, runs)
    title = f"{phase}: {figure.name}" if phase else figure.name
    target, met = _judged(found.mean, least, most)
    note = f"{found.pooled.hits} of {found.pooled.of}"
    return Row(title, found.mean, found.by_seed, found.interval, target, met, note=note)


def _judged(value: float, least: float | None, most: float | None) -> tuple[str, bool | None]:
    if least is not None:
        return f"≥{least * 100:g} %", None if math.isnan(value) else value >= least
    if most is not None:
        return _at_most(most), None if math.isnan(value) else value <= most
    return "", None


def _at_most(most: float) -> str:
    return f"≤{most * 100:g} %" if most else "0"


def _false_row(runs: Sequence[Run], most: float) -> Row:
    row = _row("false", runs, most=most)
    pooled = share(FIGURES["false"], runs)
    if not pooled.of:
        return row
    low, high = wilson(pooled)
    note = f"{row.note}; Wilson {_percent(low)}–{_percent(high)}"
    return row._replace(note=f"{note}; Clopper–Pearson ≤{_percent(clopper_pearson(pooled))}")


def _worst_row(runs: Sequence[Run], most: float | None) -> Row:
    figure = FIGURES["false"]
    family, pooled = worst_family(figure, runs)
    by_seed = [worst_family(figure, of_one)[1].value for of_one in _by_seed(runs)]
    target, met = _judged(pooled.value, None, most)
    note = f"{family}: {pooled.hits} of {pooled.of}; mean column: over all seeds" if family else ""
    interval = (math.nan, math.nan)
    return Row(
        "false hits, worst family", pooled.value, tuple(by_seed), interval, target, met, note=note
    )


def _learning_rows(results: Sequence[SeedResult]) -> list[Row]:
    """Times in milliseconds, memory in MiB."""
    if not any(result.nights for result in results):
        return []
    cycle = [[n.seconds * 1e3 for n in result.nights] for result in results]
    family = [
        [n.seconds * 1e3 / n.families for n in result.nights if n.families] for result in results
    ]
    rss = [[result.stream_rss_mb] for result in results]
    return [
        _spread("learning, a cycle, median", cycle, 0.5, None, "ms"),
        _spread("learning, a cycle, p95", cycle, 0.95, None, "ms"),
        _spread("learning, a family with new runs, median", family, 0.5, 50.0, "ms"),
        _spread("learning, a family with new runs, p95", family, 0.95, 400.0, "ms"),
        _spread("peak resident memory", rss, 0.5, None, "MiB"),
    ]


def _spread(
    name: str, by_seed: Sequence[Sequence[float]], q: float, most: float | None, unit: str
) -> Row:
    values = tuple(quantile(of_one, q) for of_one in by_seed)
    mean = fmean(values)
    target = f"≤{most:g} {unit}" if most is not None else ""
    met = mean <= most if most is not None else None
    note = f"n = {sum(map(len, by_seed))}"
    return Row(name, mean, values, (math.nan, math.nan), target, met, unit, note)


def _cells(row: Row) -> list[str]:
    show: Callable[[float], str] = _percent if row.unit == "%" else _number
    low, high = row.interval
    return [
        row.figure,
        f"{show(row.mean)}{'' if row.unit == '%' else ' ' + row.unit}",
        ", ".join(map(show, row.by_seed)),
        "" if math.isnan(low) else f"{show(low)}–{show(high)}",
        row.target,
        {True: "yes", False: "NO", None: ""}[row.met],
        row.note,
    ]


# --- the other tables --------------------------------------------------------------------------


def _heading(plan: Plan, results: Sequence[SeedResult]) -> str:
    streamed = len(_streamed([run for result in results for run in result.runs]))
    learner = "careful expert runs" if plan.learner == "expert" else "recorded GPT-4 runs"
    return (
        f"## {plan.stream} stream, {plan.arrangement}, learner {plan.learner!r} ({learner})\n\n"
        f"Seeds: {len(results)}; runs: {streamed}; intervals: bootstrap over templates. Learning "
        f"{'on' if plan.learning else 'OFF'}; tokens and prices of the learner are nominal."
    )


def _names() -> list[str]:
    return [FIGURES[name].name for name in COLUMNS]


def _phases(runs: Sequence[Run]) -> Iterator[list[str]]:
    phases = grouped(runs, lambda r: r.phase)
    for phase, of_one in phases.items():
        yield [phase, str(len(of_one)), *_values(of_one)]
        if phase == "stream" and (later := warm(of_one)):
            yield ["stream, warm", str(len(later)), *_values(later)]


def _values(runs: Sequence[Run]) -> list[str]:
    measured: list[Measured] = [measure(FIGURES[name], runs) for name in COLUMNS]
    return [f"{_percent(m.mean)} ({m.pooled.hits})" for m in measured]


def _causes(runs: Sequence[Run]) -> Iterator[list[str]]:
    counted = causes(_streamed(runs))
    for cause, n in counted.most_common(LISTED):
        yield [str(n), cause]
    rest = counted.most_common()[LISTED:]
    if rest:
        yield [str(sum(n for _, n in rest)), f"{len(rest)} other causes"]


def _wrong(runs: Sequence[Run]) -> Iterator[list[str]]:
    found = [run for run in runs if FIGURES["wrong"].hit(run)]
    for run in found[:LISTED]:
        goal = " ".join(run.goal.split())[:120]
        yield [run.phase, str(run.seed), run.task, run.mode, goal]
    if len(found) > LISTED:
        yield ["", "", "", "", f"{len(found) - LISTED} more"]


def _dirty(runs: Sequence[Run]) -> Iterator[list[str]]:
    counted = Counter((run.phase, run.cause) for run in runs if run.dirty)
    for (phase, cause), n in counted.most_common(LISTED):
        yield [str(n), phase, cause]


def _templates(runs: Sequence[Run]) -> Iterator[list[str]]:
    for family, of_one in sorted(grouped(runs, lambda r: r.family).items()):
        worst = causes(of_one).most_common(1)
        why = f"{worst[0][1]}× {worst[0][0][:80]}" if worst else ""
        yield [family, str(len(of_one)), *_values(of_one), why]


def _times(results: Sequence[SeedResult]) -> Iterator[list[str]]:
    runs = [run for result in results for run in result.runs]
    parts = dict.fromkeys(part for result in results for part in result.seconds)
    for part in parts:
        total = sum(result.seconds.get(part, 0.0) for result in results)
        phase = part.removeprefix("execute, ")
        n = len(_of(runs, phase)) if phase != part else len(runs)
        if part == "learn":
            n = sum(len(result.nights) for result in results)
        elif part == "feedback":
            n = len(_streamed(runs)) + len(_of(runs, "others"))
        each = f"{total / n * 1e3:.2f}" if n and part != "open and close" else ""
        yield [part, f"{total / len(results):.1f}", each]
    rss = fmean(result.stream_rss_mb for result in results)
    yield ["peak resident memory of a seed's process", f"{rss:.0f} MiB", ""]
    yield ["home after the stream", f"{fmean(r.home_mb for r in results):.1f} MiB", ""]


# --- small things ------------------------------------------------------------------------------


def _streamed(runs: Sequence[Run]) -> list[Run]:
    return _of(runs, "stream")


def _of(runs: Sequence[Run], phase: str) -> list[Run]:
    return [run for run in runs if run.phase == phase]


def _by_seed(runs: Sequence[Run]) -> list[list[Run]]:
    return [of_one for _, of_one in sorted(grouped(runs, lambda r: r.seed).items())]


def _percent(value: float) -> str:
    if math.isnan(value):
        return "–"
    return f"{value * 100:.1f} %" if value >= 0.1 or value == 0 else f"{value * 100:.2f} %"


def _number(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.0f}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Nothing when there are no rows."""
    body = list(rows)
    lines = [head, ["---"] * len(head), *body] if body else []
    return "\n".join(f"| {' | '.join(c.replace('|', '¦') for c in line)} |" for line in lines)


def _plain(value: Any) -> Any:
    return value if isinstance(value, str | int | float | bool | list | tuple) else str(value)
