"""One writer at a time in a folder: between tasks, runs, loops and processes."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from llmos.kernel.lease import Lease


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "run").mkdir()
    return tmp_path


class Inside:
    """Counts who is inside at once."""

    def __init__(self) -> None:
        self.now = 0
        self.most = 0
        self.times = 0

    async def visit(self, lease: Lease, turns: int = 3) -> None:
        async with lease.held():
            self.now += 1
            self.most = max(self.most, self.now)
            self.times += 1
            for _ in range(turns):
                await asyncio.sleep(0)
            self.now -= 1


async def test_two_runs_in_one_folder_exclude_each_other(home: Path) -> None:
    inside = Inside()
    leases = [Lease(home, Path("/projects/a")) for _ in range(5)]
    await asyncio.gather(*(inside.visit(lease) for lease in leases for _ in range(3)))
    assert (inside.most, inside.times) == (1, 15)


async def test_runs_in_other_folders_do_not(home: Path) -> None:
    async with (
        asyncio.timeout(5),
        Lease(home, Path("/projects/a")).held(),
        Lease(home, Path("/projects/b")).held(),
    ):
        pass


async def test_the_holder_may_enter_again(home: Path) -> None:
    lease, inside = Lease(home, Path("/projects/a")), Inside()
    other = Lease(home, Path("/projects/a"))
    async with asyncio.timeout(5), lease.held():
        async with lease.held(), lease.held():
            pass
        waiting = asyncio.ensure_future(inside.visit(other))
        for _ in range(20):
            await asyncio.sleep(0)
        assert inside.times == 0, "leaving the inner one does not give the outer one up"
    await waiting
    assert inside.times == 1


async def test_two_tasks_of_one_run_exclude_each_other_too(home: Path) -> None:
    lease, inside = Lease(home, Path("/projects/a")), Inside()
    await asyncio.gather(*(inside.visit(lease, turns) for turns in (1, 9, 2, 5)))
    assert (inside.most, inside.times) == (1, 4)
    # And nothing of it is left: another run gets in, alone.
    other = Lease(home, Path("/projects/a"))
    await asyncio.gather(inside.visit(lease), inside.visit(other))
    assert inside.most == 1


@pytest.mark.parametrize("error", [ZeroDivisionError, asyncio.CancelledError])
async def test_an_error_gives_it_back(home: Path, error: type[BaseException]) -> None:
    lease = Lease(home, Path("/projects/a"))
    with pytest.raises(error):
        async with lease.held(), lease.held():
            raise error
    async with asyncio.timeout(5), Lease(home, Path("/projects/a")).held():
        pass


async def test_a_cancelled_waiter_leaves_no_trace(home: Path) -> None:
    lease, other, inside = Lease(home, Path("/a")), Lease(home, Path("/a")), Inside()
    async with lease.held():
        waiting = [asyncio.ensure_future(inside.visit(other)) for _ in range(3)]
        await asyncio.sleep(0.02)
        waiting[0].cancel()
        waiting[1].cancel()
        await asyncio.sleep(0)
    async with asyncio.timeout(5):
        await waiting[2]
    assert inside.times == 1


def test_other_loops_in_other_threads_are_excluded(home: Path) -> None:
    inside = Inside()

    def work() -> None:
        for _ in range(5):
            asyncio.run(inside.visit(Lease(home, Path("/projects/a"))))

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (inside.most, inside.times) == (1, 15)


def test_a_new_loop_does_not_stumble_over_an_old_one(home: Path) -> None:
    async def contend() -> None:
        inside = Inside()
        leases = [Lease(home, Path("/projects/a")) for _ in range(3)]
        await asyncio.gather(*map(inside.visit, leases))
        assert inside.times == 3

    for _ in range(5):
        asyncio.run(contend())


CHILD = """
import asyncio, pathlib, sys
from llmos.kernel.lease import Lease

async def main():
    async with Lease(pathlib.Path(sys.argv[1]), pathlib.Path("/projects/a")).held():
        print("in", flush=True)
        sys.stdin.read()

asyncio.run(main())
"""


@pytest.mark.parametrize("end", ["leaves", "is killed"])
async def test_another_process_is_excluded_until_it(home: Path, end: str) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(home)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    assert child.stdin is not None and child.stdout is not None
    try:
        assert child.stdout.readline() == b"in\n"
        inside = Inside()
        waiting = asyncio.ensure_future(inside.visit(Lease(home, Path("/projects/a"))))
        await asyncio.sleep(0.05)
        assert inside.times == 0
        if end == "leaves":
            child.stdin.close()
        else:
            child.kill()
        async with asyncio.timeout(30):
            await waiting
        assert inside.times == 1
    finally:
        child.kill()
        child.wait()
        child.stdout.close()
