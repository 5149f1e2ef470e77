import fcntl
import subprocess
import sys
from pathlib import Path

import pytest

from llmos.errors import BugError, StoreError
from llmos.store import FileLock
from llmos.store.lock import is_locked

ROOT = Path(__file__).parents[2]
HOLD = """
import sys
from pathlib import Path
from llmos.store.lock import FileLock
with FileLock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.readline()
"""


def test_a_lock_excludes_other_instances_in_this_process(tmp_path: Path) -> None:
    path = tmp_path / "l"
    with FileLock(path):
        assert not FileLock(path).try_acquire()
        assert is_locked(path)
        with pytest.raises(StoreError) as caught, FileLock(path, timeout_s=0.05):
            pass
        assert str(path) in caught.value.message and "fuser" in caught.value.hint
    other = FileLock(path)
    assert other.try_acquire()
    other.release()
    other.release()
    assert not is_locked(path)


def test_a_lock_excludes_other_processes_and_ends_with_them(tmp_path: Path) -> None:
    path = tmp_path / "l"
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, path],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as child:
        assert child.stdout is not None and child.stdout.readline() == b"held\n"
        assert is_locked(path)
        assert not FileLock(path).try_acquire()
        child.kill()
    with FileLock(path, timeout_s=10):
        pass


def test_waiting_ends_when_the_holder_lets_go(tmp_path: Path) -> None:
    path = tmp_path / "l"
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, path],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as child:
        assert child.stdin is not None and child.stdout is not None
        child.stdout.readline()
        child.stdin.write(b"\n")
        child.stdin.flush()
        with FileLock(path, timeout_s=30):
            assert is_locked(path)


def test_looking_at_a_lock_neither_makes_nor_takes_it(tmp_path: Path) -> None:
    path = tmp_path / "l"
    assert not is_locked(path)
    assert not path.exists()
    with FileLock(path):
        pass
    assert not is_locked(path)
    with FileLock(path, timeout_s=0):
        pass


def test_two_who_look_at_once_do_not_take_each_other_for_the_holder(tmp_path: Path) -> None:
    path = tmp_path / "l"
    path.touch()
    with path.open() as looking:
        fcntl.flock(looking, fcntl.LOCK_SH)
        assert not is_locked(path)


def test_taking_one_instance_twice_is_a_bug(tmp_path: Path) -> None:
    with FileLock(tmp_path / "l") as lock, pytest.raises(BugError, match="twice"):
        lock.acquire()


def test_a_lock_file_that_cannot_be_used_is_a_store_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot use the lock file"):
        FileLock(tmp_path / "missing" / "l").try_acquire()
