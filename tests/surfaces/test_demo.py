"""The demo, told in this process on real files; its recordings and its checks."""

from __future__ import annotations

import contextlib
import io
import json
import re
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from llmos import LLMOS, LLMOSConfig, Mode, Step, Trace, Verdict
from llmos.cortex.modes.crystallized import EXTERNAL_SHARE
from llmos.errors import NeedsProcessor
from llmos.evolution.prove import Proof
from llmos.evolution.tool import LearntTool
from llmos.plugins.sandbox import available
from llmos.surfaces.demo import run_demo
from llmos.surfaces.demo.families import FAMILIES, MADE, TASKS, Family, teacher, texts
from llmos.surfaces.demo.jobs import JOBS, PORT, SALES, Job
from llmos.surfaces.demo.month import Month
from llmos.surfaces.demo.night import body_of
from llmos.surfaces.demo.price import named_price
from llmos.surfaces.demo.recording import Recording, load, player
from llmos.surfaces.demo.scene import Nobody, own_calls_only
from llmos.values import ArtifactType, Context, Done, Event, Limits, Syscalls, Usage
from scripts.record_demo import kept, table

RECORDED = [job for job in JOBS if load(job.name)]
DOCS = Path(__file__).parents[2] / "docs" / "demo.md"

needs_sandbox = pytest.mark.skipif(available() is not None, reason="bubblewrap does not run here")


def told(*, sandbox: bool, keep: bool = False) -> dict[str, Any]:
    """The facts of a demo in which every claim held."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run_demo(json=True, keep=keep, config=LLMOSConfig(sandbox=sandbox))
    facts = json.loads(out.getvalue())
    assert err.getvalue() == ""
    assert [c for c in facts["claims"] if not c["held"]] == []
    assert (code, facts["ok"]) == (0, True)
    return dict(facts)


async def nothing(self: Month) -> None:
    """Tell nothing of a month, which has a test of its own."""


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaves the month out."""
    monkeypatch.setattr(Month, "tell", nothing)


