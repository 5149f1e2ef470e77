"""The three use cases, told as the examples tell them."""

from __future__ import annotations

import pytest

from examples.by_hand import written
from examples.csv_summary.__main__ import tell as tell_csv
from examples.csv_summary.jobs import EAST, NORTH, SOUTH
from examples.papers.__main__ import tell as tell_papers
from examples.rest_api.__main__ import tell as tell_api
from examples.running import Telling, perform
from examples.stage import BY_HAND, Stage
from examples.story import Story
from llmos import LLMOSConfig
from llmos.cortex.processors import RecordedProcessor
from llmos.plugins.sandbox import available
from llmos.surfaces.demo.teller import Teller

needs_sandbox = pytest.mark.skipif(available() is not None, reason="bubblewrap does not run here")


async def told(example: str, tell: Telling, *, sandbox: bool = True) -> list[str]:
    """What the example claims, after all of it has held."""
    teller = Teller(None)
    await perform(example, tell, teller, config=LLMOSConfig(sandbox=sandbox))
    assert [claim.text for claim in teller.claims if not claim.held] == []
    return [claim.text for claim in teller.claims]


async def test_a_rest_api_is_made_called_made_again_for_nothing_and_undone() -> None:
    for package in ("fastapi", "uvicorn"):
        pytest.importorskip(
            package, reason=f"{package} is not installed: pip install 'llmos[test]'"
        )
    first, second, undone, stopped, left = await told("rest_api", tell_api)
    assert "check passed" in first
    assert "0 tokens" in second
    assert "api.py" in undone
    assert "spec.md" in stopped
    assert "every file is as it was" in left


async def test_papers_are_summarised_again_for_nothing_only_if_the_files_are_the_same() -> None:
    first, second, undone, stopped, left = await told("papers", tell_papers)
    assert "check passed" in first
    assert "0 tokens" in second
    assert "summary.md" in undone
    assert "papers/bees.md" in stopped
    assert "every file is as it was" in left


@needs_sandbox
async def test_csv_files_are_summed_up_and_after_a_night_those_of_a_new_shop_too() -> None:
    first, second, undone, stopped, left, *lessons, west, made = await told("csv_summary", tell_csv)
    assert "check passed" in first
    assert len(lessons) == 3
    assert all(lesson.startswith(BY_HAND) for lesson in lessons)
    assert "0 tokens" in second
    assert "north.md" in undone
    assert "sales/north/april.csv" in stopped
    assert "every file is as it was" in left
    assert "done by the tool: 0 tokens" in west
    assert "one tool" in made


async def test_without_a_sandbox_nothing_is_promised_of_what_a_command_did() -> None:
    async def tell(stage: Stage, teller: Teller) -> None:
        await Story(stage, teller, NORTH).tell()

    claims = " ".join(await told("csv_summary", tell, sandbox=False))
    assert "check passed again" in claims
    assert "taken back" not in claims
    assert "stopped before" not in claims


@needs_sandbox
async def test_live_the_model_takes_over_where_the_world_has_changed() -> None:
    stand_in = RecordedProcessor({j.goal: written(j).trace for j in (NORTH, SOUTH, EAST)})
    teller, config = Teller(None), LLMOSConfig()
    await perform("csv_summary", tell_csv, teller, live=True, config=config, processor=stand_in)
    assert [claim.text for claim in teller.claims if not claim.held] == []
    assert any("the model took over" in claim.text for claim in teller.claims)
