"""How stored runs are shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from llmos.surfaces.cli.output import (
    dollars,
    duration,
    moment,
    one_line,
    print_table,
    printable,
    short,
    to_json,
    when,
)
from llmos.surfaces.cli.views.audits import audit_line
from llmos.surfaces.cli.views.offer import offer_told
from llmos.values import Audit, Json, Step, Trace

if TYPE_CHECKING:
    from yaml import Node, SafeDumper


def as_row(trace: Trace) -> dict[str, Json]:
    """A run without its steps, as JSON."""
    told = dict(to_json(trace))
    del told["steps"]
    return told


def print_runs(runs: Sequence[Trace]) -> None:
    """Print one line for each run."""
    if not runs:
        print('No run yet. Begin with: llmos run "…"')
        return
    rows = [
        (
            short(trace.id),
            when(trace.now),
            trace.mode.value,
            trace.verdict.value,
            f"{trace.usage.total_tokens:,}",
            dollars(trace.cost_usd),
            one_line(trace.goal, 200),
        )
        for trace in runs
    ]
    print_table(("RUN", "WHEN", "MODE", "VERDICT", ">TOKENS", ">COST", "GOAL"), rows)


def print_run(
    trace: Trace, audit: Audit | None = None, offer: Mapping[str, Json] | None = None
) -> None:
    """Print a run as YAML: the numbers first, then what was done.

    Args:
        trace: The run.
        audit: How it compares with a free run, where it was drawn for that.
        offer: Which tools its model was given, where that were not simply all.
    """
    told: dict[str, Any] = {
        "run": trace.id,
        "goal": trace.goal,
        "when": moment(trace.now),
        "user": trace.user_id,
        "mode": trace.mode.value,
        "agent": trace.agent,
        "model": trace.model,
        "source": trace.source,
        "verdict": trace.verdict.value,
        "quarantined": trace.quarantined or None,
        "error": trace.error,
        "check": trace.check,
        "audit": audit_line(audit) if audit is not None else None,
        "given": offer_told(offer) if offer is not None else None,
        "tokens": trace.usage.total_tokens,
        "cost": dollars(trace.cost_usd),
        "time": duration(trace.duration_s),
        "steps": [_step(i, step) for i, step in enumerate(trace.steps)],
        "answer": trace.output,
    }
    print(as_yaml({k: v for k, v in told.items() if v not in (None, "", [])}), end="")


def as_yaml(value: Json) -> str:
    """A JSON value as YAML, with text of several lines as a block."""
    import yaml

    class Dumper(yaml.SafeDumper):
        pass

    def text(dumper: SafeDumper, value: str) -> Node:
        style = "|" if "\n" in value else None
        return dumper.represent_scalar("tag:yaml.org,2002:str", printable(value), style=style)

    Dumper.add_representer(str, text)
    return str(yaml.dump(value, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=100))


def _step(index: int, step: Step) -> dict[str, Json]:
    changed = {
        change.resource.removeprefix("file:").removeprefix("$CWD/"): _change(
            change.before, change.after
        )
        for change in step.footprint.writes
    }
    told: dict[str, Json] = {
        "step": index,
        "tool": step.tool,
        "effect": step.effect.value,
        "arguments": dict(step.arguments),
        "error" if step.is_error else "result": step.observation,
    }
    if changed:
        told["changed"] = changed
    if step.effect.writes and not step.footprint.undoable:
        told["undoable"] = False
    return told


def _change(before: str | None, after: str | None) -> str:
    if before == after:
        return "unchanged"
    if before is None:
        return "created"
    return "deleted" if after is None else "modified"
