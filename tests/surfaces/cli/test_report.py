"""The morning on the command line: report, inbox, suggestions, volumes, and undo of a change."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from llmos.store import Store, Transaction, new_id
from llmos.values import ArtifactType, EventType
from llmos.volumes import Status
from tests.surfaces.cli.conftest import Cli
from tests.volumes.people import Everybodys

CONTENT = {
    "title": "Fetch the rates on Mondays",
    "text": "You do it by hand.",
    "finding": "recurs",
    "evidence": {"runs": 12},
    "action": {"do": "run", "command": 'llmos run "Fetch the rates"'},
}


@pytest.fixture
def night(home: Path) -> Iterator[str]:
    """A tool, an insight and a suggestion of one cycle; the cycle's id."""
    cycle = new_id()
    with Store.open(home) as store:
        volume = Everybodys(store, "user", "alice")
        where = {"owner": "alice", "actor": "user-cron", "subject": cycle}
        store.write(lambda tx: tx.event(EventType.CYCLE_BEGIN, **where))

        def work(tx: Transaction) -> None:
            tool = {"code": "def f", "proof": {"runs": 4}, "tokens": 4800}
            put = {"author": "user-cron", "status": Status.ACTIVE}
            volume.put(tx, ArtifactType.TOOL, "send-invoice", tool, **put)
            volume.put(tx, ArtifactType.INSIGHT, "slow", CONTENT | {"title": "Slow"}, **put)
            volume.put(tx, ArtifactType.SUGGESTION, "rates", CONTENT, author="user-cron")
            told = {"why": "12 runs", "evidence": {"runs": 12}}
            event = tx.event(
                EventType.SUGGESTION_CREATED,
                owner="alice",
                actor="user-cron",
                subject="rates",
                title="Fetch the rates on Mondays?",
                payload=told,
            )
            notice = {"title": "a suggestion", "description": "d", "reason": "r", "finding": "x"}
            tx.notify(event, owner="alice", **notice)

        store.write(work)
        payload = {"tasks": 3, "ok": True, "error": "", "why": ""}
        store.write(lambda tx: tx.event(EventType.CYCLE_END, payload=payload, **where))
    yield cycle


def test_the_report_in_its_four_forms(cli: Cli, night: str) -> None:
    text = cli("report").out
    assert text.startswith("1 job became a tool; 1 thing needs you.\n")
    assert "llmos tools show send-invoice" in text
    assert cli("report", "--markdown").out.startswith("# 1 job became a tool")
    assert cli("report", "--html").out.startswith("<!doctype html>")
    told = cli("report", "--json").json
    assert told["totals"]["new_tools"] == 1
    assert [s["key"] for s in told["sections"]] == ["needs_you", "learned"]
    assert cli("report", "--html", "--json").code == 2


def test_the_report_of_a_quiet_home_is_one_line(cli: Cli) -> None:
    assert cli("report", "--since", "1").out.count("\n") == 1


def test_the_inbox_lists_what_is_open_until_it_is_dealt_with(cli: Cli, night: str) -> None:
    told = cli("inbox", "--json").json
    (open_,) = told["waiting"]
    assert open_["command"].startswith("llmos accept ")
    out = cli("inbox").out
    assert open_["command"] in out and "llmos ack" in out
    cli("ack", "all")
    cli("dismiss", open_["id"][-6:])
    assert cli("inbox").out == "Nothing waits for you.\n"


def test_an_accepted_suggestion_says_what_to_type(cli: Cli, night: str) -> None:
    assert "Fetch the rates on Mondays · runs 12" in cli("suggestions").out
    out = cli("accept", "rates").out
    assert out == 'accepted: Fetch the rates on Mondays\n  llmos run "Fetch the rates"\n'
    assert cli("accept", "rates").out.startswith("accepted before")
    assert cli("suggestions", "--json").json == []
    (kept,) = cli("suggestions", "--all", "--json").json
    assert (kept["name"], kept["status"]) == ("rates", "active")


def test_one_suggestion_is_shown_with_what_it_stands_on_and_would_change(
    cli: Cli, night: str, home: Path
) -> None:
    change = {"do": "other", "diff": "--- a.md\n+++ a.md (suggested)\n+Be \x1b[2Jneat."}
    with Store.open(home) as store:
        content = {**CONTENT, "evidence": {"runs": 12, "why": ["a"], "none": []}, "action": change}
        volume = Everybodys(store, "user", "alice")
        store.write(
            lambda tx: volume.put(tx, ArtifactType.SUGGESTION, "text", content, author="user-cron")
        )
    out = cli("suggestions", "text").out
    assert out.startswith("Fetch the rates on Mondays\nYou do it by hand.\n  runs: 12\n")
    assert "+++ a.md (suggested)\n+Be " in out and "\x1b" not in out and "none" not in out
    assert out.endswith("llmos accept text, or: llmos dismiss text\n")
    assert cli("suggestions", "text", "--json").json["action"] == change
    assert cli("suggestions", "nonsense").code == 2
    assert "accept" not in cli("suggestions", "rates").out.replace("llmos accept rates", "")


@pytest.mark.parametrize("which", ["nonsense", "", "slow", "%"])
def test_what_is_no_suggestion_is_refused(cli: Cli, night: str, which: str) -> None:
    said = cli("dismiss", which)
    assert said.code == 2
    assert "is no suggestion" in said.err


def test_insights_are_listed(cli: Cli, night: str) -> None:
    assert "Slow" in cli("insights").out
    (found,) = cli("insights", "--json", "--limit", "1").json
    assert found["evidence"] == {"runs": 12}


def test_volumes_show_numbers_and_changes(cli: Cli, night: str) -> None:
    out = cli("volumes").out
    assert out.startswith("user volume of alice: 1 tool, 1 insight, 1 suggestion")
    assert "tool send-invoice" in out
    told = cli("volumes", "show", "user", "--json", "--limit", "1").json
    assert len(told["changes"]) == 1
    assert cli("volumes", "show", "system").out == "system volume: empty\n"
    assert cli("volumes", "show", "user", "bob").code == 2
    assert cli("volumes", "show", "team", "engineering").code == 2


def test_undo_takes_an_event_of_the_feed_or_a_whole_cycle(cli: Cli, night: str) -> None:
    activity = cli("feed", "--json").json["activity"]
    (made,) = [e for e in activity if e["what"] == "tool 'send-invoice' was created"]
    said = cli(*made["undo"].split()[1:])
    assert said.out == "tool 'send-invoice' was archived\n"
    assert "already" in cli(*made["undo"].split()[1:]).out
    told = cli("undo", night, "--json").json["told"]
    assert told == ["suggestion 'rates' was archived", "insight 'slow' was archived"]


def test_a_suggestion_is_one_line_of_the_feed_with_its_evidence(cli: Cli, night: str) -> None:
    activity = cli("feed", "--json").json["activity"]
    (line,) = [e for e in activity if "rates" in e["what"]]
    assert (line["what"], line["evidence"]) == ("Fetch the rates on Mondays?", "runs 12")
    assert line["undo"]


def test_undo_of_what_is_neither_run_nor_event_is_one_clear_message(cli: Cli) -> None:
    said = cli("undo", "ABCDEF")
    assert said.code == 2
    assert "there is no run, event or cycle 'ABCDEF'" in said.err
