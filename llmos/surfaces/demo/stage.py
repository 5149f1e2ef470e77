"""Sets the scene for the story, lets it be told, and clears up."""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from llmos.boot import LLMOS
from llmos.config import LLMOSConfig, default_home
from llmos.cortex.processors import make_processor, processor_status
from llmos.errors import IntegrityError
from llmos.kernel.permissions import Approver, reject_all
from llmos.plugins.sandbox import available
from llmos.surfaces.demo.families import FAMILIES, teacher
from llmos.surfaces.demo.jobs import JOBS
from llmos.surfaces.demo.price import Price, named_price
from llmos.surfaces.demo.recording import Recording, load, player
from llmos.surfaces.demo.scene import Nobody, Scene, own_calls_only
from llmos.surfaces.demo.story import Story
from llmos.surfaces.demo.teller import Teller


@dataclass(frozen=True, slots=True)
class Options:
    """What was asked; see `llmos.surfaces.demo.run_demo`."""

    live: bool = False
    json: bool = False
    keep: bool = False
    config: LLMOSConfig | None = None
    home: Path | None = None
    approver: Approver | None = None


def perform(options: Options) -> int:
    """Tell the story; returns the exit code."""
    settings = options.config or LLMOSConfig.load(options.home or default_home())
    settings = replace(settings, database_url="")  # its home is its own, and so is its database
    folder = Path(tempfile.mkdtemp(prefix="llmos-demo-")).resolve()
    try:
        teller, facts = asyncio.run(_perform(options, settings, folder))
    finally:
        if not options.keep:
            shutil.rmtree(folder, ignore_errors=True)
    if options.json:
        print(json.dumps(facts, ensure_ascii=False, indent=2))
    return 0 if teller.ok else 1


async def _perform(
    options: Options, settings: LLMOSConfig, folder: Path
) -> tuple[Teller, dict[str, Any]]:
    from rich.console import Console

    teller = Teller(None if options.json else Console(highlight=False))
    price = named_price()
    async with _scene(options, settings, folder) as scene:
        _prologue(scene, teller, price)
        story = Story(scene, teller, price)
        await story.tell()
        facts = _frame(scene, price) | story.facts
    if options.keep:
        teller.say(f"Kept: {folder}", indent=0)
        facts["folder"] = str(folder)
    teller.chapter("Everything happened as told." if teller.ok else "Something was not as told.")
    return teller, facts | {"claims": teller.as_json(), "ok": teller.ok}


@asynccontextmanager
async def _scene(options: Options, settings: LLMOSConfig, folder: Path) -> AsyncIterator[Scene]:
    scene = (_live if options.live else _recorded)(options, settings, folder)
    async with scene.learning, scene.following, scene.teaching:
        yield scene


def _live(options: Options, settings: LLMOSConfig, folder: Path) -> Scene:
    processor, approver = make_processor(settings), options.approver or reject_all
    config = unaudited(settings)
    llmos = LLMOS(folder / "home", processor=processor, config=config, approver=approver)
    return Scene(
        folder,
        llmos,
        llmos,
        _teaching(folder),
        JOBS,
        processor.name,
        no_sandbox=_no_sandbox(settings),
    )


def _recorded(options: Options, settings: LLMOSConfig, folder: Path) -> Scene:
    found = {job.name: load(job.name) for job in JOBS}
    recordings = {name: recording for name, recording in found.items() if recording}
    if not recordings:
        raise IntegrityError("the package has no recordings", "install it again, or say --live")
    home, approver = folder / "home", own_calls_only(recordings)
    # The user's own rules and budget are for their own work; the sandbox is the machine's.
    config = unaudited(LLMOSConfig(sandbox=settings.sandbox))
    played = player(recordings)
    return Scene(
        folder,
        LLMOS(home, processor=played, config=config, approver=approver),
        LLMOS(home, processor=Nobody(), config=config, approver=approver),
        _teaching(folder),
        tuple(job for job in JOBS if job.name in recordings),
        played.name,
        recordings,
        _no_sandbox(settings),
        processor_status(settings),
    )


def _teaching(folder: Path) -> LLMOS:
    # Lessons need nobody's rules or approval: they write files in folders of their own.
    config = unaudited(LLMOSConfig())
    return LLMOS(folder / "home", processor=teacher(FAMILIES), config=config)


def unaudited(config: LLMOSConfig) -> LLMOSConfig:
    """The settings without audits: what is shown must not depend on chance."""
    return replace(config, audit_rate=0.0, audit_rate_external=0.0)


def _no_sandbox(settings: LLMOSConfig) -> str | None:
    return available() if settings.sandbox else "the setting 'sandbox' is off"


def _prologue(scene: Scene, teller: Teller, price: Price) -> None:
    rates = f"${price.input_usd:g} in, ${price.output_usd:g} out per million tokens, genai-prices"
    if scene.live:
        live = f"Live: the processor {scene.processor} does the first runs"
        teller.say(f"{live}; those that teach in chapter 6 were made for this demo.", indent=0)
        teller.say(f"“At the price” is that of {price.model} ({rates}).", indent=0)
    else:
        one = _any(scene.recordings)
        days = sorted(f"{r.trace.now:%Y-%m-%d}" for r in scene.recordings.values())
        made = " to ".join(dict.fromkeys((days[0], days[-1])))
        teller.say(
            f"The first runs are recordings of {one.model} (made {made}, {one.machine}), played "
            "by the recorded processor; those that teach in chapter 6 were made for this demo. "
            "Everything else is live: files, commands, checks, replays, the night.",
            indent=0,
        )
        teller.say(
            "That model ran on its owner's machine and cost $0. “At the price” says what the same "
            f"tokens would cost with {price.model} ({rates}).",
            indent=0,
        )
    if scene.no_sandbox:
        teller.say(
            f"There is no sandbox here: {scene.no_sandbox}. Commands run all the same, in a folder "
            "of their own, but they cannot be undone and nobody knows what else they touched.",
            indent=0,
            style="yellow",
        )


def _frame(scene: Scene, price: Price) -> dict[str, Any]:
    """What holds for the whole story, for ``--json``."""
    model: dict[str, Any] = {"processor": scene.processor}
    if not scene.live:
        one = _any(scene.recordings)
        model |= {"name": one.model, "sha256": one.model_sha256, "machine": one.machine}
    return {
        "live": scene.live,
        "model": model,
        "price": price.as_json(),
        "sandbox": scene.no_sandbox is None,
        "no_sandbox_because": scene.no_sandbox,
    }


def _any(recordings: Mapping[str, Recording]) -> Recording:
    """One recording, to name the model by: all are of the same one."""
    return next(iter(recordings.values()))
