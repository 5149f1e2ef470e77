import asyncio
import gc
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule
from sqlalchemy import select

from llmos.errors import BugError, LowBatteryError, UserError
from llmos.kernel.economy import Economy, Reservation, TokenEconomy
from llmos.kernel.ledger import dollars
from llmos.store import Store, new_id
from llmos.store.schema import dumps, ledger, reservations, scopes
from tests.conftest import OpenStore
from tests.store.children import reserve_until_refused, start
from tests.support.databases import Database

NESTED = ["system", "team:engineering", "user:alice", "run:1"]


class Wall:
    """A clock that stands until it is set."""

    def __init__(self) -> None:
        self.now = datetime(2023, 11, 30, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def wall() -> Wall:
    return Wall()


@pytest.fixture
def store(wall: Wall, open_store: OpenStore) -> Iterator[Store]:
    with open_store(wall) as opened:
        yield opened


@pytest.fixture
def economy(store: Store, wall: Wall) -> Economy:
    return Economy(store, wall)


def assert_sums_are_exact(store: Store) -> None:
    """The running sums are what the ledger and the open reservations add up to."""

    def check(conn) -> None:
        lines = conn.execute(select(ledger)).all()
        held = conn.execute(select(reservations).where(reservations.c.status == "open")).all()
        for scope in conn.execute(select(scopes)).all():
            mine = [x for x in lines if dumps(scope.name) in x.scopes]
            assert scope.spent_micro == sum(x.amount_micro for x in mine if x.kind == "spend")
            assert (scope.limit_micro or 0) == sum(
                x.amount_micro for x in mine if x.kind == "topup"
            )
            assert scope.reserved_micro == sum(
                max(0, r.amount_micro - r.spent_micro)
                for r in held
                if dumps(scope.name) in r.scopes
            )

    store.read(check)


async def test_a_reservation_holds_its_amount_in_every_scope_until_it_is_settled(
    economy: Economy, store: Store
) -> None:
    economy.set_limit("system", 10)
    held = await economy.reserve(NESTED, 4.0, note="run")
    for name in NESTED:
        assert economy.status(name).reserved_usd == 4.0
    assert economy.status("system").left_usd == 6.0
    await economy.spend(held, 1.25, "first call")
    status = economy.status("system")
    assert (status.spent_usd, status.reserved_usd, status.left_usd) == (1.25, 2.75, 6.0)
    await economy.settle(held, 1.5)
    for name in NESTED:
        assert (economy.status(name).spent_usd, economy.status(name).reserved_usd) == (1.5, 0)
    assert economy.status("system").left_usd == 8.5
    assert economy.status("run:1").left_usd is None
    assert_sums_are_exact(store)


@pytest.mark.parametrize("poor", NESTED)
async def test_what_one_scope_cannot_afford_is_held_in_none(
    economy: Economy, store: Store, poor: str
) -> None:
    for name in NESTED:
        economy.set_limit(name, 5)
    economy.set_limit(poor, 0.4)
    with pytest.raises(LowBatteryError) as caught:
        await economy.reserve(NESTED, 0.5, note="run")
    assert caught.value.message == f"{poor} has $0.40 left and this may cost $0.50"
    assert caught.value.hint == f"raise its limit: llmos budget set {poor} 1"
    assert [economy.status(n).reserved_usd for n in NESTED] == [0] * 4
    assert_sums_are_exact(store)


async def test_the_limit_the_hint_names_is_enough(economy: Economy) -> None:
    economy.set_limit("system", 1)
    await economy.reserve(["system"], 0.7, note="a")
    with pytest.raises(LowBatteryError) as caught:
        await economy.reserve(["system"], 2.5, note="b")
    economy.set_limit("system", float(caught.value.hint.split()[-1]))
    await economy.reserve(["system"], 2.5, note="b")


async def test_the_last_micro_dollar_can_be_reserved_and_not_one_more(economy: Economy) -> None:
    economy.set_limit("system", 0.3)
    for _ in range(3):
        await economy.reserve(["system"], 0.1, note="exact")
    with pytest.raises(LowBatteryError, match=r"\$0.00 left and this may cost \$0.000001"):
        await economy.reserve(["system"], 0.000001, note="more")


async def test_paid_is_paid_even_beyond_what_was_held(economy: Economy, store: Store) -> None:
    economy.set_limit("system", 1)
    held = await economy.reserve(["system"], 0.5, note="run")
    await economy.spend(held, 2, "a call that cost more than anyone thought")
    assert economy.status("system").left_usd == -1
    await economy.settle(held)
    assert economy.status("system").left_usd == -1
    with pytest.raises(LowBatteryError, match=r"-\$1.00 left"):
        await economy.reserve(["system"], 0.01, note="next")
    await economy.reserve(["system"], 0, note="a run that costs nothing is still free")
    assert_sums_are_exact(store)


async def test_settling_again_changes_nothing(economy: Economy, store: Store) -> None:
    held = await economy.reserve(["system"], 1, note="run")
    await economy.settle(held, 0.25)
    await economy.settle(held, 0.75)
    await economy.settle(held)
    await economy.release(held)
    assert economy.status("system").spent_usd == 0.25
    assert [(r.kind, r.usd, r.note) for r in economy.history()] == [("spend", 0.25, "run")]
    assert_sums_are_exact(store)


async def test_settling_for_less_than_was_told_takes_nothing_back(economy: Economy) -> None:
    held = await economy.reserve(["system"], 1, note="run")
    await economy.spend(held, 0.5, "call")
    await economy.settle(held, 0.3)
    assert economy.status("system").spent_usd == 0.5


async def test_release_frees_the_rest_and_keeps_what_was_spent(
    economy: Economy, store: Store
) -> None:
    held = await economy.reserve(["system"], 1, note="run")
    await economy.spend(held, 0.2, "call")
    await economy.release(held)
    await economy.release(held)
    status = economy.status("system")
    assert (status.spent_usd, status.reserved_usd) == (0.2, 0)
    await economy.settle(held, 0.3, "the bill came after all")
    assert economy.status("system").spent_usd == 0.3
    assert_sums_are_exact(store)


async def test_an_expired_reservation_is_freed_and_still_pays(
    economy: Economy, store: Store, wall: Wall
) -> None:
    held = await economy.reserve(["system"], 1, note="slow run", ttl_s=60)
    await economy.spend(held, 0.2, "call")
    await economy.reserve(["system"], 3, note="another", ttl_s=3600)
    wall.now += timedelta(seconds=59)
    assert economy.expire() == 0
    wall.now += timedelta(seconds=1)
    assert economy.expire() == 1
    assert economy.expire() == 0
    assert economy.status("system").reserved_usd == 3
    await economy.spend(held, 0.3, "it was alive after all")
    await economy.settle(held, 0.6)
    assert economy.status("system").spent_usd == 0.6
    assert economy.status("system").reserved_usd == 3
    assert_sums_are_exact(store)


async def test_what_a_closed_process_still_held_is_freed(database: Database) -> None:
    with database.open() as one:
        await Economy(one).reserve(["system"], 1, note="left open")
        with database.open() as other:
            assert Economy(other).expire() == 0
    with database.open() as later:
        assert Economy(later).expire() == 1
        assert Economy(later).status("system").reserved_usd == 0


async def test_a_cancelled_reserve_holds_nothing(economy: Economy, store: Store) -> None:
    go = threading.Event()
    store.submit(lambda tx: go.wait(10))
    task = asyncio.create_task(economy.reserve(["system"], 1, note="run"))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    go.set()
    await store.awrite(lambda tx: None)
    assert economy.status("system").reserved_usd == 0
    rows = store.read(lambda c: c.execute(select(reservations)).all())
    assert [r.status for r in rows] == ["released"]


async def test_a_cancelled_spend_is_written_down_all_the_same(
    economy: Economy, store: Store
) -> None:
    held = await economy.reserve(["system"], 1, note="run")
    go = threading.Event()
    store.submit(lambda tx: go.wait(10))
    task = asyncio.create_task(economy.spend(held, 0.5, "paid"))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    go.set()
    await store.awrite(lambda tx: None)
    assert economy.status("system").spent_usd == 0.5


async def test_fifty_concurrent_runs_hold_to_the_cent(economy: Economy, store: Store) -> None:
    economy.set_limit("system", 10)
    economy.set_limit("user:bob", 3)

    async def run(i: int) -> float:
        names = ["system", "user:bob" if i % 2 else "user:alice", f"run:{i}"]
        try:
            held = await economy.reserve(names, 0.37, note=f"run {i}")
        except LowBatteryError:
            return 0.0
        await economy.spend(held, 0.11, "call 1")
        await economy.spend(held, 0.07, "call 2")
        if i % 5 == 0:
            await economy.release(held)  # a failed run is paid for, too
            return 0.18
        await economy.settle(held, 0.29)
        return 0.29

    # All reserve before any settles: 8 of bob's 25 fit into 3 dollars, 19 of alice's into the rest.
    paid = await asyncio.gather(*(run(i) for i in range(50)))
    assert sum(map(bool, paid)) == 27 == 10 // 0.37
    assert sum(map(bool, paid[1::2])) == 8 == 3 // 0.37
    assert round(sum(paid), 2) == economy.status("system").spent_usd
    assert economy.status("system").reserved_usd == 0
    assert_sums_are_exact(store)


def test_two_processes_hold_one_budget_to_the_cent(database: Database) -> None:
    with database.open() as store:
        Economy(store).set_limit("system", 2.00)
        children = [start(reserve_until_refused, database) for _ in range(2)]
        for child in children:
            child.join()
        assert [c.exitcode for c in children] == [0, 0]
        status = Economy(store).status("system")
        assert (status.spent_usd, status.reserved_usd, status.left_usd) == (2.0, 0, 0)
        assert_sums_are_exact(store)


def test_the_core_can_be_composed_into_one_transaction(economy: Economy, store: Store) -> None:
    def run(tx) -> Reservation:
        held = economy.reserve_in(tx, ["system"], 1, note="run")
        Economy.spend_in(tx, held, 0.25)
        Economy.settle_in(tx, held, 0.5)
        return held

    def fail(tx) -> None:
        run(tx)
        raise LookupError

    with pytest.raises(LookupError):
        store.write(fail)
    assert economy.history() == []
    held = store.write(run)
    assert [(r.usd, r.note, r.reservation_id) for r in economy.history()] == [
        (0.25, "run", held.id),
        (0.25, "run", held.id),
    ]
    assert_sums_are_exact(store)


def test_limits_are_kept_and_their_changes_written_down(economy: Economy, store: Store) -> None:
    assert economy.limit("system") is None
    for usd in (10, 10, 2.5, None, 4):
        economy.set_limit("system", usd)
    assert economy.limit("system") == 4
    assert [(r.kind, r.usd, r.note) for r in economy.history()] == [
        ("topup", 4, "limit $4.00"),
        ("topup", -2.5, "no limit"),
        ("topup", -7.5, "limit $2.50"),
        ("topup", 10, "limit $10.00"),
    ]
    assert [r.note for r in economy.history(limit=1)] == ["limit $4.00"]
    assert_sums_are_exact(store)


def test_a_scope_that_was_never_used_has_spent_nothing(economy: Economy) -> None:
    status = economy.status("user:nobody")
    assert (status.limit_usd, status.spent_usd, status.reserved_usd, status.left_usd) == (
        None,
        0,
        0,
        None,
    )


@pytest.mark.parametrize("usd", [-0.01, float("nan"), float("inf"), 1e13])
async def test_what_is_no_amount_is_refused(economy: Economy, usd: float) -> None:
    held = await economy.reserve(["system"], 1, note="run")
    with pytest.raises(UserError, match="not an amount"):
        economy.set_limit("system", usd)
    for call in (
        economy.reserve(["system"], usd, note="run"),
        economy.spend(held, usd, "call"),
        economy.settle(held, usd),
    ):
        with pytest.raises(UserError, match="not an amount"):
            await call
    assert economy.status("system").reserved_usd == 1


@pytest.mark.parametrize("names", [[], [""], ["a b"], ["x" * 161], ["a\n"]])
async def test_what_is_no_scope_is_refused(economy: Economy, names: list[str]) -> None:
    with pytest.raises(UserError, match="scope"):
        await economy.reserve(names, 1, note="run")


async def test_a_scope_named_twice_is_held_once(economy: Economy) -> None:
    await economy.reserve(["system", "user:alice", "system"], 1, note="run")
    assert economy.status("system").reserved_usd == 1


async def test_a_reservation_that_was_never_made_is_a_bug(economy: Economy) -> None:
    with pytest.raises(BugError, match="never made"):
        await economy.settle(Reservation(new_id(), ("system",), 1.0), 1)


@pytest.mark.parametrize(
    ("micro", "text"),
    [
        (0, "$0.00"),
        (1, "$0.000001"),
        (1_500_000, "$1.50"),
        (-2_000_000, "-$2.00"),
        (12_345_678, "$12.345678"),
        (10_000_000, "$10.00"),
    ],
)
def test_amounts_are_shown_with_cents_and_without_loss(micro: int, text: str) -> None:
    assert dollars(micro) == text


# --- the façade ------------------------------------------------------------------------------


def test_token_economy_works_as_documented() -> None:
    economy = TokenEconomy(budget_usd=10.0)
    assert economy.check_budget(0.50)
    economy.deduct(0.45, "Learn: Create script")
    assert economy.balance == 9.55
    assert [(r.usd, r.note) for r in economy.history] == [(0.45, "Learn: Create script")]
    with pytest.raises(LowBatteryError, match=r"system has \$9.55 left .* \$9.56"):
        economy.check_budget(9.56)
    assert economy.balance == 9.55


def test_token_economy_writes_down_what_was_paid_beyond_the_budget() -> None:
    economy = TokenEconomy(budget_usd=1.0)
    economy.deduct(0.6, "a")
    economy.deduct(0.6, "b")
    assert economy.balance == pytest.approx(-0.2)
    assert [r.note for r in economy.history] == ["a", "b"]
    assert economy.check_budget(0)


def test_token_economy_of_a_store_counts_what_others_spent_there(
    economy: Economy, store: Store
) -> None:
    store.write(
        lambda tx: economy.settle_in(
            tx, economy.reserve_in(tx, ["system", "user:bob"], 1, note="run"), 0.5
        )
    )
    assert TokenEconomy(2.0, store=store).balance == 1.5
    assert TokenEconomy(2.0, store=store, scope="user:alice").balance == 2.0


def test_a_token_economy_that_is_let_go_takes_its_thread_along() -> None:
    before = threading.active_count()
    economy = TokenEconomy()
    assert threading.active_count() == before + 1
    del economy
    gc.collect()
    assert threading.active_count() == before


# --- any sequence of calls -------------------------------------------------------------------

amounts = st.integers(0, 3_000_000).map(lambda micro: micro / 1_000_000)
scope_names = st.sampled_from(["system", "team:x", "user:alice", "user:bob"])


class AnySequence(RuleBasedStateMachine):
    """Whatever is called in whatever order, the sums are exact and nothing is overdrawn."""

    held = Bundle("held")

    def __init__(self) -> None:
        super().__init__()
        self.wall = Wall()
        self.store = Store.memory(self.wall)
        self.economy = Economy(self.store, self.wall)

    @rule(scope=scope_names, usd=st.none() | amounts)
    def set_limit(self, scope: str, usd: float | None) -> None:
        self.economy.set_limit(scope, usd)
        assert self.economy.limit(scope) == usd

    @rule(
        target=held,
        names=st.lists(scope_names, min_size=1, max_size=4),
        usd=amounts,
        ttl=st.integers(1, 100),
    )
    def reserve(self, names: list[str], usd: float, ttl: int) -> Reservation | None:
        before = {n: self.economy.status(n) for n in names}
        fits = all(s.left_usd is None or usd == 0 or usd <= s.left_usd for s in before.values())
        try:
            made = self.store.write(
                lambda tx: self.economy.reserve_in(tx, names, usd, note="r", ttl_s=ttl)
            )
        except LowBatteryError:
            assert not fits
            assert {n: self.economy.status(n) for n in names} == before
            return None
        assert fits
        for name in names:
            left = self.economy.status(name).left_usd
            assert left is None or left >= 0 or usd == 0
        return made

    @rule(held=held, usd=amounts)
    def spend(self, held: Reservation | None, usd: float) -> None:
        if held:
            self.store.write(lambda tx: self.economy.spend_in(tx, held, usd))

    @rule(held=held, usd=st.none() | amounts, again=st.none() | amounts)
    def settle(self, held: Reservation | None, usd: float | None, again: float | None) -> None:
        if held:
            self.store.write(lambda tx: self.economy.settle_in(tx, held, usd))
            settled = self.economy.history(3), self.economy.status(held.scopes[0])
            self.store.write(lambda tx: self.economy.settle_in(tx, held, again))
            assert (self.economy.history(3), self.economy.status(held.scopes[0])) == settled

    @rule(held=held)
    def release(self, held: Reservation | None) -> None:
        if held:
            self.store.write(lambda tx: self.economy.release_in(tx, held))

    @rule(seconds=st.integers(0, 60))
    def time_passes(self, seconds: int) -> None:
        self.wall.now += timedelta(seconds=seconds)
        self.economy.expire()
        assert self.economy.expire() == 0

    @invariant()
    def sums_are_exact(self) -> None:
        assert_sums_are_exact(self.store)

    def teardown(self) -> None:
        self.store.close()


TestAnySequence = AnySequence.TestCase
TestAnySequence.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
