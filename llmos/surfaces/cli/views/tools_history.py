"""How the versions of a learned tool are shown, compared and named."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from llmos.surfaces.cli.output import one_line, out, print_table, printable, to_json, when
from llmos.values import ArtifactType, Json
from llmos.volumes import Artifact, Change, Status, Version, Volume
from llmos.volumes.reading import Ref

if TYPE_CHECKING:
    from llmos.boot import LLMOS

_DIGITS = 6
"""From so many characters on, digits alone are the beginning of a digest too."""


def ref(text: str | None) -> Ref | None:
    """What a person calls a version by: its number, or the beginning of its digest."""
    if text is None:
        return None
    number = text.isascii() and text.isdecimal() and len(text) < _DIGITS
    return int(text) if number else text


def history_of(os: LLMOS, name: str, limit: int) -> dict[str, Json]:
    """Versions and changes of a tool, the newest first.

    Args:
        os: Booted.
        name: Of the tool.
        limit: How many of each at most.

    Raises:
        UserError: There is no such tool.
    """
    volume = os.kernel.get_user_volume()
    versions = volume.history(ArtifactType.TOOL, name)[::-1]
    artifact = volume.find(ArtifactType.TOOL, name)
    assert artifact is not None  # it has versions
    numbers = {v.digest: v.seq for v in versions}
    changes = volume.changes(ArtifactType.TOOL, name, limit)
    return {
        "name": name,
        "status": artifact.status.value,
        "pinned": artifact.pinned,
        "versions": [_version(v, artifact) for v in versions[:limit]],
        "changes": [_change(c, numbers.get(c.digest)) for c in changes],
    }


def _version(version: Version, artifact: Artifact) -> dict[str, Json]:
    return {
        "version": version.seq,
        "current": version.digest == artifact.current,
        "digest": version.digest,
        "status": version.status.value,
        "author": version.author,
        "created_at": version.created_at,
        "runs": version.content.get("proof", {}).get("runs"),
        "note": version.note,
    }


def _change(change: Change, number: int | None) -> dict[str, Json]:
    told: dict[str, Json] = to_json(change)
    kept = {k: told[k] for k in ("what", "digest", "was", "now", "by", "why")}
    return {"version": number, "at": change.at, **kept}


def print_history(told: Mapping[str, Json]) -> None:
    """Print versions and changes for people."""
    rows = [
        (
            f"{'→' if v['current'] else ' '} {v['version']}",
            v["digest"][:12],
            v["status"],
            when(v["created_at"]),
            v["author"],
            "-" if v["runs"] is None else str(v["runs"]),
            one_line(v["note"]),
        )
        for v in told["versions"]
    ]
    print_table(("VERSION", "DIGEST", "STATUS", "WHEN", "BY", ">RUNS", "NOTE"), rows)
    out().print("\nwhat was done with it", style="bold")
    done = [
        (when(c["at"]), c["what"].replace("_", " "), str(c["version"]), c["by"], _why(c))
        for c in told["changes"]
    ]
    print_table(("WHEN", "WHAT", "VERSION", "BY", "WHY"), done)


def _why(change: Mapping[str, Json]) -> str:
    moved = f"{change['was']} → {change['now']}" if change["what"] == "status" else ""
    return one_line(": ".join(filter(None, [moved, change["why"]])), 200)


def print_diff(text: str) -> None:
    """Print a unified diff."""
    if not text:
        print("no difference")
        return
    console = out()
    colours = {"+": "green", "-": "red", "@": "cyan"}
    for line in text.split("\n"):
        console.print(printable(line), style=colours.get(line[:1], ""), soft_wrap=True)


def print_state(volume: Volume, artifact: Artifact, *, changed: bool) -> None:
    """Print where a tool stands after a change, or that nothing has changed."""
    version = volume.get(artifact.type, artifact.name)
    pinned = ", pinned" if artifact.pinned else ""
    so = "" if changed else "nothing to change: "
    told = f"{so}tool {artifact.name} is at version {version.seq} ({artifact.current[:12]})"
    print(f"{printable(told)}, {artifact.status.value}{pinned}")
    if artifact.status is Status.QUARANTINED:
        note = f"it is not used; other versions: llmos tools history {artifact.name}"
        out().print(note, style="yellow")
