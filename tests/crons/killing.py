"""Kills a daemon of crons again and again and looks at what is left."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, replace
from itertools import groupby

from sqlalchemy import select

from llmos.crons import CronLevel
from llmos.store import Store
from llmos.store.schema import artifacts, crons, events
from llmos.values import ArtifactType
from llmos.volumes import Volume, get_watermark
from tests.crons.worker import CALLERS, MARK, counting
from tests.support.databases import Database

SETTING = "LLMOS_DATABASE_URL"

OWNERS = {"user": "alice", "team": "engineering", "system": "system"}


@dataclass
class Left:
    """What is in the home after the kills."""

    made: dict[str, int]
    """Numbers by level: as many as the watermark says."""
    lost: int
    doubled: int
    running: int
    unpaired: int
    """Beginnings of cycles that have no end, or ends that are told twice."""
    overlapping: int
    """Numbers written by a process after another one had begun to work on the volume."""


def kill_again_and_again(database: Database, times: int, seed: int = 1) -> None:
    """Start a daemon and kill it at a random moment, ``times`` times.

    Where the database is shared, the next one is of another home every time: another machine.
    """
    chance = random.Random(seed)
    for n in range(times):
        child = start(another(database, n))
        assert child.stdout is not None and child.stderr is not None
        assert child.stdout.readline() == "ready\n", child.communicate()
        for _ in range(chance.randint(0, 4)):
            child.stdout.readline()  # a cycle that did something
        time.sleep(chance.uniform(0.0, 0.1))
        child.kill()
        child.wait()
        error = child.stderr.read()
        child.stdout.close()
        child.stderr.close()
        assert "Traceback" not in error, error


def another(database: Database, n: int) -> Database:
    """A second home on a shared database, and back."""
    shared = database.url is not None and n % 2
    return replace(database, home=database.home.with_name("elsewhere")) if shared else database


def start(database: Database) -> subprocess.Popen[str]:
    """Start a daemon; its first line is ``ready``, or why it does not run the crons."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.crons.worker", str(database.home)],
        env={**os.environ, **({SETTING: database.url} if database.url else {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


async def what_is_left(database: Database) -> Left:
    """Let one more daemon mend the home, then look."""
    with database.open() as store:
        engine = counting(store)
        await engine.start()
        for level, owner in OWNERS.items():
            before = made(store, level, owner)
            while made(store, level, owner) == before:
                time.sleep(0.01)
        await engine.stop()
        found = {level: made(store, level, owner) for level, owner in OWNERS.items()}
        names = store.read(lambda c: c.execute(select(artifacts.c.volume, artifacts.c.name)).all())
        numbers = Counter(volume for volume, _ in names)
        running = store.read(
            lambda c: c.execute(select(crons.c.level).where(crons.c.status == "running")).all()
        )
        return Left(
            found,
            lost=sum(max(found[level] - numbers[level], 0) for level in OWNERS),
            doubled=sum(max(numbers[level] - found[level], 0) for level in OWNERS),
            running=len(running),
            unpaired=unpaired(store),
            overlapping=sum(overlapping(store, level, owner) for level, owner in OWNERS.items()),
        )


def made(store: Store, level: str, owner: str) -> int:
    place = CronLevel(level).place(owner)
    return int(store.read(lambda c: get_watermark(c, MARK, place)) or 0)


def overlapping(store: Store, level: str, owner: str) -> int:
    volume = Volume(store, level, owner, caller=CALLERS[CronLevel(level)](owner))
    names = sorted(a.name for a in volume.list_artifacts(ArtifactType.INSIGHT, limit=100_000))
    by = [volume.get(ArtifactType.INSIGHT, name).content["by"] for name in names]
    blocks = [process for process, _ in groupby(by)]
    return len(blocks) - len(set(blocks))


def unpaired(store: Store) -> int:
    kinds = ("CYCLE_BEGIN", "CYCLE_END")
    rows = store.read(
        lambda c: c.execute(
            select(events.c.type, events.c.subject, events.c.payload).where(
                events.c.type.in_(kinds)
            )
        ).all()
    )
    told = Counter((r.type, r.subject) for r in rows if "quiet" not in json.loads(r.payload))
    begun = {subject for type_, subject in told if type_ == kinds[0]}
    ended = {subject for type_, subject in told if type_ == kinds[1]}
    return len(begun ^ ended) + sum(1 for n in told.values() if n > 1)
