"""What a run did to files can be taken back, byte for byte, or nothing of it is."""

from __future__ import annotations

import asyncio
import itertools
import os
import shutil
import socket
import stat
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, update

from llmos.errors import IntegrityError, UserError
from llmos.kernel.intents import Intents
from llmos.kernel.journal import Journal
from llmos.kernel.observe import Observer
from llmos.kernel.places import Places
from llmos.kernel.recorder import Recorder
from llmos.kernel.restore import Restorer
from llmos.kernel.snapshot import Cap, Snapshots
from llmos.kernel.undo import Undo
from llmos.memory.traces import Traces
from llmos.plugins import Registry, Tool, tool, tool_of
from llmos.store import BlobStore, Store
from llmos.store.schema import events
from llmos.store.schema import traces as table
from llmos.values import Effect, Resources, Step, Trace

Act = Callable[[], object]


@tool(effects="write", name="Command")
def command() -> str:
    """Stands for any tool that writes files."""
    return ""


COMMAND = tool_of(command)


class Lab:
    """A store, and folders in which runs happen."""

    def __init__(self, home: Path, cap: Cap | None = None) -> None:
        self.store = Store.open(home)
        self.snapshots = Snapshots(self.store.blobs, cap)
        self.journal = Journal(self.store, self.snapshots)
        self.observer = Observer(self.snapshots, self.store.blobs, str(home.resolve()))
        self.intents = Intents(self.store)
        self._folders = itertools.count()
        self._parent = home.parent

    def folder(self) -> Path:
        made = self._parent / f"work{next(self._folders)}" / "cwd"
        made.mkdir(parents=True)
        return made

    async def begin(self) -> str:
        (trace_id,) = await Traces(self.store).learn([Trace("Do it")], "alice", None)
        return trace_id

    async def step(
        self,
        run: str,
        idx: int,
        resources: Resources,
        act: Act,
        tool: Tool = COMMAND,
        *,
        dies: bool = False,
    ) -> None:
        """One call, recorded as the kernel does it; one that dies never reports back."""
        recorder = Recorder(
            self.store, self.journal, self.intents, run, Places("/none", "/none2", "/none3")
        )
        look = self.observer.before(resources)
        await recorder.begin(idx, tool, {}, look, None)
        act()
        if dies:
            return
        changes = self.observer.after(look)
        print_ = self.observer.footprint(look, changes, True)
        step = Step(tool.name, {"idx": idx}, f"did {idx}", effect=Effect.WRITE, footprint=print_)
        await recorder.end(idx, tool, step, look, changes, None, "done")
        await recorder.flush()

    async def run(self, root: Path, *acts: Act) -> str:
        """A run of commands in ``root``; its id."""
        run = await self.begin()
        for idx, act in enumerate(acts):
            await self.step(run, idx, tree(root), act)
        return run

    def settle(self, run: str) -> None:
        self.store.write(lambda tx: self.journal.settle_interrupted(tx, [run]))


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    made = Lab(tmp_path_factory.mktemp("journal") / "home")
    yield made
    made.store.close()


@pytest.fixture
def root(lab: Lab) -> Path:
    return lab.folder()


def tree(root: Path) -> Resources:
    return Resources((f"tree:{root}",), (f"tree:{root}",))


def file(path: Path) -> Resources:
    return Resources((), (f"file:{path}",))


State = dict[str, tuple[str, int, bytes]]


def state(root: Path) -> State:
    """Everything below ``root``: kind, mode, content or target."""
    found: State = {}
    for folder, names, files in os.walk(root):
        for name in names + files:
            path = os.path.join(folder, name)
            status = os.lstat(path)
            mode = stat.S_IMODE(status.st_mode)
            key = os.path.relpath(path, root)
            if stat.S_ISLNK(status.st_mode):
                found[key] = ("link", 0, os.fsencode(os.readlink(path)))
            elif stat.S_ISREG(status.st_mode):
                found[key] = ("file", mode, Path(path).read_bytes())
            else:
                found[key] = (oct(stat.S_IFMT(status.st_mode)), mode, b"")
    return found


