"""Another model is suggested for an agent where the record speaks for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import update

from llmos import LLMOS, LLMOSConfig
from llmos.cortex.agents import StoredAgent
from llmos.store.schema import traces
from llmos.values import ArtifactType, Step, Trace, Verdict
from llmos.volumes import Status
from tests.conftest import MakeOS
from tests.crons.test_refinement import Unsteady

SUGGESTION = ArtifactType.SUGGESTION
TEXT = "---\nname: scribe\ndescription: d\ntools: Write\ncolor: red\n---\nBe kind.\n"


async def ran(os: LLMOS, agent: StoredAgent, model: str, good: int, bad: int, usd: float) -> None:
    """Runs of this home, as a model of that name would have left them."""
    verdicts = [Verdict.COMPLETED] * good + [Verdict.FAILED] * bad
    told = agent.digest[:4]
    step = Step("Write", {"file_path": "a", "content": "b"})
    given: Sequence[Trace] = [
        Trace(
            f"Write {k} greetings for {k + 100} people",
            (step,),
            verdict=verdict,
            agent=agent.label,
            model=model,
            cost_usd=usd,
            context_digest=f"{told}{model}{k}",
        )
        for k, verdict in enumerate(verdicts)
    ]
    await os.learn(given)
    store = os.kernel._kernel.store
    store.write(lambda tx: tx.conn.execute(update(traces).values(process_id="p")))


async def night(os: LLMOS) -> list[str]:
    await os.kernel.run_cron_now()
    listed = os.kernel.get_user_volume().list_artifacts(SUGGESTION, Status.DRAFT)
    return [a.name for a in listed if a.name.startswith("model-")]


def suggestion(os: LLMOS, name: str) -> Any:
    return os.kernel.get_user_volume().get(SUGGESTION, name).content


async def with_two_versions(make_os: MakeOS, **settings: Any) -> tuple[LLMOS, StoredAgent, Any]:
    os = await make_os(processor=Unsteady(), config=LLMOSConfig(**settings))
    agents = os.kernel.agents
    plain = agents.create(TEXT)
    small = agents.modify("scribe", TEXT.replace("color", "model: small\ncolor"))
    agents.rollback("scribe", plain.digest)
    return os, plain, small


async def test_the_cheaper_model_is_suggested_and_accepting_it_changes_one_line(
    make_os: MakeOS,
) -> None:
    os, plain, small = await with_two_versions(make_os)
    await ran(os, small, "small-2026", 16, 0, 0.01)
    await ran(os, plain, "large-2026", 15, 1, 0.05)
    (name,) = await night(os)
    content = suggestion(os, name)
    assert content["title"] == (
        "Change the agent scribe: work with the model small, it is as good and costs less"
    )
    assert "small-2026: 16 of 16 runs were good, $0.0100 for each good one" in content["text"]
    os.kernel.decide_suggestion(os.kernel.get_user_volume(), name, Status.ACTIVE)
    after = os.kernel.agents.get("scribe").agent
    assert (after.model, after.tools, after.prompt) == ("small", ("Write",), "Be kind.")
    assert [r.runs for r in os.kernel.agent_models("scribe").values()] == [16, 16]
    assert await night(os) == []


async def test_a_model_whose_name_nobody_knows_how_to_say_is_not_suggested(
    make_os: MakeOS,
) -> None:
    os, plain, _ = await with_two_versions(make_os, model="maker:large-2026")
    await ran(os, plain, "small-2026", 16, 0, 0.01)
    await ran(os, plain, "large-2026", 16, 0, 0.05)
    assert await night(os) == []


async def test_what_was_run_under_another_text_says_nothing(make_os: MakeOS) -> None:
    os, plain, _ = await with_two_versions(make_os)
    agents = os.kernel.agents
    other = agents.modify("scribe", TEXT.replace("kind", "brief"))
    agents.rollback("scribe", plain.digest)
    await ran(os, other, "small-2026", 16, 0, 0.01)
    await ran(os, plain, "large-2026", 16, 0, 0.05)
    assert await night(os) == []
    assert list(os.kernel.agent_models("scribe")) == ["large-2026"]


async def test_an_agent_that_was_chosen_works_with_its_own_model_and_says_so(
    make_os: MakeOS,
) -> None:
    processor = Unsteady()
    seen: list[str] = []
    inner = processor.run

    def run(goal: str, context: Any, syscalls: Any, limits: Any) -> Any:
        seen.append(context.model)
        return inner(goal, context, syscalls, limits)

    processor.run = run  # type: ignore[method-assign]
    os = await make_os(processor=processor)
    fits = "Write greetings into files"
    text = f"---\nname: scribe\ndescription: {fits}\nmodel: small\n---\nBe kind.\n"
    os.kernel.agents.create(text)
    decision, _ = os.explain("Write greetings into files", agent="auto")
    assert "agent auto: scribe with the model small, since" in decision.reason
    await os.execute("Write greetings into files", agent="auto")
    assert seen == ["small"]
