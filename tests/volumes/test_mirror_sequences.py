"""Whatever happens to a volume and to its files: what the mirror promises holds."""

from __future__ import annotations

import shutil
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from llmos.errors import UserError
from llmos.store import Store
from llmos.values import ArtifactType
from llmos.volumes import Caller, Mirror, Place, Status
from llmos.volumes.mirror.rendering import EDITABLE, editable_part, edited_part, file_of, rendered
from tests.volumes.people import of_alice

ALICE = Place("user", "alice")
TYPES = st.sampled_from([ArtifactType.TOOL, ArtifactType.AGENT, ArtifactType.INSIGHT])
NAMES = st.sampled_from(["f", "f.new", "g"])
TEXTS = st.sampled_from(["x = 1\n", "x = 2\n", "# a\n\nx = 3", ""])


class AnySequence(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.home = Path(tempfile.mkdtemp())
        self.store = Store.memory(lambda: datetime(2026, 3, 2, tzinfo=UTC))
        self.volume = of_alice(self.store)
        self.mirror = Mirror(self.home, self.store, Caller.person("alice"))
        self.folder = self.mirror.folder(ALICE)
        self.edits: dict[str, str] = {}
        """What a person wrote where, as long as it stands there."""

    def teardown(self) -> None:
        self.store.close()
        shutil.rmtree(self.home)

    @rule(type=TYPES, name=NAMES, text=TEXTS, status=st.sampled_from(list(Status)))
    def put(self, type: ArtifactType, name: str, text: str, status: Status) -> None:
        content = {"text": text, "code": text, "proof": {"runs": 3}}
        self.volume.put(None, type, name, content, author="alice", status=status)

    @rule(type=TYPES, name=NAMES, status=st.sampled_from([None, *Status]))
    def move(self, type: ArtifactType, name: str, status: Status | None) -> None:
        if self.volume.find(type, name) is None:
            return
        try:
            if status is None:
                self.volume.rollback(type, name, author="alice")
            else:
                self.volume.set_status(type, name, status, author="alice")
        except UserError:
            pass  # there is no earlier version

    @rule(type=TYPES, name=NAMES, text=st.sampled_from(["mine = 1\n", "mine = 2\n", "mine ("]))
    def edit(self, type: ArtifactType, name: str, text: str) -> None:
        path = file_of(type, name)
        file = self.folder / path
        if path not in self.edits and file.is_file() and file.read_text() == text:
            return  # what stands there already is no edit
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        self.edits[path] = text

    @rule(type=TYPES, name=NAMES)
    def delete(self, type: ArtifactType, name: str) -> None:
        path = file_of(type, name)
        (self.folder / path).unlink(missing_ok=True)
        self.edits.pop(path, None)

    @rule()
    def refresh(self) -> None:
        assert self.mirror.refresh(ALICE).problems == ()
        self.check()
        again = self.mirror.refresh(ALICE)
        assert (again.written, again.removed) == ((), ())

    @rule()
    def push(self) -> None:
        before = {a.name: a for t in EDITABLE for a in self.volume.list_artifacts(t)}
        report = self.mirror.push(ALICE)
        for pushed in report.pushed:
            version = self.volume.get(pushed.type, pushed.name)
            assert version.digest == pushed.digest and version.status is Status.DRAFT
            assert version.content.keys() <= {"code", "text"} and len(version.content) == 1
            assert self.edits.pop(pushed.path.removeprefix("users/alice/"))
        assert report.mirror.problems == () and (before or not report.deleted)
        self.check()

    def check(self) -> None:
        """Files nobody edited are as the volume is, the others as the person left them."""
        expected: dict[str, bytes] = {}
        for artifact in self.volume.list_artifacts():
            if not artifact.status.out_of_use:
                version = self.volume.get(artifact.type, artifact.name)
                expected[file_of(artifact.type, artifact.name)] = rendered(version, ALICE)
        for path in list(self.edits):
            if self.edits[path].encode() == expected.get(path):
                del self.edits[path]  # nobody can tell it from a rendering, nor needs to
        found = {
            str(p.relative_to(self.folder)): p.read_bytes()
            for p in self.folder.rglob("*")
            if p.is_file() and p.name != ".mirror.json"
        }
        for path, data in list(found.items()):
            if path.endswith(".new"):
                main = path.removesuffix(".new")
                assert main in self.edits and data == expected[main]
                del found[path]
        mine = {path: text.encode() for path, text in self.edits.items()}
        assert found == expected | mine


TestAnySequence = AnySequence.TestCase
TestAnySequence.settings = settings(max_examples=20, stateful_step_count=25, deadline=None)


def test_the_part_that_is_edited_is_read_back_as_it_was_written() -> None:
    store = Store.memory(lambda: datetime(2026, 3, 2, tzinfo=UTC))
    with store:
        volume = of_alice(store)
        for code in ("", "x", "\n\nx\n", "# ----\nx\r\n\x0c", "#!/usr/bin/env python\n"):
            made = volume.put(None, ArtifactType.TOOL, "f", {"code": code}, author="alice")
            text = rendered(made, ALICE).decode()
            assert edited_part(made.type, text) == editable_part(made.type, made.content) == code