# --- any sequence of file operations --------------------------------------------------------

PATH = st.lists(st.sampled_from("abc"), min_size=1, max_size=3).map("/".join)
CONTENT = st.sampled_from([b"", b"1", b"2", b"22", b"\xff\r\n"])
FILE_MODE = st.sampled_from([0o644, 0o755, 0o600, 0o444, 0o4755])
FOLDER_MODE = st.sampled_from([0o755, 0o700, 0o555, 0o1777])
TARGET = st.sampled_from(["a", "b/c", "nowhere", "../b", "."])
OPERATION = st.one_of(
    st.tuples(st.just("write"), PATH, CONTENT, FILE_MODE),
    st.tuples(st.just("append"), PATH, CONTENT, FILE_MODE),
    st.tuples(st.just("delete"), PATH),
    st.tuples(st.just("mkdir"), PATH, FOLDER_MODE),
    st.tuples(st.just("chmod"), PATH, FILE_MODE),
    st.tuples(st.just("link"), PATH, TARGET),
    st.tuples(st.just("rename"), PATH, PATH),
    st.tuples(st.just("fifo"), PATH),
)
OPERATIONS = st.lists(OPERATION, max_size=6)


def clear(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def operate(root: Path, operation: tuple[Any, ...]) -> None:
    """One thing that a command may do below ``root``; what cannot be done is not."""
    kind, path, *more = operation[0], root / operation[1], *operation[2:]
    for parent in reversed(path.relative_to(root).parents[:-1]):
        if not (root / parent).is_dir() or (root / parent).is_symlink():
            clear(root / parent)
            (root / parent).mkdir()
    with suppress(OSError):
        if kind == "append":
            if stat.S_ISREG(os.lstat(path).st_mode):
                path.open("ab").write(more[0])
        elif kind == "chmod":
            if not path.is_symlink():
                path.chmod(more[0])
        elif kind == "rename":
            target = root / more[0]
            if target.parent.is_dir() and target.parent.resolve() == target.parent:
                path.rename(target)
        else:
            clear(path)
            if kind == "write":
                path.write_bytes(more[0])
                path.chmod(more[1])
            elif kind == "mkdir":
                path.mkdir()
                path.chmod(more[0])
            elif kind == "link":
                path.symlink_to(more[0])
            elif kind == "fifo":
                os.mkfifo(path)


def all_of(root: Path, operations: Sequence[tuple[Any, ...]]) -> Act:
    def act() -> None:
        for operation in operations:
            operate(root, operation)

    return act


ANY = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@ANY
@given(OPERATIONS, st.lists(OPERATIONS, min_size=1, max_size=3))
def test_undo_restores_the_folder_whatever_commands_did_in_it(
    lab: Lab, before: list[Any], commands: list[list[Any]]
) -> None:
    root = lab.folder()
    all_of(root, before)()
    then = state(root)
    run = asyncio.run(lab.run(root, *(all_of(root, c) for c in commands)))
    lab.journal.undo(run)
    assert state(root) == then
    lab.journal.undo(run)  # and again, as after an undo that died before it was noted
    assert state(root) == then


@ANY
@given(OPERATIONS, OPERATIONS, st.booleans())
def test_undo_restores_what_a_killed_command_left(
    lab: Lab, before: list[Any], done: list[Any], one_more: bool
) -> None:
    root = lab.folder()
    all_of(root, before)()
    then = state(root)

    async def story() -> str:
        run = await lab.begin()
        await lab.step(run, 0, tree(root), all_of(root, done[:2]))
        await lab.step(run, 1, tree(root), all_of(root, done[2:]), dies=True)
        return run

    run = asyncio.run(story())
    lab.settle(run)
    lab.settle(run)
    assert all(r.after is not None for r in lab.journal.records(run))
    lab.journal.undo(run)
    assert state(root) == then


class Killed(BaseException):
    """Nothing after it happens."""


@contextmanager
def killed_after(count: int) -> Iterator[None]:
    """Every change of the file system but the first ``count`` ends the process, so to say."""
    left = itertools.count(count, -1)
    names = ("unlink", "rmdir", "mkdir", "replace", "symlink", "chmod", "mkfifo", "rename")
    with pytest.MonkeyPatch.context() as patch:
        for name in names:
            real = getattr(os, name)

            def once(*args: Any, real: Any = real, **more: Any) -> Any:
                if next(left) <= 0:
                    raise Killed
                return real(*args, **more)

            patch.setattr(os, name, once)
        yield


@ANY
@given(OPERATIONS, OPERATIONS, st.integers(0, 12))
def test_an_undo_that_was_cut_short_can_be_run_again(
    lab: Lab, before: list[Any], done: list[Any], count: int
) -> None:
    root = lab.folder()
    all_of(root, before)()
    then = state(root)
    run = asyncio.run(lab.run(root, all_of(root, done)))
    with suppress(Killed), killed_after(count):
        lab.journal.undo(run)
    for draft in root.rglob(".llmos-*"):
        draft.unlink()  # a half-written copy beside the file
    lab.journal.undo(run)
    assert state(root) == then


@ANY
@given(OPERATIONS, OPERATIONS, OPERATION)
def test_undo_takes_all_back_or_nothing_when_somebody_changed_something_since(
    lab: Lab, before: list[Any], done: list[Any], since: Any
) -> None:
    root = lab.folder()
    all_of(root, before)()
    then = state(root)
    run = asyncio.run(lab.run(root, all_of(root, done)))
    left = state(root)
    operate(root, since)
    now = state(root)
    others = {p for p in now.keys() | left.keys() if now.get(p) != left.get(p)}
    assume(others)
    ran = {p for p in then.keys() | left.keys() if then.get(p) != left.get(p)}
    try:
        restored = lab.journal.undo(run)
    except UserError:
        assert state(root) == now, "nothing was undone"
        assert ran, "a run that changed nothing is in nobody's way"
        return
    got = state(root)
    kept = {os.path.relpath(p, root) for p in restored.kept}
    for path in ran - others - kept:
        assert got.get(path) == then.get(path)
    for path in others - ran:
        needed = path not in now and any(p.startswith(f"{path}/") for p in ran & then.keys())
        assert needed or got.get(path) == now.get(path), "what somebody else did is left alone"


@ANY
@given(OPERATIONS, OPERATIONS, OPERATIONS)
def test_runs_are_undone_in_reverse_order(
    lab: Lab, before: list[Any], first: list[Any], second: list[Any]
) -> None:
    root = lab.folder()
    all_of(root, before)()
    then = state(root)
    one = asyncio.run(lab.run(root, all_of(root, first)))
    between = state(root)
    two = asyncio.run(lab.run(root, all_of(root, second)))
    lab.journal.undo(two)
    assert state(root) == between
    lab.journal.undo(one)
    assert state(root) == then


# --- single files ---------------------------------------------------------------------------


async def test_files_and_the_folders_made_for_them_are_taken_back(lab: Lab, root: Path) -> None:
    (root / "a").write_bytes(b"old\r\n\xff")
    (root / "a").chmod(0o640)
    then = state(root)
    run = await lab.begin()

    def write(path: Path, text: str) -> Act:
        def act() -> None:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

        return act

    for idx, (name, text) in enumerate((("a", "1"), ("a", "2"), ("x/y/z", "3"), ("x/y/w", "4"))):
        await lab.step(run, idx, file(root / name), write(root / name, text))
    restored = lab.journal.undo(run)
    assert state(root) == then
    assert restored.restored == (str(root / "a"),)
    made = ("x", "x/y", "x/y/w", "x/y/z")
    assert restored.removed == tuple(str(root / name) for name in made)
    assert restored.kept == restored.lost == ()


async def test_a_write_that_died_is_settled_as_it_was_left(lab: Lab, root: Path) -> None:
    (root / "a").write_text("old")
    for name, act in (
        ("a", lambda: (root / "a").write_text("half")),
        ("b", lambda: (root / "b").write_text("new")),
        ("c", lambda: None),
    ):
        run = await lab.begin()
        await lab.step(run, 0, file(root / name), act, dies=True)
        lab.settle(run)
        lab.journal.undo(run)
        assert state(root) == {"a": ("file", (root / "a").stat().st_mode & 0o777, b"old")}


async def test_the_caches_of_a_folder_that_the_run_made_go_with_it(lab: Lab, root: Path) -> None:
    def act() -> None:
        (root / "pkg" / "__pycache__").mkdir(parents=True)
        (root / "pkg" / "m.py").write_text("x = 1")
        (root / "pkg" / "__pycache__" / "m.pyc").write_text("cache")

    lab.journal.undo(await lab.run(root, act))
    assert state(root) == {}


async def test_a_folder_that_now_holds_something_else_is_kept(lab: Lab, root: Path) -> None:
    def act() -> None:
        (root / "made").mkdir()
        (root / "made" / "x").write_text("x")

    run = await lab.run(root, act)
    (root / "made" / "mine").write_text("precious")
    restored = lab.journal.undo(run)
    assert restored.kept == (str(root / "made"),)
    assert list(state(root)) == ["made", "made/mine"]


async def test_a_folder_in_place_of_a_file_with_something_else_in_it_stops_the_undo(
    lab: Lab, root: Path
) -> None:
    (root / "a").write_text("old")
    (root / "b").write_text("old")

    def act() -> None:
        (root / "a").unlink()
        (root / "a").mkdir()
        (root / "b").write_text("new")

    run = await lab.run(root, act)
    (root / "a" / "mine").write_text("precious")
    now = state(root)
    with pytest.raises(UserError, match="changed since"):
        lab.journal.undo(run)
    assert state(root) == now


async def test_nothing_is_written_through_a_link_that_took_the_place_of_a_folder(
    lab: Lab, root: Path
) -> None:
    outside = root.parent / "outside"
    outside.mkdir(mode=0o755)
    (outside / "x").write_text("precious")
    (root / "build").mkdir(mode=0o700)
    (root / "build" / "x").write_text("old")
    then = state(root)

    def act() -> None:
        shutil.rmtree(root / "build")
        (root / "build").symlink_to(outside)

    lab.journal.undo(await lab.run(root, act))
    assert state(root) == then
    assert (outside / "x").read_text() == "precious"
    assert outside.stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize("kind", ["a link", "a file"])
async def test_a_folder_that_somebody_replaced_since_stops_the_undo(
    lab: Lab, root: Path, kind: str
) -> None:
    outside = root.parent / "outside"
    outside.mkdir()
    (root / "d").mkdir()
    (root / "d" / "x").write_text("old")
    run = await lab.run(root, lambda: (root / "d" / "x").unlink())
    (root / "d").rmdir()
    if kind == "a link":
        (root / "d").symlink_to(outside)
    else:
        (root / "d").write_text("mine")
    with pytest.raises(UserError, match="changed since"):
        lab.journal.undo(run)
    assert list(outside.iterdir()) == []


async def test_a_folder_that_somebody_removed_since_is_made_again(lab: Lab, root: Path) -> None:
    (root / "d").mkdir()
    (root / "d" / "x").write_text("old")
    run = await lab.run(root, lambda: (root / "d" / "x").unlink())
    (root / "d").rmdir()
    lab.journal.undo(run)
    assert (root / "d" / "x").read_text() == "old"


async def test_only_some_undone_by_hand_is_no_conflict(lab: Lab, root: Path) -> None:
    (root / "a").write_text("old")
    (root / "b").write_text("old")

    def act() -> None:
        (root / "a").write_text("new")
        (root / "b").write_text("new")

    run = await lab.run(root, act)
    (root / "a").write_text("old")
    lab.journal.undo(run)
    assert (root / "b").read_text() == "old"


async def test_a_conflict_names_the_file_and_what_to_do(lab: Lab, root: Path) -> None:
    run = await lab.run(root, lambda: (root / "a").write_text("new"))
    (root / "a").write_text("mine")
    assert lab.journal.conflicts(run) == [str(root / "a")]
    with pytest.raises(UserError, match=r"/a$") as e:
        lab.journal.undo(run)
    assert "undo again" in e.value.hint


async def test_other_modes_are_no_conflict_but_executable_bits_are(lab: Lab, root: Path) -> None:
    def act() -> None:
        (root / "a").write_text("new")
        (root / "a").chmod(0o644)

    run = await lab.run(root, act)
    (root / "a").chmod(0o755)
    assert lab.journal.conflicts(run)
    (root / "a").chmod(0o600)
    assert not lab.journal.conflicts(run)


async def test_a_name_that_is_no_text_is_taken_back_too(lab: Lab, root: Path) -> None:
    name = os.fsdecode(b"\xff caf\xe9 %41")
    (root / name).write_text("old")
    then = state(root)

    def act() -> None:
        (root / name).write_text("new")
        (root / os.fsdecode(b"new\xff")).mkdir()

    run = await lab.run(root, act)
    lab.journal.undo(run)
    assert state(root) == then

    (root / name).write_text("old")
    run = await lab.begin()
    await lab.step(run, 0, tree(root), act, dies=True)
    lab.settle(run)
    (root / name).write_text("mine")
    with pytest.raises(UserError) as e:
        lab.journal.undo(run)
    e.value.message.encode()


async def test_a_socket_cannot_be_made_again_and_that_is_told(lab: Lab, root: Path) -> None:
    with socket.socket(socket.AF_UNIX) as s, pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        s.bind("socket")
    (root / "a").write_text("old")

    def act() -> None:
        (root / "socket").unlink()
        (root / "a").write_text("new")

    restored = lab.journal.undo(await lab.run(root, act))
    assert restored.lost == (str(root / "socket"),)
    assert (root / "a").read_text() == "old"


async def test_a_content_that_is_gone_from_the_home_is_told(lab: Lab, root: Path) -> None:
    (root / "a").write_text("only here")
    run = await lab.run(root, lambda: (root / "a").unlink())
    record = next(r for r in lab.journal.records(run) if r.path == str(root / "a"))
    assert record.before.digest is not None
    lab.store.blobs._path(record.before.digest).unlink()
    with pytest.raises(IntegrityError):
        lab.journal.undo(run)


async def test_a_run_without_writes_has_nothing_to_take_back(lab: Lab, root: Path) -> None:
    run = await lab.run(root, lambda: None)
    restored = lab.journal.undo(run)
    assert (restored.restored, restored.removed) == ((), ())


@contextmanager
def nobody() -> Iterator[None]:
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_folders_that_are_closed_for_writing_are_opened_and_closed_again() -> None:
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o777)
        with nobody():
            root, blobs = Path(os.path.realpath(name), "root"), BlobStore(Path(name, "blobs"))
            snapshots = Snapshots(blobs)
            (root / "shut" / "in").mkdir(parents=True)
            (root / "shut" / "x").write_text("old")
            (root / "shut" / "in" / "y").write_text("old")
            for folder in ("shut/in", "shut"):
                (root / folder).chmod(0o555)
            then, wanted = state(root), dict(snapshots.manifest(str(root), keep=True))
            for folder in ("shut", "shut/in"):
                (root / folder).chmod(0o755)
            (root / "shut" / "x").write_text("new")
            shutil.rmtree(root / "shut" / "in")
            (root / "shut" / "in").write_text("new")
            (root / "shut").chmod(0o555)
            del wanted[str(root / "shut")]  # its mode is as it was: no part of the run
            Restorer(wanted, snapshots, blobs).run()
            assert state(root) == then
            for folder in ("shut", "shut/in"):
                (root / folder).chmod(0o755)