@pytest.fixture(scope="module")
def whole() -> dict[str, Any]:
    """The facts of one demo in a sandbox, for all that only look at them."""
    return told(sandbox=True)


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The facts of one demo without a sandbox and without the month, and what it left behind."""
    folder = tmp_path_factory.mktemp("demo")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Month, "tell", nothing)
        patch.setattr("tempfile.tempdir", str(folder))
        return {**told(sandbox=False), "left": list(folder.iterdir())}


def passes(job: Job, folder: Path) -> bool:
    ran = subprocess.run(["/bin/sh", "-c", job.check], cwd=folder, capture_output=True, text=True)
    return ran.returncode == 0


# --- the story -------------------------------------------------------------------------------


@needs_sandbox
def test_every_promise_of_the_demo_holds(whole: dict[str, Any]) -> None:
    facts = whole
    assert facts["model"]["processor"] == "recorded"
    assert len(facts["jobs"]) >= 4
    for job in facts["jobs"].values():
        first, second, third = job["first"], job["second"], job["already_done"]
        assert (first["mode"], first["verdict"]) == ("LEARNER", "verified")
        assert first["tokens"] > 0
        assert first["at_price_usd"] > first["paid_usd"] == 0
        assert first["seconds_as_recorded"] > 0
        assert (second["mode"], second["verdict"], second["tokens"]) == ("FOLLOWER", "verified", 0)
        assert second["same_files"]
        assert (third["already_done"], third["tokens"]) == (True, 0)


@needs_sandbox
def test_a_changed_world_is_left_alone_and_an_undone_run_leaves_nothing(
    whole: dict[str, Any],
) -> None:
    facts = whole
    changed, undo = facts["changed_world"], facts["undo"]
    assert changed["edited"][0] in changed["side_exit"]
    assert (changed["success"], changed["unchanged"], changed["tokens"]) == (False, True, 0)
    assert undo["identical"]
    assert undo["restored"]
    assert undo["job"] != changed["job"]


@needs_sandbox
def test_the_bill_adds_up_to_what_the_runs_took(whole: dict[str, Any]) -> None:
    facts = whole
    bill, jobs = facts["bill"], facts["jobs"]
    assert [line["job"] for line in bill["lines"]] == list(jobs)
    tokens = sum(job["first"]["tokens"] for job in jobs.values())
    assert (bill["total"]["first_tokens"], bill["saved_tokens"]) == (tokens, tokens)
    dollars = sum(job["first"]["at_price_usd"] for job in jobs.values())
    assert bill["saved_usd"] == pytest.approx(dollars)
    assert bill["spent_usd"] == 0


def test_after_a_night_new_goals_cost_nothing_and_leave_the_right_files(
    once: dict[str, Any],
) -> None:
    facts = once
    assert len(facts["night"]["created"]) == len(FAMILIES) == 3
    for name, family in FAMILIES.items():
        later = facts["families"][name]["later"]
        assert [run["goal"] for run in later] == [x.goal for x in family.later]
        for run in later:
            assert (run["mode"], run["verdict"], run["tokens"]) == ("CRYSTALLIZED", "verified", 0)
            assert run["source"].partition("@")[0] in facts["night"]["created"]
    assert facts["undo_of_tool"]["identical"]


def test_what_teaches_is_said_to_be_made_for_the_demo_and_claims_no_cost(
    once: dict[str, Any],
) -> None:
    facts = once
    for family in facts["families"].values():
        assert family["lessons_are"] == MADE
        assert [run["tokens"] for run in family["lessons"]] == [0, 0, 0]
        assert {run["at_price_usd"] for run in family["lessons"]} == {0}
        assert {run["verdict"] for run in family["lessons"]} == {"verified"}
    bill = facts["bill"]
    free = [run["goal"] for family in facts["families"].values() for run in family["later"]]
    assert [line["goal"] for line in bill["free"]] == free
    first = sum(line["first_tokens"] for line in bill["lines"])
    assert bill["saved_tokens"] == first, "nothing is said to be saved by the tools"


def test_a_near_miss_goes_to_the_learner_and_the_demo_says_why(
    once: dict[str, Any],
) -> None:
    miss = once["near_miss"]
    assert (miss["mode"], miss["success"], miss["unchanged"]) == ("LEARNER", False, True)
    assert miss["steps"] == []
    (why,) = miss["refused"]
    assert "'2' was never seen there" in why


def test_without_a_sandbox_the_demo_says_so_and_keeps_the_promises_it_can_make(
    once: dict[str, Any],
) -> None:
    facts = once
    assert facts["sandbox"] is False
    followed = [j for j in facts["jobs"].values() if j["second"].get("mode") == "FOLLOWER"]
    assert len(followed) >= 4
    assert any(j["already_done"].get("already_done") for j in followed)
    assert facts["changed_world"]["unchanged"]
    assert facts["undo"]["identical"]


@needs_sandbox
@pytest.mark.usefixtures("short")
def test_the_demo_names_the_recorded_model_before_anything_else(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run_demo(config=LLMOSConfig()) == 0
    out = capsys.readouterr().out
    said = " ".join(out.split())
    assert said.index("recordings of") < said.index("The first time")
    assert load(RECORDED[0].name).model in said  # type: ignore[union-attr]
    assert "cost $0" in said
    assert named_price().model in said
    assert said.endswith("Everything happened as told.")


@needs_sandbox
@pytest.mark.usefixtures("short")
def test_a_recording_that_no_longer_fits_fails_the_demo(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    job = RECORDED[0]
    broken = Recording(job.name, Trace(job.goal, (), "Done."), "nobody", "0" * 64, 1)
    monkeypatch.setattr(
        "llmos.surfaces.demo.stage.load", lambda name: broken if name == job.name else None
    )
    assert run_demo(json=True, config=LLMOSConfig()) == 1
    assert json.loads(capsys.readouterr().out)["ok"] is False


@pytest.mark.usefixtures("short")
def test_the_folder_is_removed_unless_it_is_to_be_kept(
    once: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert once["left"] == []
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    folder = Path(told(sandbox=False, keep=True)["folder"])
    assert (folder / "home" / "llmos.db").is_file()
    assert (folder / "again" / RECORDED[0].name).is_dir()


def test_live_without_a_model_names_the_ways_to_get_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(NeedsProcessor):
        run_demo(live=True, config=LLMOSConfig(processor="local", local_model="/nonexistent.gguf"))
    assert list(tmp_path.iterdir()) == []


class Clerk:
    """A model that really works: it reads what is there and computes with it."""

    name = "clerk"
    free = True

    async def run(
        self, goal: str, context: Context, syscalls: Syscalls, limits: Limits
    ) -> AsyncIterator[Event]:
        if goal == PORT.goal:
            await syscalls.call("Read", {"file_path": "config.json"})
            change = {"old_string": "8080", "new_string": "9090"}
            await syscalls.call("Edit", {"file_path": "config.json", **change})
        elif TASKS.near_miss is not None and goal == TASKS.near_miss.goal:
            for step in TASKS.near_miss.steps:
                await syscalls.call(step.tool, step.arguments)
        else:
            text = await syscalls.call("Read", {"file_path": "sales.csv"})
            rows = [line.split("\t")[1].split(",") for line in text.text.splitlines()[1:]]
            regions = dict.fromkeys(region for _, region, _ in rows)
            lines = [f"- {r}: {sum(float(a) for _, x, a in rows if x == r):.2f}" for r in regions]
            await syscalls.call("Write", {"file_path": "summary.md", "content": "\n".join(lines)})
        yield Done("Done.", Usage(100, 10), model="clerk")

    async def aclose(self) -> None: ...


@pytest.mark.usefixtures("short")
def test_live_the_model_learns_and_takes_over_where_the_world_has_changed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("llmos.surfaces.demo.stage.make_processor", lambda config: Clerk())
    monkeypatch.setattr("llmos.surfaces.demo.stage.JOBS", (SALES, PORT))
    code = run_demo(live=True, json=True, config=LLMOSConfig(sandbox=False))
    facts = json.loads(capsys.readouterr().out)
    assert (code, facts["live"], facts["model"]["processor"]) == (0, True, "clerk")
    changed = facts["changed_world"]
    assert (changed["mode"], changed["success"], changed["tokens"]) == ("MIXED", True, 110)
    assert changed["unchanged"] is False
    assert (facts["undo"]["job"], facts["undo"]["identical"]) == ("port", True)
    miss = facts["near_miss"]
    assert (miss["mode"], miss["verdict"], miss["tokens"]) == ("LEARNER", "verified", 110)


@pytest.mark.usefixtures("short")
def test_a_live_model_that_fails_fails_the_demo(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("llmos.surfaces.demo.stage.make_processor", lambda config: Nobody())
    monkeypatch.setattr("llmos.surfaces.demo.stage.JOBS", (SALES,))
    assert run_demo(live=True, json=True, config=LLMOSConfig(sandbox=False)) == 1
    facts = json.loads(capsys.readouterr().out)
    assert facts["jobs"]["sales"]["first"]["error"] == "no model takes part in this chapter"
    assert facts["ok"] is False


# --- the families ----------------------------------------------------------------------------


@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
async def test_what_a_tool_wrote_in_a_folder_no_lesson_knew_is_taken_back(
    family: Family, tmp_path: Path
) -> None:
    async with LLMOS(
        tmp_path / "home", processor=teacher({family.name: family}), config=LLMOSConfig()
    ) as os:
        for number, lesson in enumerate(family.lessons):
            taught = await os.execute(lesson.goal, cwd=family.lay_out(tmp_path / str(number)))
            # No check: every write can be undone, so a run without an error is enough to learn.
            assert taught.verdict is Verdict.COMPLETED
        assert len((await os.kernel.run_cron_now()).learnt.created) == 1
        cwd = family.lay_out(tmp_path / "later")
        result = await os.execute(family.later[0].goal, cwd=cwd)
        assert result.mode is Mode.CRYSTALLIZED
        assert family.right(family.later[0], cwd)
        await os.undo(result.trace_id)
        assert texts(cwd) == dict(family.files)


@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
def test_the_result_of_one_goal_is_not_right_for_another(family: Family, tmp_path: Path) -> None:
    one, other = family.later
    cwd = family.lay_out(tmp_path / "work")
    assert not family.right(one, cwd)
    for name, content in one.result.items():
        (cwd / name).parent.mkdir(parents=True, exist_ok=True)
        (cwd / name).write_text(content)
    assert family.right(one, cwd)
    assert not family.right(other, cwd)
    (cwd / "more.txt").write_text("left behind")
    assert not family.right(one, cwd)


def test_no_goal_that_is_served_was_taught() -> None:
    for family in FAMILIES.values():
        taught = {lesson.goal for lesson in family.lessons}
        assert len(taught) == 3
        assert taught.isdisjoint(instance.goal for instance in family.later)


async def test_only_the_tools_own_function_is_shown(tmp_path: Path) -> None:
    family = FAMILIES["port"]
    async with LLMOS(
        tmp_path / "home", processor=teacher({family.name: family}), config=LLMOSConfig()
    ) as os:
        for number, lesson in enumerate(family.lessons):
            await os.execute(lesson.goal, cwd=family.lay_out(tmp_path / str(number)))
        (name,) = (await os.kernel.run_cron_now()).learnt.created
        tool = LearntTool.of(os.kernel.get_user_volume().get(ArtifactType.TOOL, name))
    shown = body_of(tool)
    assert shown.startswith(f"def {tool.function}(")
    assert shown.rstrip().endswith('return ""')
    assert "Learnt from" not in shown
    assert 'concat("port = "' in shown


async def test_the_program_of_the_learning_page_prints_what_the_page_says(
    capsys: pytest.CaptureFixture[str],
) -> None:
    page = DOCS.with_name("learning.md").read_text("utf-8")
    (program,) = re.findall(r"^```python\n(.*?)^```", page, re.S | re.M)
    names: dict[str, Any] = {"__name__": "learning"}
    exec(compile(program, "learning.md", "exec"), names)
    await names["main"]()
    printed = capsys.readouterr().out.splitlines()
    assert printed == ["write-note-called-file-path", "CRYSTALLIZED 0", "LEARNER"]
    assert all(f"`{line}`" in page for line in printed)


def test_the_risks_of_the_learning_page_are_those_of_the_proof() -> None:
    page = DOCS.with_name("learning.md").read_text("utf-8")
    proofs = (Proof(), Proof(disagreed=1), Proof(agreed=1, disagreed=1), Proof(agreed=2))
    for proof in proofs:
        assert f"{proof.risk:.4f}" in page
    budget = LLMOSConfig().error_budget
    assert [proof.risk <= budget + 1e-9 for proof in proofs] == [True, False, True, True]
    assert Proof(agreed=1).risk > budget * EXTERNAL_SHARE >= Proof(agreed=2).risk


# --- the recordings --------------------------------------------------------------------------


def test_at_least_four_jobs_are_recorded() -> None:
    assert len(RECORDED) >= 4


@pytest.mark.parametrize("job", RECORDED, ids=lambda job: job.name)
async def test_a_recorded_run_passes_its_check_when_it_is_played(job: Job, tmp_path: Path) -> None:
    recording = load(job.name)
    assert recording is not None
    assert recording.trace.goal == job.goal
    assert recording.trace.verdict is Verdict.VERIFIED
    assert recording.trace.usage.output_tokens > 0
    assert len(recording.model_sha256) == 64
    assert recording.attempts == 1 + sum(recording.failures.values())
    played = {job.name: recording}
    cwd = job.lay_out(tmp_path / "work")
    assert not passes(job, cwd), "the check must fail before the job is done"
    async with LLMOS(
        tmp_path / "home",
        processor=player(played),
        config=LLMOSConfig(),
        approver=own_calls_only(played),
    ) as os:
        result = await os.execute(job.goal, check=job.check, cwd=cwd)
    assert (result.mode, result.verdict) == (Mode.LEARNER, Verdict.VERIFIED)
    assert passes(job, cwd)
    assert [s.is_error for s in result.steps] == [s.is_error for s in recording.trace.steps]


@pytest.mark.parametrize("job", RECORDED, ids=lambda job: job.name)
def test_a_recording_survives_being_written_and_read(job: Job) -> None:
    recording = load(job.name)
    assert recording is not None
    assert Recording.from_json(json.loads(json.dumps(recording.as_json()))) == recording


@pytest.mark.parametrize("job", RECORDED, ids=lambda job: job.name)
def test_a_recording_holds_no_path_of_the_machine_that_made_it(job: Job) -> None:
    recording = load(job.name)
    assert recording is not None
    text = json.dumps(recording.as_json())
    assert "/root" not in text
    assert "/tmp" not in text


async def test_the_approver_lets_nothing_pass_but_the_recorded_calls(tmp_path: Path) -> None:
    recordings = {job.name: r for job in RECORDED if (r := load(job.name))}
    job = RECORDED[0]
    foreign = Trace(job.goal, (Step("Bash", {"command": "touch x"}),), "")
    playing = {job.name: Recording(job.name, foreign, "nobody", "", 1)}
    async with LLMOS(
        tmp_path / "home",
        processor=player(playing),
        config=LLMOSConfig(sandbox=False),
        approver=own_calls_only(recordings),
    ) as os:
        result = await os.execute(job.goal, cwd=job.lay_out(tmp_path / "work"))
    assert not result.success
    assert not (tmp_path / "work" / "x").exists()


# --- the checks ------------------------------------------------------------------------------

WRONG = {
    "calculator": {
        "calculator.py": "add = subtract = multiply = divide = lambda a, b: a + b\n",
    },
    "sales": {"summary.md": "- North: 529.95\n- South: 100.35\n- East: 51.00\n"},
    "rename": {"notes/2026-garden.txt": "Water the tomatoes.\n"},
    "port": {"config.json": '{"host": "localhost", "port": 9090}'},
    "stats": {"stats.py": "def mean(values):\n    return 0\n"},
}


@pytest.mark.parametrize("job", JOBS, ids=lambda job: job.name)
def test_a_check_refuses_a_wrong_result(job: Job, tmp_path: Path) -> None:
    folder = job.lay_out(tmp_path / "work")
    for name, content in WRONG[job.name].items():
        (folder / name).write_text(content)
    assert not passes(job, folder)


def test_the_check_of_the_sales_expects_the_totals_of_its_own_file(tmp_path: Path) -> None:
    job = SALES
    assert job.expect(job.files) == {"North": 529.95, "South": 100.35, "East": 50.0}
    folder = job.lay_out(tmp_path / "work")
    (folder / "summary.md").write_text(
        "| Region | Total |\n|---|---|\n| North | $529.95 |\n| South | 100.350 |\n| East | 50 |\n"
    )
    assert passes(job, folder)
    (folder / "sales.csv").write_text(job.edits["sales.csv"])
    assert not passes(job, folder), "a job may not change what it reads"


# --- the price and the script ----------------------------------------------------------------


def test_cached_tokens_are_priced_lower_and_output_higher() -> None:
    price = named_price()
    assert price.cached_usd < price.input_usd < price.output_usd
    usage = Usage(1_000_000, 1_000_000, cache_read_tokens=1_000_000)
    assert price.of(usage) == pytest.approx(price.input_usd + price.output_usd + price.cached_usd)


def test_the_documented_table_is_that_of_the_recordings() -> None:
    recordings = [r for job in JOBS if (r := load(job.name))]
    assert table(recordings) in DOCS.read_text("utf-8")


def test_only_a_run_that_passed_is_kept_and_the_failed_ones_are_counted() -> None:
    job = JOBS[0]
    runs = [Trace(job.goal, verdict=v) for v in (Verdict.FAILED, Verdict.REFUTED, Verdict.REFUTED)]
    assert kept(job, runs, "a model", "0" * 64) is None
    assert kept(job, [Trace(job.goal, verdict=Verdict.COMPLETED)], "a model", "0" * 64) is None
    made = kept(job, [*runs, Trace(job.goal, verdict=Verdict.VERIFIED)], "a model", "0" * 64)
    assert made is not None
    assert (made.attempts, dict(made.failures)) == (4, {"failed": 1, "refuted": 2})
    assert "4 (1 failed, 2 refuted)" in table([made])
