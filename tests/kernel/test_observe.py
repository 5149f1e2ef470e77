"""What a call read and wrote is observed, not believed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from llmos.kernel.observe import Look, Observer, fully_observed
from llmos.kernel.snapshot import Cap, Snapshots
from llmos.store import BlobStore
from llmos.values import Effect, Footprint, Resources, Step


@pytest.fixture
def cwd(tmp_path: Path) -> Path:
    (tmp_path / "cwd" / "home" / "blobs").mkdir(parents=True)
    return tmp_path / "cwd"


@pytest.fixture
def blobs(cwd: Path) -> BlobStore:
    return BlobStore(cwd / "home" / "blobs")


@pytest.fixture
def observer(cwd: Path, blobs: BlobStore) -> Iterator[Observer]:
    """Its home lies in the working directory, as it may."""
    yield Observer(Snapshots(blobs), blobs, str(cwd / "home"))


def files(*paths: Path, reads: tuple[Path, ...] = ()) -> Resources:
    return Resources(tuple(f"file:{p}" for p in reads), tuple(f"file:{p}" for p in paths))


def tree(path: Path) -> Resources:
    return Resources((f"tree:{path}",), (f"tree:{path}",))


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def footprint(observer: Observer, look: Look, undoable: bool = True) -> Footprint:
    return observer.footprint(look, observer.after(look), undoable)


def written(cwd: Path, print_: Footprint) -> dict[str, tuple[str | None, str | None]]:
    return {c.resource.removeprefix(f"file:{cwd}/"): (c.before, c.after) for c in print_.writes}


def test_a_call_that_declares_nothing_has_nothing(observer: Observer) -> None:
    look = observer.before(None)
    assert observer.after(look) == {}
    assert footprint(observer, look, False) == Footprint()


def test_a_read_file_is_known_by_its_digest_before_the_call(cwd: Path, observer: Observer) -> None:
    (cwd / "a").write_text("one")
    look = observer.before(files(reads=(cwd / "a", cwd / "gone")))
    (cwd / "a").write_text("two")
    assert footprint(observer, look).reads == {
        f"file:{cwd}/a": sha("one"),
        f"file:{cwd}/gone": None,
    }
    assert footprint(observer, look).writes == ()


@pytest.mark.parametrize(
    ("before", "after"),
    [(None, "x"), ("x", "y"), ("x", None), ("x", "x"), (None, None)],
)
def test_a_written_file_is_known_before_and_after(
    cwd: Path, observer: Observer, before: str | None, after: str | None
) -> None:
    path = cwd / "a"
    if before is not None:
        path.write_text(before)
    look = observer.before(files(path))
    assert look.targets == {f"file:{path}": None if before is None else sha(before)}
    if after is not None:
        path.write_text(after)
    elif before is not None:
        path.unlink()
    expected = (before and sha(before), after and sha(after))
    # Written with what it held is a write; neither there before nor after is none.
    assert written(cwd, footprint(observer, look)) == (
        {} if expected == (None, None) else {"a": expected}
    )


def test_missing_folders_on_the_way_are_made_by_the_call_but_are_no_target(
    cwd: Path, observer: Observer
) -> None:
    path = cwd / "deep" / "er" / "a"
    look = observer.before(files(path))
    assert sorted(look.parents) == [str(cwd / "deep"), str(cwd / "deep" / "er")]
    path.parent.mkdir(parents=True)
    path.write_text("x")
    assert sorted(observer.after(look)) == [str(p) for p in (path.parent.parent, path.parent, path)]
    assert written(cwd, footprint(observer, look)) == {"deep/er/a": (None, sha("x"))}


def test_what_may_be_overwritten_is_kept_first(
    cwd: Path, observer: Observer, blobs: BlobStore
) -> None:
    (cwd / "a").write_text("precious")
    observer.before(files(cwd / "a"))
    assert blobs.get(sha("precious")) == b"precious"
    (cwd / "b").write_text("also")
    observer.before(tree(cwd))
    assert blobs.get(sha("also")) == b"also"


def test_what_a_command_did_to_a_folder_is_found(cwd: Path, observer: Observer) -> None:
    for name in ("same", "changed", "gone", "kind"):
        (cwd / name).write_text("x")
    look = observer.before(tree(cwd))
    (cwd / "changed").write_text("y")
    (cwd / "gone").unlink()
    (cwd / "kind").unlink()
    (cwd / "kind").mkdir()
    (cwd / "new").mkdir()
    (cwd / "new" / "in").symlink_to("x")
    got = written(cwd, footprint(observer, look))
    assert got == {
        "changed": (sha("x"), sha("y")),
        "gone": (sha("x"), None),
        "kind": (sha("x"), "dir:dir"),
        "new": (None, "dir:dir"),
        "new/in": (None, f"link:{sha('x')}"),
    }


def test_the_home_in_the_working_directory_is_never_looked_at(
    cwd: Path, observer: Observer
) -> None:
    look = observer.before(tree(cwd))
    before, _ = observer.tree_now(f"tree:{cwd}", ())
    (cwd / "home" / "llmos.db").write_text("grows all the time")
    assert observer.after(look) == {}
    assert observer.tree_now(f"tree:{cwd}", ())[0] == before


def test_the_digest_of_a_folder_is_the_same_before_and_now(
    cwd: Path, observer: Observer, blobs: BlobStore
) -> None:
    resource = f"tree:{cwd}"
    (cwd / "in").write_text("x")
    look = observer.before(Resources((resource,)))
    then = observer.tree_digest(resource, look.trees[resource], ())
    now, text = observer.tree_now(resource, ())
    assert now == then and blobs.get(then) == text
    (cwd / "out").write_text("y")
    assert observer.tree_now(resource, ())[0] != then
    assert observer.tree_now(resource, [str(cwd / "out")])[0] == then


def test_a_folder_that_is_too_large_is_complained_of_and_compared_with_nothing(
    cwd: Path, blobs: BlobStore
) -> None:
    observer = Observer(Snapshots(blobs, Cap(files=2)), blobs, str(cwd / "home"))
    for i in range(3):
        (cwd / str(i)).write_text("x")
    look = observer.before(tree(cwd))
    assert look.trees == {} and look.reads == {f"tree:{cwd}": None}
    assert "more than 2 files" in look.complaints[0]
    assert observer.tree_now(f"tree:{cwd}", ()) == (None, b"")


def test_a_command_that_makes_the_folder_too_large_is_known_by_what_was_there(
    cwd: Path, blobs: BlobStore
) -> None:
    observer = Observer(Snapshots(blobs, Cap(files=3)), blobs, str(cwd / "home"))
    for name in ("a", "b"):
        (cwd / name).write_text("x")
    look = observer.before(tree(cwd))
    (cwd / "a").unlink()
    for i in range(9):
        (cwd / str(i)).write_text("x")
    assert written(cwd, footprint(observer, look)) == {"a": (sha("x"), None)}


def test_other_resources_are_left_to_their_tools(observer: Observer) -> None:
    look = observer.before(Resources(("calendar:alice",), ("mail:bob",)))
    assert footprint(observer, look) == Footprint(undoable=True)


@pytest.mark.parametrize("name", ["x" * 5000, "loop/a", "file/below"])
def test_a_path_that_cannot_be_is_absent(cwd: Path, observer: Observer, name: str) -> None:
    (cwd / "loop").symlink_to("loop")
    (cwd / "file").write_text("x")
    path = cwd / name
    look = observer.before(files(path, reads=(path,)))
    assert look.reads == look.targets == {f"file:{path}": None}
    assert observer.file_now(f"file:{path}") is None


def test_only_local_writes_that_were_looked_at_are_fully_observed() -> None:
    seen = Footprint(reads={"tree:/a": "ab"}, undoable=True)
    too_large = Footprint(reads={"tree:/a": "ab"})
    for effect, print_, expected in (
        (Effect.READ, Footprint(), True),
        (Effect.OPEN_READ, Footprint(), True),
        (Effect.WRITE, seen, True),
        (Effect.WRITE, too_large, False),
        (Effect.WRITE, Footprint(), False),
        (Effect.WRITE, Footprint(reads={"file:/a": "ab"}), False),
        (Effect.EXTERNAL, seen, False),
    ):
        assert fully_observed(Step("x", {}, effect=effect, footprint=print_)) is expected
