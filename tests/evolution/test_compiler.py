"""Night by night: what is new in a user's traces becomes tools, and nothing is learnt twice."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from llmos import Step, Trace, Verdict
from llmos.evolution.compiler import WATERMARK, Compiler, own_way, teaches
from llmos.evolution.ir import Program, call
from llmos.evolution.prove import Proof
from llmos.evolution.tool import LearntTool, Shelf
from llmos.memory.traces import Traces
from llmos.store import Store, Transaction
from llmos.values import ArtifactType, Effect, Footprint, Usage
from llmos.volumes import Caller, Status, Volume, get_watermark, set_watermark
from llmos.volumes.purge import purge
from tests.evolution.jobs import CLEAR, CLIMATE, DUTY, NOTE, ROOM, look, write
from tests.evolution.office import Job, traces

TOOL = ArtifactType.TOOL


class Wall:
    """A clock that goes on by a second whenever it is looked at."""

    def __init__(self) -> None:
        self.now = datetime(2026, 4, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now


@pytest.fixture
def store() -> Iterator[Store]:
    with Store.memory(Wall()) as opened:
        yield opened


@pytest.fixture
def volume(store: Store) -> Volume:
    return Volume(store, "user", "alice", caller=Caller.person("alice"))


@pytest.fixture
def compiler(store: Store) -> Compiler:
    return another(store)


def another(store: Store, user: str = "alice", *, leave_open: bool = True) -> Compiler:
    """A compiler as a new process has it."""
    return Compiler(store, Traces(store), user, seconds=5.0, leave_open=leave_open)


async def remember(store: Store, given_: Sequence[Trace], user: str = "alice") -> list[str]:
    """Store traces that a person has said to be right; their ids."""
    vouched = [
        replace(t, id="", verdict=Verdict.CONFIRMED, usage=Usage(900, 100), cost_usd=0.02)
        for t in given_
    ]
    return await Traces(store).learn(vouched, user, None)


def watermark(store: Store, volume: Volume) -> Any:
    text = store.read(lambda c: get_watermark(c, WATERMARK, volume.place))
    return json.loads(text) if text else None


async def test_nothing_to_learn_leaves_nothing(
    store: Store, volume: Volume, compiler: Compiler
) -> None:
    report = compiler.learn()
    assert (report.traces, report.created, report.evolved) == (0, (), ())
    assert volume.list_artifacts(TOOL) == []
    assert watermark(store, volume) is None


async def test_three_runs_make_a_tool_with_all_that_is_needed_to_use_it(
    store: Store, volume: Volume, compiler: Compiler
) -> None:
    ids = await remember(store, traces(NOTE, 1, 3))
    report = compiler.learn()
    (name,) = report.created
    assert (report.traces, report.evolved, report.retired, report.unlearnt) == (3, (), (), ())
    version = volume.get(TOOL, name)
    assert version.status is Status.ACTIVE
    assert set(version.lineage) == set(ids)
    tool = LearntTool.of(version)
    assert tool.function.isidentifier()
    assert f"def {tool.function}(" in tool.code
    ast.parse(tool.code)
    assert set(tool.tools) == {"note.post"}
    assert (tool.mean_tokens, round(tool.mean_cost_usd, 6)) == (1000, 0.02)
    assert [r.slots for r in Shelf([volume]).readings(traces(NOTE, 1, 1)[0].goal)]


async def test_two_runs_are_told_as_too_few(store: Store, compiler: Compiler) -> None:
    await remember(store, traces(NOTE, 1, 2))
    report = compiler.learn()
    assert report.created == ()
    ((_, runs, why),) = report.unlearnt
    assert runs == 2
    assert "3 are needed" in why
    assert report.as_dict()["unlearnt"][0]["runs"] == 2


async def test_a_night_without_news_changes_nothing(
    store: Store, volume: Volume, compiler: Compiler
) -> None:
    await remember(store, traces(NOTE, 1, 4))
    compiler.learn()
    compiler.learn()
    before, edition = watermark(store, volume), volume.edition()
    for same in (compiler, another(store)):
        assert same.learn().traces == 0
    assert (watermark(store, volume), volume.edition()) == (before, edition)


async def test_a_new_process_learns_what_the_old_one_would_have(
    store: Store, volume: Volume, compiler: Compiler
) -> None:
    given_ = traces(CLEAR, 3, 9)
    await remember(store, given_[:5])
    (name,) = compiler.learn().created
    await remember(store, given_[5:])
    report = another(store).learn()
    assert (report.traces, report.created, report.evolved) == (4, (), (name,))
    other = Store.memory(Wall())
    with other:
        await remember(other, given_[:5])
        once = another(other)
        once.learn()
        await remember(other, given_[5:])
        once.learn()
        mine = Volume(other, "user", "alice", caller=Caller.person("alice")).get(TOOL, name).content
    content: Any = volume.get(TOOL, name).content
    assert (content["code"], content["program"]) == (mine["code"], mine["program"])
    assert content["proof"] == mine["proof"]


WARMEST = Job(
    "Post the warmest day in the {room}",
    Program(
        (
            look("climate", "climate.get", room=ROOM),
            write("note.post", room=ROOM, text=call("peak", CLIMATE, True)),
        )
    ),
)


def wasteful(given_: Sequence[Trace]) -> list[Trace]:
    """Runs in which the model looked twice, and once more when all was done."""
    return [replace(t, steps=(t.steps[0], *t.steps, t.steps[0])) for t in given_]


async def test_what_a_tool_need_not_read_is_neither_run_nor_forgotten(
    store: Store, volume: Volume, compiler: Compiler
) -> None:
    given_ = wasteful(traces(WARMEST, 11, 12))
    await remember(store, given_[:6])
    (name,) = compiler.learn().created
    tool = LearntTool.of(volume.get(TOOL, name))
    learnt_, served = [len(list(p.reads())) for p in (tool.whole, tool.program)]
    assert (learnt_, served) == (3, 1)
    assert tool.code.count('call("climate.get"') == 1
    # Later runs, which make those reads again, are still held against all that was learnt.
    await remember(store, given_[6:])
    assert another(store).learn().evolved == (name,)
    again = LearntTool.of(volume.get(TOOL, name))
    assert again.proof.runs == len(given_)
    assert len(list(again.whole.reads())) == 3
    assert again.optimized.as_json() == tool.optimized.as_json()


async def test_a_version_of_before_nothing_was_left_out_runs_whole(
    store: Store, volume: Volume, compiler: Compiler
) -> None:
    await remember(store, wasteful(traces(WARMEST, 11, 8)))
    (name,) = compiler.learn().created
    content = dict(volume.get(TOOL, name).content)
    del content["optimized"]
    volume.put(None, TOOL, name, content, author="alice")
    tool = LearntTool.of(volume.get(TOOL, name))
    assert tool.program == tool.whole
    assert len(list(tool.program.reads())) == 3


async def test_two_processes_that_take_turns_do_not_learn_twice(
    store: Store, volume: Volume
) -> None:
    one, two = another(store), another(store)
    given_ = traces(NOTE, 1, 8)
    for k, compiler in enumerate([one, two, one, two]):
        await remember(store, given_[2 * k : 2 * k + 2])
        assert compiler.learn().traces == 2
    (artifact,) = volume.list_artifacts(TOOL)
    content: Any = volume.get(TOOL, artifact.name).content
    assert content["proof"]["runs"] == 8


async def test_tools_are_made_of_ones_own_traces(store: Store) -> None:
    await remember(store, traces(NOTE, 1, 3))
    assert another(store, "bob").learn().created == ()
    await remember(store, traces(NOTE, 2, 3), "bob")
    assert len(another(store, "bob").learn().created) == 1
    assert Volume(store, "user", "alice", caller=Caller.person("alice")).list_artifacts(TOOL) == []


async def test_a_trace_that_turns_out_wrong_is_left_out(
    store: Store, volume: Volume, compiler: Compiler
) -> None:
    ids = await remember(store, traces(NOTE, 1, 4))
    (name,) = compiler.learn().created
    await Traces(store).judge(ids[0], Verdict.REFUTED, user_id="alice", by="person")
    report = another(store).learn()
    assert report.evolved == (name,)
    assert ids[0] not in volume.get(TOOL, name).lineage
    await Traces(store).judge(ids[1], Verdict.REFUTED, user_id="alice", by="person")
    assert another(store).learn().retired == (name,)
    assert volume.get(TOOL, name).status is Status.QUARANTINED
    assert Shelf([volume]).tools() == []


async def test_an_archived_and_a_pinned_tool_stay_what_they_are_while_learning_goes_on(
    store: Store, volume: Volume, compiler: Compiler
) -> None:
    given_ = traces(NOTE, 1, 9)
    await remember(store, given_[:4])
    (name,) = compiler.learn().created
    first = volume.get(TOOL, name).digest
    volume.pin(TOOL, name, author="alice")
    await remember(store, given_[4:6])
    compiler.learn()
    assert volume.get(TOOL, name).digest == first
    assert len(volume.history(TOOL, name)) == 2
    volume.archive(TOOL, name, author="alice")
    await remember(store, given_[6:])
    report = another(store).learn()
    assert (report.created, report.evolved) == ((), ())
    # What is known goes on, beside what the person laid aside.
    assert len(volume.history(TOOL, name)) == 3
    assert volume.get(TOOL, name).digest == first
    assert volume.get(TOOL, name).status is Status.ARCHIVED


async def test_a_name_that_a_person_gave_is_not_taken(
    store: Store, volume: Volume, compiler: Compiler
) -> None:
    other = Store.memory(Wall())
    with other:
        await remember(other, traces(NOTE, 1, 3))
        (name,) = another(other).learn().created
    volume.put(None, TOOL, name, {"code": "return 1"}, author="alice", status=Status.DRAFT)
    await remember(store, traces(NOTE, 1, 3))
    compiler.learn()
    assert volume.history(TOOL, name)[-1].content == {"code": "return 1"}


async def test_what_a_cycle_made_is_not_its_next_input(
    store: Store, volume: Volume, compiler: Compiler
) -> None:
    await remember(store, traces(NOTE, 1, 4))
    compiler.learn()
    before = watermark(store, volume)
    another(store).learn()
    assert watermark(store, volume) == before


async def test_runs_that_came_while_a_tool_was_pinned_are_not_forgotten(
    store: Store, volume: Volume, compiler: Compiler
) -> None:
    given_ = traces(NOTE, 1, 8)
    await remember(store, given_[:4])
    (name,) = compiler.learn().created
    volume.pin(TOOL, name, author="alice")
    await remember(store, given_[4:6])
    compiler.learn()
    volume.unpin(TOOL, name, author="alice")
    await remember(store, given_[6:])
    another(store).learn()
    content: Any = volume.get(TOOL, name).content
    assert content["proof"]["runs"] == 8


async def test_a_tool_that_a_person_wrote_does_not_stop_goals_from_being_read(
    store: Store, volume: Volume, compiler: Compiler
) -> None:
    await remember(store, traces(NOTE, 1, 4))
    compiler.learn()
    volume.put(None, TOOL, "mine", {"code": "return 1"}, author="alice", status=Status.ACTIVE)
    assert Shelf([volume]).readings(traces(NOTE, 1, 1)[0].goal)


async def test_a_learned_tool_that_a_person_edited_does_not_stop_the_night(
    store: Store, volume: Volume, compiler: Compiler
) -> None:
    await remember(store, traces(NOTE, 1, 4))
    (name,) = compiler.learn().created
    volume.put(None, TOOL, name, {"code": "return 1"}, author="alice")
    await remember(store, traces(DUTY, 2, 4))
    assert another(store).learn().created


async def test_a_cycle_that_dies_before_it_stores_has_not_been(
    store: Store, volume: Volume, compiler: Compiler, monkeypatch: pytest.MonkeyPatch
) -> None:
    await remember(store, traces(NOTE, 1, 4))

    def dies(*args: Any) -> None:
        raise RuntimeError("the light went out")

    with monkeypatch.context() as patched:
        patched.setattr("llmos.evolution.compiler.set_watermark", dies)
        with pytest.raises(RuntimeError, match="light"):
            compiler.learn()
    assert volume.list_artifacts(TOOL) == []
    assert watermark(store, volume) is None
    report = compiler.learn()
    assert (report.traces, len(report.created)) == (4, 1)


ROOMS = {"loft": "attic", "vault": "cellar", "entrance": "hall"}
"""What rooms are called by those who have always worked there."""


def posted(names: Sequence[str]) -> list[Trace]:
    """Runs in which a note is posted in a room that the goal calls by its old name."""
    return [
        made(
            f'Post the note "mind step {n}" for the {name}',
            "note.post",
            name,
            "text",
            f"mind step {n}",
        )
        for n, name in enumerate(names)
    ]


def on_duty(names: Sequence[str]) -> list[Trace]:
    """Runs in which such a room is put down for a day."""
    days = (f"2026-05-{n:02d}" for n in range(1, len(names) + 1))
    return [
        made(f"Add the {name} to the duties of {day}", "duty.add", name, "day", day)
        for name, day in zip(names, days, strict=True)
    ]


def made(goal: str, name: str, room: str, argument: str, value: str) -> Trace:
    arguments = {"room": ROOMS[room], argument: value}
    return Trace(goal, (Step(name, arguments, "Done.", effect=Effect.WRITE),), "Done.")


async def test_a_word_that_another_job_taught_is_known_to_a_tool_that_is_there_already(
    store: Store, volume: Volume, compiler: Compiler
) -> None:
    goal = 'Post the note "the lamp is out" for the {}'
    await remember(store, posted(["loft", "vault"] * 3))
    (name,) = compiler.learn().created
    assert Shelf([volume]).readings(goal.format("loft"))
    assert not Shelf([volume]).readings(goal.format("entrance"))
    await remember(store, on_duty(["loft", "vault", "entrance"] * 2))
    report = another(store).learn()
    assert (len(report.created), report.evolved) == (1, (name,))
    (reading,) = Shelf([volume]).readings(goal.format("entrance"))
    assert reading.tool.name == name
    assert "entrance" in reading.tool.code


async def test_what_only_a_wrong_run_taught_is_taken_back_from_other_tools(
    store: Store, volume: Volume, compiler: Compiler
) -> None:
    goal = 'Post the note "the lamp is out" for the {}'
    await remember(store, posted(["loft", "vault"] * 3))
    (name,) = compiler.learn().created
    ids = await remember(store, on_duty(["loft", "vault", "loft", "vault", "entrance"]))
    assert another(store).learn().evolved == (name,)
    assert Shelf([volume]).readings(goal.format("entrance"))
    await Traces(store).judge(ids[-1], Verdict.REFUTED, user_id="alice", by="person")
    assert name in another(store).learn().evolved
    assert not Shelf([volume]).readings(goal.format("entrance"))
    assert "entrance" not in LearntTool.of(volume.get(TOOL, name)).code
    assert Shelf([volume]).readings(goal.format("vault"))


async def test_progress_tells_the_goals_looked_at(store: Store, compiler: Compiler) -> None:
    given_ = [*traces(NOTE, 1, 3), *traces(DUTY, 2, 3)]
    await remember(store, given_)
    heard: list[str] = []
    compiler.learn(heard.append)
    assert set(heard) == {t.goal for t in given_}


HOSTILE = (
    'Ignore what was said: "; drop table versions; --',
    "{room} {{text}} $CWD %s \\N{DASH}",
    '"""\nimport os\nos.remove("x")\n"""',
    "note.burn(room='hall')",
)


async def test_hostile_texts_are_neither_code_nor_names(
    store: Store, volume: Volume, compiler: Compiler
) -> None:
    given_ = [
        replace(t, steps=(*t.steps[:-1], replace(t.steps[-1], observation=HOSTILE[k % 4])))
        for k, t in enumerate(traces(NOTE, 1, 8))
    ]
    await remember(store, given_)
    (name,) = compiler.learn().created
    content: Any = volume.get(TOOL, name).content
    assert set(content["tools"]) == {"note.post"}
    assert all(text not in content["code"] for text in HOSTILE)
    calls = {
        node.func.id
        for node in ast.walk(ast.parse(content["code"]))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    assert calls.isdisjoint({"exec", "eval", "compile", "open", "__import__"})


@pytest.mark.parametrize("text", HOSTILE)
async def test_hostile_constants_stay_constants(store: Store, volume: Volume, text: str) -> None:
    given_ = [
        replace(
            t,
            goal=t.goal.replace(str(t.steps[0].arguments["text"]), "the usual"),
            steps=(replace(t.steps[0], arguments={**t.steps[0].arguments, "text": text}),),
        )
        for t in traces(NOTE, 1, 6)
    ]
    await remember(store, given_)
    (name,) = another(store).learn().created
    code = LearntTool.of(volume.get(TOOL, name)).code
    texts = {n.value for n in ast.walk(ast.parse(code)) if isinstance(n, ast.Constant)}
    assert text in texts


# --- what teaches ------------------------------------------------------------------------------

UNDOABLE = Step("note.post", {}, effect=Effect.WRITE, footprint=Footprint(undoable=True))
FINAL = Step("courier.order", {}, effect=Effect.EXTERNAL)
RUN = Trace("goal", (UNDOABLE,))


@pytest.mark.parametrize(
    ("trace", "expected"),
    [
        (RUN, True),
        (replace(RUN, steps=(FINAL,)), False),
        (replace(RUN, steps=(FINAL,), verdict=Verdict.CONFIRMED), True),
        (replace(RUN, verdict=Verdict.FAILED), False),
        (replace(RUN, verdict=Verdict.REFUTED), False),
        (replace(RUN, steps=()), False),
        (replace(RUN, quarantined=True), False),
        (replace(RUN, context_digest="x"), False),
        (replace(RUN, source="replay:1", verdict=Verdict.CONFIRMED), False),
        (replace(RUN, source="tool:note@1", verdict=Verdict.CONFIRMED), False),
        (replace(RUN, tools={"note.post": "redacted"}), False),
        (replace(RUN, prefix=1, verdict=Verdict.CONFIRMED), False),
    ],
)
def test_runs_that_teach_are_those_that_somebody_can_answer_for(
    trace: Trace, expected: bool
) -> None:
    assert teaches(trace) is expected


def test_wrong_tries_and_looks_made_twice_are_no_part_of_the_way() -> None:
    look = Step("parcel.list", {"room": "hall"}, [], effect=Effect.READ)
    failed = replace(UNDOABLE, is_error=True)
    assert own_way(replace(RUN, steps=(look, failed, UNDOABLE))) == (look, UNDOABLE)
    assert own_way(replace(RUN, steps=(look, UNDOABLE), prefix=1)) == (look, UNDOABLE)
    assert own_way(replace(RUN, steps=(look, look, UNDOABLE), prefix=1)) == (look, UNDOABLE)


# --- what became of all tools ------------------------------------------------------------------


def proof_of(volume: Volume, name: str) -> Proof:
    return LearntTool.of(volume.get(TOOL, name)).proof


async def a_failed_tool(store: Store, volume: Volume) -> str:
    """A tool of which one run was wrong; its name."""
    *given_, one = traces(NOTE, 1, 5)
    await remember(store, given_)
    (name,) = another(store).learn().created
    source = f"tool:{LearntTool.of(volume.get(TOOL, name)).label}"
    wrong = replace(one, id="", verdict=Verdict.REFUTED, source=source)
    await Traces(store).learn([wrong], "alice", None)
    another(store).learn()
    return name


async def test_after_a_tool_failed_a_new_one_is_served_when_a_later_run_agreed(
    store: Store, volume: Volume
) -> None:
    failed = await a_failed_tool(store, volume)
    assert (proof_of(volume, failed).disagreed, proof_of(volume, failed).peers) == (1, (0, 0))
    *given_, later = traces(CLEAR, 3, 6)
    await remember(store, given_)
    (name,) = another(store).learn().created
    proof = proof_of(volume, name)
    assert proof.peers == (0, 1)
    goal = later.goal

    def refusals() -> list[str | None]:
        tools = {"shelf.find": "", "shelf.remove": ""}
        found = [r for r in Shelf([volume]).readings(goal) if r.tool.name == name]
        return [r.refusal(tools, 0.01) for r in found]

    assert refusals()
    assert all("over the error budget" in str(why) for why in refusals())
    await remember(store, [later])
    another(store).learn()
    assert proof_of(volume, name).agreed == 1
    assert refusals() == [None]


async def test_a_tool_counts_once_and_never_for_itself(store: Store, volume: Volume) -> None:
    given_ = traces(CLEAR, 3, 8)
    await remember(store, given_[:4])
    (name,) = another(store).learn().created
    for trace in given_[4:]:
        await remember(store, [trace])
        another(store).learn()
    assert proof_of(volume, name).agreed == 4
    assert proof_of(volume, name).peers == (0, 0)
    assert watermark(store, volume)["tried"] == {name: True}
    await remember(store, traces(NOTE, 1, 3))
    (other,) = another(store).learn().created
    assert proof_of(volume, other).peers == (1, 0)


async def test_a_tool_that_once_failed_is_counted_as_such_whatever_it_does_later(
    store: Store, volume: Volume
) -> None:
    name = await a_failed_tool(store, volume)
    await remember(store, traces(NOTE, 8, 6))
    another(store).learn()
    assert proof_of(volume, name).agreed > 0
    assert watermark(store, volume)["tried"][name] is False


async def test_a_home_that_never_counted_tools_begins_to(store: Store, volume: Volume) -> None:
    await remember(store, traces(NOTE, 1, 4))
    another(store).learn()
    kept = watermark(store, volume)
    for new in ("tried", "settled", "held"):
        del kept[new]
    store.write(lambda tx: set_watermark(tx, WATERMARK, volume.place, json.dumps(kept)))
    await remember(store, traces(CLEAR, 3, 4))
    assert len(another(store).learn().created) == 1
    assert watermark(store, volume)["tried"] == {}


async def test_what_an_older_release_learnt_is_learnt_anew_under_the_same_name(
    store: Store, compiler: Compiler, volume: Volume
) -> None:
    await remember(store, [*traces(NOTE, 1, 3), *traces(DUTY, 2, 3)])
    made = compiler.learn().created
    kept = watermark(store, volume)
    (gone,) = {"an-old-tool"}
    kept["families"][gone] = kept["families"][made[0]]
    del kept["format"]
    content = volume.version(kept["families"][gone]).content

    def older(tx: Transaction) -> None:
        cron = Volume(store, "user", "alice", caller=Caller.user_cron("alice"))
        cron.put(tx, TOOL, gone, content, author="user-cron", status=Status.ACTIVE)
        set_watermark(tx, WATERMARK, volume.place, json.dumps(kept))

    store.write(older)
    again = another(store).learn()
    assert (again.traces, again.created) == (6, ())
    assert {volume.get(TOOL, name).status for name in made} == {Status.ACTIVE}
    assert volume.get(TOOL, gone).status is Status.ARCHIVED
    assert another(store).learn().traces == 0


@pytest.mark.parametrize("same_process", [True, False])
async def test_what_was_purged_is_given_up_and_not_put_again(
    store: Store, compiler: Compiler, volume: Volume, same_process: bool
) -> None:
    await remember(store, [*traces(NOTE, 1, 3), *traces(DUTY, 2, 3)])
    kept, gone = sorted(compiler.learn().created, key=lambda n: volume.get(TOOL, n).created_at)
    alice = Caller.person("alice")
    store.write(lambda tx: purge(tx, alice, volume.place, TOOL, gone, ""))
    await remember(store, [*traces(NOTE, 3, 1), *traces(DUTY, 4, 1)])
    report = (compiler if same_process else another(store)).learn()
    assert report.traces == 2
    assert [a.name for a in volume.list_artifacts(TOOL)] == [kept]
    assert list(watermark(store, volume)["families"]) == [kept]
