"""What goes wrong with a server, and what only PostgreSQL could get wrong."""

import logging
import threading
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select, text

from llmos.errors import ConfigError, StoreError
from llmos.store import Store, Transaction, dialect
from llmos.store.dialect import insert_new
from llmos.store.postgres_text import escape, unescape
from llmos.store.schema import events, ledger, scopes, watermarks
from llmos.values import EventType
from tests.support.databases import Database, Server, eventually


@pytest.fixture
def shared(postgres: Server, home: Path, tmp_path: Path) -> Database:
    return Database(home, postgres.usual(tmp_path / "first"))


@pytest.fixture
def served(shared: Database) -> Iterator[Store]:
    with shared.open() as opened:
        yield opened


def add(name: str):
    row = {"name": name, "spent_micro": 0, "reserved_micro": 0}
    return lambda tx: tx.conn.execute(scopes.insert(), row)


def names(store: Store) -> list[str]:
    return store.read(lambda c: list(c.scalars(select(scopes.c.name).order_by(scopes.c.name))))


def backend(tx: Transaction) -> int:
    return tx.conn.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()


def end_sessions(postgres: Server) -> None:
    """What a restart of the server does to its clients."""
    postgres.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE application_name = 'llmos' AND pid <> pg_backend_pid()"
    )


# --- text and numbers ------------------------------------------------------------------------


@given(st.text())
def test_escaped_text_has_no_nul_and_comes_back(told: str) -> None:
    assert "\0" not in escape(told)
    assert unescape(escape(told)) == told


@pytest.fixture
def kept(either: Store) -> Store:
    return either


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(told=st.text(alphabet=st.sampled_from("a0\0\x1a1%_\\'\"é😀\n")))
def test_any_text_comes_back_and_is_found_again(kept: Store, told: str) -> None:
    def write(tx: Transaction) -> str:
        return tx.event(EventType.HEALTH_CHECK, owner=told, title=told)

    event_id = kept.write(write)
    found = select(events.c.title).where(events.c.owner == told, events.c.id == event_id)
    assert kept.read(lambda c: c.scalar(found)) == told


def test_a_lone_surrogate_is_refused_as_a_whole(either: Store) -> None:
    # `kernel.text` takes them out of what tools and models say; here one would be a bug.
    with pytest.raises(UnicodeEncodeError):
        either.write(lambda tx: tx.event(EventType.HEALTH_CHECK, owner="a", title="\ud800"))
    assert either.write(lambda tx: 1) == 1


def test_names_sort_by_code_points_and_may_be_long(either: Store) -> None:
    many = ["b", "B", "a-b", "a_b", "a.b", "ab", "É", "z" * 500]
    for name in many:
        either.write(add(name))
    assert names(either) == sorted(many)


def test_a_sum_is_a_whole_number(either: Store) -> None:
    row = {"at": "", "kind": "spend", "scopes": "", "amount_micro": 2**40, "note": ""}
    either.write(lambda tx: tx.conn.execute(ledger.insert(), [row, row]))
    total = either.read(lambda c: c.scalar(select(func.sum(ledger.c.amount_micro))))
    assert (total, type(total)) == (2**41, int)


def test_a_row_with_a_known_key_is_not_put_a_second_time(either: Store) -> None:
    row = {"name": "n", "volume": "user", "owner": "a", "value": "1", "updated_at": ""}
    key = ["name", "volume", "owner"]
    put = [
        either.write(lambda tx, v=v: insert_new(tx.conn, watermarks, row | {"value": v}, key))
        for v in ("1", "2")
    ]
    assert put == [True, False]
    assert either.read(lambda c: c.scalar(select(watermarks.c.value))) == "1"


# --- order of events -------------------------------------------------------------------------