# --- crashes and limits ---------------------------------------------------------------------


async def test_a_home_in_the_working_directory_is_left_alone_also_after_a_crash(
    tmp_path: Path,
) -> None:
    cwd = tmp_path / "cwd"
    (cwd / "real").mkdir(parents=True)
    (tmp_path / "link").symlink_to(cwd / "real")
    lab = Lab(tmp_path / "link" / "home")
    try:
        (cwd / "a").write_text("old")
        run = await lab.begin()
        await lab.step(run, 0, tree(cwd), lambda: (cwd / "a").write_text("new"), dies=True)
        lab.settle(run)
        assert [r.path for r in lab.journal.records(run)][1:] == [str(cwd / "a")]
        lab.journal.undo(run)
        assert (cwd / "a").read_text() == "old"
        assert lab.journal.records(run)
    finally:
        lab.store.close()


async def test_a_folder_that_grew_too_large_before_the_crash_does_not_stop_the_recovery(
    tmp_path: Path,
) -> None:
    lab = Lab(tmp_path / "home", Cap(files=3))
    cwd = lab.folder()
    try:
        (cwd / "a").write_text("old")

        def act() -> None:
            (cwd / "a").write_text("new")
            for i in range(9):
                (cwd / str(i)).write_text("x")

        run = await lab.begin()
        await lab.step(run, 0, tree(cwd), act, dies=True)
        lab.settle(run)
        lab.journal.undo(run)
        assert (cwd / "a").read_text() == "old"
    finally:
        lab.store.close()


