"""The stored facts of a user: noted, superseded, forgotten; never deleted but with a purge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from sqlalchemy import ColumnElement, bindparam, insert, or_, select, update

from llmos.errors import UserError
from llmos.kernel.projects import note_project
from llmos.memory.facts.fact import (
    LONGEST_FACT,
    PERSON,
    Fact,
    FactKind,
    FactStatus,
    Statement,
)
from llmos.memory.facts.rows import add_evidence, facts_of, read_rows, tell
from llmos.memory.facts.statements import (
    correction,
    is_secret,
    read_statement,
    statements,
    subject_of,
)
from llmos.memory.fold import goal_key
from llmos.store import Store, Transaction, new_id
from llmos.store.schema import facts, stamp
from llmos.values import EventType

_MOST = 1_000
"""Current facts of one user that are looked through for a goal, the newest."""

_HOLDING = (
    select(facts)
    .where(
        facts.c.owner == bindparam("owner"),
        facts.c.status == FactStatus.CURRENT.value,
        or_(facts.c.project == "", facts.c.project == bindparam("project")),
    )
    .order_by(facts.c.at.desc(), facts.c.id.desc())
    .limit(_MOST)
)
"""Made once: every goal asks it."""


@dataclass(frozen=True, slots=True)
class Noted:
    """What came of a statement."""

    fact: Fact
    what: Literal["new", "again", "superseded"]
    """``again``: it was known, and has one more evidence; ``superseded``: it replaces another."""
    was: str = ""
    """The sentence that it replaces."""

    @property
    def told(self) -> str:
        """One line for people."""
        before = f" (before: {self.was})" if self.was else ""
        return f"{self.fact.sentence}{before}; take it back: llmos facts forget {self.fact.id[-6:]}"


class Facts:
    """The facts of one user.

    Args:
        store: Where they are kept.
        user_id: Whose.
        project: The project that is worked in; None for none.
    """

    def __init__(self, store: Store, user_id: str, project: str | None = None) -> None:
        self._store = store
        self._user = user_id
        self._project = project or ""

    # --- reading -----------------------------------------------------------------------------

    def current(self, *, evidence: bool = True) -> list[Fact]:
        """What holds here, the newest first: facts of the project, and those of all projects.

        Args:
            evidence: Also where they were said.
        """
        asked = {"owner": self._user, "project": self._project}
        return self._store.read(
            lambda c: facts_of(c, c.execute(_HOLDING, asked).all(), evidence=evidence)
        )

    def listed(self, *, everything: bool = False, limit: int = _MOST) -> list[Fact]:
        """Facts, the newest first: those that hold here, or in any project where none is named.

        Args:
            everything: Superseded and forgotten ones too.
            limit: How many at most.
        """
        meant = facts.c.project.in_({"", self._project}) if self._project else facts.c.id != ""
        if not everything:
            meant = meant & (facts.c.status == FactStatus.CURRENT.value)
        return self._select(meant, limit)

    def get(self, fact_id: str) -> Fact:
        """One fact, also one that does not hold any more.

        Args:
            fact_id: Its id, or its first or last characters, at least four.

        Raises:
            UserError: None or several match.
        """
        text = fact_id.strip().upper()
        if len(text) < 4 or not text.isalnum():
            raise UserError(f"{fact_id!r} is not the id of a fact", "see: llmos facts")
        found = self._select(
            or_(facts.c.id.between(text, f"{text}~"), facts.c.id.endswith(text)), 2
        )
        if not found:
            raise UserError(f"there is no fact {fact_id!r}", "see: llmos facts --all")
        if len(found) > 1:
            raise UserError(f"several facts have {fact_id!r} in their id", "give more of the id")
        return found[0]

    def history(self, fact_id: str) -> list[Fact]:
        """All facts that replaced each other, of which this is one, the oldest first.

        Raises:
            UserError: There is no such fact.
        """
        line = self.get(fact_id).line
        return self._select(facts.c.line == line, _MOST)[::-1]

    # --- what somebody writes down -----------------------------------------------------------

    def add(self, sentence: str, kind: FactKind | None = None) -> Noted:
        """Write a fact down, for the project that is worked in or for all.

        Args:
            sentence: One sentence.
            kind: What sort of fact; by its form when left out.

        Raises:
            UserError: It cannot be a fact.
        """
        said = _checked(sentence, kind)
        return self._store.write(lambda tx: self._note(tx, said, PERSON, "person"))

    def edit(self, fact_id: str, sentence: str, kind: FactKind | None = None) -> Noted:
        """Say what holds instead of a fact, which is superseded and kept.

        Args:
            fact_id: The fact.
            sentence: What holds.
            kind: What sort of fact; by its form, else that of the old one, when left out.

        Raises:
            UserError: There is no such fact, it does not hold any more, or the new one cannot be.
        """
        old = self._holding(fact_id)
        said = _checked(sentence, kind)
        if said.kind in (FactKind.NOTE, old.kind) and not said.subject:
            # In other words it is still about the same.
            said = replace(said, kind=kind or old.kind, subject=old.subject)
        place = Facts(self._store, self._user, old.project)
        return self._store.write(lambda tx: place._note(tx, said, PERSON, "person", instead=old.id))

    def generalise(self, fact_id: str) -> Noted:
        """Let a fact of one project hold in all; the same words in others are superseded by it.

        Raises:
            UserError: There is no such fact, it does not hold any more, or it holds in all already.
        """
        old = self._holding(fact_id)
        if not old.project:
            raise UserError("this fact holds in all projects already", "see: llmos facts")
        said = Statement(old.kind, old.sentence, old.subject)
        general = Facts(self._store, self._user)
        words = facts.c.key == goal_key(old.sentence)
        same = words & (facts.c.status == FactStatus.CURRENT.value) & (facts.c.project != "")

        def write(tx: Transaction) -> Noted:
            noted = general._note(tx, said, PERSON, "person")
            known = facts_of(tx.conn, read_rows(tx.conn, self._mine(same), _MOST))
            for evidence in (e for fact in known for e in fact.evidence):
                add_evidence(tx, noted.fact.id, evidence.source)
            self._end(tx, [f.id for f in known], FactStatus.SUPERSEDED, noted.fact.id)
            return noted

        return self._store.write(write)

    def forget(self, fact_id: str) -> Fact:
        """Take a fact out of use; it stays in the history.

        Raises:
            UserError: There is no such fact, or it does not hold any more.
        """
        old = self._holding(fact_id)

        def write(tx: Transaction) -> None:
            self._end(tx, [old.id], FactStatus.FORGOTTEN)
            tell(tx, EventType.ARTIFACT_EVOLVED, old.user_id, old.id, "was forgotten")

        self._store.write(write)
        return self.get(old.id)

    def retract(self, goal: str, run_id: str) -> None:
        """Forget what was said to be wrong with a run that was right after all.

        Args:
            goal: The goal of the run.
            run_id: The run.
        """
        about = (facts.c.subject == subject_of(goal)) & (facts.c.project == self._project)
        found = self._select(about & (facts.c.status == FactStatus.CURRENT.value), _MOST)
        for fact in found:
            if {e.source for e in fact.evidence} == {run_id}:
                self.forget(fact.id)

    # --- what was said in a run ----------------------------------------------------------------

    def heard(self, text: str, run_id: str) -> list[Noted]:
        """Note the lasting statements in a user's own goal.

        Args:
            text: The goal.
            run_id: The run for it.
        """
        return self._notes(statements(text), run_id, "goal")

    def heard_in(self, tx: Transaction, text: str, run_id: str) -> list[Noted]:
        """`heard` in the transaction that also ends the run: the note is there if the end is."""
        return [self._note(tx, said, run_id, "goal") for said in statements(text)]

    def corrected(self, goal: str, note: str, run_id: str, *, right: bool) -> list[Noted]:
        """Note what a user says of a run, where it holds beyond it.

        Args:
            goal: The goal of the run.
            note: Their words.
            run_id: The run.
            right: Whether they said that it was right.
        """
        said = statements(note)
        if not said and not right:
            wrong = correction(goal, note)
            said = [wrong] if wrong else []
        return self._notes(said, run_id, "feedback")

    def _notes(self, said: Sequence[Statement], run_id: str, by: str) -> list[Noted]:
        if not said:
            return []
        return self._store.write(lambda tx: [self._note(tx, s, run_id, by) for s in said])

    # --- small things --------------------------------------------------------------------------

    def _note(
        self, tx: Transaction, said: Statement, source: str, by: str, instead: str = ""
    ) -> Noted:
        """Note a statement: one more evidence of what is known, or a fact that replaces others."""
        key = goal_key(said.sentence)
        about = or_(
            facts.c.key == key,
            (facts.c.subject == said.subject) & (facts.c.subject != ""),
            facts.c.id == instead,
        )
        holding = (facts.c.status == FactStatus.CURRENT.value) & (facts.c.project == self._project)
        known = read_rows(tx.conn, self._mine(holding & about), _MOST)
        # What a person made of it stays when a goal says it again.
        same = [f for f in known if f.key == key and (by != "person" or f.kind == said.kind.value)]
        if same and all(f.id == same[0].id for f in known):
            add_evidence(tx, same[0].id, source)
            return Noted(facts_of(tx.conn, same[:1])[0], "again")
        fact_id = new_id()
        line = next((f.line for f in known if f.id == instead), known[0].line if known else fact_id)
        row = {
            "id": fact_id,
            "line": line,
            "owner": self._user,
            "project": self._project,
            "kind": said.kind.value,
            "subject": said.subject,
            "sentence": said.sentence,
            "key": key,
            "status": FactStatus.CURRENT.value,
            "by": by,
            "at": stamp(tx.now),
        }
        note_project(tx, "user", self._user, self._project)
        self._end(tx, [f.id for f in known], FactStatus.SUPERSEDED, fact_id)
        tx.conn.execute(insert(facts).values(row))
        add_evidence(tx, fact_id, source)
        what = EventType.ARTIFACT_EVOLVED if known else EventType.ARTIFACT_CREATED
        tell(tx, what, self._user, fact_id, "replaces another" if known else "was noted")
        fact = facts_of(tx.conn, read_rows(tx.conn, facts.c.id == fact_id, 1))[0]
        was = known[0].sentence if known else ""
        return Noted(fact, "superseded" if known else "new", was)

    def _end(
        self, tx: Transaction, ids: Sequence[str], status: FactStatus, successor: str | None = None
    ) -> None:
        holding = facts.c.id.in_(ids) & (facts.c.status == FactStatus.CURRENT.value)
        ended = {"status": status.value, "successor": successor, "ended_at": stamp(tx.now)}
        tx.conn.execute(update(facts).where(holding).values(ended))

    def _holding(self, fact_id: str) -> Fact:
        fact = self.get(fact_id)
        if fact.status is not FactStatus.CURRENT:
            raise UserError(
                f"fact {fact.id[-6:]} does not hold any more: it is {fact.status.value}",
                f"see: llmos facts history {fact.id[-6:]}",
            )
        return fact

    def _mine(self, meant: ColumnElement[bool]) -> ColumnElement[bool]:
        return (facts.c.owner == self._user) & meant

    def _select(self, meant: ColumnElement[bool], limit: int) -> list[Fact]:
        mine = self._mine(meant)
        return self._store.read(lambda c: facts_of(c, read_rows(c, mine, limit)))


def _checked(sentence: str, kind: FactKind | None) -> Statement:
    clean = " ".join(sentence.split())
    if not clean or "\0" in clean:
        raise UserError("the fact is empty, or no text", 'llmos facts add "My editor is vim."')
    if len(clean) > LONGEST_FACT:
        raise UserError(
            f"the fact has {len(clean):,} characters, at most {LONGEST_FACT} are possible",
            "a fact is one sentence; a text belongs into a file",
        )
    try:
        clean.encode("utf-8")
    except UnicodeEncodeError as e:
        raise UserError("the fact is not valid UTF-8 text", "check its encoding") from e
    if is_secret(clean):
        raise UserError(
            "this looks like a key or a password; facts are shown to models",
            "keep it in a file or a variable, and say where",
        )
    said = read_statement(clean)
    return said if kind is None else replace(said, kind=kind)
