"""A model's program makes system calls like any other; what it called is the trace."""

from __future__ import annotations

from textwrap import dedent

from llmos import LLMOSConfig, Mode
from llmos.values import Effect
from tests.conftest import MakeOS
from tests.cortex.tool_search.conftest import Model, Notes

GOAL = "Stamp all drafts"
LOOP = """
    def main():
        found = call("notes.find", text="draft")
        for one in found:
            call("notes.stamp", note=one["note"], mark="seen")
        return len(found)
"""


def plays(source: str, said: list[str] | None = None) -> Model:
    """A model that sends one program and answers with what came back."""

    async def play(model: Model) -> str:
        result = await model.call("run_program", program=dedent(source))
        if said is not None:
            said.append(f"{'error: ' if result.is_error else ''}{result.text}")
        return f"Done: {result.text}"

    return Model(play)


async def test_the_calls_of_a_program_are_the_steps_and_replay_for_free(make_os: MakeOS) -> None:
    notes = Notes()
    os = await make_os(processor=plays(LOOP), plugins=notes.plugins())
    first = await os.execute(GOAL)
    assert (first.mode, first.success, first.output) == (Mode.LEARNER, True, "Done: 2")
    assert [s.tool for s in first.steps] == ["notes.find", "notes.stamp", "notes.stamp"]
    assert [s.effect for s in first.steps] == [Effect.READ, Effect.WRITE, Effect.WRITE]
    assert notes.stamped == ["n1:seen", "n2:seen"]

    await os.undo(first.trace_id)
    assert notes.stamped == []
    second = await os.execute(GOAL)
    assert (second.mode, second.success, second.usage.total_tokens) == (Mode.FOLLOWER, True, 0)
    assert notes.stamped == ["n1:seen", "n2:seen"]


async def test_tools_are_learnt_from_programs_as_from_single_calls(make_os: MakeOS) -> None:
    notes = Notes()
    notes.texts |= {f"b{k}": f"bill {name}" for k, name in enumerate(("alice", "bob", "carol"))}

    async def play(model: Model) -> str:
        name = model.goal.rpartition(" ")[2]
        source = f"""
            def main():
                (one,) = call("notes.find", text="{name}")
                return call("notes.stamp", note=one["note"], mark="paid")
        """
        return (await model.call("run_program", program=dedent(source))).text

    os = await make_os(processor=Model(play), plugins=notes.plugins())
    for name in ("alice", "bob", "carol"):
        assert (await os.execute(f"Stamp as paid the bill of {name}")).success
    assert (await os.kernel.run_cron_now()).learnt.created
    notes.texts["b9"] = "bill dora"
    result = await os.execute("Stamp as paid the bill of dora", mode="CRYSTALLIZED")
    assert result.success and result.usage.total_tokens == 0, result.error
    assert notes.stamped[-1] == "b9:paid"


async def test_a_denied_call_is_told_by_line_and_reason(make_os: MakeOS) -> None:
    said: list[str] = []
    source = """
        def main():
            for one in call("notes.find", text="draft"):
                call("notes.publish", note=one["note"])
    """
    config = LLMOSConfig(deny=("notes.publish",))
    os = await make_os(processor=plays(source, said), plugins=Notes().plugins(), config=config)
    result = await os.execute(GOAL)
    assert [s.tool for s in result.steps] == ["notes.find"]
    (text,) = said
    assert text.startswith("error: the program raised RuntimeError: notes.publish")
    assert "denied" in text and "(line 4)" in text
    assert "notes.find, notes.publish (failed)" in text


async def test_a_program_may_take_a_failure_and_go_on(make_os: MakeOS) -> None:
    said: list[str] = []
    source = """
        def main():
            failed = []
            for note in ("n1", "n7", "n2"):
                try:
                    call("notes.stamp", note=note, mark="seen")
                except RuntimeError as e:
                    failed.append(str(e))
            return failed
    """
    notes = Notes()
    os = await make_os(processor=plays(source, said), plugins=notes.plugins())
    await os.execute(GOAL)
    assert said == ['["notes.stamp: there is no note n7"]']
    assert notes.stamped == ["n1:seen", "n2:seen"]


