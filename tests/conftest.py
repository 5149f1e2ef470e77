"""A real home, a real working directory and an LLM OS in them."""

from __future__ import annotations

import signal
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from os import environ
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest

from llmos import LLMOS, LLMOSConfig, Step, Trace
from llmos.cortex.processors import RecordedProcessor
from llmos.store import Store
from llmos.values import Clock
from tests.support.chance import Never
from tests.support.databases import Database, Server, running_server


class TestClock:
    """A clock that stands still until it is moved."""

    __test__ = False

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 2, 9, 7, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **delta: float) -> None:
        self.now += timedelta(**delta)


@pytest.fixture
def clock() -> TestClock:
    return TestClock()


@pytest.fixture
def cwd(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


SetUp = Callable[[Path], Path]


@pytest.fixture(scope="session")
def set_up(tmp_path_factory: pytest.TempPathFactory) -> SetUp:
    """Makes a home with tables that nobody has used, where there is none.

    It is a copy: to make the tables takes longer than most tests.
    """
    made = tmp_path_factory.mktemp("set-up") / "home"
    with Store.open(made) as store:
        pass
    with closing(sqlite3.connect(made / "llmos.db")) as connection, connection:
        connection.execute("DELETE FROM processes WHERE id = ?", [store.process_id])

    def set_up(home: Path) -> Path:
        return home if home.exists() else copytree(made, home)

    return set_up


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """A PostgreSQL server, started when the first test asks for it."""
    with running_server() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, home: Path, tmp_path: Path, set_up: SetUp) -> Database:
    """What holds with one database holds with the other."""
    if request.param == "sqlite":
        return Database(set_up(home))
    server: Server = request.getfixturevalue("postgres")
    return Database(home, server.usual(tmp_path / "first"))


OpenStore = Callable[[Clock], Store]


@pytest.fixture(params=["memory", "postgresql"])
def open_store(request: pytest.FixtureRequest, home: Path, tmp_path: Path) -> OpenStore:
    """Opens a store that nobody has used, in the cheapest way for each kind of database."""
    if request.param == "memory":
        return Store.memory
    server: Server = request.getfixturevalue("postgres")
    return Database(home, server.usual(tmp_path / "first")).open


@pytest.fixture(params=["sqlite", "postgresql"])
def new_database(request: pytest.FixtureRequest, home: Path) -> Database:
    """One without tables."""
    if request.param == "sqlite":
        return Database(home)
    server: Server = request.getfixturevalue("postgres")
    return Database(home, server.empty())


@pytest.fixture(scope="session", autouse=True)
def interruptible() -> None:
    """Ctrl-C reaches tests, and the processes that they start, in a background shell as well."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def no_chance(monkeypatch: pytest.MonkeyPatch) -> None:
    """No audit is drawn in a test that does not bring its own chance (``rng=``)."""
    monkeypatch.setattr("llmos.boot.Random", Never)


@pytest.fixture(autouse=True)
def no_real_database(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever works with a shared database does not run the tests in it."""
    monkeypatch.delenv("LLMOS_DATABASE_URL", raising=False)


@pytest.fixture(autouse=True)
def no_real_collector(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor are the runs of tests sent to anybody."""
    for name in list(environ):
        if name.startswith("OTEL_"):
            monkeypatch.delenv(name)


MakeOS = Callable[..., Awaitable[LLMOS]]


@pytest.fixture
async def make_os(home: Path, cwd: Path, clock: TestClock, set_up: SetUp) -> AsyncIterator[MakeOS]:
    """Returns a function that boots an LLMOS; all are shut down at the end."""
    made: list[LLMOS] = []

    async def make(
        recordings: Sequence[Trace] = (), plugins: Sequence[Any] = (), **more: Any
    ) -> LLMOS:
        processor = RecordedProcessor({t.goal: t for t in recordings}) if recordings else None
        settings: dict[str, Any] = {
            "home": home,
            "cwd": cwd,
            "user_id": "alice",
            "clock": clock,
            "config": LLMOSConfig(),
            "processor": processor,
            "plugins": plugins,
        }
        os = LLMOS(**(settings | more))
        if not os._config or not os._config.database_url:
            set_up(os.home)
        made.append(os)
        return await os.boot()

    yield make
    for os in made:
        await os.shutdown()


def recording(goal: str, *steps: tuple[str, dict[str, Any]], output: str = "Done.") -> Trace:
    """What a model did for ``goal``: the calls alone; observations come from the real tools."""
    return Trace(goal, tuple(Step(tool, arguments) for tool, arguments in steps), output)
