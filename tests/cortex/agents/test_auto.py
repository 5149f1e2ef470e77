"""``agent="auto"``: what is known stays with who did it, the rest goes to who is best."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest

from llmos import LLMOS, LLMOSConfig, Mode, tool
from llmos.cortex.agents.records import runs_of
from llmos.cortex.processors import RecordedProcessor
from llmos.errors import LLMOSError, UserError
from llmos.values import Context, Event, Limits, Syscalls
from tests.conftest import MakeOS, recording

AGENT = "---\nname: {name}\ndescription: {fits}\n---\nI am {name}.\n"


def goal(n: int) -> str:
    return f"Write {n} greetings into the file"


def goals(n: int) -> Sequence[Any]:
    write = "Write"
    made = {"file_path": "hello.txt", "content": "hello\n"}
    return [recording(goal(i), (write, made), output="Ok.") for i in range(n)]


class Skilled(RecordedProcessor):
    """Does a goal only as an agent that can; so tells who was asked."""

    def __init__(self, can: str, number: int = 40) -> None:
        super().__init__({t.goal: t for t in goals(number)})
        self.can = can
        self.asked: list[str] = []

    async def run(
        self, goal: str, context: Context, syscalls: Syscalls, limits: Limits
    ) -> AsyncIterator[Event]:
        who = context.system.removeprefix("I am ").removesuffix(".")
        self.asked.append(who)
        if who != self.can:
            raise LLMOSError("I do not know how")
        async for event in super().run(goal, context, syscalls, limits):
            yield event


async def with_agents(make_os: MakeOS, processor: Skilled, **more: Any) -> LLMOS:
    os = await make_os(processor=processor, **more)
    for name in ("good", "idle"):
        os.kernel.agents.create(AGENT.format(name=name, fits="Whatever is left"))
    return os


async def test_without_any_record_the_default_does_what_no_description_fits(
    make_os: MakeOS,
) -> None:
    os = await with_agents(make_os, Skilled(""))
    decision, _ = os.explain(goal(0), agent="auto")
    assert "agent auto: the default, since it is the best known" in decision.reason
    assert "60% of 0 runs" in decision.reason and not decision.explored


async def test_whose_description_fits_is_asked_first(make_os: MakeOS) -> None:
    os = await with_agents(make_os, Skilled("scribe"))
    fits = "Write greetings into the file"
    os.kernel.agents.create(AGENT.format(name="scribe", fits=fits))
    result = await os.execute(goal(0), agent="auto")
    assert os.traces.get(result.trace_id).agent.startswith("scribe@")


async def test_an_agent_that_does_better_is_chosen_after_a_few_runs(make_os: MakeOS) -> None:
    processor = Skilled("good")
    os = await with_agents(make_os, processor, rng=Random(7))
    for n in range(3):
        await os.execute(goal(n), agent="good")
        await os.execute(goal(n))
    results = [await os.execute(goal(n), agent="auto") for n in range(3, 13)]
    won = [r for r in results if os.traces.get(r.trace_id).agent.startswith("good@")]
    assert len(won) >= 6
    tried = [r for r in results if r.decision.explored]
    assert len(tried) <= 4, "something else is tried within a bound"
    assert "good: " in won[-1].decision.reason and " runs, $" in won[-1].decision.reason


async def test_what_is_known_stays_with_who_did_it_and_is_free(make_os: MakeOS) -> None:
    processor = Skilled("good")
    os = await with_agents(make_os, processor, rng=Random(7))
    await os.execute(goal(0), agent="good")
    again = await os.execute(goal(0), agent="auto")
    assert again.mode is Mode.FOLLOWER and processor.asked == ["good"]
    assert "agent auto: good, with which this is known already" in again.decision.reason
    assert os.traces.get(again.trace_id).agent.startswith("good@")


async def test_what_the_default_knows_stays_with_it_however_good_others_are(
    make_os: MakeOS,
) -> None:
    processor = Skilled("")
    os = await with_agents(make_os, processor, rng=Random(7))
    await os.execute(goal(0))
    processor.can = "good"
    for n in range(1, 6):
        await os.execute(goal(n), agent="good")
    again = await os.execute(goal(0), agent="auto")
    assert again.mode is Mode.FOLLOWER
    assert "the default, with which this is known already" in again.decision.reason


async def test_a_new_version_of_an_agent_does_not_keep_what_the_old_one_knew(
    make_os: MakeOS,
) -> None:
    os = await with_agents(make_os, Skilled("good"))
    await os.execute(goal(0), agent="good")
    changed = AGENT.format(name="good", fits="Whatever is left") + "Briefly.\n"
    os.kernel.agents.modify("good", changed)
    assert "with which this is known" not in os.explain(goal(0), agent="auto")[0].reason


async def test_the_same_chance_chooses_the_same_and_explaining_uses_none_up(
    make_os: MakeOS, tmp_path: Path
) -> None:
    chosen = []
    for k in range(2):
        home = tmp_path / f"home{k}"
        os = await with_agents(make_os, Skilled("good"), rng=Random(3), home=home)
        await os.execute(goal(0), agent="good")
        mine = []
        for n in range(1, 6):
            foreseen, _ = os.explain(goal(n), agent="auto")
            result = await os.execute(goal(n), agent="auto")
            assert foreseen.reason == result.decision.reason
            mine.append(result.decision.reason)
        chosen.append(mine)
    assert chosen[0] == chosen[1]


async def test_nothing_is_tried_where_something_outside_is_at_stake(make_os: MakeOS) -> None:
    @tool(effects="external")
    def send(text: str) -> str:
        """Send it."""
        return "sent"

    made = [recording(goal(i), ("send", {"text": "hello"})) for i in range(12)]
    processor = RecordedProcessor({t.goal: t for t in made})
    config = LLMOSConfig(allow=("send",))
    os = await make_os(processor=processor, plugins=[send], rng=Random(1), config=config)
    os.kernel.agents.create(AGENT.format(name="good", fits="Whatever is left"))
    assert (await os.execute(goal(0))).success
    for n in range(1, 12):
        assert not (await os.execute(goal(n), agent="auto")).decision.explored


async def test_only_ones_own_runs_count(make_os: MakeOS) -> None:
    bob = await with_agents(make_os, Skilled("good"), user_id="bob")
    for n in range(4):
        await bob.execute(goal(n), agent="good")
    alice = await with_agents(make_os, Skilled("good"), user_id="alice")
    assert "of 0 runs" in alice.explain(goal(9), agent="auto")[0].reason
    store = alice.kernel._kernel.store
    assert store.read(lambda c: runs_of(c, "alice")) == []
    assert len(store.read(lambda c: runs_of(c, "bob"))) == 4


async def test_no_agent_can_be_named_auto(make_os: MakeOS) -> None:
    os = await make_os()
    with pytest.raises(UserError, match="'auto' means that an agent is chosen"):
        os.kernel.agents.create(AGENT.format(name="auto", fits="d"))
