"""``llmos demo``: the whole idea on real files, in seconds, with no model needed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from llmos.config import LLMOSConfig
    from llmos.kernel.permissions import Approver

__all__ = ["run_demo"]


def run_demo(
    *,
    live: bool = False,
    json: bool = False,
    keep: bool = False,
    config: LLMOSConfig | None = None,
    home: Path | None = None,
    approver: Approver | None = None,
) -> int:
    """Tell the story of the demo on standard output.

    Args:
        live: Let the configured processor do the first runs instead of recordings.
        json: Print one JSON object with all of it, and nothing else.
        keep: Leave the folder with the demo's home and files, and tell where it is.
        config: The settings to use; those of ``home`` when left out.
        home: Whose settings those are. Nothing is written there: the demo has a home of its own.
        approver: Asked, when live, about calls that need a person; by default the answer is no.

    Returns:
        The exit code: 0 if everything happened as it was told, 1 if anything did not.

    Raises:
        NeedsProcessor: ``live``, and no processor is configured.
    """
    from llmos.surfaces.demo.stage import Options, perform

    return perform(Options(live, json, keep, config, home, approver))
