"""What recurs across a user's projects, and what one of them does better than the others.

Counted, without a model: a goal of the same pattern in several projects; an agent of one project
that would serve the others; a fact that several hold; a project where the same goes right more
often, or takes less. Runs that are private are not counted. Names of projects and what is said in
them stay in the user's own volume.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from sqlalchemy import Connection, func, select

from llmos.cortex.agents.records import runs_of
from llmos.crons import findings
from llmos.crons.cycle import CronLevel, CycleTask
from llmos.crons.findings import Finding, milestone
from llmos.crons.patterns import Pattern
from llmos.crons.project_patterns import InProject, by_project, newest_tokens
from llmos.evolution.standing import Standing
from llmos.memory.facts.fact import PERSON, FactStatus
from llmos.store import Transaction
from llmos.store.schema import artifacts, fact_evidence, facts, private, projects
from llmos.values import ArtifactType, Json, Trace
from llmos.volumes import Place, Status, Volume, is_private, reading
from llmos.volumes.reading import in_place
from llmos.volumes.records import View

_SHARED = 2
"""Projects from which on a goal is done across them."""
_COMMON = 3
"""Runs of all of them together from which on that is worth saying."""
_ENOUGH = 5
"""Runs in each of two projects from which on they are compared."""
_COMPARED = 20
"""Newest runs of each whose tokens are compared."""
_DEARER = 2.0
"""Times the tokens on average at which one project takes markedly more than another."""
_PAIRS = 0.9
"""Share of the pairs of a run here and a run there in which the one here takes less."""
_TRIED, _PROVEN = 3, 0.9
"""Good runs under an agent of a project, and their share, from which on it is offered to all."""
_FAMILIES = 10
"""Patterns of such runs that are looked for in other projects."""
_MOST_FACTS = 20
_FACT = "general-fact-"
_OF_A_FACT = re.compile(rf"{_FACT}[0-9a-f]{{12}}")
"""An agent may be called so that its offer begins like that of a fact."""

_INSIGHT, _SUGGESTION = ArtifactType.INSIGHT, ArtifactType.SUGGESTION


def say(
    tx: Transaction,
    volume: Volume,
    level: CronLevel,
    user: str,
    touched: Sequence[Pattern],
    fresh: Sequence[Trace],
) -> Iterator[CycleTask | None]:
    """What is to say across the projects of a user, if there are several.

    Args:
        tx: The transaction of the cycle, in which the runs were counted.
        volume: The user's.
        level: Which cron says it.
        user: Whose runs.
        touched: The patterns of the new runs; all that one tool does is one.
        fresh: The new runs.
    """
    mine = (projects.c.volume == "user") & (projects.c.owner == user)
    if (tx.conn.scalar(select(func.count()).where(mine)) or 0) >= _SHARED:
        yield from _say_patterns(tx, volume, level, user, touched)
        yield from _say_agents(tx, volume, level, user, fresh)
        yield from _say_facts(tx, volume, level, user)


def _say_patterns(
    tx: Transaction, volume: Volume, level: CronLevel, user: str, touched: Sequence[Pattern]
) -> Iterator[CycleTask | None]:
    """Goals that are done in several projects, and where they go better."""
    for pattern in touched:
        there = by_project(tx.conn, user, pattern.key, pattern.tool)
        several = len(there) >= _SHARED and sum(p.runs for p in there) >= _COMMON
        shared = _across(pattern, there) if several else None
        yield _kept(tx, volume, level, f"across-{pattern.slug}", shared)
        better = _better(tx.conn, user, pattern, there) if several else None
        yield _kept(tx, volume, level, f"better-{pattern.slug}", better)


def _say_agents(
    tx: Transaction, volume: Volume, level: CronLevel, user: str, fresh: Sequence[Trace]
) -> Iterator[CycleTask | None]:
    """Offer to all projects an agent that one of them has, where others do the same without it."""
    used = {(t.project, t.agent.partition("@")[0]) for t in fresh if t.project and t.agent}
    for project, name in sorted(used):
        place = volume.place.of(project)
        digest = _agent_in(tx.conn, place, name)
        general = _agent_in(tx.conn, volume.place, name)
        if digest is not None:
            label = f"{name}@{digest[:12]}"
            offer = None if general else _offered(tx.conn, user, place, name, label)
            yield _kept(tx, volume, level, _offer_of(name, project), offer, _SUGGESTION)


def _say_facts(
    tx: Transaction, volume: Volume, level: CronLevel, user: str
) -> Iterator[CycleTask | None]:
    """Offer to let facts hold everywhere that several projects hold by themselves."""
    held = repeated_facts(tx.conn, user)
    for name, (fact_id, names) in held.items():
        yield findings.keep(tx, volume, level, _general_fact(name, fact_id, names))
    for name in sorted(_offered_facts(tx.conn, volume.place) - held.keys()):
        why = "it does not stand in several projects any more"
        yield findings.withdraw(tx, volume, level, _SUGGESTION, name, why)


def facts_moved(conn: Connection, place: Place) -> bool:
    """Whether facts that several projects hold are others than those that are offered to all.

    Args:
        conn: Where to read.
        place: The user's volume.
    """
    return _offered_facts(conn, place) != repeated_facts(conn, place.owner).keys()


def _offered_facts(conn: Connection, place: Place) -> set[str]:
    a = artifacts.c
    open_ = (a.type == _SUGGESTION.value) & (a.status == Status.DRAFT.value)
    query = select(a.name).where(in_place(artifacts, place), open_, a.name.startswith(_FACT))
    return {name for name in conn.scalars(query) if _OF_A_FACT.fullmatch(name)}


def repeated_facts(conn: Connection, user: str) -> dict[str, tuple[str, list[str]]]:
    """Facts that hold in several projects with the same words: one of them, and the projects.

    By the name of what is said of them. One that was said in private runs alone is not among them.
    """
    hidden = select(private.c.subject).where(
        private.c.volume == "user", private.c.owner == user, private.c.kind == "trace"
    )
    laid_aside = select(projects.c.name).where(
        projects.c.volume == "user", projects.c.owner == user, projects.c.archived_at.is_not(None)
    )
    said = select(fact_evidence.c.fact_id).where(
        (fact_evidence.c.source == PERSON) | fact_evidence.c.source.not_in(hidden)
    )
    query = (
        select(facts.c.id, facts.c.key, facts.c.project)
        .where(
            facts.c.owner == user,
            facts.c.status == FactStatus.CURRENT.value,
            facts.c.project != "",
            facts.c.project.not_in(laid_aside),
            facts.c.id.in_(said),
        )
        .order_by(facts.c.key, facts.c.project)
    )
    found: dict[str, list[tuple[str, str]]] = {}
    for row in conn.execute(query):
        found.setdefault(row.key, []).append((row.id, row.project))
    several = [(key, rows) for key, rows in found.items() if len(rows) >= _SHARED]
    return {
        f"{_FACT}{key[:12]}": (rows[0][0], [project for _, project in rows])
        for key, rows in several[:_MOST_FACTS]
    }


# --- what is found -------------------------------------------------------------------------------


def _across(pattern: Pattern, there: Sequence[InProject]) -> Finding:
    runs = sum(p.runs for p in there)
    if pattern.tool is None:
        does = "There is no tool for it yet: runs of all of them count for the one that is to come"
    else:
        does = f"The tool {pattern.tool} is learnt from all of them and serves all of them"
    return Finding(
        _INSIGHT,
        f"across-{pattern.slug}",
        f"“{pattern.title}” is done in {_names(there)}: {runs} runs",
        f"{does}; what it sends to the outside, only where that was done once. {_each(there)}",
        _evidence(pattern, there),
        (milestone(runs), len(there), pattern.tool or ""),
        tell="you do the same in several projects",
    )


def _better(
    conn: Connection, user: str, pattern: Pattern, there: Sequence[InProject]
) -> Finding | None:
    enough = [p for p in there if p.runs >= _ENOUGH]
    if len(enough) < _SHARED:
        return None
    ranked = sorted(enough, key=lambda p: (-p.good / p.runs, p.project))
    best, worst = ranked[0], ranked[-1]
    if _interval(best)[0] > _interval(worst)[1]:
        title = (
            f"“{pattern.title}” goes right more often in {best.project} "
            f"({best.good} of {best.runs}) than in {worst.project} ({worst.good} of {worst.runs})"
        )
        return _compared(pattern, there, best, worst, title, "right")
    return _cheaper(conn, user, pattern, there)


def _cheaper(
    conn: Connection, user: str, pattern: Pattern, there: Sequence[InProject]
) -> Finding | None:
    modelled = [p for p in there if p.model_runs >= _ENOUGH and p.mean_tokens > 0]
    if len(modelled) < _SHARED:
        return None
    ranked = sorted(modelled, key=lambda p: (p.mean_tokens, p.project))
    best, worst = ranked[0], ranked[-1]
    if worst.mean_tokens < _DEARER * best.mean_tokens:
        return None
    here, away = (
        newest_tokens(conn, user, pattern.key, pattern.tool, p.project, _COMPARED)
        for p in (best, worst)
    )
    pairs = len(here) * len(away)
    less = sum(a < b for a in here for b in away)
    if min(len(here), len(away)) < _ENOUGH or less < _PAIRS * pairs:
        return None
    title = (
        f"“{pattern.title}” takes a model {best.mean_tokens:,.0f} tokens in {best.project} "
        f"and {worst.mean_tokens:,.0f} in {worst.project}"
    )
    return _compared(pattern, there, best, worst, title, "tokens")


def _compared(
    pattern: Pattern,
    there: Sequence[InProject],
    best: InProject,
    worst: InProject,
    title: str,
    what: str,
) -> Finding:
    return Finding(
        _INSIGHT,
        f"better-{pattern.slug}",
        title,
        "It is counted, not explained: see what each has of its own, facts and agents: "
        f"llmos projects show {best.project}, llmos projects show {worst.project}",
        {**_evidence(pattern, there), "best": best.project, "worst": worst.project, "in": what},
        (what, best.project, worst.project, milestone(min(best.runs, worst.runs))),
        tell="one of your projects does better than another at the same",
    )


def _offered(conn: Connection, user: str, place: Place, name: str, label: str) -> Finding | None:
    """The offer of a project's agent, where it is proven there and others do what it does."""
    own, mine = place.project, place.whole
    runs = [
        run
        for run in runs_of(conn, user, agent=label)
        if not is_private(conn, mine, "trace", run.id)
    ]
    good = [run for run in runs if run.good]
    if len(good) < _TRIED or len(good) < _PROVEN * len(runs):
        return None
    others: dict[str, int] = {}
    for key in sorted({run.key for run in good if run.key})[:_FAMILIES]:
        for there in by_project(conn, user, key, None):
            if there.project != own and _agent_in(conn, mine.of(there.project), name) is None:
                others[there.project] = others.get(there.project, 0) + there.runs
    if not others:
        return None
    return Finding(
        _SUGGESTION,
        _offer_of(name, own),
        f"Let all projects have the agent {name} of {own}",
        f"{len(good)} of {len(runs)} runs under it were good, and the same is done without it in "
        f"{_listed(sorted(others))}. {own} keeps its own.",
        {
            "runs": len(runs),
            "good": len(good),
            "agent": label,
            "project": own,
            "elsewhere": dict(others),
            "traces": [run.id for run in good[:10]],
        },
        ("general", label, milestone(len(good)), len(others)),
        {"do": "run", "command": f"llmos volumes promote {name} --type agent --project {own}"},
        tell="an agent of one project would serve others",
    )