async def test_a_lost_listing_does_not_stop_the_recovery(lab: Lab, root: Path) -> None:
    run = await lab.begin()
    await lab.step(run, 0, tree(root), lambda: (root / "a").write_text("x"), dies=True)
    (listing,) = lab.journal.records(run)
    assert listing.before.digest is not None
    lab.store.blobs._path(listing.before.digest).unlink()
    lab.settle(run)
    assert [r.path for r in lab.journal.records(run)] == [f"tree:{root}"]


async def test_a_folder_that_is_gone_after_the_crash_is_made_again(lab: Lab, root: Path) -> None:
    (root / "a").write_text("old")
    run = await lab.begin()
    await lab.step(run, 0, tree(root), lambda: shutil.rmtree(root), dies=True)
    lab.settle(run)
    lab.journal.undo(run)
    assert (root / "a").read_text() == "old"


async def test_the_preimage_is_stored_before_the_write(lab: Lab, root: Path) -> None:
    (root / "a").write_text("old")
    run = await lab.begin()

    def act() -> None:
        (record,) = lab.journal.records(run)
        assert record.after is None and record.before.digest is not None
        assert lab.store.blobs.get(record.before.digest) == b"old"

    await lab.step(run, 0, file(root / "a"), act)


# --- undo of a whole run --------------------------------------------------------------------


