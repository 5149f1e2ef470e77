"""Learned tools that reach outside this machine, in a project where the job was never done.

The same words may mean another thing in another project, and what a tool sends can hold a constant
that is right in one alone: nothing that is guarded would tell. So the first time is a model's.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import Connection, select

from llmos.evolution.tool import LearntTool, Reading
from llmos.plugins import Registry
from llmos.store import Store
from llmos.store.schema import counted, patterns, traces, versions
from llmos.values import Effect, Verdict

_RUNS = 400
"""Runs that a tool was learnt from and that are looked at: SQLite takes at most 999 parameters."""
_VOUCHED = [verdict.value for verdict in Verdict if verdict.evidence]


def marked(
    store: Store, readings: Sequence[Reading], user_id: str, project: str, registry: Registry
) -> list[Reading]:
    """The readings, those of tools that are not at home in a project with the reason why.

    What was shared with a user is for whatever they do: it was looked through for that.

    Args:
        store: Where runs and tools are.
        readings: Of a goal.
        user_id: Whose goal.
        project: That it belongs to, or ``""``.
        registry: The tools that there are.
    """
    where = f"project {project}" if project else "what belongs to no project"
    why = f"it writes to the outside, which was not done in {where} yet"
    return [
        replace(reading, abroad=why)
        if _reaches_out(reading.tool, registry)
        and not store.read(lambda c, t=reading.tool: _at_home(c, t, user_id, project))  # type: ignore[misc]
        else reading
        for reading in readings
    ]


def _reaches_out(tool: LearntTool, registry: Registry) -> bool:
    known = (registry.get(name).effect for name in tool.tools if name in registry)
    writes = any(True for _ in tool.program.writes())
    return writes and any(effect is Effect.EXTERNAL for effect in known)


def _at_home(c: Connection, tool: LearntTool, user_id: str, project: str) -> bool:
    own = (versions.c.volume == "user") & (versions.c.owner == user_id)
    lineage = c.scalar(select(versions.c.lineage).where(own, versions.c.digest == tool.digest))
    if lineage is None:
        return True
    runs = [given for given in json.loads(lineage) if len(given) == 26][-_RUNS:]
    here = traces.c.project == project if project else traces.c.project.is_(None)
    learnt_here = select(traces.c.id).where(traces.c.id.in_(runs), here).limit(1)
    return c.execute(learnt_here).first() is not None or _done(c, tool.name, user_id, project)


def _done(c: Connection, tool: str, user_id: str, project: str) -> bool:
    """Whether a run of what the tool does was vouched for there, as a cron has counted them.

    Only such a run teaches: had it done anything else, the tool would not be what it is. One that
    nobody vouched for may have gone another way, to another recipient, and nothing would tell.
    """
    here = traces.c.project == project if project else traces.c.project.is_(None)
    vouched = (
        select(traces.c.id)
        .join(counted, (counted.c.trace_id == traces.c.id) & (counted.c.owner == user_id))
        .join(patterns, (patterns.c.owner == user_id) & (patterns.c.key == counted.c.key))
        .where(
            patterns.c.tool == tool,
            traces.c.volume == "user",
            traces.c.owner == user_id,
            here,
            traces.c.verdict.in_(_VOUCHED),
            traces.c.quarantined.is_(False),
            traces.c.context_digest == "",
        )
    )
    return c.execute(vouched.limit(1)).first() is not None