def test_who_has_seen_an_event_never_finds_an_earlier_one_that_is_new(
    database: Database,
) -> None:
    seen: list[list[int]] = []
    done = threading.Event()

    def write(store: Store) -> None:
        for _ in range(60):
            store.write(lambda tx: tx.event(EventType.HEALTH_CHECK, owner="alice"))

    def look(store: Store) -> None:
        query = select(events.c.seq).order_by(events.c.seq)
        while not done.is_set():
            seen.append(list(store.read(lambda c: c.scalars(query).all())))

    with database.open() as one, database.open() as other, database.open() as reader:
        looking = threading.Thread(target=look, args=(reader,))
        writing = [threading.Thread(target=write, args=(s,)) for s in (one, other)]
        for thread in (looking, *writing):
            thread.start()
        for thread in writing:
            thread.join()
        done.set()
        looking.join()
    for before, after in pairwise(seen):
        assert after[: len(before)] == before


def test_the_number_of_an_event_is_not_used_again(either: Store) -> None:
    def number(tx: Transaction) -> int:
        tx.event(EventType.HEALTH_CHECK, owner="alice")
        return tx.events[-1].seq

    def fail(tx: Transaction) -> None:
        number(tx)
        raise LookupError

    first = either.write(number)
    with pytest.raises(LookupError):
        either.write(fail)
    second = either.write(number)
    either.write(lambda tx: tx.conn.execute(events.delete()))
    assert first < second < either.write(number)


# --- durability ------------------------------------------------------------------------------


def test_only_a_durable_write_waits_for_the_disk(served: Store) -> None:
    def commit(tx: Transaction) -> str:
        return tx.conn.exec_driver_sql("SHOW synchronous_commit").scalar_one()

    asked = [served.write(commit, durable=d) for d in (False, True, False)]
    assert asked == ["off", "on", "off"]


# --- a server that goes away -----------------------------------------------------------------


def test_a_restart_between_two_uses_is_not_noticed(postgres: Server, served: Store) -> None:
    served.write(add("a"))
    assert names(served) == ["a"]
    end_sessions(postgres)
    served.write(add("b"))
    end_sessions(postgres)
    assert names(served) == ["a", "b"]


def test_a_connection_lost_within_a_write_is_told_and_the_next_write_works(
    postgres: Server, served: Store
) -> None:
    def write(tx: Transaction) -> None:
        add("a")(tx)
        end_sessions(postgres)
        add("b")(tx)

    with pytest.raises(StoreError, match="lost") as caught:
        served.write(write)
    assert "look whether" in caught.value.hint
    served.write(add("c"))
    assert names(served) == ["c"]


def test_a_process_taken_for_dead_while_it_was_cut_off_writes_no_more(
    postgres: Server, shared: Database
) -> None:
    with shared.open() as one, shared.open() as other:
        end_sessions(postgres)
        assert eventually(lambda: one.process_id in other.dead_processes())
        other.write(lambda tx: other.end_process(tx, one.process_id))
        with pytest.raises(StoreError, match="took this one for dead") as caught:
            one.write(add("a"))
        assert "start this program again" in caught.value.hint
        with pytest.raises(StoreError, match="took this one for dead"):
            one.write(add("a"))
        assert names(other) == []


def test_a_process_that_came_back_in_time_is_alive_again(
    postgres: Server, shared: Database
) -> None:
    with shared.open() as one, shared.open() as other:
        end_sessions(postgres)
        one.write(add("a"))
        assert other.dead_processes() == []
        assert one.dead_processes() in ([], [other.process_id])


def test_processes_of_two_homes_see_each_other_live(shared: Database, tmp_path: Path) -> None:
    with shared.open() as one, Store.open(tmp_path / "elsewhere", url=shared.url) as other:
        assert one.dead_processes() == other.dead_processes() == []


# --- what is told to people ------------------------------------------------------------------


