"""A model with many tools is given few, finds the others, and may call what the kernel grants."""

from __future__ import annotations

from llmos import LLMOSConfig, Mode, Step, Trace
from llmos.config import LLMOSConfig as Config
from llmos.cortex.processors import RecordedProcessor
from llmos.cortex.tool_search.offer import BUILT_IN, stored_offer
from tests.conftest import MakeOS
from tests.cortex.tool_search.conftest import Model, Notes, crowd

GOAL = "Stamp the letter"
CONFIG = LLMOSConfig(tools_given=3, allow=("notes.publish",))


async def silent(model: Model) -> str:
    return "Nothing to do."


async def stamp_the_letter(model: Model) -> str:
    (note,) = (await model.call("notes.find", text="letter")).observation
    await model.call("notes.stamp", note=note["note"], mark="seen")
    return "Stamped."


async def test_few_tools_are_all_given_as_ever(make_os: MakeOS) -> None:
    model = Model(silent)
    os = await make_os(processor=model, plugins=Notes().plugins(), config=Config(run_program=False))
    await os.execute(GOAL)
    assert model.given == os._kernel.registry.specs()


async def test_of_many_tools_those_that_fit_and_a_search_are_given(make_os: MakeOS) -> None:
    model = Model(silent)
    os = await make_os(processor=model, plugins=[*crowd(60), *Notes().plugins()], config=CONFIG)
    result = await os.execute(GOAL)
    others = set(model.names) - BUILT_IN - {"search_tools", "call_tool", "run_program"}
    assert others == {"notes.find", "notes.stamp", "notes.publish"}
    assert {"search_tools", "call_tool", "run_program"} | BUILT_IN <= set(model.names)

    told = stored_offer(os._kernel.store, result.trace_id)
    assert told is not None and told["of"] == 70
    assert set(told["given"]) == others | BUILT_IN
    assert told["given"]["notes.stamp"] == "words"
    assert os.offer(GOAL).as_dict() == {"of": told["of"], "given": told["given"]}


async def test_what_a_search_finds_can_be_called_from_then_on(make_os: MakeOS) -> None:
    async def search(model: Model) -> str:
        assert "notes.stamp" not in model.tools()
        found = await model.call("search_tools", query="put a mark on a note")
        assert not found.is_error and found.step is None
        assert found.observation["found"][0]["tool"] == "notes.stamp"
        assert "mark" in found.observation["found"][0]["parameters"]["properties"]
        assert "notes.stamp" in model.tools()
        again = await model.call("search_tools", query="put a mark on a note")
        assert again.observation["given_already"][0] == "notes.stamp"
        return (await model.call("notes.stamp", note="n1", mark="seen")).text

    model, notes = Model(search, rereads_tools=True), Notes()
    os = await make_os(processor=model, plugins=[*crowd(60), *notes.plugins()], config=CONFIG)
    result = await os.execute("Oil the machine")
    assert result.success, result.error
    assert "call_tool" not in model.names
    assert notes.stamped == ["n1:seen"]
    assert [s.tool for s in result.steps] == ["notes.stamp"], "a search is no step"
    told = stored_offer(os._kernel.store, result.trace_id)
    assert told is not None
    assert told["searched"][0]["query"] == "put a mark on a note"


async def test_a_processor_that_asks_once_calls_what_it_found_by_call_tool(
    make_os: MakeOS,
) -> None:
    async def search(model: Model) -> str:
        await model.call("search_tools", query="mark notes")
        given = {"note": "n1", "mark": "seen"}
        result = await model.call("call_tool", tool="notes.stamp", arguments=given)
        assert result.step == 0
        for wrong in ({"tool": "call_tool", "arguments": {}}, {"tool": 3}):
            assert (await model.call("call_tool", **wrong)).is_error
        return result.text

    notes = Notes()
    os = await make_os(
        processor=Model(search), plugins=[*crowd(60), *notes.plugins()], config=CONFIG
    )
    result = await os.execute("Oil the machine")
    assert [s.tool for s in result.steps] == ["notes.stamp"]
    assert notes.stamped == ["n1:seen"]


async def test_narrowing_neither_forbids_nor_allows_a_call(make_os: MakeOS) -> None:
    async def unseen(model: Model) -> str:
        assert "press0.part_1" not in model.tools()
        assert (await model.call("press0.part_1", machine="a")).text == "fine"
        for way in ("notes.publish", "call_tool"):
            given = {"note": "n1"}
            asked = given if way != "call_tool" else {"tool": "notes.publish", "arguments": given}
            refused = await model.call(way, **asked)
            assert refused.is_error and "denied" in refused.text
        return "Looked."

    config = LLMOSConfig(tools_given=3, deny=("notes.publish",))
    os = await make_os(
        processor=Model(unseen), plugins=[*crowd(60), *Notes().plugins()], config=config
    )
    result = await os.execute(GOAL)
    assert result.success, result.error
    assert [s.tool for s in result.steps] == ["press0.part_1"]


