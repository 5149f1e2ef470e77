"""``python -m examples.csv_summary [--live]``."""

from __future__ import annotations

import sys

from examples.csv_summary.jobs import NORTH
from examples.csv_summary.night import tell_night
from examples.running import main
from examples.stage import Stage
from examples.story import Story
from llmos.surfaces.demo.teller import Teller


async def tell(stage: Stage, teller: Teller) -> None:
    """The story of this example."""
    await Story(stage, teller, NORTH).tell()
    await tell_night(stage, teller)


if __name__ == "__main__":
    sys.exit(main("csv_summary", tell, "Parse CSV files and create a summary of each shop."))