async def test_a_tool_that_does_not_exist_and_a_program_in_a_program_are_refused(
    make_os: MakeOS,
) -> None:
    for tool in ("notes.sing", "run_program", "search_tools"):
        said: list[str] = []
        model = plays(f'def main():\n    call("{tool}")\n', said)
        os = await make_os(processor=model, plugins=Notes().plugins())
        assert (await os.execute(GOAL, mode="LEARNER")).steps == ()
        assert f"there is no tool '{tool}'" in said[0]
        assert "(line 2)" in said[0]


async def test_an_endless_loop_ends_and_the_model_is_told(make_os: MakeOS) -> None:
    said: list[str] = []
    source = """
        def main():
            call("notes.stamp", note="n1", mark="seen")
            while True:
                pass
    """
    notes = Notes()
    os = await make_os(
        processor=plays(source, said),
        plugins=notes.plugins(),
        config=LLMOSConfig(program_seconds=0.2),
    )
    result = await os.execute(GOAL)
    assert result.success, "what the model makes of it is its own affair"
    assert "ran longer than 0.2 s" in said[0]
    assert [s.tool for s in result.steps] == ["notes.stamp"]


async def test_what_was_written_before_an_error_is_recorded_and_can_be_undone(
    make_os: MakeOS,
) -> None:
    said: list[str] = []
    source = """
        def main():
            call("notes.stamp", note="n1", mark="seen")
            call("notes.stamp", note="n2", mark="seen")
            return 1 / 0
    """
    notes = Notes()
    os = await make_os(processor=plays(source, said), plugins=notes.plugins())
    result = await os.execute(GOAL)
    assert "ZeroDivisionError" in said[0] and "(line 5)" in said[0]
    assert "stay so: notes.stamp, notes.stamp" in said[0]
    assert notes.stamped == ["n1:seen", "n2:seen"]
    assert [s.tool for s in os.traces.get(result.trace_id).steps] == ["notes.stamp"] * 2
    await os.undo(result.trace_id)
    assert notes.stamped == []


async def test_the_calls_of_a_program_count_against_those_of_the_run(make_os: MakeOS) -> None:
    source = """
        def main():
            for k in range(50):
                try:
                    call("notes.find", text=str(k))
                except RuntimeError:
                    pass
    """
    os = await make_os(
        processor=plays(source), plugins=Notes().plugins(), config=LLMOSConfig(max_calls=5)
    )
    result = await os.execute(GOAL)
    assert not result.success
    assert "5 calls" in result.error
    assert len(result.steps) == 4, "and the program itself is one"


async def test_a_program_reaches_neither_files_nor_modules(make_os: MakeOS) -> None:
    for body in ('open("/etc/passwd").read()', "__import__('os').getcwd()", "print('x') or 3 +"):
        said: list[str] = []
        model = plays(f"def main():\n    return {body}\n", said)
        os = await make_os(processor=model, plugins=Notes().plugins())
        await os.execute(GOAL, mode="LEARNER")
        assert said[0].startswith("error: the program ")


async def test_programs_are_not_offered_where_they_are_turned_off(make_os: MakeOS) -> None:
    model = plays(LOOP)
    os = await make_os(
        processor=model, plugins=Notes().plugins(), config=LLMOSConfig(run_program=False)
    )
    await os.execute(GOAL)
    assert "run_program" not in model.names


async def test_after_a_side_exit_a_program_does_not_repeat_what_is_done(make_os: MakeOS) -> None:
    notes = Notes()
    said: list[str] = []
    os = await make_os(
        processor=plays(LOOP.replace("len(found)", "found"), said), plugins=notes.plugins()
    )
    first = await os.execute(GOAL)
    await os.undo(first.trace_id)
    notes.told["n2"] = " It was crumpled."
    result = await os.execute(GOAL)
    assert result.side_exit is not None and result.success
    assert result.mode is Mode.MIXED
    assert notes.stamped == ["n1:seen", "n2:seen"], "each once"
    assert said[1] == said[0], "and the program goes on as if it had done it"
