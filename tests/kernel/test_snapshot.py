"""What files are like: told exactly, remembered only while that is safe, and never too much."""

from __future__ import annotations

import os
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from llmos.kernel.snapshot import ABSENT, Cap, Snapshots, TooLarge, changed, render
from llmos.store import BlobStore


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "root").mkdir()
    return tmp_path / "root"


@pytest.fixture
def blobs(tmp_path: Path) -> BlobStore:
    return BlobStore(tmp_path / "blobs")


@pytest.fixture
def snapshots(blobs: BlobStore) -> Snapshots:
    return Snapshots(blobs)


@contextmanager
def nobody() -> Iterator[None]:
    """Without the rights of root, for whom no file is unreadable."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that anybody may use; that of pytest is closed to others."""
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o777)
        yield Path(name)


# --- one path -------------------------------------------------------------------------------


def test_a_file_is_its_content_and_whether_it_can_be_executed(
    root: Path, snapshots: Snapshots
) -> None:
    path = root / "a"
    path.write_text("x")
    path.chmod(0o644)
    plain = snapshots.entry(str(path))
    assert (plain.kind, plain.mode) == ("file", 0o644)
    path.chmod(0o600)
    assert snapshots.entry(str(path)).seen == plain.seen
    path.chmod(0o744)
    assert snapshots.entry(str(path)).seen != plain.seen
    path.chmod(0o644)
    path.write_text("y")
    assert snapshots.entry(str(path)).seen != plain.seen
    path.write_text("x")
    assert snapshots.entry(str(path)) == plain


def test_a_link_is_where_it_points_to_not_what_is_there(root: Path, snapshots: Snapshots) -> None:
    (root / "a").write_text("x")
    (root / "link").symlink_to("a")
    before = snapshots.entry(str(root / "link"))
    (root / "a").write_text("y")
    assert snapshots.entry(str(root / "link")) == before
    (root / "link").unlink()
    (root / "link").symlink_to("b")
    assert before.kind == "link" and snapshots.entry(str(root / "link")).seen != before.seen


def test_different_kinds_are_never_seen_as_the_same(root: Path, snapshots: Snapshots) -> None:
    (root / "file").write_text("dir")
    (root / "dir").mkdir()
    (root / "link").symlink_to("dir")
    os.mkfifo(root / "fifo")
    with socket.socket(socket.AF_UNIX) as s:
        here = os.getcwd()
        os.chdir(root)  # the path of a socket must be short
        try:
            s.bind("socket")
        finally:
            os.chdir(here)
    entries = [snapshots.entry(str(p)) for p in sorted(root.iterdir())]
    assert [e.kind for e in entries] == ["dir", "fifo", "file", "link", "special"]
    assert len({e.seen for e in entries} | {ABSENT.seen}) == 6


@pytest.mark.parametrize("name", ["gone", "gone/deeper", "a/b", "x" * 300, "x/" * 3000, "loop/x"])
def test_what_is_not_there_is_absent(root: Path, snapshots: Snapshots, name: str) -> None:
    (root / "a").write_text("x")
    (root / "loop").symlink_to("loop")
    assert snapshots.entry(f"{root}/{name}") == ABSENT
    assert ABSENT.seen is None


def test_what_cannot_be_read_is_hidden_not_an_error(open_folder: Path) -> None:
    snapshots = Snapshots(BlobStore(open_folder / "blobs"))
    with nobody():
        (open_folder / "root" / "closed").mkdir(parents=True)
        secret = open_folder / "root" / "secret"
        for content, size in (("one", 3), ("three", 5)):
            secret.write_text(content)
            secret.chmod(0)
            entry = snapshots.entry(str(secret), keep=True)
            assert entry.kind == "hidden" and str(size) in str(entry.seen)
            secret.chmod(0o600)
        (open_folder / "root" / "closed" / "x").write_text("x")
        (open_folder / "root" / "closed").chmod(0)
        assert snapshots.entry(str(open_folder / "root" / "closed" / "x")).kind == "hidden"
        secret.chmod(0)
        manifest = snapshots.manifest(str(open_folder / "root"), keep=True)
        assert sorted(e.kind for e in manifest.values()) == ["dir", "hidden"]
        (open_folder / "root" / "closed").chmod(0o700)


# --- content that is kept -------------------------------------------------------------------


