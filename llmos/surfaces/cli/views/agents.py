"""How agents are shown."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from llmos.cortex.agents import Agent, AgentRow, KeptAgent, StoredAgent
from llmos.cortex.agents.importing import Imported
from llmos.cortex.agents.models import told
from llmos.cortex.agents.selection import Record
from llmos.surfaces.cli.output import err, one_line, out, print_table, printable, when
from llmos.values import Json
from llmos.volumes import Artifact, Place, Version

if TYPE_CHECKING:
    from llmos.boot import LLMOS


def place_of(os: LLMOS, where: str | None) -> Place | None:
    """The volume that ``--in`` names; None when it is left out.

    Raises:
        UserError: There is no such volume, or no team is named.
    """
    from llmos.errors import UserError

    match where:
        case None:
            return None
        case "project" | "team-project" if os.project is None:
            raise UserError(f"--in {where}, and no project is named", "name it: --project NAME")
        case "project":
            return Place("user", os.user_id).of(str(os.project))
        case "team-project":
            return os.kernel.get_team_volume().place.of(str(os.project))
        case "user":
            return Place("user", os.user_id)
        case "team":
            return os.kernel.get_team_volume().place
        case "system":
            return Place("system", "system")
    raise UserError(
        f"there is no volume {where!r}", "--in project, user, team-project, team or system"
    )


def row_dict(row: AgentRow) -> dict[str, Json]:
    """One line of the list as JSON."""
    return {
        "name": row.name,
        "volume": row.place.volume,
        "owner": row.place.owner,
        "version": row.version,
        "digest": row.digest,
        "status": row.status.value,
        "used": row.used,
        "description": row.description,
        "problem": row.problem,
    }


def print_rows(rows: Sequence[AgentRow]) -> None:
    """Print one line for each agent."""
    cells = [
        (
            row.name,
            _place(row.place),
            _version(row.version),
            row.status.value if row.used or row.status.out_of_use else "a nearer one is used",
            one_line(f"! {row.problem}" if row.problem else row.description, 200),
        )
        for row in rows
    ]
    print_table(("AGENT", "VOLUME", "VERSION", "STATUS", "WHEN IT IS THE RIGHT ONE"), cells)


def agent_dict(
    kept: KeptAgent,
    agent: Agent | None,
    problem: str,
    there: Collection[str],
    records: Mapping[str, Record],
) -> dict[str, Json]:
    """An agent as JSON.

    Args:
        kept: Its file.
        agent: What the file says; None if it describes no agent.
        problem: Why it does not.
        there: Names of the tools that there are.
        records: What came of the user's runs under it, by model.
    """
    known: dict[str, Json] = {
        "volume": kept.place.volume,
        "owner": kept.place.owner,
        "version": kept.version,
        "digest": kept.digest,
        "status": kept.status.value,
        "text": kept.text,
        "problem": problem,
    }
    if agent is not None:
        known |= {
            "name": agent.name,
            "description": agent.description,
            "tools": None if agent.tools is None else list(agent.tools),
            "granted": sorted(agent.granted(there)),
            "missing": list(agent.missing(there)),
            "model": agent.model,
            "models": {model: _record_dict(record) for model, record in records.items()},
            "warnings": list(agent.warnings),
        }
    return known


def _record_dict(record: Record) -> dict[str, Json]:
    return {"runs": record.runs, "good": record.good, "cost_usd": round(record.cost_usd, 6)}


def print_agent(
    kept: KeptAgent,
    agent: Agent | None,
    problem: str,
    there: Collection[str],
    records: Mapping[str, Record],
) -> None:
    """Print an agent: its file on standard output, what is to be known of it on standard error."""
    about = err()
    so = f"{_version(kept.version)} of {kept.place}, {kept.status.value}, {kept.digest[:12]}"
    about.print(printable(so), style="dim", soft_wrap=True)
    if agent is None:
        about.print(printable(f"! it is not used: {problem}"), style="red", soft_wrap=True)
    else:
        granted = ", ".join(sorted(agent.granted(there))) or "no tool"
        about.print(printable(f"may use: {granted}"), style="dim", soft_wrap=True)
        for model, record in records.items():
            about.print(printable(told(model, record)), style="dim", soft_wrap=True)
        if missing := agent.missing(there):
            _warn(f"there is no such tool here: {', '.join(missing)}")
        for warning in agent.warnings:
            _warn(warning)
    print(printable(kept.text), end="" if kept.text.endswith("\n") else "\n")


def print_stored(stored: StoredAgent) -> None:
    """Print what an agent is after a change, and what of its file is not gone by."""
    version, place = _version(stored.version), stored.place
    print(f"agent {stored.agent.name} is at {version} ({stored.digest[:12]}) in {place}")
    for warning in stored.agent.warnings:
        _warn(warning)


def stored_dict(stored: StoredAgent) -> dict[str, Json]:
    """What an agent is after a change, as JSON."""
    return {
        "name": stored.agent.name,
        "volume": stored.place.volume,
        "owner": stored.place.owner,
        "version": stored.version,
        "digest": stored.digest,
        "status": stored.status.value,
        "warnings": list(stored.agent.warnings),
    }


def print_state(artifact: Artifact) -> None:
    """Print where an agent stands after a change."""
    print(f"agent {artifact.name} is at {artifact.current[:12]}, {artifact.status.value}")


def version_dict(version: Version) -> dict[str, Json]:
    """One version as JSON."""
    return {
        "version": version.seq,
        "digest": version.digest,
        "status": version.status.value,
        "author": version.author,
        "created_at": None if version.seq == 0 else version.created_at,
        "note": version.note,
    }


def print_history(versions: Sequence[Version]) -> None:
    """Print the versions of an agent, the newest first."""
    rows = [
        (
            _version(v.seq),
            v.digest[:12],
            v.status.value,
            when(v.created_at) if v.seq else "",
            v.author,
            one_line(v.note),
        )
        for v in reversed(versions)
    ]
    print_table(("VERSION", "DIGEST", "STATUS", "WHEN", "BY", "NOTE"), rows)


def print_imported(done: Sequence[Imported], dry_run: bool) -> None:
    """Print what became of each file."""
    for one in done:
        if one.outcome == "refused":
            told = f"! not taken: {one.file}: {one.told}"
            out().print(printable(told), style="red", soft_wrap=True)
            if one.hint:
                out().print(printable(f"  {one.hint}"), style="dim", soft_wrap=True)
            continue
        so = f"would be {one.outcome}" if dry_run and one.outcome != "unchanged" else one.outcome
        print(printable(f"{so}  {one.name}"))
        for warning in one.warnings:
            _warn(f"  {warning}")
    if not done:
        print("no agent to take")


def _warn(text: str) -> None:
    err().print(printable(text), style="yellow", soft_wrap=True)


def _version(number: int) -> str:
    return f"version {number}" if number else "as shipped"


def _place(place: Place) -> str:
    return "system" if place.volume == "system" else f"{place.volume} {place.owner}"
