"""How a finished run is shown: the answer, what one should know, and one line of numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from llmos.surfaces.cli.output import dollars, duration, err, print_answer, printable, short
from llmos.surfaces.cli.views.audits import audit_line
from llmos.values import AuditOutcome, Mode, RunResult, Verdict


def show_notes(told: Sequence[tuple[str, str]]) -> None:
    """Print lines with their styles on standard error."""
    for style, note in told:
        err().print(printable(note), style=style)


def show_result(result: RunResult, told_before: Sequence[tuple[str, str]] = ()) -> None:
    """Print the answer on standard output and the rest on standard error.

    Args:
        result: How the run ended.
        told_before: Lines that the reader has seen already.
    """
    print_answer(result.output)
    show_notes(
        [
            (style, note)
            for style, note in notes(result)
            if not any(note.startswith(before) for _, before in told_before)
        ]
    )
    console = err()
    console.print(summary(result), style="dim")


def notes(result: RunResult) -> Iterator[tuple[str, str]]:
    """What one should know beside the answer, one line each with its style."""
    stopped = result.side_exit
    if stopped is not None:
        done = f"after {_steps(len(stopped.committed))}" if stopped.committed else "at once"
        then = "; the model went on" if result.mode is Mode.MIXED else ""
        yield "yellow", f"! the replay stopped {done}{then}: {stopped.reason}"
    if result.audit is not None:
        differs = result.audit.outcome is AuditOutcome.DISAGREED
        yield "yellow" if differs else "dim", audit_line(result.audit)
    for noted in result.noted:
        yield "dim", f"noted: {noted}"
    for warning in result.warnings:
        yield "yellow", f"! {warning}"
    if not result.success:
        yield "red", f"✗ {_failure(result)}"
        if "no language model is configured" in result.error:
            yield "", "  llmos doctor tells how to get one"


def summary(result: RunResult) -> str:
    """Mode, tokens, cost and time on one line, and by what name to call the run."""
    parts = [result.mode.value]
    if result.already_done:
        parts.append("already done")
    if result.verdict in (Verdict.VERIFIED, Verdict.CONFIRMED):
        parts.append(result.verdict.value)
    parts += [
        f"{result.usage.total_tokens:,} tokens",
        dollars(result.cost_usd),
        duration(result.duration_s),
        f"run {short(result.trace_id)}",
    ]
    return " · ".join(parts)


def _failure(result: RunResult) -> str:
    stopped = result.side_exit
    error = result.error or "the run failed"
    # The reason of the side exit has just been told.
    return error.removeprefix(f"{stopped.reason}; and ") if stopped else error


def _steps(count: int) -> str:
    return "1 step" if count == 1 else f"{count} steps"