def test_kept_contents_can_be_got_back(root: Path, snapshots: Snapshots, blobs: BlobStore) -> None:
    (root / "a").write_bytes(b"\0\xff")
    (root / "link").symlink_to(os.fsdecode(b"to/\xff"))
    for name, content in (("a", b"\0\xff"), ("link", b"to/\xff")):
        digest = snapshots.entry(str(root / name)).digest
        assert snapshots.entry(str(root / name), keep=True).digest == digest
        assert digest is not None and blobs.get(digest) == content


def test_a_content_is_kept_also_when_its_digest_was_known_before(
    root: Path, snapshots: Snapshots, blobs: BlobStore
) -> None:
    path = root / "a"
    path.write_text("x")
    time.sleep(0.08)  # old enough to be remembered
    digest = snapshots.entry(str(path)).digest
    assert digest is not None and not blobs.holds(digest, 1)
    snapshots.entry(str(path), keep=True)
    assert blobs.get(digest) == b"x"


def test_a_content_that_was_dropped_meanwhile_is_kept_again(
    root: Path, snapshots: Snapshots, blobs: BlobStore
) -> None:
    path = root / "a"
    path.write_text("x")
    time.sleep(0.08)  # old enough to be remembered
    digest = snapshots.entry(str(path), keep=True).digest
    assert digest is not None and blobs.drop(digest, -1.0) == 1  # by another process
    assert snapshots.entry(str(path), keep=True).digest == digest
    assert blobs.get(digest) == b"x"


