"""What a thousand tools cost a model, and what is lost when it is given a few.

    python -m bench tools [PATH] [--json]

PATH is the folder of the office benchmark; without it, recall is left out.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bench.tools import prompt, recall, turns


def main(path: Path | None = None) -> list[dict[str, Any]]:
    """Measure and return the rows."""
    return [*prompt.rows(), *(recall.rows(path) if path else ()), *turns.rows()]
