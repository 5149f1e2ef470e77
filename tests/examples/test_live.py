"""The same stories with a model on this machine, where LLMOS_TEST_GGUF names its file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from examples.csv_summary.__main__ import tell as tell_csv
from examples.papers.__main__ import tell as tell_papers
from examples.rest_api.__main__ import tell as tell_api
from examples.running import Telling, perform
from llmos import LLMOSConfig
from llmos.cortex.processors.local import LocalProcessor
from llmos.plugins.sandbox import available
from llmos.surfaces.demo.teller import Teller

MODEL = os.environ.get("LLMOS_TEST_GGUF", "")

pytestmark = [
    pytest.mark.local_model,
    pytest.mark.timeout(3600),
    pytest.mark.skipif(not MODEL, reason="LLMOS_TEST_GGUF names no model file"),
    pytest.mark.skipif(available() is not None, reason="bubblewrap does not run here"),
]


@pytest.mark.parametrize(
    ("example", "tell"),
    [("csv_summary", tell_csv), ("rest_api", tell_api), ("papers", tell_papers)],
)
async def test_what_the_model_did_is_done_again_for_nothing_until_the_world_changes(
    example: str, tell: Telling
) -> None:
    """A model that cannot do the job is no failure of LLM OS, and no success either."""
    teller = Teller(None)
    processor = LocalProcessor(Path(MODEL))
    await perform(example, tell, teller, live=True, config=LLMOSConfig(), processor=processor)
    first, *others = teller.claims
    if not first.held:
        pytest.xfail(f"the model did not do it: {first.text}")
    second, undone, stopped, *_ = others
    # Whether it can also take over where the world has changed is up to the model.
    assert [claim.text for claim in (second, undone, stopped) if not claim.held] == []