def test_what_was_looked_at_long_ago_is_forgotten_and_told_right_all_the_same(
    root: Path, blobs: BlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("llmos.kernel.snapshot._REMEMBERED", 10)
    snapshots = Snapshots(blobs, Cap(files=5))
    paths = [root / str(n) for n in range(30)]
    for path in paths:
        path.write_text(path.name)
    time.sleep(0.08)  # old enough to be remembered
    often = snapshots.entry(str(paths[0]))
    before = [snapshots.entry(str(p)) for p in paths if snapshots.entry(str(paths[0])) == often]
    assert len(snapshots._known) == 10
    with monkeypatch.context() as patched:
        patched.setattr(BlobStore, "digest", None)  # what is used all the time is remembered
        assert snapshots.entry(str(paths[0])) == often
    assert [snapshots.entry(str(p)) for p in paths] == before
    monkeypatch.undo()
    assert Snapshots(blobs, Cap(files=50_000))._most == 100_000


def test_a_file_rewritten_at_once_with_the_same_size_is_noticed(
    root: Path, snapshots: Snapshots
) -> None:
    path = root / "a"
    digests = {}
    for i in range(100):
        path.write_text("ab"[i % 2])
        seen = snapshots.entry(str(path)).seen
        assert digests.setdefault(i % 2, seen) == seen
    assert len(set(digests.values())) == 2


def test_a_replaced_file_of_the_same_size_and_time_is_noticed(
    root: Path, snapshots: Snapshots
) -> None:
    old, new = root / "a", root / "b"
    old.write_text("one")
    new.write_text("two")
    for path in (old, new):
        os.utime(path, (1_000_000, 1_000_000))
    time.sleep(0.08)
    before = snapshots.entry(str(old)).seen
    new.replace(old)
    assert snapshots.entry(str(old)).seen != before


# --- folders --------------------------------------------------------------------------------


def names(root: Path, manifest: object) -> list[str]:
    assert isinstance(manifest, dict)
    return [os.path.relpath(p, root) for p in sorted(manifest)]


def test_a_manifest_lists_everything_but_caches(root: Path, snapshots: Snapshots) -> None:
    for folder in ("a/b", "a/__pycache__", ".hidden", ".pytest_cache/v"):
        (root / folder).mkdir(parents=True)
    for file in ("a/b/x", "a/__pycache__/x.pyc", ".hidden/y", ".pytest_cache/v/z", ".dot"):
        (root / file).write_text(file)
    manifest = snapshots.manifest(str(root))
    assert names(root, manifest) == [".dot", ".hidden", ".hidden/y", "a", "a/b", "a/b/x"]


def test_links_to_folders_are_not_followed(root: Path, snapshots: Snapshots) -> None:
    (root.parent / "elsewhere").mkdir()
    (root.parent / "elsewhere" / "x").write_text("x")
    (root / "link").symlink_to(root.parent / "elsewhere")
    (root / "up").symlink_to("..")
    manifest = snapshots.manifest(str(root))
    assert {os.path.basename(p): e.kind for p, e in manifest.items()} == {
        "link": "link",
        "up": "link",
    }


def test_skipped_folders_are_never_looked_at(root: Path, snapshots: Snapshots) -> None:
    for name in ("keep/x", "home/db", "home/blobs/y"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("x")
    manifest = snapshots.manifest(str(root), keep=True, skip=[str(root / "home")])
    assert names(root, manifest) == ["keep", "keep/x"]


@pytest.mark.parametrize("what", ["gone", "a file"])
def test_what_is_no_folder_has_nothing_below(root: Path, snapshots: Snapshots, what: str) -> None:
    (root / "a file").write_text("x")
    assert snapshots.manifest(str(root / what)) == {}


def test_a_folder_may_be_as_large_as_the_cap_and_no_larger(root: Path, blobs: BlobStore) -> None:
    for i in range(3):
        (root / str(i)).write_bytes(b"x" * 10)
    (root / "d").mkdir()
    for cap in (Cap(files=4), Cap(bytes=30)):
        assert len(Snapshots(blobs, cap).manifest(str(root))) == 4
    with pytest.raises(TooLarge, match="more than 3 files"):
        Snapshots(blobs, Cap(files=3)).manifest(str(root))
    with pytest.raises(TooLarge, match="MiB"):
        Snapshots(blobs, Cap(bytes=29)).manifest(str(root))


def test_a_huge_file_is_refused_before_it_is_kept(root: Path, blobs: BlobStore) -> None:
    with (root / "huge").open("wb") as f:
        f.truncate(1 << 40)
    with pytest.raises(TooLarge):
        Snapshots(blobs).manifest(str(root), keep=True)


def test_a_link_to_a_huge_file_is_small(root: Path, blobs: BlobStore) -> None:
    with (root.parent / "huge").open("wb") as f:
        f.truncate(1 << 40)
    (root / "link").symlink_to(root.parent / "huge")
    assert len(Snapshots(blobs).manifest(str(root), keep=True)) == 1


def test_names_that_are_no_text_are_told_exactly(root: Path, snapshots: Snapshots) -> None:
    for name in (b"\xff", b"\xfe"):
        Path(os.fsdecode(bytes(root) + b"/" + name)).write_text("x")
    manifest = snapshots.manifest(str(root))
    assert len(manifest) == 2
    assert b"\xff\t" in render(manifest, str(root), ())


# --- what changed ---------------------------------------------------------------------------


def test_changed_names_what_differs_folders_first(root: Path, snapshots: Snapshots) -> None:
    (root / "same").write_text("x")
    (root / "mode").write_text("x")
    (root / "gone").write_text("x")
    (root / "kind").write_text("x")
    before = snapshots.manifest(str(root))
    (root / "mode").chmod(0o600 if (root / "mode").stat().st_mode & 0o077 else 0o644)
    (root / "gone").unlink()
    (root / "kind").unlink()
    (root / "kind").mkdir()
    (root / "kind" / "in").write_text("x")
    told = [os.path.relpath(p, root) for p in changed(before, snapshots.manifest(str(root)))]
    assert told == ["gone", "kind", "kind/in", "mode"]
    assert changed(before, before) == []


def test_the_digest_of_a_folder_leaves_out_what_the_run_wrote_and_the_way_there(
    root: Path, snapshots: Snapshots
) -> None:
    (root / "in").write_text("x")
    before = render(snapshots.manifest(str(root)), str(root), ())
    (root / "deep" / "er").mkdir(parents=True)
    (root / "deep" / "er" / "out").write_text("made by the run")
    after = snapshots.manifest(str(root))
    assert render(after, str(root), [str(root / "deep" / "er" / "out")]) == before
    assert render(after, str(root), ()) != before


def test_the_digest_of_a_folder_notices_everything_else(root: Path, snapshots: Snapshots) -> None:
    (root / "src").mkdir()
    (root / "src" / "in").write_text("x")
    written = [str(root / "src" / "out")]

    def look() -> bytes:
        return render(snapshots.manifest(str(root)), str(root), written)

    seen = {look()}
    (root / "src" / "in").write_text("y")
    seen.add(look())
    (root / "src" / "new").write_text("")
    seen.add(look())
    (root / "src" / "in").chmod(0o755)
    seen.add(look())
    (root / "empty").mkdir()
    seen.add(look())
    (root / "src").rename(root / "moved")
    (root / "src").symlink_to("moved")
    seen.add(look())
    assert len(seen) == 6
