"""How learned tools are listed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from llmos.errors import IntegrityError, UserError
from llmos.evolution.tool import LearntTool, learnt
from llmos.surfaces.cli.output import err, one_line, print_table, printable
from llmos.surfaces.cli.views.unproven import UNPROVEN, require_learnt
from llmos.values import ArtifactType, Json
from llmos.volumes import Artifact, Status, Volume

if TYPE_CHECKING:
    from llmos.boot import LLMOS

_ALL = 100_000
"""More tools than a volume has; their rows are small."""


def usable(os: LLMOS, name: str) -> LearntTool:
    """A tool that is in use.

    Raises:
        UserError: There is none of this name, or it is not in use; the hint says what to do.
    """
    version = os.kernel.get_user_volume().get(ArtifactType.TOOL, name)
    if version.status is not Status.ACTIVE:
        hints = {
            Status.ARCHIVED: f"take it back: llmos tools restore {name}",
            Status.QUARANTINED: f"see why: llmos tools history {name}; right all the same? "
            f"llmos tools activate {name}",
        }
        hint = hints.get(version.status, f"see llmos tools history {name}")
        raise UserError(f"the tool {name!r} is {version.status.value}", hint)
    require_learnt(os.kernel.get_user_volume(), name)
    return LearntTool.of(version)


def volume_of(os: LLMOS, name: str) -> Volume:
    """The user's own volume, or the nearest that shares a tool of that name, which they have not.

    For whoever only looks: what others share is not the user's to change.
    """
    mine = os.kernel.get_user_volume()
    for volume in [mine, *os.kernel.get_readable_volumes()]:
        found = volume.find(ArtifactType.TOOL, name)
        if found is not None and (volume.place == mine.place or found.status is Status.ACTIVE):
            return volume
    return mine


def rows_of(os: LLMOS, every: bool, limit: int) -> list[dict[str, Json]]:
    """One row of numbers for each tool, the last changed first; then those that others share.

    Args:
        os: Booted.
        every: Archived tools too, of the user's own.
        limit: How many at most.
    """
    mine = os.kernel.get_user_volume()
    found = mine.list_artifacts(ArtifactType.TOOL, limit=_ALL)
    wanted = [(mine, a) for a in found if every or a.status is not Status.ARCHIVED]
    for volume in os.kernel.get_readable_volumes():
        if volume.place != mine.place:
            shared = volume.list_artifacts(ArtifactType.TOOL, limit=_ALL)
            wanted += [(volume, a) for a in shared if a.status is Status.ACTIVE]
    return [_row(os, volume, artifact) for volume, artifact in wanted[:limit]]


def _row(os: LLMOS, volume: Volume, artifact: Artifact) -> dict[str, Json]:
    usage = os.kernel.get_usage(artifact)
    told: dict[str, Json] = {
        "name": artifact.name,
        "volume": volume.place.volume,
        "owner": volume.place.owner,
        "status": artifact.status.value,
        "pinned": artifact.pinned,
        "digest": artifact.current,
        "templates": [],
        "runs": None,
        "agreed": None,
        "risk": None,
        "uses": usage.uses,
        "tokens_saved": None,
        "audits": os.kernel.get_audits(artifact.name).as_dict(),
    }
    try:
        version = volume.get(ArtifactType.TOOL, artifact.name)
    except IntegrityError:
        # One damaged tool must not hide the others.
        return told | {"status": "damaged"}
    tool = learnt(version)
    if tool is None:
        return told
    proof = tool.proof
    templates = [str(t) for t in tool.templates]
    numbers = {"runs": proof.runs, "agreed": proof.agreed, "risk": round(proof.risk, 6)}
    saved = os.kernel.get_payback(artifact, tool).saved_tokens
    return told | {"templates": templates, "tokens_saved": saved} | numbers


def print_rows(rows: Sequence[dict[str, Json]]) -> None:
    """Print one line for each tool."""
    if not rows:
        print("No tool yet. Do a job a few times, then: llmos sleep")
        return
    header = (
        *("NAME", "STATUS", ">GOALS", ">RUNS", ">AGREED", ">RISK", ">USES", ">TOKENS SAVED"),
        "GOAL",
    )
    shared = any(row["volume"] != "user" for row in rows)
    if not shared:
        print_table(header, [_cells(row) for row in rows])
        return
    # One's own alone need no column that says so.
    print_table(("NAME", "OF", *header[1:]), [_with_owner(row) for row in rows])


def _with_owner(row: dict[str, Json]) -> tuple[str, ...]:
    owner = {"user": "you", "system": "all"}.get(row["volume"], f"team {one_line(row['owner'])}")
    name, *rest = _cells(row)
    return (name, owner, *rest)


def _without_goal(row: dict[str, Json]) -> str:
    return "" if row["status"] == "damaged" else UNPROVEN


def print_claim(os: LLMOS) -> None:
    """Print what audits say of all free runs, and whether new tools are held back for it."""
    console = err()
    console.print(f"\nfree runs: {os.kernel.get_audits()}", style="dim")
    frozen = os.kernel.get_freeze()
    if frozen is not None:
        console.print(f"! no new tool comes into use: {printable(frozen)}", style="yellow")
        console.print("  look at them, then say: llmos audits lift", style="dim")


def _cells(row: dict[str, Json]) -> tuple[str, ...]:
    known = row["runs"] is not None
    return (
        one_line(row["name"]),
        f"{row['status']}, pinned" if row["pinned"] else row["status"],
        str(len(row["templates"])) if known else "-",
        str(row["runs"]) if known else "-",
        str(row["agreed"]) if known else "-",
        f"{row['risk']:.4f}" if known else "-",
        f"{row['uses']:,}",
        f"{row['tokens_saved']:,}" if known else "-",
        one_line(row["templates"][0], 200) if row["templates"] else _without_goal(row),
    )
