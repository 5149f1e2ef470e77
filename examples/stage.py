"""Where an example plays: a folder and a home of its own, and who does the first runs."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from examples.catalog import recordings_of
from llmos.boot import LLMOS
from llmos.config import LLMOSConfig, default_home
from llmos.cortex.processors import make_processor
from llmos.kernel.permissions import Approver
from llmos.plugins.sandbox import available
from llmos.surfaces.demo.jobs import Job
from llmos.surfaces.demo.recording import Recording, player
from llmos.surfaces.demo.scene import Nobody, own_calls_only
from llmos.surfaces.demo.stage import unaudited
from llmos.values import Processor

BY_HAND = "recorded by hand"
"""Stands where the name of a model would, where no model made a recording."""


@dataclass(frozen=True)
class Stage:
    """Everything a chapter needs."""

    folder: Path
    learning: LLMOS
    """Does jobs for the first time."""
    following: LLMOS
    """Does them again: without any model unless the example is live."""
    recordings: Mapping[str, Recording]
    """By the name of the job; empty when live."""
    processor: str
    config: LLMOSConfig
    """As the example has it: without audits, which are drawn by chance."""
    no_sandbox: str | None
    """Why ``Bash`` runs without a sandbox here; None when it has one."""

    @property
    def live(self) -> bool:
        """Whether a real model takes part."""
        return not self.recordings

    def lay_out(self, job: Job, when: str) -> Path:
        """A new folder with the job's files."""
        return job.lay_out(self.folder / when / job.name)


@asynccontextmanager
async def stage_of(
    example: str,
    *,
    live: bool = False,
    keep: bool = False,
    config: LLMOSConfig | None = None,
    processor: Processor | None = None,
    approver: Approver | None = None,
) -> AsyncIterator[Stage]:
    """Set up an example and clear up afterwards.

    Args:
        example: Its name.
        live: Let a real model do the first runs, and take over where the world has changed.
        keep: Leave the folder.
        config: The settings; those of this machine when left out.
        processor: The model when live; the one that the settings name when left out.
        approver: Asked, when live, about calls that need a person.

    Raises:
        NeedsProcessor: ``live``, and no processor is configured.
    """
    settings = replace(config or LLMOSConfig.load(default_home()), database_url="")
    folder = Path(tempfile.mkdtemp(prefix=f"llmos-{example}-")).resolve()
    try:
        made = processor or make_processor(settings) if live else None
        recordings = {} if live else recordings_of(example)
        # The user's own rules and budget are for their own work; the sandbox is the machine's.
        config = unaudited(settings if live else LLMOSConfig(sandbox=settings.sandbox))
        learning, following = _both(folder / "home", config, made, recordings, approver)
        name = made.name if made else "recorded"
        why = available() if settings.sandbox else "the setting 'sandbox' is off"
        async with learning, following:
            yield Stage(folder, learning, following, recordings, name, config, why)
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)


def _both(
    home: Path,
    config: LLMOSConfig,
    model: Processor | None,
    recordings: Mapping[str, Recording],
    approver: Approver | None,
) -> tuple[LLMOS, LLMOS]:
    if model is not None:
        more = {} if approver is None else {"approver": approver}
        llmos = LLMOS(home, processor=model, config=config, **more)
        return llmos, llmos
    return played(home, config, recordings)


def played(
    home: Path, config: LLMOSConfig, recordings: Mapping[str, Recording]
) -> tuple[LLMOS, LLMOS]:
    """Two on one home: one that plays recordings, and one in which nothing can spend a token."""
    allowed = own_calls_only(recordings)
    return (
        LLMOS(home, processor=player(recordings), config=config, approver=allowed),
        LLMOS(home, processor=Nobody(), config=config, approver=allowed),
    )
