"""``python -m examples.papers [--live]``."""

from __future__ import annotations

import sys

from examples.papers.jobs import PAPERS
from examples.running import main
from examples.stage import Stage
from examples.story import Story
from llmos.surfaces.demo.teller import Teller


async def tell(stage: Stage, teller: Teller) -> None:
    """The story of this example."""
    await Story(stage, teller, PAPERS).tell()


if __name__ == "__main__":
    sys.exit(main("papers", tell, "Summarise papers that are given as files."))
