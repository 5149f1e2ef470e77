"""What goes wrong with disks and files (of SQLite): one clear error each, nothing half-written, and
on it goes when the cause is gone."""

import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import select

from llmos.errors import ConfigError, StoreError
from llmos.store import BlobStore, Store, Transaction, dialect
from llmos.store.schema import scopes
from llmos.values import EventType


@pytest.fixture
def store(home: Path) -> Iterator[Store]:
    with Store.open(home) as opened:
        yield opened


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", disk], capture_output=True, text=True
    )
    if mounted.returncode:
        pytest.skip(f"cannot mount a small tmpfs here: {mounted.stderr.strip()}")
    yield disk
    subprocess.run(["umount", "--lazy", disk], check=True)


def remount(disk: Path, mode: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{mode}", disk], check=True)


def fill(disk: Path) -> Path:
    """Use the disk up to its last byte."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (65536, 1):
            with suppress(OSError):
                while True:
                    file.write(bytes(size))
    return ballast


def add(name: str, padding: int = 0):
    def write(tx: Transaction) -> None:
        row = {"name": name, "spent_micro": 0, "reserved_micro": 0}
        tx.conn.execute(scopes.insert(), row)
        tx.event(EventType.HEALTH_CHECK, owner="alice", payload={"x": "x" * padding})

    return write


def names(store: Store) -> list[str]:
    return store.read(lambda c: list(c.scalars(select(scopes.c.name).order_by(scopes.c.name))))


def is_sound(store: Store) -> bool:
    return store.read(lambda c: c.exec_driver_sql("PRAGMA integrity_check").scalar()) == "ok"


# --- full disk -------------------------------------------------------------------------------


@pytest.mark.parametrize("durable", [False, True])
def test_a_full_disk_stops_a_write_as_a_whole_and_space_lets_it_go_on(
    small_disk: Path, durable: bool
) -> None:
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(1_000_000))
    with Store.open(small_disk / "home") as store:
        told: list[str] = []
        store.on_events(lambda rows: told.extend(r.id for r in rows))
        written: list[str] = []
        with pytest.raises(StoreError, match="full") as caught:
            for i in range(1000):
                store.write(add(f"{i:03}", 20_000), durable=durable)
                written.append(f"{i:03}")
        assert caught.value.hint
        assert len(written) > 5
        assert names(store) == written
        assert len(told) == len(written)
        ballast.unlink()
        store.write(add("later", 20_000), durable=durable)
        assert names(store) == [*written, "later"]
        assert is_sound(store)


def test_a_full_disk_keeps_no_half_blob(small_disk: Path, tmp_path: Path) -> None:
    blobs = BlobStore(small_disk / "blobs")
    source = tmp_path / "source"
    source.write_bytes(b"y" * 3_000_000)
    for put in (lambda: blobs.put(b"x" * 3_000_000), lambda: blobs.put_file(source)):
        with pytest.raises(StoreError, match="No space left"):
            put()
        assert [p for p in blobs.root.rglob("*") if p.is_file()] == []
    assert blobs.get(blobs.put(b"small")) == b"small"


def test_restore_on_a_full_disk_leaves_the_target_as_it_was(
    small_disk: Path, tmp_path: Path
) -> None:
    blobs = BlobStore(tmp_path / "blobs")
    digest = blobs.put(b"x" * 3_000_000)
    target = small_disk / "target"
    target.write_bytes(b"mine")
    with pytest.raises(StoreError, match="No space left"):
        blobs.restore(digest, target)
    assert target.read_bytes() == b"mine"
    assert list(small_disk.iterdir()) == [target]


def test_a_new_home_on_a_full_disk_is_refused_and_made_once_there_is_space(
    small_disk: Path,
) -> None:
    ballast = fill(small_disk)
    with pytest.raises(StoreError):
        Store.open(small_disk / "home")
    ballast.unlink()
    with Store.open(small_disk / "home") as store:
        store.write(add("a"))
        assert names(store) == ["a"]


def test_an_old_home_on_a_full_disk_is_refused_and_keeps_what_it_had(small_disk: Path) -> None:
    with Store.open(small_disk / "home") as store:
        store.write(add("a"))
    ballast = fill(small_disk)
    with pytest.raises(StoreError):
        Store.open(small_disk / "home")
    ballast.unlink()
    with Store.open(small_disk / "home") as store:
        assert names(store) == ["a"]


# --- read-only -------------------------------------------------------------------------------


def test_a_home_on_a_read_only_disk_is_refused_until_it_is_writable(small_disk: Path) -> None:
    home = small_disk / "home"
    with Store.open(home) as store:
        store.write(add("a"))
    remount(small_disk, "ro")
    with pytest.raises(StoreError) as caught:
        Store.open(home)
    assert str(home) in caught.value.message and caught.value.hint
    with pytest.raises(StoreError, match="cannot make the home folder"):
        Store.open(small_disk / "new")
    remount(small_disk, "rw")
    with Store.open(home) as store:
        assert names(store) == ["a"]


def test_a_database_that_became_read_only_is_refused_until_it_is_writable(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.write(add("a"))
    # Root may write every file: so the connection is told that it may not.
    store.write(lambda tx: tx.conn.exec_driver_sql("PRAGMA query_only=ON"))
    with pytest.raises(StoreError, match="cannot be opened for writing"):
        store.write(add("b"))
    store.write(add("c"))  # over a new connection
    assert names(store) == ["a", "c"]


@pytest.mark.parametrize("below", ["", "below"])
def test_a_home_that_is_a_file_is_a_config_error(tmp_path: Path, below: str) -> None:
    file = tmp_path / "file"
    file.write_text("mine")
    with pytest.raises(ConfigError, match="is not a folder"):
        Store.open(file / below)
    assert file.read_text() == "mine"


# --- locked ----------------------------------------------------------------------------------


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dialect, "BUSY_TIMEOUT_S", 0.05)


@pytest.mark.usefixtures("impatient")
def test_a_database_locked_by_another_is_told_and_used_when_it_is_free(home: Path) -> None:
    with Store.open(home) as store:
        other = sqlite3.connect(home / "llmos.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="locked") as caught:
            store.write(add("a"))
        assert str(home) in caught.value.message and "fuser" in caught.value.hint
        with pytest.raises(StoreError, match="locked"):
            Store.open(home)
        assert names(store) == []  # reading goes on
        other.execute("ROLLBACK")
        store.write(add("b"))
        assert names(store) == ["b"]
        assert store.dead_processes() == []  # the one that could not open left no trace


@pytest.mark.usefixtures("impatient")
def test_closing_while_the_database_is_locked_leaves_a_process_that_is_found_dead(
    home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = Store.open(home)
    other = sqlite3.connect(home / "llmos.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    store.close()
    assert "was not noted" in caplog.text
    other.execute("ROLLBACK")
    with Store.open(home) as later:
        assert later.dead_processes() == [store.process_id]


# --- damaged ---------------------------------------------------------------------------------


def test_a_file_that_is_no_database_is_refused_and_left_alone(home: Path) -> None:
    home.mkdir()
    (home / "llmos.db").write_bytes(b"not a database, but my notes\n" * 100)
    with pytest.raises(StoreError, match="damaged, or is not a database") as caught:
        Store.open(home)
    assert "backup" in caught.value.hint
    assert (home / "llmos.db").read_bytes() == b"not a database, but my notes\n" * 100


def test_a_damaged_page_is_told_and_a_backup_put_in_place_works(home: Path) -> None:
    with Store.open(home) as store:
        for i in range(300):
            store.write(add(f"{i:03}", 500))
    database, backup = home / "llmos.db", home / "backup.db"
    shutil.copy(database, backup)
    data = bytearray(database.read_bytes())
    half = len(data) // 2 // 4096 * 4096
    data[half:] = b"\xff" * (len(data) - half)
    database.write_bytes(data)
    with pytest.raises(StoreError, match="damaged"), Store.open(home) as store:
        names(store)
        store.read(lambda c: c.exec_driver_sql("SELECT * FROM events").all())
    shutil.copy(backup, database)
    with Store.open(home) as store:
        assert len(names(store)) == 300


def test_nothing_is_written_to_a_database_that_was_deleted_or_replaced(home: Path) -> None:
    with Store.open(home) as store:
        store.write(add("a"))
        home.rename(home.with_name("away"))
        with pytest.raises(StoreError, match="moved, deleted or replaced") as caught:
            store.write(add("b"))
        assert "again" in caught.value.hint
        Store.open(home).close()  # another home in its place
        with pytest.raises(StoreError, match="moved, deleted or replaced"):
            store.write(add("c"))
        shutil.rmtree(home)
        home.with_name("away").rename(home)
        store.write(add("d"))
        assert names(store) == ["a", "d"]
        shutil.rmtree(home)
    assert not home.exists()
