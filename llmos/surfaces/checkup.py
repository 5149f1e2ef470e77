"""What LLM OS needs, and what of it is missing: for ``llmos doctor`` and its like."""

from __future__ import annotations

import os
import platform
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from llmos.config import LLMOSConfig, config_path
from llmos.errors import LLMOSError
from llmos.values import check_name

if TYPE_CHECKING:
    from llmos.kernel.kernel import Kernel
    from llmos.store.dialect import Dialect


class State(StrEnum):
    """How bad a finding is."""

    OK = "ok"
    NOTE = "note"
    """Good to know."""
    LACKS = "lacks"
    """Something does not work, the rest does."""
    BROKEN = "broken"
    """Nothing works before this is mended."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    name: str
    state: State
    text: str
    hint: str = ""


def checkup(home: Path, user_id: str, team_id: str | None = None) -> list[Finding]:
    """Look at everything; what is broken is a finding, not an error.

    Args:
        home: Home of LLM OS; made if it is not there.
        user_id: Whose runs are meant.
        team_id: That user's team.

    Raises:
        UserError: The user or team id cannot be one.
    """
    check_name(user_id, "user id")
    if team_id is not None:
        check_name(team_id, "team id")
    found = [Finding("python", State.OK, f"{platform.python_version()} on {platform.platform()}")]
    try:
        config = LLMOSConfig.load(home)
    except LLMOSError as e:
        hint = e.hint or f"mend it: {config_path(home)}"
        return [*found, Finding("settings", State.BROKEN, e.message, hint)]
    found.append(_settings(home))
    try:
        found += _opened(home, config)
    except LLMOSError as e:
        found.append(Finding("database", State.BROKEN, e.message, e.hint))
    return [*found, *_models(config), _honesty(home)]


def _settings(home: Path) -> Finding:
    path = config_path(home)
    return Finding("settings", State.OK, str(path) if path.exists() else "all by default")


def _opened(home: Path, config: LLMOSConfig) -> Iterator[Finding]:
    from llmos.kernel.admission import Hooks
    from llmos.kernel.kernel import Kernel
    from llmos.kernel.permissions import reject_all
    from llmos.values import utc_now

    kernel = Kernel.open(home, config, clock=utc_now, approver=reject_all, hooks=Hooks())
    try:
        yield _home(kernel.store.home)
        yield _database(kernel)
        yield _sandbox(config)
        yield from _plugins(kernel)
        yield _doubts(kernel)
    finally:
        kernel.close()


def _home(home: Path) -> Finding:
    mode = stat.S_IMODE(home.stat().st_mode)
    if mode & 0o077:
        hint = f"chmod 700 {home}"
        return Finding("home", State.LACKS, f"{home} can be read by others ({mode:o})", hint)
    return Finding("home", State.OK, f"{home} (only you can read it)")


def _database(kernel: Kernel) -> Finding:
    from sqlalchemy import func, select

    from llmos.store.migrate import REVISIONS
    from llmos.store.schema import traces

    count = kernel.store.read(lambda c: c.scalar(select(func.count()).select_from(traces)))
    runs = "1 run" if count == 1 else f"{count:,} runs"
    told = [runs, _size(kernel.store.database), f"schema {REVISIONS[-1]}"]
    return Finding("database", State.OK, ", ".join(told))


def _size(database: Dialect) -> str:
    from llmos.store.sqlite import Sqlite

    if isinstance(database, Sqlite):
        return f"{Path(database.where).stat().st_size / (1 << 20):.1f} MiB"
    return database.where


def _sandbox(config: LLMOSConfig) -> Finding:
    from llmos.plugins.sandbox import available

    if not config.sandbox:
        return Finding("sandbox", State.NOTE, "turned off: Bash asks before every command")
    why = available()
    if why is None:
        return Finding("sandbox", State.OK, "bubblewrap works: Bash runs in it")
    hint = "install it: apt install bubblewrap (or the like)"
    return Finding("sandbox", State.LACKS, f"{why}: Bash asks before every command", hint)


_MEND = {
    "file": "mend the file, or remove it",
    "package": "update the package, or say: llmos config set package_plugins false",
    "server": "see: llmos mcp",
}


def _plugins(kernel: Kernel) -> Iterator[Finding]:
    count = len(kernel.registry)
    yield Finding("tools", State.OK, f"{count}: {', '.join(kernel.registry.names)}")
    for source in kernel.registry.sources:
        for problem in source.problems:
            yield Finding("plugin", State.LACKS, str(problem), _MEND[source.kind])


def _doubts(kernel: Kernel) -> Finding:
    doubts = kernel.intents.in_doubt()
    if not doubts:
        return Finding("writes", State.OK, "no external write is in doubt")
    told = "; ".join(f"{d.tool} of {d.at[:16]} ({d.id})" for d in doubts[:5])
    hint = "look what became of each, then say: llmos resolve ID happened|not"
    what = "1 external write is" if len(doubts) == 1 else f"{len(doubts)} external writes are"
    return Finding("writes", State.LACKS, f"{what} in doubt: {told}", hint)


def _models(config: LLMOSConfig) -> Iterator[Finding]:
    from llmos.cortex.processors import make_processor, processor_status

    status = processor_status(config)
    for name, why in status:
        state = State.OK if why is None else State.NOTE
        yield Finding("model", state, f"{name}: {why or 'can be used'}")
    try:
        make_processor(config)
    except LLMOSError as e:
        yield Finding("model", State.LACKS, f"{e.message}: only known goals can be run", e.hint)


def _honesty(home: Path) -> Finding:
    who = "you are" if os.stat(home).st_uid == os.getuid() else "its owner is"
    text = (
        f"embedded: {who} the owner of the file and so the admin; "
        "user names organise, they are no wall between people"
    )
    return Finding("access", State.NOTE, text)