def test_a_writer_that_waits_too_long_is_told_and_goes_on_later(
    shared: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dialect, "BUSY_TIMEOUT_S", 0.05)
    go, busy = threading.Event(), threading.Event()
    with shared.open() as store, shared.open() as other:
        held = other.submit(lambda tx: (busy.set(), go.wait(10)))
        busy.wait(10)
        with pytest.raises(StoreError, match="locked"):
            store.write(add("a"))
        assert names(store) == []  # reading goes on
        go.set()
        held.result()
        session = store.write(backend)
        store.write(add("b"))
        assert store.write(backend) == session, "nothing was wrong with the connection"
        assert names(store) == ["b"]


@pytest.mark.parametrize(
    ("setting", "statement", "error", "says"),
    [
        ("statement_timeout = 20", "SELECT pg_sleep(5)", StoreError, "ended what was done"),
        ("transaction_read_only = on", "DELETE FROM scopes", StoreError, "read-only"),
        ("role = nobody_much", "DELETE FROM scopes", ConfigError, "may not do that"),
    ],
)
def test_what_the_server_refuses_is_told(
    postgres: Server, served: Store, setting: str, statement: str, error: type, says: str
) -> None:
    if "role" in setting and not postgres.execute(
        "SELECT 1 FROM pg_roles WHERE rolname = 'nobody_much'"
    ):
        postgres.execute("CREATE ROLE nobody_much")

    def write(tx: Transaction) -> None:
        tx.conn.execute(text(f"SET LOCAL {setting}"))
        tx.conn.execute(text(statement))

    with pytest.raises(error, match=says) as caught:
        served.write(write)
    assert caught.value.hint
    served.write(add("a"))


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("53100", "run out"),
        ("40001", "collided"),
        ("40P01", "collided"),
        ("57P01", "was lost"),
        ("57P03", "starting up"),
        ("58030", "gives errors"),
    ],
)
def test_what_cannot_be_made_to_happen_here_is_told(served: Store, code: str, says: str) -> None:
    told = served.database.explain(psycopg.errors.lookup(code)("x"))
    assert told is not None and says in told.message and told.hint
    assert served.database.explain(psycopg.errors.lookup("23505")("x")) is None


@pytest.mark.parametrize(
    ("url", "error", "says"),
    [
        ("postgresql://alice:secret@127.0.0.1:1/x", StoreError, "cannot reach .* refused"),
        ("postgresql://alice:secret@/x?host=/nowhere", StoreError, "cannot reach"),
        ("postgresql://alice:secret@[::1/x", ConfigError, "database_url"),
    ],
)
def test_a_server_that_is_not_there_is_told_without_a_password(
    home: Path, url: str, error: type, says: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(error, match=says) as caught:
        Store.open(home, url=url)
    assert caught.value.hint
    cause: BaseException | None = caught.value
    while cause is not None:
        assert "secret" not in str(cause)
        cause = cause.__cause__
    assert "secret" not in caplog.text


@pytest.mark.parametrize("wrong", ["database", "user"])
def test_a_wrong_name_is_a_config_error(postgres: Server, home: Path, wrong: str) -> None:
    url = postgres.url("nowhere" if wrong == "database" else "postgres")
    if wrong == "user":
        url = url.replace("//postgres:@", "//nobody_at_all:secret@")
    with pytest.raises(ConfigError, match="does not exist") as caught:
        Store.open(home, url=url)
    assert "database_url" in caught.value.hint
    assert "secret" not in caught.value.message


def test_a_database_that_is_not_in_utf_8_is_refused(postgres: Server, home: Path) -> None:
    url = postgres.empty("ENCODING 'LATIN1' LOCALE 'C'")
    with pytest.raises(ConfigError, match="LATIN1") as caught:
        Store.open(home, url=url)
    assert "createdb" in caught.value.hint


def test_without_the_driver_it_is_said_what_to_install(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "psycopg", None)
    with pytest.raises(ConfigError, match="driver of PostgreSQL is not installed") as caught:
        Store.open(home, url="postgresql://alice@localhost/x")
    assert "pip install 'llmos[postgres]'" in caught.value.hint
    assert not home.exists() or not list(home.glob("*.db"))