class Calendar:
    """A tool with its own undo."""

    def __init__(self) -> None:
        self.undone: list[tuple[Any, Any]] = []
        self.broken = False

        async def take_back(arguments: Any, observation: Any) -> None:
            if self.broken:
                raise ConnectionError("no network")
            self.undone.append((arguments, observation))

        @tool(effects="write", name="calendar", undo=take_back)
        def add() -> str:
            """Add an entry."""
            return ""

        self.tool = tool_of(add)


@pytest.fixture
async def calendar() -> AsyncIterator[Calendar]:
    yield Calendar()


def undo_of(lab: Lab, *tools: Tool) -> Undo:
    return Undo(lab.store, Registry(tools), lab.journal)


NOTHING = Resources((), ("calendar:alice",))


async def both(lab: Lab, root: Path, calendar: Calendar) -> str:
    run = await lab.begin()
    await lab.step(run, 0, NOTHING, lambda: None, calendar.tool)
    await lab.step(run, 1, file(root / "a"), lambda: (root / "a").write_text("new"))
    await lab.step(run, 2, NOTHING, lambda: None, calendar.tool)
    return run


async def test_files_and_calls_are_taken_back_the_last_call_first(
    lab: Lab, root: Path, calendar: Calendar
) -> None:
    run = await both(lab, root, calendar)
    done = await undo_of(lab, calendar.tool).undo(run, actor="alice")
    assert calendar.undone == [({"idx": 2}, "did 2"), ({"idx": 0}, "did 0")]
    assert done.called == ("step 2: calendar", "step 0: calendar")
    assert done.removed == (str(root / "a"),) and done.left == ()
    told = select(events.c.title, events.c.actor).where(events.c.subject == run)
    title, actor = lab.store.read(lambda c: c.execute(told.order_by(events.c.seq.desc())).first())
    assert "undone: 3 changes" in title and actor == "alice"


