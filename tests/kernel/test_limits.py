"""A hook that hangs hangs nothing: a guard refuses its call, others are left out; it is told."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from sqlalchemy import select

from llmos import LLMOS, LLMOSConfig, Mode
from llmos.kernel.admission import HookCall, Hooks
from llmos.kernel.limits import NoAnswer, awaited_within, within
from llmos.memory.injection import Asked, Injected
from llmos.store.schema import events
from tests.conftest import MakeOS, recording

SOON = LLMOSConfig(hook_seconds=0.05)
WRITE = recording("Write a", ("Write", {"file_path": "a.txt", "content": "a\n"}))


class Hanging:
    """Does not come back before it is let go."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.called = 0

    def __call__(self, *given: object) -> Any:
        self.called += 1
        if not self.go.wait(30):
            raise AssertionError("nobody has let it go")
        return [Injected("the wiki", "Be kind.")] if isinstance(given[0], Asked) else None


@pytest.fixture
def hook() -> Iterator[Hanging]:
    made = Hanging()
    yield made
    made.go.set()


def alerts(os: LLMOS) -> list[tuple[str, str]]:
    query = select(events.c.owner, events.c.title).where(events.c.type == "SYSTEM_ALERT")
    return [tuple(r) for r in os._kernel.store.read(lambda c: c.execute(query).all())]


async def stubborn(call: HookCall) -> None:
    """Ignores that it is cancelled, for a while."""
    with pytest.raises(asyncio.CancelledError):
        await asyncio.sleep(30)
    await asyncio.sleep(0.2)


@pytest.mark.parametrize("make", [Hanging, lambda: stubborn])
async def test_a_guard_that_hangs_refuses_the_call(
    make_os: MakeOS, make: Callable[[], Any], cwd: Any
) -> None:
    guard = make()
    os = await make_os([WRITE], config=SOON, hooks=Hooks(pre_tool_use=(guard,)))
    result = await os.execute(WRITE.goal)
    assert not result.success and not (cwd / "a.txt").exists()
    ((owner, title),) = alerts(os)
    name = getattr(guard, "__name__", "Hanging")
    assert (owner, title) == (
        "alice",
        f"hook {name!r} did not answer within 0.05 s: Write was refused",
    )
    if isinstance(guard, Hanging):
        guard.go.set()


async def test_what_is_told_of_a_call_and_hangs_is_left_out(
    make_os: MakeOS, hook: Hanging, cwd: Any
) -> None:
    seen: list[str] = []
    hooks = Hooks(post_tool_use=(hook, lambda call: seen.append(call.tool)))
    os = await make_os([WRITE], config=SOON, hooks=hooks)
    result = await os.execute(WRITE.goal)
    assert result.success and (cwd / "a.txt").exists()
    assert seen == ["Write"], "the others are told"
    (warning,) = result.warnings
    assert warning == "hook 'Hanging' did not answer within 0.05 s: the run went on without it"
    assert len(alerts(os)) == 1


async def test_a_memory_hook_that_hangs_adds_nothing_and_is_not_asked_again_meanwhile(
    make_os: MakeOS, hook: Hanging
) -> None:
    def kind(asked: Asked) -> Iterable[Injected]:
        yield Injected("b", "Bob.")

    os = await make_os([WRITE], config=SOON, memory=[hook, kind])
    first = await os.execute(WRITE.goal)
    assert first.success
    assert "memory hook 'Hanging' did not answer within 0.05 s and added nothing" in first.warnings
    second = await os.execute(WRITE.goal)
    assert second.mode is Mode.FOLLOWER, "the same was told: what the other hook adds"
    assert any("has not answered since an earlier call" in w for w in second.warnings)
    assert (hook.called, len(alerts(os))) == (1, 1)
    hook.go.set()
    while any(t.name == "llmos-hook" for t in threading.enumerate()):
        await asyncio.sleep(0)
    assert not (await os.execute(WRITE.goal)).warnings
    assert hook.called == 2


async def test_other_runs_go_on_while_a_hook_hangs(make_os: MakeOS, hook: Hanging) -> None:
    slow = await make_os([WRITE], config=LLMOSConfig(hook_seconds=10), memory=[hook])
    other = await make_os([WRITE])
    waiting = asyncio.ensure_future(slow.execute(WRITE.goal))
    while not hook.called:
        await asyncio.sleep(0)
    assert (await other.execute(WRITE.goal)).success and not waiting.done()
    hook.go.set()
    assert (await waiting).success


# --- the parts -----------------------------------------------------------------------------------


async def test_what_a_hook_returns_and_raises_comes_through() -> None:
    def breaks() -> None:
        raise KeyError("x")

    async def later(n: int) -> int:
        await asyncio.sleep(0)
        return n + 1

    for seconds in (0.0, 5.0):
        assert within(seconds, lambda: 7, breaks) == 7
        assert await awaited_within(seconds, later, 1) == 2
        assert await awaited_within(seconds, lambda n: later(n), 1) == 2, "it returns a coroutine"
        assert await awaited_within(seconds, lambda: 7) == 7
        with pytest.raises(KeyError):
            within(seconds, breaks, breaks)
        with pytest.raises(KeyError):
            await awaited_within(seconds, breaks)


async def test_the_limit_is_for_all_of_it() -> None:
    async def forever() -> None:
        await asyncio.Event().wait()

    with pytest.raises(NoAnswer, match=r"'<lambda>' did not answer within 0\.05 s") as caught:
        await awaited_within(0.05, lambda: forever())
    assert caught.value.hint == "give it longer: llmos config set hook_seconds"