def _general_fact(named: str, fact_id: str, names: Sequence[str]) -> Finding:
    # Without its words: whoever purges the runs in which it was said would not find them here.
    short = fact_id[-6:].lower()
    return Finding(
        _SUGGESTION,
        named,
        f"Let a fact hold in all projects that stands in {_listed(names)}",
        f"The same words are in each of them: llmos facts show {short}",
        {"fact": fact_id, "projects": list(names)},
        ("general", len(names)),
        {"do": "run", "command": f"llmos facts general {short}"},
    )


# --- small things --------------------------------------------------------------------------------


def _kept(
    tx: Transaction,
    volume: Volume,
    level: CronLevel,
    name: str,
    finding: Finding | None,
    type: ArtifactType = _INSIGHT,
) -> CycleTask | None:
    if finding is not None:
        return findings.keep(tx, volume, level, finding)
    return findings.withdraw(tx, volume, level, type, name, "the counts do not say it any more")


def _agent_in(conn: Connection, place: Place, name: str) -> str | None:
    """Digest of the agent of that name that lies in a volume and is in use, or None."""
    kept = reading.find(conn, View(place), ArtifactType.AGENT, name)
    return None if kept is None or kept.status.out_of_use else kept.current


def _offer_of(name: str, project: str) -> str:
    return f"general-{name}-of-{project}"[:64].rstrip("-._")


def _interval(one: InProject) -> tuple[float, float]:
    return Standing(one.runs, one.good, 1).interval


def _names(there: Sequence[InProject]) -> str:
    return f"{len(there)} projects ({_listed([p.project for p in there])})"


def _listed(names: Sequence[str]) -> str:
    if len(names) > 3:
        return f"{', '.join(names[:3])} and {len(names) - 3} more"
    return " and ".join(names) if len(names) < 3 else f"{names[0]}, {names[1]} and {names[2]}"


def _each(there: Sequence[InProject]) -> str:
    told = (f"{p.project}: {p.good} of {p.runs} good" for p in there[:5])
    return "; ".join(told) + "."


def _evidence(pattern: Pattern, there: Sequence[InProject]) -> dict[str, Json]:
    return {
        "shape": pattern.shape,
        "tool": pattern.tool,
        "runs": sum(p.runs for p in there),
        "projects": [p.as_dict() for p in there],
    }
