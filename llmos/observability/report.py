"""The morning report: what happened, what it saved, and what needs its reader.

It is computed from events and from what is in the store now, never from a model's words. What it
says of savings is an estimate, and is called one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from llmos.kernel.ledger import dollars
from llmos.observability.harmless import line
from llmos.observability.report_artifacts import Learned, learned, noticed, shared
from llmos.observability.report_cycles import (
    Cycles,
    cycles_of,
    failed_cycles,
    quiet_section,
    section,
)
from llmos.observability.report_runs import Runs, cost_section, failed_goals, runs_of, usd
from llmos.observability.tally import tally_of
from llmos.observability.waiting import waiting_for
from llmos.observability.window import Line, Section, Window, counted
from llmos.store.schema import stamp
from llmos.values import Json

LINES = 5
"""Lines of a section at most, where nothing else is asked for."""


@dataclass(frozen=True, slots=True)
class Totals:
    """The numbers of a report."""

    new_tools: int
    evolved_tools: int
    shared: int
    needs_you: int
    failed_goals: int
    failed_cycles: int
    quiet_cycles: int
    runs: Runs

    def as_dict(self) -> dict[str, Json]:
        """The numbers as JSON; money in US dollars."""
        return {
            "new_tools": self.new_tools,
            "evolved_tools": self.evolved_tools,
            "shared": self.shared,
            "needs_you": self.needs_you,
            "failed_goals": self.failed_goals,
            "failed_cycles": self.failed_cycles,
            "quiet_cycles": self.quiet_cycles,
            "model_runs": self.runs.model,
            "free_runs": self.runs.free,
            "failed_runs": self.runs.failed,
            "tokens": self.runs.tokens,
            "spent_awake_usd": usd(self.runs.wake_micro),
            "spent_asleep_usd": usd(self.runs.sleep_micro),
            "saved_tokens_estimate": self.runs.saved_tokens,
            "saved_usd_estimate": usd(self.runs.saved_micro),
        }


@dataclass(frozen=True, slots=True)
class ActivityReport:
    """What happened in a period, for one person. Sections without a line are not in it."""

    user_id: str
    since: datetime
    until: datetime
    headline: str
    """One sentence."""
    sections: tuple[Section, ...]
    totals: Totals

    @property
    def is_empty(self) -> bool:
        """Whether nothing happened that has a line of its own."""
        return all(section.key == "quiet" for section in self.sections)

    def as_dict(self) -> dict[str, Json]:
        """The report as JSON; times are ISO 8601 in UTC."""
        return {
            "user": self.user_id,
            "since": stamp(self.since),
            "until": stamp(self.until),
            "headline": self.headline,
            "totals": self.totals.as_dict(),
            "sections": [section.as_dict() for section in self.sections],
        }


def activity_report(
    conn: Connection, user_id: str, since: datetime, until: datetime, limit: int = LINES
) -> ActivityReport:
    """Compute the report of a period.

    Args:
        conn: Where to read: one unchanging view.
        user_id: Who reads it: their own volume, and what concerns them in their teams' and the
            system's.
        since: From when on.
        until: The present.
        limit: Lines of a section at most.
    """
    window = Window.of(conn, user_id, since, until, limit)
    tally = tally_of(window)
    cycles, runs, tools = cycles_of(window, tally), runs_of(window, tally), learned(window, tally)
    promoted, promotions = shared(window, tally)
    insights, findings = noticed(window, tally)
    waiting = waiting_for(conn, window.reader, until, since)
    goals, failures = failed_goals(window, tally)
    waits = [Line.of(w.title, w.command, w.why) for w in waiting]
    broken = [*failed_cycles(cycles), *goals]
    failed = failures + len(cycles.failed)
    found = (
        section("needs_you", "Needs you", waits, limit, "llmos inbox"),
        _learned_section(tools, limit),
        section("shared", "Shared", promoted, limit, "llmos feed", promotions),
        section("noticed", "Noticed", insights, limit, "llmos insights", findings),
        cost_section(runs, cycles.tokens),
        section("failed", "Failed", broken, limit, "llmos traces", failed),
        quiet_section(cycles, limit),
    )
    sections = tuple(part for part in found if part is not None)
    broken_cycles = sum(n for *_, n in cycles.failed)
    totals = Totals(
        tools.new,
        tools.evolved,
        promotions,
        len(waiting),
        failures,
        broken_cycles,
        cycles.quiet,
        runs,
    )
    said = line(_headline(totals) or _nothing(cycles, findings), 300)
    return ActivityReport(user_id, since, until, said, sections, totals)


def _learned_section(tools: Learned, limit: int) -> Section | None:
    total = tools.new + tools.evolved
    return section("learned", "Learned", tools.lines, limit, "llmos tools", total)


def _headline(totals: Totals) -> str:
    """What is worth to read on for, the best first; ``""`` where there is nothing."""
    runs, told = totals.runs, []
    if totals.new_tools:
        told.append(counted(totals.new_tools, "job became a tool", "jobs became tools"))
    if totals.evolved_tools:
        told.append(f"{counted(totals.evolved_tools, 'tool')} got a new version")
    if totals.shared:
        told.append(counted(totals.shared, "tool was shared", "tools were shared"))
    if runs.free:
        were = counted(runs.free, "run was free", "runs were free")
        told.append(f"{were}{_saving(runs)}")
    if totals.failed_goals:
        told.append(f"{counted(totals.failed_goals, 'goal')} failed")
    if totals.failed_cycles:
        told.append(f"{counted(totals.failed_cycles, 'cycle')} failed")
    if not told and runs.model:
        told.append(f"{counted(runs.model, 'run')} by a model, {dollars(runs.wake_micro)} spent")
    if totals.needs_you:
        told.append(counted(totals.needs_you, "thing needs you", "things need you"))
    return f"{'; '.join(told)}." if told else ""


def _saving(runs: Runs) -> str:
    if runs.saved_micro > 0:
        return f" and saved about {dollars(round(runs.saved_micro, -4) or runs.saved_micro)}"
    return f" and saved about {runs.saved_tokens:,} tokens" if runs.saved_tokens > 0 else ""


def _nothing(cycles: Cycles, findings: int) -> str:
    if findings:
        return f"{counted(findings, 'thing was noticed', 'things were noticed')}."
    if not cycles.quiet:
        return "Nothing happened: there was no run, and no background work took place."
    cron, why, n = cycles.reasons[0]
    if len(cycles.reasons) == 1:
        told = f"{counted(n, 'cycle')} of {cron} had nothing to do ({why or 'no reason given'})"
        return f"Nothing happened: {told}."
    return f"Nothing happened: {counted(cycles.quiet, 'cycle')} had nothing to do."