async def test_a_run_is_undone_once(lab: Lab, root: Path, calendar: Calendar) -> None:
    run = await both(lab, root, calendar)
    undo = undo_of(lab, calendar.tool)
    await undo.undo(run, actor="alice")
    (root / "a").write_text("made anew")
    with pytest.raises(UserError, match="nothing to undo"):
        await undo.undo(run, actor="alice")
    assert len(calendar.undone) == 2
    assert (root / "a").read_text() == "made anew"


async def test_a_conflict_stops_it_before_any_call_is_taken_back(
    lab: Lab, root: Path, calendar: Calendar
) -> None:
    run = await both(lab, root, calendar)
    (root / "a").write_text("mine")
    with pytest.raises(UserError, match="changed since"):
        await undo_of(lab, calendar.tool).undo(run, actor="alice")
    assert calendar.undone == []


async def test_what_a_tool_cannot_take_back_is_told_and_can_be_tried_again(
    lab: Lab, root: Path, calendar: Calendar
) -> None:
    run = await both(lab, root, calendar)
    calendar.broken = True
    done = await undo_of(lab, calendar.tool).undo(run, actor="alice")
    assert len(done.left) == 2 and "no network" in done.left[0]
    assert not (root / "a").exists()
    calendar.broken = False
    again = await undo_of(lab, calendar.tool).undo(run, actor="alice")
    assert len(again.called) == 2 and again.left == ()


