"""Of a report: how many runs there were, what they cost, what was saved, and what failed."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import Select, and_, case, exists, func, select

from llmos.kernel.ledger import MICRO, dollars
from llmos.observability.outcomes import short
from llmos.observability.rows import Reader, among, event_row
from llmos.observability.tally import ENDED, Kind, Tally
from llmos.observability.window import (
    LIMIT,
    SINCE,
    UNTIL,
    Line,
    Section,
    Window,
    counted,
    first_of_ledger,
    happened,
)
from llmos.store import EventRow
from llmos.store.schema import REPLAY, artifacts, events, ledger, traces, usages
from llmos.values import EventType, Mode, Verdict

_FREE = (Mode.FOLLOWER, Mode.CRYSTALLIZED)
_SOURCES = 1000
"""Traces whose replays are counted for the estimate at most."""


@dataclass(frozen=True, slots=True)
class Runs:
    """The runs of a period, and their account. Savings are an estimate."""

    model: int = 0
    free: int = 0
    """Runs that no model was asked for."""
    failed: int = 0
    tokens: int = 0
    wake_micro: int = 0
    """What runs cost, in micro-dollars."""
    sleep_micro: int = 0
    """What background work cost."""
    saved_tokens: int = 0
    saved_micro: int = 0


def runs_of(window: Window, tally: Tally) -> Runs:
    """Count the reader's runs, what was paid, and what free runs are estimated to have saved."""
    model, free, failed, tokens = _counts(tally.of(window.mine, *ENDED))
    wake, sleep = _spent(window)
    if not free:
        return Runs(model, free, failed, tokens, wake, sleep)
    by_tools, by_replays = _saved_by_tools(window), _saved_by_replays(window)
    saved = [a + b for a, b in zip(by_tools, by_replays, strict=True)]
    return Runs(model, free, failed, tokens, wake, sleep, saved[0], saved[1])


def cost_section(runs: Runs, sleep_tokens: int) -> Section | None:
    """What was spent and saved, or None if neither."""
    lines = []
    if runs.model:
        spent = f"{dollars(runs.wake_micro)} and {runs.tokens:,} tokens"
        lines.append(Line.of(f"{counted(runs.model, 'run')} by a model: {spent}", "llmos traces"))
    elif runs.wake_micro:
        lines.append(Line.of(f"spent while awake: {dollars(runs.wake_micro)}"))
    if runs.free:
        saved = f"about {runs.saved_tokens:,} tokens and {dollars(runs.saved_micro)} saved"
        told_as = "estimate: what a model took for the same jobs"
        text = f"{counted(runs.free, 'run')} without a model: {saved}"
        lines.append(Line.of(text, "llmos tools", told_as))
    if runs.sleep_micro or sleep_tokens:
        spent = f"{dollars(runs.sleep_micro)} and {sleep_tokens:,} tokens"
        lines.append(Line.of(f"background work: {spent}", "llmos budget history"))
    if not lines:
        return None
    return Section("cost", "Cost and saved", tuple(lines), len(lines))


def failed_goals(window: Window, tally: Tally) -> tuple[list[Line], int]:
    """Goals that failed, the most often first, and how many there are."""
    if not tally.times(window.mine, EventType.TASK_FAILED):
        return [], 0
    rows = window.rows(_failed_query(window.reader))
    return [_failed_line(event_row(row), row.often) for row in rows], rows[0].goals if rows else 0


@lru_cache
def _failed_query(reader: Reader) -> Select[*tuple[Any, ...]]:
    failed = happened(reader.mine, EventType.TASK_FAILED)
    often, last = func.count().label("often"), func.max(events.c.seq).label("last")
    goals = select(often, last, func.count().over().label("goals")).where(failed)
    top = goals.group_by(events.c.title).order_by(often.desc(), last.desc()).limit(LIMIT)
    most = top.subquery()
    newest = select(events, most.c.often, most.c.goals).join(most, most.c.last == events.c.seq)
    return newest.order_by(most.c.often.desc(), most.c.last.desc())


