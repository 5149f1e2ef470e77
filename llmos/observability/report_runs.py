"""Of a report: how many runs there were, what they cost, what was saved, and what failed."""

from __future__ import annotations

import json
from dataclasses import dataclass

from sqlalchemy import and_, case, exists, func, select

from llmos.kernel.ledger import MICRO, dollars
from llmos.observability.outcomes import short
from llmos.observability.rows import among, event_row
from llmos.observability.window import Line, Section, Window, counted, number, told
from llmos.store.schema import artifacts, events, ledger, stamp, traces, usages
from llmos.values import EventType, Mode, Verdict

_ENDED = (EventType.TASK_COMPLETED, EventType.TASK_FAILED)
_FREE = (Mode.FOLLOWER, Mode.CRYSTALLIZED)
_CHUNK = 500
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


def runs_of(window: Window) -> Runs:
    """Count the reader's runs, what was paid, and what free runs are estimated to have saved."""
    model, free, failed, tokens = _counts(window)
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


def failed_goals(window: Window) -> tuple[list[Line], int]:
    """Goals that failed, the most often first, and how many there are."""
    times, last = func.count(), func.max(events.c.seq)
    failed = window.happened(window.mine, EventType.TASK_FAILED)
    query = select(events.c.title, times, last).where(failed).group_by(events.c.title)
    in_order = query.order_by(times.desc(), last.desc())
    rows = window.conn.execute(in_order.limit(window.limit)).all()
    if not rows:
        return [], 0
    total = len(rows)
    if total == window.limit:
        several = select(func.count(events.c.title.distinct())).where(failed)
        total = window.conn.scalar(several) or 0
    newest = select(events).where(events.c.seq.in_([seq for *_, seq in rows]))
    events_by_seq = {r.seq: event_row(r) for r in window.conn.execute(newest)}
    lines = []
    for title, n, seq in rows:
        event = events_by_seq[seq]
        often = "once" if n == 1 else f"{n:,} times"
        error = event.payload.get("error") or event.payload.get("side_exit") or ""
        command = f"llmos traces show {short(event.subject)}"
        lines.append(Line.of(f"{title}: failed {often}", command, str(error)))
    return lines, total


def _counts(window: Window) -> tuple[int, int, int, int]:
    kind = (events.c.type, told("mode"), told("side_exit").is_not(None))
    sums = (func.count(), func.coalesce(func.sum(number("tokens")), 0))
    ended = window.happened(window.mine, *_ENDED)
    model = free = failed = tokens = 0
    for type, mode, left, n, used in window.conn.execute(
        select(*kind, *sums).where(ended).group_by(*kind)
    ):
        is_free = mode in _FREE and not left
        tokens += used
        failed += n if type == EventType.TASK_FAILED else 0
        if type == EventType.TASK_COMPLETED and is_free:
            free += n
        elif used or not is_free:
            model += n
    return model, free, failed, tokens


def _spent(window: Window) -> tuple[int, int]:
    """Micro-dollars of the reader's runs, and of background work for them."""
    scope = f'"user:{window.reader.user_id}"'
    # The narrowest scope is the last: of a run "run:" and the id of its trace. What is no run of
    # a goal was spent in the background.
    run = func.substr(ledger.c.scopes, func.length(ledger.c.scopes) - 27, 26)
    awake = case((exists().where(traces.c.id == run), ledger.c.amount_micro), else_=0)
    query = select(func.sum(ledger.c.amount_micro), func.sum(awake)).where(
        ledger.c.seq >= window.first_of_ledger(),
        ledger.c.at <= stamp(window.until),
        ledger.c.kind == "spend",
        ledger.c.amount_micro != 0,
        ledger.c.scopes.contains(scope, autoescape=True),
    )
    spent, wake = window.conn.execute(query).one()
    return int(wake or 0), int(spent or 0) - int(wake or 0)


def _saved_by_tools(window: Window) -> tuple[int, int]:
    tools = select(artifacts.c.id).where(
        among(artifacts, window.reader.places), artifacts.c.type == "tool"
    )
    judged = usages.alias("judged")
    wrong = exists().where(judged.c.trace_id == usages.c.trace_id, judged.c.outcome == "wrong")
    saved = select(func.sum(usages.c.tokens_saved), func.sum(usages.c.cost_saved_micro)).where(
        usages.c.artifact_id.in_(tools),
        usages.c.at.between(stamp(window.since), stamp(window.until)),
        usages.c.user_id == window.reader.user_id,
        usages.c.outcome.in_(["served", "already_done"]),
        ~wrong,
    )
    tokens, micro = window.conn.execute(saved).one()
    return int(tokens or 0), int(micro or 0)


def _saved_by_replays(window: Window) -> tuple[int, int]:
    """A replay saves what the run took that it replays."""
    good = [verdict.value for verdict in Verdict if verdict.good]
    replayed = and_(
        among(traces, window.mine),
        traces.c.started_at.between(stamp(window.since), stamp(window.until)),
        traces.c.mode == Mode.FOLLOWER.value,
        traces.c.source.startswith("replay:"),
        traces.c.verdict.in_(good),
    )
    often = select(traces.c.source, func.count()).where(replayed).group_by(traces.c.source)
    times = {s.removeprefix("replay:"): n for s, n in window.conn.execute(often.limit(_SOURCES))}
    tokens = micro = 0
    ids = list(times)
    for start in range(0, len(ids), _CHUNK):
        some = traces.c.id.in_(ids[start : start + _CHUNK])
        query = select(traces.c.id, traces.c.usage, traces.c.cost_micro).where(some)
        for id, usage, cost in window.conn.execute(query):
            tokens += times[id] * sum(json.loads(usage).values())
            micro += times[id] * cost
    return tokens, micro


def usd(micro: int) -> float:
    """Dollars of micro-dollars."""
    return micro / MICRO