async def test_a_tool_that_is_gone_is_told(lab: Lab, root: Path, calendar: Calendar) -> None:
    run = await both(lab, root, calendar)
    done = await undo_of(lab).undo(run, actor="alice")
    assert "'calendar' is not here" in done.left[0]
    assert len((await undo_of(lab, calendar.tool).undo(run, actor="alice")).called) == 2


async def test_a_call_is_not_taken_back_twice_when_the_rest_was_cut_short(
    lab: Lab, root: Path, calendar: Calendar
) -> None:
    run = await both(lab, root, calendar)
    with pytest.raises(Killed), killed_after(0):
        await undo_of(lab, calendar.tool).undo(run, actor="alice")
    assert (root / "a").exists()
    await undo_of(lab, calendar.tool).undo(run, actor="alice")
    assert not (root / "a").exists()
    assert len(calendar.undone) == 2


async def test_what_cannot_be_taken_back_is_listed(lab: Lab, root: Path) -> None:
    run = await lab.begin()
    (sent,) = await Traces(lab.store).learn(
        [Trace("Mail", (Step("mail", {}, effect=Effect.EXTERNAL),))], "alice", None
    )
    assert undo_of(lab).cannot(run) == []
    assert undo_of(lab).cannot(sent) == ["step 0: mail (external)"]
    with pytest.raises(UserError, match=r"nothing to undo.*step 0: mail"):
        await undo_of(lab).undo(sent, actor="alice")


async def test_a_run_that_is_not_over_is_not_undone(lab: Lab, root: Path) -> None:
    run = await lab.run(root, lambda: (root / "a").write_text("new"))
    row = update(table).where(table.c.id == run).values(status="running")
    lab.store.write(lambda tx: tx.conn.execute(row))
    with pytest.raises(UserError, match="not over"):
        await undo_of(lab).undo(run, actor="alice")
    assert (root / "a").exists()