def _failed_line(event: EventRow, n: int) -> Line:
    often = "once" if n == 1 else f"{n:,} times"
    error = event.payload.get("error") or event.payload.get("side_exit") or ""
    command = f"llmos traces show {short(event.subject)}"
    return Line.of(f"{event.title}: failed {often}", command, str(error))


def _counts(ended: Iterable[Kind]) -> tuple[int, int, int, int]:
    model = free = failed = tokens = 0
    for kind in ended:
        is_free = kind.mode in _FREE and not kind.left
        tokens += kind.tokens
        failed += kind.times if kind.type == EventType.TASK_FAILED else 0
        if kind.type == EventType.TASK_COMPLETED and is_free:
            free += kind.times
        elif kind.tokens or not is_free:
            model += kind.times
    return model, free, failed, tokens


def _spent(window: Window) -> tuple[int, int]:
    """Micro-dollars of the reader's runs, and of background work for them."""
    ((spent, wake),) = window.rows(_spent_query(window.reader))
    return int(wake or 0), int(spent or 0) - int(wake or 0)


@lru_cache
def _spent_query(reader: Reader) -> Select[*tuple[Any, ...]]:
    scope = f'"user:{reader.user_id}"'
    # The narrowest scope is the last: of a run "run:" and the id of its trace. What is no run of
    # a goal was spent in the background.
    run = func.substr(ledger.c.scopes, func.length(ledger.c.scopes) - 27, 26)
    awake = case((exists().where(traces.c.id == run), ledger.c.amount_micro), else_=0)
    return select(func.sum(ledger.c.amount_micro), func.sum(awake)).where(
        ledger.c.seq >= first_of_ledger(),
        ledger.c.at <= UNTIL,
        ledger.c.kind == "spend",
        ledger.c.amount_micro != 0,
        ledger.c.scopes.contains(scope, autoescape=True),
    )


def _saved_by_tools(window: Window) -> tuple[int, int]:
    ((tokens, micro),) = window.rows(_saved_query(window.reader))
    return int(tokens or 0), int(micro or 0)


@lru_cache
def _saved_query(reader: Reader) -> Select[*tuple[Any, ...]]:
    tools = select(artifacts.c.id).where(
        among(artifacts, reader.places), artifacts.c.type == "tool"
    )
    judged = usages.alias("judged")
    wrong = exists().where(judged.c.trace_id == usages.c.trace_id, judged.c.outcome == "wrong")
    return select(func.sum(usages.c.tokens_saved), func.sum(usages.c.cost_saved_micro)).where(
        usages.c.artifact_id.in_(tools),
        usages.c.at.between(SINCE, UNTIL),
        usages.c.user_id == reader.user_id,
        usages.c.outcome.in_(["served", "already_done"]),
        ~wrong,
    )


def _saved_by_replays(window: Window) -> tuple[int, int]:
    """A replay saves what the run took that it replays."""
    tokens = micro = 0
    for times, usage, cost in window.rows(_replays_query(window.reader)):
        tokens += times * sum(json.loads(usage).values())
        micro += times * cost
    return tokens, micro


@lru_cache
def _replays_query(reader: Reader) -> Select[*tuple[Any, ...]]:
    good = [verdict.value for verdict in Verdict if verdict.good]
    replayed = and_(
        among(traces, reader.mine),
        traces.c.started_at.between(SINCE, UNTIL),
        traces.c.mode == Mode.FOLLOWER.value,
        traces.c.source.startswith(REPLAY),
        traces.c.verdict.in_(good),
    )
    often = select(traces.c.source, func.count().label("times")).where(replayed)
    some = often.group_by(traces.c.source).limit(_SOURCES).subquery()
    origin = traces.alias("origin")
    source = func.substr(some.c.source, len(REPLAY) + 1)
    replays = origin.join(some, origin.c.id == source)
    return select(some.c.times, origin.c.usage, origin.c.cost_micro).select_from(replays)


def usd(micro: int) -> float:
    """Dollars of micro-dollars."""
    return micro / MICRO
