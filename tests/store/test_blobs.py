import hashlib
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmos.errors import IntegrityError, StoreError
from llmos.store import BlobStore


@pytest.fixture
def blobs(tmp_path: Path) -> BlobStore:
    return BlobStore(tmp_path / "blobs")


def stored(blobs: BlobStore) -> list[Path]:
    return sorted(p for p in blobs.root.rglob("*") if p.is_file())


@given(data=st.binary(max_size=5000))
def test_what_was_put_comes_back(data: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    blobs = BlobStore(tmp_path_factory.mktemp("b") / "blobs")
    digest = blobs.put(data)
    assert digest == hashlib.sha256(data).hexdigest()
    assert blobs.get(digest) == data


def test_a_file_larger_than_one_chunk_comes_back(blobs: BlobStore, tmp_path: Path) -> None:
    data = os.urandom(3_000_001)
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(data)
    digest = blobs.put_file(source)
    assert digest == BlobStore.digest(source) == hashlib.sha256(data).hexdigest()
    blobs.restore(digest, target)
    assert target.read_bytes() == data


def test_equal_contents_are_kept_once_in_files_only_the_owner_reads(
    blobs: BlobStore, tmp_path: Path
) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"same")
    digest = blobs.put(b"same")
    (kept,) = stored(blobs)
    before = kept.stat().st_ino
    assert blobs.put_file(source) == blobs.put(b"same") == digest
    assert stored(blobs) == [kept] == [blobs.root / digest[:2] / digest[2:]]
    assert kept.stat().st_ino == before
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert stat.S_IMODE(blobs.root.stat().st_mode) == 0o700


def test_a_tampered_blob_is_refused_and_the_target_left_alone(
    blobs: BlobStore, tmp_path: Path
) -> None:
    digest = blobs.put(b"right")
    stored(blobs)[0].write_bytes(b"wrong")
    target = tmp_path / "work" / "target"
    target.parent.mkdir()
    target.write_bytes(b"mine")
    with pytest.raises(IntegrityError, match="has been changed"):
        blobs.get(digest)
    with pytest.raises(IntegrityError, match="has been changed"):
        blobs.restore(digest, target)
    assert target.read_bytes() == b"mine"
    assert os.listdir(target.parent) == ["target"]


def test_a_missing_blob_is_an_integrity_error(blobs: BlobStore) -> None:
    with pytest.raises(IntegrityError, match="cannot be read"):
        blobs.get("0" * 64)


@pytest.mark.parametrize("digest", ["", "../../etc/passwd", "0" * 63, "G" * 64, "0" * 64 + "\n"])
def test_no_path_is_built_from_what_is_not_a_digest(blobs: BlobStore, digest: str) -> None:
    with pytest.raises(IntegrityError, match="not a digest"):
        blobs.get(digest)


def test_a_torn_blob_is_healed_by_putting_it_again(blobs: BlobStore) -> None:
    digest = blobs.put(b"whole")
    stored(blobs)[0].write_bytes(b"")
    assert blobs.put(b"whole") == digest
    assert blobs.get(digest) == b"whole"


def test_restore_keeps_the_mode_and_replaces_a_link_not_its_target(
    blobs: BlobStore, tmp_path: Path
) -> None:
    digest = blobs.put(b"new")
    script, other, link = tmp_path / "script", tmp_path / "other", tmp_path / "link"
    script.write_bytes(b"old")
    script.chmod(0o754)
    other.write_bytes(b"untouched")
    link.symlink_to(other)
    blobs.restore(digest, script)
    blobs.restore(digest, link)
    blobs.restore(digest, tmp_path / "fresh" / "file")
    assert script.read_bytes() == link.read_bytes() == b"new"
    assert stat.S_IMODE(script.stat().st_mode) == 0o754
    assert not link.is_symlink() and other.read_bytes() == b"untouched"
    assert (tmp_path / "fresh" / "file").read_bytes() == b"new"


def test_restore_over_a_folder_is_refused(blobs: BlobStore, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(StoreError, match="cannot write"):
        blobs.restore(blobs.put(b"x"), folder)
    assert folder.is_dir()


def test_a_source_that_cannot_be_read_is_its_own_error(blobs: BlobStore, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        blobs.put_file(tmp_path / "missing")
    assert not blobs.root.exists()


# --- what can go ----------------------------------------------------------------------------


def age(blobs: BlobStore, seconds: float = 7200) -> None:
    """As if everything had been put so long ago."""
    for path in stored(blobs):
        then = path.stat().st_mtime - seconds
        os.utime(path, (then, then))


def test_what_nobody_has_put_for_long_can_be_dropped(blobs: BlobStore) -> None:
    digest = blobs.put(b"old")
    assert list(blobs.untouched(3600)) == [] and blobs.drop(digest, 3600) == 0
    age(blobs)
    assert list(blobs.untouched(3600)) == [digest]
    assert blobs.drop(digest, 3600) == 3
    assert stored(blobs) == [] and blobs.drop(digest, 3600) == 0


def test_what_is_put_again_counts_as_put_just_now(blobs: BlobStore) -> None:
    digest = blobs.put(b"same")
    age(blobs)
    assert blobs.put(b"same") == digest
    assert list(blobs.untouched(3600)) == []


def test_what_is_put_again_after_it_was_found_old_is_not_dropped(blobs: BlobStore) -> None:
    digest = blobs.put(b"same")
    age(blobs)
    (found,) = blobs.untouched(3600)
    blobs.put(b"same")
    assert blobs.drop(found, 3600) == 0
    assert blobs.get(digest) == b"same"


def test_what_is_put_in_the_midst_of_a_drop_is_there_afterwards(
    blobs: BlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = blobs.put(b"same")
    age(blobs)
    rename = Path.rename

    def and_put(path: Path, target: Path) -> Path:
        renamed = rename(path, target)
        monkeypatch.undo()
        blobs.put(b"same")
        return renamed

    monkeypatch.setattr(Path, "rename", and_put)
    assert blobs.drop(digest, 3600) == 4
    assert blobs.get(digest) == b"same"


def test_what_a_process_that_died_was_writing_can_be_dropped(blobs: BlobStore) -> None:
    digest = blobs.put(b"whole")
    (blobs.root / ".llmos-half").write_bytes(b"half")
    blobs.drop_unfinished(3600)
    assert len(stored(blobs)) == 2, "its process may be alive"
    age(blobs)
    blobs.drop_unfinished(3600)
    assert stored(blobs) == [blobs.root / digest[:2] / digest[2:]]


class Killed(BaseException):
    """In place of a signal that nobody can catch."""


def test_what_a_process_that_died_was_dropping_is_put_back(
    blobs: BlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = blobs.put(b"needed")
    age(blobs)
    rename = Path.rename

    def and_die(path: Path, target: Path) -> Path:
        rename(path, target)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", and_die)
        with pytest.raises(Killed):
            blobs.drop(digest, 3600)
    assert not blobs.holds(digest, 6)
    blobs.drop_unfinished(3600)
    assert blobs.get(digest) == b"needed"
    assert list(blobs.untouched(3600)) == [], "it is looked at again later"


def test_a_drop_that_is_put_back_by_another_process_deletes_nothing(
    blobs: BlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = blobs.put(b"needed")
    age(blobs)
    rename = Path.rename

    def and_another(path: Path, target: Path) -> Path:
        renamed = rename(path, target)
        monkeypatch.undo()
        blobs.drop_unfinished(3600)
        return renamed

    monkeypatch.setattr(Path, "rename", and_another)
    assert blobs.drop(digest, 3600) == 0
    assert blobs.get(digest) == b"needed"
