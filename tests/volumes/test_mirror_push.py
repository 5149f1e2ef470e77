"""Edited files taken back: as new versions that nothing runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmos.errors import PermissionDenied
from llmos.evolution.tool import LearntTool, Shelf
from llmos.store import Store
from llmos.values import ArtifactType
from llmos.volumes import Caller, Mirror, PushReport, Status, Volume
from tests.volumes.people import acting
from tests.volumes.test_mirror import AGENT, ALICE, CODE, LEARNT, TOOL, files, folder, mirror

__all__ = ["folder", "mirror"]


def put(volume: Volume, mirror: Mirror, name: str = "f") -> None:
    acting(volume, "user-cron").put(
        None, TOOL, name, LEARNT, author="user-cron", status=Status.ACTIVE
    )
    mirror.refresh(ALICE)


def edit(path: Path, old: str = "return name", new: str = "return name * 2") -> None:
    path.write_text(path.read_text().replace(old, new))


def test_edited_code_becomes_a_draft_without_program_and_proof(
    mirror: Mirror, volume: Volume, folder: Path, store: Store
) -> None:
    put(volume, mirror)
    first = volume.get(TOOL, "f")
    edit(folder / "tools/f.py")
    (pushed,) = mirror.push(ALICE).pushed
    now = volume.get(TOOL, "f")
    assert (pushed.name, pushed.version, pushed.digest) == ("f", 2, now.digest)
    assert now.content == {"code": CODE.replace("return name", "return name * 2")}
    assert (now.status, now.author, now.note) == (Status.DRAFT, "alice", "edited by hand")
    assert now.parent == first.digest
    assert volume.history(TOOL, "f")[0] == first


def test_nothing_runs_what_was_pushed_whatever_its_status(
    mirror: Mirror, volume: Volume, folder: Path, store: Store
) -> None:
    put(volume, mirror)
    edit(folder / "tools/f.py")
    mirror.push(ALICE)
    with pytest.raises(KeyError):
        LearntTool.of(volume.get(TOOL, "f"))
    volume.set_status(TOOL, "f", Status.ACTIVE, author="alice")
    assert Shelf([volume]).tools() == []


def test_the_file_is_rendered_anew_after_the_push(
    mirror: Mirror, volume: Volume, folder: Path
) -> None:
    put(volume, mirror)
    path = folder / "tools/f.py"
    edit(path)
    assert mirror.push(ALICE).mirror.written == ("users/alice/tools/f.py",)
    assert "version 2" in path.read_text() and "proof: none" in path.read_text()
    assert path.read_text().endswith("return name * 2\n")
    assert mirror.push(ALICE) == PushReport()


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text,
        lambda text: text + "\n\n",
        lambda text: text.replace("# rendered", "# my own remark; rendered"),
    ],
)
def test_what_does_not_change_the_code_is_no_version(
    mirror: Mirror, volume: Volume, folder: Path, change: object
) -> None:
    put(volume, mirror)
    path = folder / "tools/f.py"
    path.write_text(change(path.read_text()))  # type: ignore[operator]
    report = mirror.push(ALICE)
    assert (report.pushed, report.refused) == ((), ())
    assert len(volume.history(TOOL, "f")) == 1


def test_a_rendering_that_has_become_old_is_no_edit(
    mirror: Mirror, volume: Volume, folder: Path
) -> None:
    put(volume, mirror)
    volume.put(None, TOOL, "f", {"code": "x = 2\n"}, author="alice")
    assert mirror.push(ALICE).pushed == ()
    assert volume.get(TOOL, "f").code == "x = 2\n"
    volume.rollback(TOOL, "f", 1, author="alice")
    (folder / ".mirror.json").unlink()
    (note,) = mirror.push(ALICE).refused
    assert "llmos tools rollback f 2" in note.hint


def test_an_edit_of_an_older_version_says_so_and_is_taken(
    mirror: Mirror, volume: Volume, folder: Path
) -> None:
    put(volume, mirror)
    edit(folder / "tools/f.py")
    first = volume.get(TOOL, "f").digest
    acting(volume, "user-cron").put(None, TOOL, "f", {"code": "x = 2\n"}, author="user-cron")
    mirror.refresh(ALICE)
    report = mirror.push(ALICE)
    assert "made from version 1" in report.pushed[0].note
    assert volume.get(TOOL, "f").parent == first
    assert "users/alice/tools/f.py.new" in report.mirror.removed
    assert list(files(folder)) == ["tools/f.py"]


def test_a_new_file_becomes_a_new_artifact(mirror: Mirror, volume: Volume, folder: Path) -> None:
    mirror.refresh(ALICE)
    (folder / "tools/own.py").write_text("def own():\n    pass\n")
    (folder / "agents/kind.md").write_text("# Be kind")
    report = mirror.push(ALICE)
    assert {(p.type, p.name, p.version) for p in report.pushed} == {
        (TOOL, "own", 1),
        (AGENT, "kind", 1),
    }
    assert volume.get(TOOL, "own").content == {"code": "def own():\n    pass\n"}
    assert volume.get(AGENT, "kind").content == {"text": "# Be kind"}
    assert volume.get(AGENT, "kind").status is Status.DRAFT


def test_an_edited_agent_is_a_new_draft(mirror: Mirror, volume: Volume, folder: Path) -> None:
    content = {"text": "# Be kind", "proof": {"runs": 1}}
    volume.put(None, AGENT, "a", content, author="alice", status=Status.ACTIVE)
    mirror.refresh(ALICE)
    (folder / "agents/a.md").write_text("# Be brief")
    mirror.push(ALICE)
    now = volume.get(AGENT, "a")
    assert (now.content, now.status) == ({"text": "# Be brief"}, Status.DRAFT)


def test_what_cannot_be_taken_is_refused_and_the_rest_is_taken(
    mirror: Mirror, volume: Volume, folder: Path, tmp_path: Path
) -> None:
    put(volume, mirror)
    edit(folder / "tools/f.py", "return name", "return name (")
    tools = folder / "tools"
    line = (tools / "f.py").read_text().split("return name (")[0].count("\n") + 1
    (tools / "Bad Name.py").write_text("x = 1\n")
    (tools / "binary.py").write_bytes(b"\xff\xfe")
    (tools / "empty-code.py").write_text("\n\n")
    (tools / "nul.py").write_bytes(b"x = '\0'\n")
    (tools / "large.py").write_text("#" * (1 << 20) + "\n")
    (tmp_path / "outside.py").write_text("secret = 1\n")
    (tools / "link.py").symlink_to(tmp_path / "outside.py")
    (tools / "folder.py").mkdir()
    (tools / "good.py").write_text("x = 1\n")
    report = mirror.push(ALICE)
    assert [p.name for p in report.pushed] == ["good"]
    told = {n.path.rpartition("/")[2]: n.told for n in report.refused}
    assert told["f.py"].startswith(f"line {line}: ")
    assert set(told) == {
        *("f.py", "Bad Name.py", "binary.py", "empty-code.py", "nul.py", "large.py", "link.py"),
        "folder.py",
    }
    assert "not a usable name" in told["Bad Name.py"] and "regular" in told["link.py"]
    assert {a.name for a in volume.list_artifacts()} == {"f", "good"}
    assert volume.get(TOOL, "f").content == LEARNT


def test_other_files_are_not_looked_at(mirror: Mirror, volume: Volume, folder: Path) -> None:
    put(volume, mirror)
    for name in ("tools/.hidden.py", "tools/f.py.new", "tools/readme.txt", "traces/t.yaml"):
        (folder / name).write_text("goal: x\n")
    (folder / "insights/i.md").write_text("# x")
    report = mirror.push(ALICE)
    assert (report.pushed, report.refused) == ((), ())
    assert {a.type for a in volume.list_artifacts()} == {ArtifactType.TOOL}


def test_a_deleted_file_deletes_nothing(mirror: Mirror, volume: Volume, folder: Path) -> None:
    put(volume, mirror)
    edition = volume.edition()
    (folder / "tools/f.py").unlink()
    report = mirror.push(ALICE)
    assert [n.path for n in report.deleted] == ["users/alice/tools/f.py"]
    assert "llmos tools archive f" in report.deleted[0].hint
    assert report.mirror.written == ("users/alice/tools/f.py",)
    assert volume.edition() == edition


def test_an_archived_tool_comes_back_only_with_other_code(
    mirror: Mirror, volume: Volume, folder: Path
) -> None:
    put(volume, mirror)
    text = (folder / "tools/f.py").read_text()
    volume.archive(TOOL, "f", author="alice")
    mirror.refresh(ALICE)
    (folder / "tools/f.py").write_text(text)
    (note,) = mirror.push(ALICE).refused
    assert "llmos tools restore f" in note.hint
    edit(folder / "tools/f.py")
    assert [p.version for p in mirror.push(ALICE).pushed] == [2]
    assert volume.get(TOOL, "f").status is Status.DRAFT


def test_a_dry_run_changes_nothing(mirror: Mirror, volume: Volume, folder: Path) -> None:
    put(volume, mirror)
    edit(folder / "tools/f.py")
    (folder / "tools/bad.py").write_text("(")
    edition = volume.edition()
    before = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    report = mirror.push(ALICE, dry_run=True)
    assert [(p.name, p.version) for p in report.pushed] == [("f", None)]
    assert len(report.refused) == 1
    assert volume.edition() == edition
    assert {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()} == before


def test_a_link_in_the_folders_place_is_not_followed(
    mirror: Mirror, volume: Volume, folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/own.py").write_text("x = 1\n")
    folder.mkdir(parents=True)
    (folder / "tools").symlink_to(tmp_path / "outside")
    report = mirror.push(ALICE)
    assert report.pushed == () and "is no folder" in report.refused[0].told
    assert volume.list_artifacts() == []


def test_nobody_pushes_into_a_volume_that_is_not_theirs(
    home: Path, store: Store, mirror: Mirror, volume: Volume, folder: Path
) -> None:
    put(volume, mirror)
    edit(folder / "tools/f.py")
    with pytest.raises(PermissionDenied):
        Mirror(home, store, Caller.person("bob")).push(ALICE)
    assert len(volume.history(TOOL, "f")) == 1
