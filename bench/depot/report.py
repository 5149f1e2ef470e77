"""The figures as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from bench.depot.goals import FAMILIES
from bench.workbench.metrics import FIGURES, Run, SeedResult, causes, grouped, share, warm
from llmos.values import Mode

HEAD = (
    "seed",
    "goals",
    "zero-token",
    "correct at zero token %",
    "warm %",
    "with one question %",
    "of these wrong",
    "false hits",
    "false %",
    "harmful writes",
    "nights s",
)


def report(results: Sequence[SeedResult], *, per_family: bool = False) -> str:
    """Everything that was measured."""
    runs = [run for result in results for run in result.runs]
    stream = [run for run in runs if run.phase == "stream"]
    parts = [_table(HEAD, _seeds(results))]
    for phase in ("drift", "near misses"):
        if found := [run for run in runs if run.phase == phase]:
            parts.append(_tested(phase, found))
    if per_family:
        head = ("family", "kind", "goals", "correct at zero token %", "warm %", "false", "cause")
        parts.append(_table(head, _families(stream)))
    wrong = [run for run in runs if run.zero and not run.right]
    parts.append(_table(("phase", "seed", "family", "goal", "wrong at zero token"), _rows(wrong)))
    return "\n\n".join(part for part in parts if part)


def _seeds(results: Sequence[SeedResult]) -> Iterator[tuple[object, ...]]:
    for result in results:
        runs = [run for run in result.runs if run.phase == "stream"]
        false = share(FIGURES["false"], runs)
        yield (
            result.seed,
            len(runs),
            share(FIGURES["zero"], runs).hits,
            *_correct(runs),
            *_asked(runs),
            false.hits,
            _percent(false.value, 2),
            share(FIGURES["harmful"], runs).hits,
            f"{sum(night.seconds for night in result.nights):.0f}",
        )


def _correct(runs: Sequence[Run]) -> tuple[str, str]:
    figure = FIGURES["correct"]
    return _percent(share(figure, runs).value), _percent(share(figure, warm(runs)).value)


def _asked(runs: Sequence[Run]) -> tuple[str, int]:
    """Goals that a tool did and a model was asked for one value: it answers what is right."""
    found = [run for run in runs if run.mode == Mode.MIXED.value and not run.asked]
    wrong = sum(not run.right for run in found)
    return _percent(len(found) / max(1, len(runs))), wrong


def _tested(phase: str, runs: Sequence[Run]) -> str:
    """Away from the stream: how many were done without a model, and how many of them wrong."""
    zero = share(FIGURES["zero"], runs).hits
    right = share(FIGURES["correct"], runs).hits
    if phase == "drift":
        return f"drift: {len(runs)} goals, {zero} at zero token, {zero - right} of them wrong"
    original = share(FIGURES["original"], runs).hits
    return (
        f"near misses: {len(runs)} goals, {zero} at zero token, {right} of them right, {original} "
        f"as the original goal asked, {zero - right - original} wrong otherwise"
    )


def _families(stream: Sequence[Run]) -> Iterator[tuple[object, ...]]:
    by_family = grouped(stream, lambda run: run.family)
    served = {name: share(FIGURES["correct"], runs).value for name, runs in by_family.items()}
    for family in sorted(by_family, key=lambda name: -served[name]):
        runs = by_family[family]
        false = share(FIGURES["wrong"], runs).hits
        cause = causes(warm(runs)).most_common(1) or [("", 0)]
        yield family, FAMILIES[family].kind, len(runs), *_correct(runs), false, _cell(*cause[0])


def _cell(cause: str, times: int) -> str:
    return f"{times}× {cause}" if times else ""


def _rows(runs: Iterable[Run]) -> Iterator[tuple[object, ...]]:
    for run in runs:
        yield run.phase, run.seed, run.family, run.goal, run.detail


def _percent(value: float, digits: int = 1) -> str:
    return f"{100 * value:.{digits}f}"


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table; nothing when there is no row."""
    lines = ["| " + " | ".join(str(c).replace("|", "\\|") for c in row) + " |" for row in rows]
    if not lines:
        return ""
    return "\n".join(["| " + " | ".join(head) + " |", "| --- " * len(head) + "|", *lines])
