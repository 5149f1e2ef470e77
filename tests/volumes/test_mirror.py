"""What volumes hold, as files: written, kept where people edited them, removed."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
import yaml
from sqlalchemy import update

from llmos.store import Store
from llmos.store.schema import versions
from llmos.values import ArtifactType, Json
from llmos.volumes import Caller, Mirror, MirrorReport, Place, Status, Volume
from llmos.volumes.mirror.files import Folder, Foreign, opened
from llmos.volumes.mirror.state import State
from tests.volumes.people import acting, kept_by

TOOL, AGENT, TRACE = ArtifactType.TOOL, ArtifactType.AGENT, ArtifactType.TRACE
INSIGHT = ArtifactType.INSIGHT
ALICE = Place("user", "alice")
CODE = "def greet(name):\n    return name\n"
LEARNT: dict[str, Json] = {
    "code": CODE,
    "templates": [{"literals": ["Greet ", " twice"], "slots": [["name", "free", []]]}],
    "proof": {"runs": 5, "agreed": 2, "disagreed": 0},
    "program": {},
}


@pytest.fixture
def mirror(home: Path, store: Store) -> Mirror:
    return Mirror(home, store, Caller.person("alice"))


@pytest.fixture
def folder(home: Path) -> Path:
    return home / "workspace" / "volumes" / "users" / "alice"


def files(folder: Path) -> dict[str, str]:
    found = (p for p in folder.rglob("*") if p.is_file() and not p.name.startswith("."))
    return {str(p.relative_to(folder)): p.read_text() for p in sorted(found)}


# --- what is written -----------------------------------------------------------------------------


def test_each_type_of_artifact_has_its_folder_and_ending(
    mirror: Mirror, volume: Volume, folder: Path
) -> None:
    for type in ArtifactType:
        volume.put(None, type, "f.x", {"text": type.value}, author="alice")
    report = mirror.refresh()
    paths = ["agents/f.x.md", "insights/f.x.md", "suggestions/f.x.md", "tools/f.x.py"]
    assert list(files(folder)) == [*paths, "traces/f.x.yaml"]
    assert sorted(report.written) == sorted(f"users/alice/{p}" for p in files(folder))


def test_every_volume_that_holds_something_is_shown(store: Store, home: Path) -> None:
    for volume, owner in (("user", "bob"), ("team", "teams"), ("system", "system")):
        kept_by(store, volume, owner).put(None, AGENT, "a", {"text": "x"}, author="system-cron")
    Mirror(home, store, Caller.system_cron()).refresh()
    root = home / "workspace" / "volumes"
    shown = {p.relative_to(root).as_posix() for p in root.rglob("*.md")}
    assert shown == {"users/bob/agents/a.md", "teams/teams/agents/a.md", "system/agents/a.md"}


def test_a_tool_is_told_in_comments_above_its_code(
    mirror: Mirror, volume: Volume, folder: Path
) -> None:
    made = volume.put(None, TOOL, "greet", LEARNT, author="alice", status=Status.ACTIVE)
    mirror.refresh(ALICE)
    head, code = files(folder)["tools/greet.py"].split("LLM OS ----\n")
    assert code == CODE
    assert f"greet · version 1 · {made.digest[:12]} · active" in head
    assert "Greet {name} twice" in head and "reproduces all 5 runs" in head
    assert made.digest in head and "llmos volumes push" in head
    assert all(line.startswith("#") for line in head.splitlines())


def test_no_text_of_a_tool_leaves_the_comments(
    mirror: Mirror, volume: Volume, folder: Path
) -> None:
    mean = {"literals": ["a\nimport os\r\x0bimport os\u2028import os\x1b[2J"], "slots": []}
    volume.put(None, TOOL, "f", {**LEARNT, "templates": [mean, 7, None]}, author="alice")
    mirror.refresh(ALICE)
    head = files(folder)["tools/f.py"].split("LLM OS ----\n")[0]
    assert all(line.startswith("#") for line in head.splitlines())
    assert "\x1b" not in head


def test_an_agent_is_shown_as_it_is(mirror: Mirror, volume: Volume, folder: Path) -> None:
    text = "---\nname: x\n---\r\n# Be *kind*"
    volume.put(None, AGENT, "a", {"text": text}, author="alice")
    mirror.refresh(ALICE)
    assert (folder / "agents/a.md").read_bytes() == text.encode()


def test_a_trace_is_yaml(mirror: Mirror, volume: Volume, folder: Path) -> None:
    content = {"goal": "Say hi", "steps": [{"tool": "Read"}], "code": "x\n"}
    volume.put(None, TRACE, "t", content, author="alice")
    mirror.refresh(ALICE)
    assert yaml.safe_load(files(folder)["traces/t.yaml"]) == content


def test_the_newest_traces_are_shown(
    mirror: Mirror, volume: Volume, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("llmos.volumes.mirror.refresh.TRACES", 3)
    for n in range(5):
        volume.put(None, TRACE, f"t{n}", {"n": n}, author="alice")
        mirror.refresh(ALICE)
    assert list(files(folder)) == [f"traces/t{n}.yaml" for n in (2, 3, 4)]


def test_an_insight_is_shown_and_is_no_markup(mirror: Mirror, volume: Volume, folder: Path) -> None:
    content = {
        "title": "Mail\n# goes <b>out</b>",
        "text": "![x](http://example.org/x)\n# no title\n- no item\n1. none\n\x1b[2J",
        "evidence": ["run 1\n# x", {"runs": 3}],
        "confidence": 0.5,
    }
    volume.put(None, INSIGHT, "i", content, author="alice")
    mirror.refresh(ALICE)
    told = files(folder)["insights/i.md"]
    assert told.startswith("# Mail \\# goes \\<b\\>out\\</b\\>\n\n!\\[x\\](http")
    assert "\n\\# no title\n\\- no item\n1\\. none\n\\\\x1b\\[2J" in told
    assert '## Evidence\n\n- run 1 \\# x\n- {"runs": 3}\n' in told
    assert "    confidence: 0.5\n" in told


def test_only_the_owner_can_read_the_files(mirror: Mirror, volume: Volume, home: Path) -> None:
    volume.put(None, TOOL, "f", LEARNT, author="alice")
    mirror.refresh()
    for path in (home / "workspace", *(home / "workspace").rglob("*")):
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o700 if path.is_dir() else 0o600), path


# --- what happens again --------------------------------------------------------------------------


def test_a_second_refresh_writes_nothing(mirror: Mirror, volume: Volume, folder: Path) -> None:
    volume.put(None, TOOL, "f", LEARNT, author="alice")
    mirror.refresh()
    before = {p: p.stat().st_mtime_ns for p in folder.rglob("*")}
    assert mirror.refresh() == MirrorReport()
    assert {p: p.stat().st_mtime_ns for p in folder.rglob("*")} == before


def test_only_what_has_changed_is_written(mirror: Mirror, volume: Volume) -> None:
    for name in ("f", "g"):
        volume.put(None, TOOL, name, LEARNT, author="alice")
    mirror.refresh()
    volume.put(None, TOOL, "g", {"code": "x = 1\n"}, author="alice")
    assert mirror.refresh().written == ("users/alice/tools/g.py",)


def test_a_file_that_is_gone_is_written_again(mirror: Mirror, volume: Volume, folder: Path) -> None:
    volume.put(None, TOOL, "f", LEARNT, author="alice")
    mirror.refresh()
    before = files(folder)
    (folder / "tools/f.py").unlink()
    assert mirror.refresh().written == ("users/alice/tools/f.py",)
    assert files(folder) == before


@pytest.mark.parametrize("status", [Status.ARCHIVED, Status.QUARANTINED])
def test_what_is_out_of_use_has_no_file(
    mirror: Mirror, volume: Volume, folder: Path, status: Status
) -> None:
    volume.put(None, TOOL, "f", LEARNT, author="alice")
    mirror.refresh()
    volume.set_status(TOOL, "f", status, author="alice")
    assert mirror.refresh().removed == ("users/alice/tools/f.py",)
    assert files(folder) == {}
    assert volume.get(TOOL, "f").code == CODE
    volume.set_status(TOOL, "f", Status.DRAFT, author="alice")
    mirror.refresh()
    assert list(files(folder)) == ["tools/f.py"]


# --- edited files --------------------------------------------------------------------------------


def edited(mirror: Mirror, volume: Volume, folder: Path) -> Path:
    """A file that somebody has edited before a new version came."""
    volume.put(None, TOOL, "f", LEARNT, author="alice")
    mirror.refresh()
    path = folder / "tools/f.py"
    path.write_text("mine\n")
    assert mirror.refresh() == MirrorReport()
    acting(volume, "user-cron").put(None, TOOL, "f", {"code": "x = 2\n"}, author="user-cron")
    return path


def test_an_edited_file_is_left_and_the_new_one_put_beside_it(
    mirror: Mirror, volume: Volume, folder: Path
) -> None:
    path = edited(mirror, volume, folder)
    for _ in range(2):
        (note,) = mirror.refresh().edited
        assert note.path == "users/alice/tools/f.py" and "llmos volumes push" in note.hint
        assert path.read_text() == "mine\n"
        assert (folder / "tools/f.py.new").read_text().endswith("x = 2\n")
    assert mirror.refresh().written == ()


def test_deleting_the_edited_file_gets_the_new_one(
    mirror: Mirror, volume: Volume, folder: Path
) -> None:
    path = edited(mirror, volume, folder)
    mirror.refresh()
    path.unlink()
    report = mirror.refresh()
    assert report.removed == ("users/alice/tools/f.py.new",) and report.edited == ()
    assert list(files(folder)) == ["tools/f.py"] and path.read_text().endswith("x = 2\n")


def test_taking_the_new_file_by_hand_settles_it(
    mirror: Mirror, volume: Volume, folder: Path
) -> None:
    path = edited(mirror, volume, folder)
    mirror.refresh()
    (folder / "tools/f.py.new").replace(path)
    assert mirror.refresh() == MirrorReport()
    volume.put(None, TOOL, "f", {"code": "x = 3\n"}, author="alice")
    assert mirror.refresh().written == ("users/alice/tools/f.py",)


def test_what_was_put_beside_is_not_overwritten_either_once_it_is_edited(
    mirror: Mirror, volume: Volume, folder: Path
) -> None:
    path = edited(mirror, volume, folder)
    mirror.refresh()
    beside = folder / "tools/f.py.new"
    beside.write_text("mine too\n")
    volume.put(None, TOOL, "f", {"code": "x = 3\n"}, author="alice")
    (note,) = mirror.refresh().edited
    assert "beside" in note.told
    assert (path.read_text(), beside.read_text()) == ("mine\n", "mine too\n")


def test_an_edited_file_of_what_is_archived_stays(
    mirror: Mirror, volume: Volume, folder: Path
) -> None:
    path = edited(mirror, volume, folder)
    mirror.refresh()
    volume.archive(TOOL, "f", author="alice")
    (note,) = mirror.refresh().edited
    assert "archived" in note.told
    assert files(folder) == {"tools/f.py": "mine\n"} and path.is_file()


def test_a_name_that_ends_like_a_file_beside_is_no_such_file(
    mirror: Mirror, volume: Volume, folder: Path
) -> None:
    volume.put(None, TOOL, "f.new", {"code": "y = 1\n"}, author="alice")
    edited(mirror, volume, folder)
    mirror.refresh()
    assert list(files(folder)) == ["tools/f.new.py", "tools/f.py", "tools/f.py.new"]


def test_without_its_state_the_mirror_takes_what_looks_otherwise_for_edited(
    mirror: Mirror, volume: Volume, folder: Path
) -> None:
    for name in ("f", "g"):
        volume.put(None, TOOL, name, LEARNT, author="alice")
    mirror.refresh()
    (folder / "tools/g.py").write_text("mine\n")
    (folder / ".mirror.json").write_text('{"format": 1, "files": {"tools/../../x.py": 5}}')
    assert [n.path for n in mirror.refresh().edited] == ["users/alice/tools/g.py"]
    assert (folder / "tools/g.py").read_text() == "mine\n"
    assert list(files(folder)) == ["tools/f.py", "tools/g.py", "tools/g.py.new"]


# --- trouble -------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["../../..", "../..", "..", ".", "tools"])
def test_nothing_is_written_through_a_link_in_a_folders_place(
    mirror: Mirror, volume: Volume, folder: Path, tmp_path: Path, where: str
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    link = Path(os.path.normpath(folder / where))
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(outside)
    volume.put(None, TOOL, "f", LEARNT, author="alice")
    (problem,) = {p.told for p in mirror.refresh().problems if "its folder" not in p.told}
    assert "is no folder" in problem
    assert list(outside.rglob("*")) == [] and link.is_symlink()
    assert volume.get(TOOL, "f").code == CODE


@pytest.mark.parametrize("name", ["tools/f.py", "tools/f.py.new", ".mirror.json"])
def test_nothing_is_written_through_a_link_in_a_files_place(
    mirror: Mirror, volume: Volume, folder: Path, tmp_path: Path, name: str
) -> None:
    edited(mirror, volume, folder)
    outside = tmp_path / "outside"
    outside.write_text("not yours\n")
    (folder / name).unlink(missing_ok=True)
    (folder / name).symlink_to(outside)
    volume.put(None, AGENT, "a", {"text": "x"}, author="alice")
    problems = mirror.refresh().problems
    assert problems and all("regular file" in p.told for p in problems)
    assert outside.read_text() == "not yours\n" and (folder / name).is_symlink()


def test_a_folder_or_a_pipe_in_a_files_place_is_reported_and_the_rest_is_written(
    mirror: Mirror, volume: Volume, folder: Path
) -> None:
    for name in ("f", "g", "h"):
        volume.put(None, TOOL, name, LEARNT, author="alice")
    (folder / "tools/f.py").mkdir(parents=True)
    os.mkfifo(folder / "tools/g.py")
    report = mirror.refresh()
    assert sorted(p.path[-4:] for p in report.problems) == ["f.py", "g.py"]
    assert report.written == ("users/alice/tools/h.py",)
    (folder / "tools/f.py").rmdir()
    (folder / "tools/g.py").unlink()
    assert len(mirror.refresh().written) == 2


def test_a_file_where_the_folder_should_be_is_reported(
    mirror: Mirror, volume: Volume, home: Path
) -> None:
    home.mkdir(exist_ok=True)
    (home / "workspace").write_text("mine")
    volume.put(None, TOOL, "f", LEARNT, author="alice")
    (problem,) = mirror.refresh().problems
    assert "is no folder" in problem.told and (home / "workspace").read_text() == "mine"


def test_a_full_disk_is_reported_and_the_next_refresh_makes_up_for_it(
    mirror: Mirror, volume: Volume, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    volume.put(None, TOOL, "f", LEARNT, author="alice")
    volume.put(None, TOOL, "g", LEARNT, author="alice")
    mirror.refresh()
    for name in ("f", "g"):
        volume.put(None, TOOL, name, {"code": "x = 2\n"}, author="alice")
    replace, left = os.replace, [2]

    def full(*args: object, **more: object) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(28, "No space left on device")
        replace(*args, **more)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        # The state is stored, and one of the two files.
        patched.setattr(os, "replace", full)
        problems = mirror.refresh().problems
    assert any("No space left" in p.told for p in problems)
    assert not [p for p in folder.rglob("*") if p.name.startswith(".mirror-")]
    report = mirror.refresh()
    assert report.problems == report.edited == ()
    assert all(text.endswith("x = 2\n") for text in files(folder).values())
    assert list(files(folder)) == ["tools/f.py", "tools/g.py"]


def test_a_refresh_that_died_after_a_write_is_made_up_for_when_the_old_version_is_back(
    mirror: Mirror, volume: Volume, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    volume.put(None, TOOL, "f", LEARNT, author="alice")
    mirror.refresh()
    before = files(folder)
    volume.put(None, TOOL, "f", {"code": "x = 2\n"}, author="alice")
    with monkeypatch.context() as patched:
        save, left = State.save, [1]

        def dying(state: State, folder: Folder) -> None:
            left[0] -= 1
            if left[0] < 0:
                raise KeyboardInterrupt
            save(state, folder)

        patched.setattr(State, "save", dying)
        with pytest.raises(KeyboardInterrupt):
            mirror.refresh()
    assert files(folder)["tools/f.py"].endswith("x = 2\n")
    volume.rollback(TOOL, "f", author="alice")
    assert mirror.refresh().edited == ()
    assert files(folder) == before


def test_what_changes_while_it_is_being_replaced_is_not_replaced(tmp_path: Path) -> None:
    with opened(tmp_path, ("a", "b")) as folder:
        folder.write("f", b"ours", over=())
        ours = folder.digest("f")
        assert ours is not None
        (tmp_path / "a/b/f").write_bytes(b"theirs")
        with pytest.raises(Foreign):
            folder.write("f", b"new", over=(ours,))
        with pytest.raises(Foreign):
            folder.remove("f", over=(ours,))
        assert list(folder.names()) == ["f"] and folder.read("f") == b"theirs"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_is_reported(
    mirror: Mirror, volume: Volume, folder: Path
) -> None:
    folder.mkdir(parents=True)
    folder.chmod(0o500)
    volume.put(None, TOOL, "f", LEARNT, author="alice")
    (problem,) = mirror.refresh().problems
    folder.chmod(0o700)
    assert "Permission denied" in problem.told


def test_a_damaged_version_is_reported_and_its_file_left(
    mirror: Mirror, volume: Volume, store: Store, folder: Path
) -> None:
    volume.put(None, TOOL, "f", LEARNT, author="alice")
    mirror.refresh()
    before = files(folder)
    made = volume.put(None, TOOL, "f", {"code": "x = 2\n"}, author="alice")
    damage = update(versions).where(versions.c.digest == made.digest).values(content="{}")
    store.write(lambda tx: tx.conn.execute(damage))
    (problem,) = mirror.refresh().problems
    assert "not the one that was stored" in problem.told
    assert files(folder) == before


def test_half_written_files_of_a_crash_are_swept_away(
    mirror: Mirror, volume: Volume, folder: Path
) -> None:
    (folder / "tools").mkdir(parents=True)
    (folder / "tools/.mirror-abc").write_text("half")
    (folder / ".mirror-abc").write_text("half")
    volume.put(None, TOOL, "f", LEARNT, author="alice")
    mirror.refresh()
    left = [p.name for p in folder.rglob("*") if p.is_file()]
    assert sorted(left) == [".mirror.json", "f.py"]


def test_files_of_a_person_are_left_alone(mirror: Mirror, volume: Volume, folder: Path) -> None:
    (folder / "tools").mkdir(parents=True)
    (folder / "tools/own.py").write_text("mine")
    (folder / "notes.txt").write_text("mine")
    volume.put(None, TOOL, "f", LEARNT, author="alice")
    mirror.refresh()
    assert files(folder)["tools/own.py"] == files(folder)["notes.txt"] == "mine"
