"""The morning report of a real store: what it says, to whom, and that it says no more."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import insert
from sqlalchemy.event import listen

from llmos.observability import ActivityReport, activity_report
from llmos.observability.report_html import as_html
from llmos.observability.report_text import WIDTH, as_markdown, as_text
from llmos.store import Store, Transaction, new_id
from llmos.store.schema import dumps, intents, ledger, proposals, roles, stamp, traces
from llmos.values import ArtifactType, EventType
from llmos.volumes import Outcome, Status, Version, Volume, record_usage
from tests.conftest import TestClock
from tests.support.databases import Database
from tests.volumes.people import Everybodys

TOOL = ArtifactType.TOOL
PROOF = {"proof": {"runs": 4}, "tokens": 4800, "cost_usd": 0.08}


@pytest.fixture
def store(database: Database, clock: TestClock) -> Iterator[Store]:
    with database.open(clock) as opened:
        yield opened


@pytest.fixture
def volume(store: Store) -> Volume:
    return Everybodys(store, "user", "alice")


def report(store: Store, clock: TestClock, user: str = "alice", limit: int = 5) -> ActivityReport:
    since = clock.now - timedelta(hours=24)
    return store.read(lambda c: activity_report(c, user, since, clock.now, limit))


def lines(found: ActivityReport, key: str) -> list[str]:
    return [line.text for s in found.sections if s.key == key for line in s.lines]


def tool(volume: Volume, name: str, status: Status = Status.ACTIVE, **content: Any) -> Version:
    told = PROOF | {"code": f"def {name}"} | content
    return volume.put(None, TOOL, name, told, author="user-cron", status=status)


def event(
    store: Store, type_: EventType, payload: dict[str, Any] | None = None, **more: Any
) -> str:
    given = {"owner": "alice", "actor": "alice"} | more
    return store.write(lambda tx: tx.event(type_, payload=payload, **given))


def trace(store: Store, goal: str = "Sum it", **more: Any) -> str:
    """A stored run, with its event."""
    trace_id = new_id()

    def write(tx: Transaction) -> None:
        row = {c.name: "" for c in traces.c} | {
            "id": trace_id,
            "volume": "user",
            "owner": "alice",
            "user_id": "alice",
            "status": "done",
            "goal": goal,
            "mode": "LEARNER",
            "verdict": "completed",
            "usage": "{}",
            "cost_micro": 0,
            "quarantined": False,
            "standing": 0,
            "started_at": stamp(tx.now),
        }
        tx.conn.execute(insert(traces), row | more)

    store.write(write)
    return trace_id


def spend(store: Store, run: str, micro: int, user: str = "alice") -> None:
    def write(tx: Transaction) -> None:
        scopes = f'["system","user:{user}","run:{run}"]'
        row = {"kind": "spend", "scopes": scopes, "amount_micro": micro, "note": ""}
        tx.conn.execute(insert(ledger), row | {"at": stamp(tx.now)})

    store.write(write)


def ran(store: Store, run: str, mode: str = "LEARNER", **payload: Any) -> None:
    told = {"mode": mode, "tokens": 0, "side_exit": None, "error": ""} | payload
    type_ = EventType.TASK_FAILED if told["error"] else EventType.TASK_COMPLETED
    event(store, type_, told, subject=run, title="Sum it")


def cycle(
    store: Store, tasks: int = 0, level: str = "user", owner: str = "alice", **more: Any
) -> None:
    payload = {"tasks": tasks, "why": "", "ok": True, "error": ""} | more
    where = {"volume": level, "owner": owner, "actor": f"{level}-cron"}
    event(store, EventType.CYCLE_END, payload, subject=new_id(), **where)


def give(store: Store, scope: str, owner: str, user: str, role: str) -> None:
    row = {"scope": scope, "owner": owner, "user_id": user, "role": role}
    store.write(lambda tx: tx.conn.execute(insert(roles), row | {"since": stamp(tx.now)}))


# --- what was learned ----------------------------------------------------------------------------


def test_a_new_tool_is_told_with_its_proof_and_where_it_came_from(
    store: Store, volume: Volume, clock: TestClock
) -> None:
    source = trace(store, "Send the invoice of March")
    volume.put(
        None,
        TOOL,
        "send-invoice",
        PROOF,
        author="user-cron",
        lineage=[source],
        status=Status.ACTIVE,
    )
    found = report(store, clock)
    assert found.headline == "1 job became a tool."
    (line,) = found.sections[0].lines
    assert line.text == (
        "send-invoice is new: proven on 4 runs, saves about 1,200 tokens and $0.02 a run"
    )
    assert line.evidence == "learned from runs such as: Send the invoice of March"
    assert line.command == "llmos tools show send-invoice"


def test_learned_is_what_still_stands_and_only_what_is_new(
    store: Store, volume: Volume, clock: TestClock
) -> None:
    tool(volume, "old")
    tool(volume, "grown")
    clock.forward(hours=30)
    tool(volume, "grown", code="better")
    tool(volume, "waits", Status.SHADOWING)
    tool(volume, "taken-back")
    volume.archive(TOOL, "taken-back", author="alice")
    found = report(store, clock)
    assert found.headline == "1 job became a tool; 1 tool got a new version."
    waits, grown = lines(found, "learned")
    assert waits.startswith("waits is new, but not in use yet")
    assert grown.startswith("grown is now version 2")


# --- what is shared ------------------------------------------------------------------------------


def promoted(store: Store, volume: str, owner: str, name: str = "f") -> str:
    told = {"artifact": "tool", "name": name, "from_volume": "user", "from_owner": "bob"}
    told |= {"version": 1, "digest": "d", "source": "s", "why": "used 9 times, 100 % right"}
    where = {"volume": volume, "owner": owner, "actor": "team-cron"}
    return event(store, EventType.ARTIFACT_PROMOTED, told, subject="x", **where)


def test_promotions_of_ones_teams_and_the_system_are_told_and_of_other_teams_are_not(
    store: Store, clock: TestClock
) -> None:
    give(store, "team", "engineering", "alice", "member")
    promoted(store, "team", "engineering")
    promoted(store, "team", "sales")
    promoted(store, "system", "system", "g")
    found = report(store, clock)
    assert lines(found, "shared") == [
        "tool g went from user bob to the system",
        "tool f went from user bob to team engineering",
    ]
    (section,) = found.sections
    assert {line.evidence for line in section.lines} == {"used 9 times, 100 % right"}
    assert "undo" not in section.lines[1].command, "a member cannot take it back"


def test_who_looks_after_a_team_is_told_how_to_take_a_promotion_back(
    store: Store, clock: TestClock
) -> None:
    give(store, "team", "engineering", "alice", "maintainer")
    event_id = promoted(store, "team", "engineering")
    (section,) = report(store, clock).sections
    assert section.lines[0].command == f"llmos undo {event_id[-6:].lower()}"


# --- what needs the reader -----------------------------------------------------------------------


def propose(store: Store, volume: str, owner: str, **more: Any) -> str:
    proposal = new_id()

    def write(tx: Transaction) -> None:
        row = {"id": proposal, "kind": "promote", "volume": "user", "owner": "bob", "type": "tool"}
        row |= {"name": "f", "digest": proposal, "to_volume": volume, "to_owner": owner}
        gate = {"name": "use", "light": "review", "why": "9 uses by 3 users", "who": "target"}
        row |= {"status": "proposed", "evidence": dumps({"gates": [gate]}), "by": "team-cron"}
        row |= {"at": stamp(tx.now), "expires_at": stamp(tx.now + timedelta(days=7))}
        tx.conn.execute(insert(proposals), row | {"decided_by": "", "why": ""} | more)

    store.write(write)
    return proposal


def test_only_who_decides_is_asked_and_only_while_it_is_open(
    store: Store, clock: TestClock
) -> None:
    give(store, "team", "engineering", "alice", "maintainer")
    give(store, "team", "engineering", "bob", "member")
    propose(store, "team", "engineering")
    propose(store, "team", "sales")
    propose(store, "team", "engineering", status="applied")
    propose(store, "team", "engineering", expires_at=stamp(clock.now))
    found = report(store, clock)
    assert found.headline == "1 thing needs you."
    assert lines(found, "needs_you") == ["promote tool f from user bob to team engineering?"]
    assert found.sections[0].lines[0].evidence == "9 uses by 3 users"
    assert report(store, clock, "bob").sections == ()


def test_writes_in_doubt_suggestions_and_suspended_tools_need_the_reader(
    store: Store, volume: Volume, clock: TestClock
) -> None:
    run, intent = trace(store), new_id()

    def write(tx: Transaction) -> None:
        row = {"id": intent, "trace_id": run, "idx": 0, "process_id": "p", "tool": "mail.send"}
        row |= {"arguments": "{}", "call_key": "k", "status": "in_doubt", "at": stamp(tx.now)}
        tx.conn.execute(insert(intents), row)

    store.write(write)
    tool(volume, "f", Status.QUARANTINED)
    content = {"title": "Fetch the rates on Mondays", "evidence": {"runs": 12}}
    volume.put(None, ArtifactType.SUGGESTION, "s", content, author="user-cron")
    volume.put(
        None, ArtifactType.SUGGESTION, "t", content, author="user-cron", status=Status.ARCHIVED
    )
    found = report(store, clock)
    doubt, suspended, suggestion = found.sections[0].lines
    assert doubt.command == f"llmos resolve {intent} happened|not"
    assert suspended.command == "llmos tools show f"
    assert (suggestion.text, suggestion.evidence) == ("Fetch the rates on Mondays", "runs 12")
    assert suggestion.command.startswith("llmos accept ")


def test_an_alert_needs_the_reader_until_they_acknowledge_it(
    store: Store, clock: TestClock
) -> None:
    from llmos.observability import ObservabilityHub

    def alert(tx: Transaction) -> str:
        found = tx.event(EventType.SYSTEM_ALERT, volume="team", owner="engineering", title="t")
        told = {"title": "two audits differ", "description": "d", "reason": "r", "finding": "x"}
        tx.notify(found, audience="team", owner="engineering", **told)
        return found

    found = store.write(alert)
    assert report(store, clock).sections == ()
    give(store, "team", "engineering", "alice", "member")
    give(store, "team", "engineering", "bob", "member")
    assert lines(report(store, clock), "needs_you") == ["two audits differ"]
    hub = ObservabilityHub(store, user_id="alice", clock=clock)
    assert hub.acknowledge(found[-6:]) == 1
    assert report(store, clock).sections == ()
    assert lines(report(store, clock, "bob"), "needs_you") == ["two audits differ"]


# --- cost, savings, failures ---------------------------------------------------------------------


def test_cost_is_what_the_ledger_says_split_by_wake_and_sleep(
    store: Store, clock: TestClock
) -> None:
    old = trace(store)
    spend(store, old, 9_000_000)
    clock.forward(hours=30)
    run = trace(store)
    spend(store, run, 250_000)
    spend(store, run, 200_000)
    spend(store, new_id(), 20_000)
    spend(store, trace(store), 7_000_000, user="bob")
    ran(store, run, tokens=34_000)
    cycle(store, tasks=1, tokens=1200)
    found = report(store, clock)
    assert lines(found, "cost") == [
        "1 run by a model: $0.45 and 34,000 tokens",
        "background work: $0.02 and 1,200 tokens",
    ]
    assert found.headline == "1 run by a model, $0.45 spent."


def test_savings_of_tools_and_of_replays_are_added_and_called_an_estimate(
    store: Store, volume: Volume, clock: TestClock
) -> None:
    source = trace(store, usage='{"input_tokens":1000,"output_tokens":10}', cost_micro=300_000)
    version = tool(volume, "f")
    clock.forward(hours=30)
    for _ in range(2):
        run = trace(store, mode="FOLLOWER", source=f"replay:{source}")
        ran(store, run, "FOLLOWER")
    ran(store, trace(store, mode="CRYSTALLIZED"), "CRYSTALLIZED")
    wrong = trace(store, mode="CRYSTALLIZED")

    def use(tx: Transaction, run: str, outcome: Outcome = Outcome.SERVED) -> None:
        saved = {"tokens_saved": 1200, "cost_saved_micro": 20_000}
        more = saved if outcome is Outcome.SERVED else {}
        record_usage(tx, version, outcome, user_id="alice", trace_id=run, **more)

    store.write(lambda tx: use(tx, new_id()))
    store.write(lambda tx: use(tx, wrong))
    store.write(lambda tx: use(tx, wrong, Outcome.WRONG))
    found = report(store, clock)
    assert lines(found, "cost") == [
        "3 runs without a model: about 3,220 tokens and $0.62 saved",
    ]
    assert "estimate" in found.sections[0].lines[0].evidence
    assert found.headline == "3 runs were free and saved about $0.62."


def test_failed_goals_are_counted_and_say_why_the_last_time(store: Store, clock: TestClock) -> None:
    for error in ("not logged in", "the disk is full"):
        ran(store, new_id(), error=error)
    last = new_id()
    event(store, EventType.TASK_FAILED, {"error": "no"}, subject=last, title="Mail bob")
    cycle(store, ok=False, error="the database is locked")
    found = report(store, clock)
    assert lines(found, "failed") == [
        "1 cycle of user-cron failed",
        "Sum it: failed 2 times",
        "Mail bob: failed once",
    ]
    section = found.sections[-1]
    assert section.lines[1].evidence == "the disk is full"
    assert section.lines[2].command == f"llmos traces show {last[-6:].lower()}"
    assert "2 goals failed; 1 cycle failed" in found.headline


# --- nights without anything ---------------------------------------------------------------------


def test_a_night_without_anything_is_one_honest_line(store: Store, clock: TestClock) -> None:
    told = as_text(report(store, clock))
    assert told == "Nothing happened: there was no run, and no background work took place."
    cycle(store, why="nothing new", quiet=47)
    cycle(store, why="nothing new")
    assert as_text(report(store, clock)) == (
        "Nothing happened: 48 cycles of user-cron had nothing to do (nothing new)."
    )


def test_reasons_for_doing_nothing_are_counted_and_cycles_of_others_are_not(
    store: Store, clock: TestClock
) -> None:
    cycle(store, why="nothing new", quiet=3)
    cycle(store, why="budget exhausted: user:alice")
    cycle(store, why="nothing new", level="system", owner="system")
    cycle(store, why="nothing new", owner="bob")
    found = report(store, clock)
    assert lines(found, "quiet") == [
        "3 cycles of user-cron: nothing new",
        "1 cycle of user-cron: budget exhausted: user:alice",
    ]
    assert found.headline == "Nothing happened: 4 cycles had nothing to do."
    give(store, "system", "system", "alice", "admin")
    assert "1 cycle of system-cron: nothing new" in lines(report(store, clock), "quiet")


def test_what_happened_before_the_period_is_not_told_also_when_the_clock_stepped_back(
    store: Store, clock: TestClock
) -> None:
    cycle(store, why="old")
    clock.forward(hours=30)
    cycle(store, why="new")
    clock.forward(hours=-1)
    cycle(store, why="stepped back")
    clock.forward(hours=2)
    told = lines(report(store, clock), "quiet")
    assert told == ["1 cycle of user-cron: new", "1 cycle of user-cron: stepped back"]


# --- how it is shown -----------------------------------------------------------------------------


def test_a_section_is_bounded_and_says_how_to_see_the_rest(
    store: Store, volume: Volume, clock: TestClock
) -> None:
    for i in range(9):
        tool(volume, f"tool-{i}")
    found = report(store, clock, limit=2)
    assert found.headline == "9 jobs became tools."
    (section,) = found.sections
    assert len(section.lines) == 2
    assert section.left_out == "… and 7 more: llmos tools"
    for shown in (as_text(found), as_markdown(found).replace("`", ""), as_html(found)):
        assert "… and 7 more: llmos tools" in shown


def test_the_number_of_queries_does_not_grow_with_the_lines(
    store: Store, volume: Volume, clock: TestClock
) -> None:
    queries: list[str] = []

    def counted(limit: int) -> int:
        queries.clear()
        report(store, clock, limit=limit)
        return len(queries)

    source = trace(store, "Send the invoice of March", usage='{"input_tokens":1000}')
    for i in range(30):
        volume.put(None, TOOL, f"f-{i}", PROOF, author="user-cron", lineage=[source],
                   status=Status.ACTIVE)  # fmt: skip
        event(store, EventType.INSIGHT_GENERATED, title=f"Insight {i}", subject=f"insight-{i}")
        event(store, EventType.TASK_FAILED, {"error": "no"}, title=f"Goal {i}", subject=new_id())
        ran(store, trace(store, mode="FOLLOWER", source=f"replay:{source}"), "FOLLOWER")
    engine = store.read(lambda c: c.engine)
    listen(engine, "before_cursor_execute", lambda *told: queries.append(told[2]))
    assert counted(30) == counted(2) <= 20


def test_the_text_is_aligned(store: Store, volume: Volume, clock: TestClock) -> None:
    tool(volume, "a", proof={})
    tool(volume, "longer", proof={})
    told = as_text(report(store, clock)).splitlines()
    shown = [line.index("llmos tools show") for line in told if "llmos tools show" in line]
    assert len(set(shown)) == 1


NASTY = "</style><script>alert(1)</script>\x1b[2J\u202e [x](javascript:y) `z` *b*"


def nasty(store: Store, clock: TestClock, text: str) -> ActivityReport:
    event(store, EventType.TASK_FAILED, {"error": text}, title=text, subject=new_id())
    event(store, EventType.INSIGHT_GENERATED, {"why": text}, title=text, subject="x")
    cycle(store, why=text)
    return report(store, clock)


def test_text_of_strangers_is_harmless_in_every_form(store: Store, clock: TestClock) -> None:
    found = nasty(store, clock, NASTY)
    for shown in (as_text(found), as_markdown(found), as_html(found), str(found.as_dict())):
        assert "\x1b" not in shown and "\u202e" not in shown
    page = as_html(found)
    assert "<script" not in page and page.count("<style>") == 1
    assert "src=" not in page and "href=" not in page and "url(" not in page
    assert "<script" not in as_markdown(found) and "[x](" not in as_markdown(found)


@pytest.fixture(scope="module")
def shared_store() -> Iterator[tuple[Store, TestClock]]:
    clock = TestClock()
    with Store.memory(clock) as opened:
        yield opened, clock


@settings(max_examples=30, deadline=None)
@given(st.text(max_size=300))
def test_any_text_leaves_the_text_narrow_and_the_page_well_formed(
    shared_store: tuple[Store, TestClock], text: str
) -> None:
    store, clock = shared_store
    clock.forward(hours=25)
    found = nasty(store, clock, text.encode("utf-8", "replace").decode())
    lines_of_text = as_text(found).splitlines()
    assert all(len(line) <= WIDTH for line in lines_of_text)
    tags = re.findall(r"<(/?)(ul|li|h2|small|code)>", as_html(found))
    opened = sum(slash == "" for slash, _ in tags)
    assert opened * 2 == len(tags)
