"""Opens LLM OS for one command, and finds runs by what people call them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from llmos.errors import UserError

if TYPE_CHECKING:
    from llmos.boot import LLMOS
    from llmos.surfaces.cli.options import Globals
    from llmos.values import Trace

T = TypeVar("T")


def make(asked: Globals, **more: Any) -> LLMOS:
    """An LLM OS, not yet booted, for the global options of a command.

    Args:
        asked: The global options.
        more: Other arguments of `LLMOS`.
    """
    from llmos.boot import LLMOS

    given = {"project": asked.project} | more
    return LLMOS(asked.folder, asked.user, asked.team, **given)


def with_os(
    asked: Globals, work: Callable[[LLMOS], Awaitable[T]], *, begins: bool = False, **more: Any
) -> T:
    """Boot, do ``work``, shut down.

    Args:
        asked: The global options.
        work: What the command does.
        begins: It may be the first use of a project.
        more: Other arguments of `LLMOS`.
    """

    async def story() -> T:
        async with make(asked, **more) as os:
            meet_project(os, begins=begins)
            return await work(os)

    return asyncio.run(story())


def meet_project(os: LLMOS, *, begins: bool) -> None:
    """Say that a project is not known yet: by a slip, nothing new may begin.

    Args:
        os: Booted.
        begins: What is done now may be its first use.

    Raises:
        UserError: It would be, and the name is nearly that of another, or it was laid aside.
    """
    if os.project is None:
        return
    if begins:
        os.projects.require_usable(os.project)
    from llmos.surfaces.cli.views.projects import note_archived, note_new

    if not os.projects.is_known(os.project):
        note_new(os.project, os.projects.near(os.project), begins=begins)
    elif os.projects.get(os.project).archived_at is not None:
        note_archived(os.project)


def working_directory(cwd: Path | None) -> Path:
    """The folder that ``--cwd`` names, or the current one, resolved."""
    return (cwd.expanduser() if cwd is not None else Path.cwd()).resolve()


def find_run(os: LLMOS, name: str, *, imported: bool = True) -> Trace:
    """The run that a person means.

    Args:
        os: Booted.
        name: Its id, the beginning or the last six characters of it, or ``last``.
        imported: Whether the last one may be one that was made elsewhere and learnt here.

    Raises:
        UserError: There is none, or there are several.
    """
    from llmos.memory.traces import Scope

    text = name.strip().upper()
    mine = Scope(os.user_id)
    if text == "LAST":
        newest = os.traces.recent(mine, limit=1, imported=imported, whole=True)
        if not newest and os.traces.recent(mine, limit=1):
            raise UserError("all runs were imported: LLM OS itself has done nothing yet")
        if not newest:
            raise UserError("there is no run yet", 'begin with: llmos run "…"')
        return os.traces.get(newest[0].id)
    if 4 <= len(text) < 26:
        ids = [t.id for t in os.traces.recent(mine, limit=1000) if t.id.endswith(text)]
        if len(ids) == 1:
            return os.traces.get(ids[0])
    return os.traces.get(name)


def run_or_event(os: LLMOS, name: str) -> Trace | None:
    """The run that a person means, or None if it is an event or a cycle that they mean.

    Args:
        os: Booted.
        name: An id, or what people call it by.

    Raises:
        UserError: It names neither, or both.
    """
    is_event = os.kernel.is_event(name)
    try:
        # What is undone, LLM OS did itself.
        run = find_run(os, name, imported=False)
    except UserError:
        if is_event:
            return None
        if name.strip().lower() == "last":
            raise
        raise UserError(
            f"there is no run, event or cycle {name[:80]!r}",
            "see: llmos traces, or: llmos feed",
        ) from None
    if is_event:
        raise UserError(f"{name!r} names a run and an event", "give more of the id")
    return run
