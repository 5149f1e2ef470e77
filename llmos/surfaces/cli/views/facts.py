"""How facts are shown."""

from __future__ import annotations

from collections.abc import Sequence

from llmos.memory.facts import PERSON, Fact, FactStatus, Noted
from llmos.surfaces.cli.output import moment, one_line, print_table, printable, short, when

_HOW = {
    "new": "noted",
    "again": "known already, and now said once more",
    "superseded": "noted instead of what was said before",
}


def print_facts(facts: Sequence[Fact]) -> None:
    """Print one line for each fact."""
    if not facts:
        print('No facts. Write one down with: llmos facts add "…"')
        return
    rows = [
        (
            short(fact.id),
            when(fact.at),
            fact.project or "-",
            fact.kind.value,
            fact.status.value,
            str(len(fact.evidence)),
            one_line(fact.sentence, 200),
        )
        for fact in facts
    ]
    print_table(("FACT", "WHEN", "PROJECT", "KIND", "STATUS", ">SAID", "SENTENCE"), rows)


def print_fact(fact: Fact) -> None:
    """Print all that is known of a fact."""
    print(printable(fact.sentence))
    told = [("fact", fact.id), ("kind", fact.kind.value), ("status", fact.status.value)]
    if fact.successor:
        told.append(("replaced by", short(fact.successor)))
    told.append(("holds in", fact.project or "all projects"))
    told.append(("noted", f"{moment(fact.at)}, {_came(fact)}"))
    if fact.ended_at is not None:
        told.append(("until", moment(fact.ended_at)))
    for evidence in fact.evidence:
        where = "by hand" if evidence.source == PERSON else f"in run {short(evidence.source)}"
        told.append(("said", f"{moment(evidence.at)} {where}"))
    for name, value in told:
        print(f"  {name:<12} {printable(value)}")


def print_noted(noted: Noted) -> None:
    """Print what came of a sentence."""
    fact = noted.fact
    where = f" in project {fact.project}" if fact.project else ""
    print(f"{_HOW[noted.what]}: {fact.kind.value} {short(fact.id)}{where}")
    if noted.was:
        print(f"before: {printable(noted.was)}")
    if fact.status is FactStatus.CURRENT and fact.kind.value == "rule" and noted.what != "again":
        print("Every goal is told it: runs from before it was there are not replayed now.")


def _came(fact: Fact) -> str:
    return {
        "person": "written down",
        "goal": "from what a goal said",
        "feedback": "from what was said of a run",
    }.get(fact.by, fact.by)
