"""``python -m examples.rest_api [--live]``."""

from __future__ import annotations

import sys
from importlib.util import find_spec

from examples.rest_api.jobs import API
from examples.running import main
from examples.stage import Stage
from examples.story import Story
from llmos.surfaces.demo.teller import Teller


async def tell(stage: Stage, teller: Teller) -> None:
    """The story of this example."""
    await Story(stage, teller, API).tell()


if __name__ == "__main__":
    # The check starts the API and calls it.
    if missing := [name for name in ("fastapi", "uvicorn") if find_spec(name) is None]:
        sys.exit(f"error: not installed: {', '.join(missing)}\n  pip install {' '.join(missing)}")
    sys.exit(main("rest_api", tell, "Create a REST API with FastAPI, and call it."))
