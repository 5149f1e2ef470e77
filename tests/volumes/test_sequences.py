"""Whatever is done to an artifact, in whatever order: what a volume promises holds."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from sqlalchemy import select

from llmos.errors import UserError
from llmos.store import Store
from llmos.store.schema import artifact_changes, artifacts, events, versions
from llmos.values import ArtifactType
from llmos.volumes import Status, Version
from tests.volumes.people import of_alice

TOOL = ArtifactType.TOOL
NAMES = st.sampled_from(["f", "g"])
STATUSES = st.sampled_from(list(Status))


class AnySequence(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.store = Store.memory(lambda: datetime(2026, 3, 2, tzinfo=UTC))
        self.volume = of_alice(self.store)
        self.put_ever: dict[tuple[str, str], Version] = {}
        self.record: list[object] = []

    def teardown(self) -> None:
        self.store.close()

    def has(self, name: str) -> bool:
        return any(name == n for n, _ in self.put_ever)

    @rule(name=NAMES, number=st.integers(0, 4), status=STATUSES)
    def put(self, name: str, number: int, status: Status) -> None:
        self.keep(name, number, status, automatic=False)
        assert self.volume.get(TOOL, name).content == {"number": number}

    @rule(name=NAMES, number=st.integers(0, 4), status=STATUSES)
    def put_automatically(self, name: str, number: int, status: Status) -> None:
        before = self.volume.find(TOOL, name)
        made = self.keep(name, number, status, automatic=True)
        after = self.volume.find(TOOL, name)
        if before and (before.pinned or before.status is Status.ARCHIVED):
            assert (after.current, after.status) == (before.current, before.status)
        assert after.current in (made.digest, before and before.current)

    def keep(self, name: str, number: int, status: Status, *, automatic: bool) -> Version:
        made = self.volume.put(
            None, TOOL, name, {"number": number}, author="alice", status=status, automatic=automatic
        )
        self.put_ever.setdefault((name, made.digest), made)
        return made

    @precondition(lambda self: self.put_ever)
    @rule(data=st.data())
    def roll_back_to(self, data: st.DataObject) -> None:
        name, digest = data.draw(st.sampled_from(sorted(self.put_ever)))
        self.volume.rollback(TOOL, name, digest, author="alice")
        assert self.volume.find(TOOL, name).current == digest

    @rule(name=NAMES)
    def roll_back(self, name: str) -> None:
        before = self.volume.find(TOOL, name)
        try:
            to = self.volume.rollback(TOOL, name, author="alice")
        except UserError:
            assert self.volume.find(TOOL, name) == before
        else:
            assert not to.status.out_of_use
            assert self.volume.find(TOOL, name).current == to.digest

    @precondition(lambda self: self.put_ever)
    @rule(data=st.data(), status=STATUSES)
    def set_status(self, data: st.DataObject, status: Status) -> None:
        name, digest = data.draw(st.sampled_from(sorted(self.put_ever)))
        self.volume.set_status(TOOL, name, status, version=digest, author="alice")
        assert self.volume.version(digest).digest == digest

    @rule(name=NAMES, what=st.sampled_from(["pin", "unpin", "archive", "restore"]))
    def lay(self, name: str, what: str) -> None:
        if not self.has(name):
            return
        before = self.volume.find(TOOL, name)
        after = getattr(self.volume, what)(TOOL, name, author="alice")
        assert after.current == before.current
        assert after.pinned == {"pin": True, "unpin": False}.get(what, before.pinned)
        if what in ("archive", "restore"):
            assert (after.status is Status.ARCHIVED) == (what == "archive")

    @invariant()
    def every_version_ever_put_is_as_it_was(self) -> None:
        for name in ("f", "g"):
            expected = [v for (n, _), v in self.put_ever.items() if n == name]
            if not expected:
                assert self.volume.find(TOOL, name) is None
                continue
            history = self.volume.history(TOOL, name)
            assert [(v.seq, v.digest) for v in history] == [(v.seq, v.digest) for v in expected]
            for now, then in zip(history, expected, strict=True):
                assert now.content == then.content and now.parent == then.parent
                assert (now.author, now.lineage, now.note) == (then.author, (), "")

    @invariant()
    def the_current_version_is_one_of_the_history_with_its_status(self) -> None:
        for artifact in self.volume.list_artifacts():
            current = self.volume.get(TOOL, artifact.name)
            assert (artifact.name, current.digest) in self.put_ever
            assert artifact.status is current.status

    @invariant()
    def the_record_only_grows_and_explains_every_status(self) -> None:
        query = select(artifact_changes).order_by(artifact_changes.c.seq)
        now = self.store.read(lambda c: c.execute(query).all())
        assert now[: len(self.record)] == self.record
        self.record = list(now)
        told = self.store.read(lambda c: c.execute(select(events)).all())
        assert len(told) == len(now)
        statuses = ("status", "archived", "restored")
        last = {(c.artifact_id, c.digest): c.now for c in now if c.what in statuses}
        joined = select(versions, artifacts.c.name).join(artifacts)
        for row in self.store.read(lambda c: c.execute(joined).all()):
            first = self.put_ever[row.name, row.digest].status.value
            assert row.status == last.get((row.artifact_id, row.digest), first)


TestAnySequence = AnySequence.TestCase
TestAnySequence.settings = settings(max_examples=30, stateful_step_count=25, deadline=None)
