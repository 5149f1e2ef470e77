"""Live events: nobody waits for a listener, and a slow one knows what it lost."""

from __future__ import annotations

import asyncio
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmos.kernel.bus import Bus, Subscription


async def rest(listener: Subscription[int]) -> list[int]:
    """All that a closed listener still has."""
    return [item async for item in listener]


async def test_every_listener_is_told_everything_in_order() -> None:
    bus = Bus[int]()
    one, two = bus.subscribe(), bus.subscribe()
    bus.publish([1, 2])
    bus.publish([3])
    for listener in (one, two):
        listener.close()
        assert await rest(listener) == [1, 2, 3]
        assert listener.dropped == 0


async def test_a_listener_hears_nothing_of_before_it_listened() -> None:
    bus = Bus[int]()
    bus.publish([1])
    listener = bus.subscribe()
    bus.publish([2])
    listener.close()
    assert await rest(listener) == [2]


async def test_a_slow_listener_loses_the_oldest_and_is_told_how_many() -> None:
    bus = Bus[int]()
    slow, quick = bus.subscribe(size=3), bus.subscribe()
    for i in range(10):
        bus.publish([i])
    assert slow.dropped == 7
    slow.close()
    quick.close()
    assert await rest(slow) == [7, 8, 9]
    assert await rest(quick) == list(range(10))


@given(st.lists(st.lists(st.integers(), max_size=5), max_size=8), st.integers(1, 6))
def test_what_is_kept_and_what_was_lost_add_up(batches: list[list[int]], size: int) -> None:
    async def main() -> None:
        bus = Bus[int]()
        listener = bus.subscribe(size)
        for batch in batches:
            bus.publish(batch)
        everything = [item for batch in batches for item in batch]
        listener.close()
        got = await rest(listener)
        assert got == everything[max(0, len(everything) - size) :]
        assert listener.dropped == len(everything) - len(got)

    asyncio.run(main())


async def test_a_listener_that_waits_is_woken() -> None:
    bus = Bus[int]()
    listener = bus.subscribe()
    for i in range(3):
        waiting = asyncio.ensure_future(anext(listener))
        await asyncio.sleep(0)
        assert not waiting.done()
        bus.publish([i])
        assert await waiting == i


async def test_closing_ends_the_waiting() -> None:
    bus = Bus[int]()
    listener = bus.subscribe()
    waiting = asyncio.ensure_future(anext(listener, None))
    await asyncio.sleep(0)
    listener.close()
    listener.close()
    assert await waiting is None
    bus.publish([1])
    assert await rest(listener) == []


async def test_what_came_before_the_close_can_still_be_read() -> None:
    bus = Bus[int]()
    listener = bus.subscribe()
    bus.publish([1, 2])
    listener.close()
    bus.publish([3])
    assert await rest(listener) == [1, 2]


async def test_publishing_from_many_threads_loses_nothing() -> None:
    bus = Bus[int]()
    listener = bus.subscribe(size=10_000)
    threads = [
        threading.Thread(target=lambda t=t: [bus.publish([1000 * t + i]) for i in range(500)])
        for t in range(4)
    ]
    for thread in threads:
        thread.start()
    got = [await anext(listener) for _ in range(2000)]
    for thread in threads:
        thread.join()
    assert sorted(got) == sorted(1000 * t + i for t in range(4) for i in range(500))
    for t in range(4):
        assert [x for x in got if x // 1000 == t] == [1000 * t + i for i in range(500)]


async def test_a_blocked_loop_holds_a_bounded_number_of_events_and_nobody_up() -> None:
    bus = Bus[int]()
    listener = bus.subscribe(size=10)
    loop = asyncio.get_running_loop()
    handles: list[object] = []
    schedule = loop.call_soon_threadsafe
    loop.call_soon_threadsafe = lambda *a, **k: handles.append(a) or schedule(*a, **k)  # type: ignore
    publisher = threading.Thread(target=lambda: [bus.publish([i]) for i in range(5000)])
    publisher.start()
    publisher.join()  # blocks this loop: it returns only if publishing does not wait
    assert len(handles) <= 1
    assert listener.dropped == 4990
    assert await anext(listener) == 4990


def test_a_listener_whose_loop_is_gone_does_not_disturb_the_others() -> None:
    bus = Bus[int]()

    async def listen() -> Subscription[int]:
        return bus.subscribe()

    gone = asyncio.run(listen())

    async def main() -> int:
        listener = bus.subscribe()
        bus.publish([1])
        return await anext(listener)

    assert asyncio.run(main()) == 1
    gone.close()


def test_listening_needs_a_running_loop() -> None:
    with pytest.raises(RuntimeError):
        Bus[int]().subscribe()
