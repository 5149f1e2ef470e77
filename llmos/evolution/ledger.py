"""What the usage ledger is told of learned tools: runs, and what was said of them later."""

from __future__ import annotations

from contextlib import suppress
from itertools import chain

from sqlalchemy import Connection

from llmos.errors import UserError
from llmos.evolution.tool import TOOL, LearntTool
from llmos.store import Store, Transaction
from llmos.values import ArtifactType, EventType, Mode, RunResult, Trace, Verdict
from llmos.volumes import Caller, Outcome, Place, Status, Version, Volume, record_usage
from llmos.volumes.descent import copied_from, copies_of
from llmos.volumes.promotion import descendants
from llmos.volumes.records import place_of
from llmos.volumes.roles import teams_of

AUTHOR = "feedback"
"""Who is recorded where what was said of a copy puts its source aside."""


def near_volumes(
    conn: Connection, store: Store, user_id: str, project: str | None = None
) -> list[Volume]:
    """The volumes whose artifacts a user has, the nearest first: own, teams', system's.

    Args:
        conn: Where to read which they are.
        store: Where they are.
        user_id: The user.
        project: Name of the project that is worked in: what the user, or a team, has in it alone
            goes before what they have in all.
    """
    whole = [Place("user", user_id), *(Place("team", t) for t in teams_of(conn, user_id))]
    within = [[place.of(project), place] if project else [place] for place in whole]
    places = [*chain.from_iterable(within), Place("system", "system")]
    me = Caller.person(user_id)
    return [Volume(store, p.volume, p.owner, caller=me) for p in places]


def holder(
    tx: Transaction, store: Store, user_id: str, digest: str
) -> tuple[Volume, Version] | None:
    """The nearest volume of a user that has a version, and the version; None if it was purged."""
    for volume in near_volumes(tx.conn, store, user_id):
        with suppress(UserError):
            return volume, volume.version(digest, tx=tx)
    return None


def doubt_copies(tx: Transaction, digest: str, user_id: str, trace_id: str) -> None:
    """Take what was shared of a version off every shelf: it is the same program.

    Args:
        tx: The transaction that notes that a run of the version was wrong.
        digest: Of the version.
        user_id: Who said so.
        trace_id: The run.
    """
    for made in descendants(tx.conn, digest):
        if made.volume != "user":
            record_usage(
                tx,
                made,
                Outcome.DISAGREED,
                user_id=user_id,
                trace_id=trace_id,
                detail="what it was made from was found wrong",
            )


def doubt_sources(
    tx: Transaction, store: Store, version: Version, user_id: str, trace_id: str
) -> None:
    """Put aside what a shared version is a copy of, and all other copies: it is the same program.

    Whoever has them is told why. Who said so, and of which run, is told to nobody but those who
    said it themselves.

    Args:
        tx: The transaction that notes that a run of the version was wrong.
        store: Where the volumes are.
        version: The shared one.
        user_id: Who said so.
        trace_id: The run.
    """
    sources = copied_from(tx.conn, version)
    place = place_of(version)
    # A name that no person can have: what is counted for it is counted for nobody.
    by, said = f"{version.volume}-cron", f"a user of {place} said that a run of its copy was wrong"
    same = {(v.artifact_id, v.digest): v for v in [*copies_of(tx.conn, sources), *sources]}
    same.pop((version.artifact_id, version.digest), None)
    for other in same.values():
        own = place_of(other).whole == Place("user", user_id)
        run = trace_id if own else None
        record_usage(tx, other, Outcome.DISAGREED, user_id=by, trace_id=run, detail=said)
        if other.volume == "user" and not other.status.out_of_use:
            why = f"{said}: your run {trace_id[-6:]}" if own else said
            _put_aside(tx, store, other, place, why)


def _put_aside(tx: Transaction, store: Store, source: Version, of: Place, why: str) -> None:
    """Take a user's tool out of use, of which a copy was wrong, and say so to the user."""
    whose = place_of(source).holder
    volume = Volume(store, "user", source.owner, caller=Caller.user_cron(whose, AUTHOR))
    volume.set_status(
        ArtifactType.TOOL,
        source.name,
        Status.QUARANTINED,
        version=source.digest,
        author=AUTHOR,
        why=why,
        tx=tx,
    )
    change = tx.events[-1].id
    title = f"your tool {source.name} is out of use: its copy was wrong"
    event = tx.event(
        EventType.SYSTEM_ALERT,
        owner=whose,
        actor=AUTHOR,
        subject=source.artifact_id,
        title=title,
        payload={"why": why, "name": source.name, "digest": source.digest, "copy": str(of)},
    )
    tx.notify(
        event,
        owner=whose,
        title=title,
        description=f"{why}. If it is right after all: llmos undo {change[-6:].lower()}",
        reason="a tool of yours that is shared was found wrong",
        finding=f"doubt:{event}",
    )


def record_run(store: Store, tool: LearntTool, result: RunResult, user_id: str) -> None:
    """Note that a tool was set to work, and how that came out.

    Args:
        store: Where the ledger is.
        tool: The tool.
        result: Of the run.
        user_id: Whose run it was.
    """
    mode = Mode.MIXED if tool.holes else Mode.CRYSTALLIZED
    served = result.side_exit is None and result.mode is mode
    saved_usd = tool.mean_cost_usd - result.cost_usd
    outcome = Outcome.SERVED if served else Outcome.SIDE_EXIT

    def write(tx: Transaction) -> None:
        found = holder(tx, store, user_id, tool.digest)
        if found is None:
            return
        record_usage(
            tx,
            found[1],
            outcome,
            user_id=user_id,
            trace_id=result.trace_id,
            # A model may have tried in vain before: what that took is not saved.
            tokens_saved=tool.mean_tokens - result.usage.total_tokens if served else 0,
            cost_saved_micro=round(saved_usd * 1_000_000) if served else 0,
            detail=result.side_exit.reason[:500] if result.side_exit else "",
        )

    store.write(write)


def judge_tool(store: Store, trace: Trace, user_id: str) -> None:
    """Note what somebody said of a run that a tool made; "wrong" takes the version out of use.

    Args:
        store: Where the ledger is.
        trace: The run, with its verdict.
        user_id: Who said so.
    """
    if not trace.source.startswith(TOOL):
        return
    name, _, digest = trace.source.removeprefix(TOOL).partition("@")
    wrong = trace.verdict is Verdict.REFUTED

    def write(tx: Transaction) -> None:
        found = holder(tx, store, user_id, digest)
        if found is None:
            return
        volume, version = found
        outcome = Outcome.WRONG if wrong else Outcome.RIGHT
        record_usage(tx, version, outcome, user_id=user_id, trace_id=trace.id)
        if wrong:
            doubt_copies(tx, digest, user_id, trace.id)
            if volume.place.volume != "user":
                doubt_sources(tx, store, version, user_id, trace.id)
        # A shared one is off everybody's shelf by that line; who may not write it only says so.
        own = volume.place == Place("user", user_id)
        if wrong and own and not version.status.out_of_use:
            why = f"run {trace.id[-6:]} of it was wrong"
            volume.set_status(
                ArtifactType.TOOL,
                name,
                Status.QUARANTINED,
                version=digest,
                author=user_id,
                why=why,
                tx=tx,
            )

    store.write(write)