async def test_what_near_goals_used_is_given(make_os: MakeOS) -> None:
    async def odd(model: Model) -> str:
        return (await model.call("press3.part_31", machine="a")).text

    model = Model(odd)
    os = await make_os(processor=model, plugins=[*crowd(60), *Notes().plugins()], config=CONFIG)
    await os.execute("Cheer bob up before noon")
    assert "press3.part_31" not in model.names
    await os.execute("Cheer alice up before noon")
    assert "press3.part_31" in model.names
    assert os.offer("Cheer carol up").why["press3.part_31"] == "past"


async def test_a_replay_is_what_it_was_with_many_tools(make_os: MakeOS) -> None:
    notes = Notes()
    os = await make_os(
        processor=Model(stamp_the_letter, rereads_tools=True),
        plugins=[*crowd(60), *notes.plugins()],
        config=CONFIG,
    )
    first = await os.execute(GOAL)
    assert first.mode is Mode.LEARNER
    await os.undo(first.trace_id)
    second = await os.execute(GOAL)
    assert (second.mode, second.success, second.usage.total_tokens) == (Mode.FOLLOWER, True, 0)
    assert notes.stamped == ["n3:seen"]
    assert stored_offer(os._kernel.store, second.trace_id) is None


async def test_a_run_that_only_searched_leaves_nothing_to_follow(make_os: MakeOS) -> None:
    async def ask(model: Model) -> str:
        return (await model.call("search_tools", query="notes")).text

    os = await make_os(
        processor=Model(ask), plugins=[*crowd(60), *Notes().plugins()], config=CONFIG
    )
    first = await os.execute("Which tools are there for notes?")
    assert first.steps == ()
    assert (await os.execute("Which tools are there for notes?")).mode is not Mode.FOLLOWER


async def test_a_recording_is_played_with_tools_that_it_was_not_shown(make_os: MakeOS) -> None:
    step = Step("press0.part_1", {"machine": "a"}, "fine")
    os = await make_os(
        processor=RecordedProcessor({GOAL: Trace(GOAL, (step,), "fine")}),
        plugins=[*crowd(60), *Notes().plugins()],
        config=CONFIG,
    )
    result = await os.execute(GOAL)
    assert result.success
    assert stored_offer(os._kernel.store, result.trace_id) is None, "it was given nothing"


async def test_a_tool_of_the_same_name_goes_before_ours(make_os: MakeOS) -> None:
    from llmos.plugins import tool

    @tool(effects="read", name="search_tools")
    def search_tools(query: str) -> str:
        """Search the shed for tools."""
        return "a rake"

    async def ask(model: Model) -> str:
        assert "llmos.search_tools" in model.names
        return (await model.call("search_tools", query="rake")).text

    os = await make_os(processor=Model(ask), plugins=[*crowd(60), search_tools], config=CONFIG)
    result = await os.execute(GOAL)
    assert (result.output, [s.tool for s in result.steps]) == ("a rake", ["search_tools"])


async def test_searching_in_circles_ends_the_run(make_os: MakeOS) -> None:
    async def circle(model: Model) -> str:
        while True:
            await model.call("search_tools", query="zzz")

    os = await make_os(processor=Model(circle), plugins=crowd(60), config=CONFIG)
    result = await os.execute(GOAL)
    assert not result.success
    assert "in a row" in result.error


async def test_an_agent_is_shown_and_finds_its_own_tools_alone(make_os: MakeOS) -> None:
    async def search(model: Model) -> str:
        found = await model.call("search_tools", query="mark on a note")
        assert "notes.stamp" not in found.text
        program = 'def main():\n    call("notes.stamp", note="n1", mark="seen")\n'
        for refused in (
            await model.call("call_tool", tool="notes.stamp", arguments={"note": "n1"}),
            await model.call("run_program", program=program),
        ):
            assert refused.is_error
            assert "agent" in refused.text
        return "Looked."

    notes = Notes()
    model = Model(search)
    plugins = [*crowd(60), *notes.plugins()]
    os = await make_os(processor=model, plugins=plugins, config=CONFIG)
    front = "---\nname: reader\ndescription: reads\ndisallowedTools: notes.stamp\n---\nRead.\n"
    os.kernel.agents.create(front)
    result = await os.execute(GOAL, agent="reader")
    assert result.success, result.error
    assert "notes.stamp" not in model.names
    assert "notes.stamp" not in os.offer(GOAL, agent="reader").why
    assert notes.stamped == []
