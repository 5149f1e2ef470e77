"""How insights and suggestions are found and shown."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from llmos.errors import UserError
from llmos.observability.harmless import evidence_line
from llmos.surfaces.cli.output import one_line, out, print_table, printable, short, to_json, when
from llmos.values import ArtifactType, Json
from llmos.volumes import Artifact, Status, Volume


@dataclass(frozen=True, slots=True)
class Finding:
    """An insight or a suggestion, and the volume it lies in."""

    volume: Volume
    id: str
    name: str
    status: Status
    at: datetime
    content: Mapping[str, Json]

    @classmethod
    def of(cls, volume: Volume, artifact: Artifact) -> Finding:
        """The finding that an artifact holds."""
        content = volume.get(artifact.type, artifact.name).content
        return cls(
            volume, artifact.id, artifact.name, artifact.status, artifact.updated_at, content
        )

    @classmethod
    def listed(
        cls, volumes: Sequence[Volume], type: ArtifactType, status: Status | None, limit: int
    ) -> list[Finding]:
        """Those of some volumes, the newest first."""
        found = [(v, a) for v in volumes for a in v.list_artifacts(type, status, limit)]
        found.sort(key=lambda pair: (pair[1].updated_at, pair[1].id), reverse=True)
        return [cls.of(volume, artifact) for volume, artifact in found[:limit]]

    @classmethod
    def named(cls, volumes: Sequence[Volume], which: str) -> Finding:
        """The suggestion that a person means.

        Raises:
            UserError: There is none, or there are several.
        """
        text = which.strip()
        kind = ArtifactType.SUGGESTION
        every = [(v, a) for v in volumes for a in v.list_artifacts(kind, limit=10_000)]
        end = text.upper() if len(text) >= 6 else "-"
        found = [(v, a) for v, a in every if a.name == text or a.id.endswith(end)]
        if len(found) != 1:
            problem = "names several suggestions" if found else "is no suggestion"
            raise UserError(f"{which[:80]!r} {problem}", "see: llmos suggestions")
        return cls.of(*found[0])

    @property
    def title(self) -> str:
        """Its one line."""
        return one_line(str(self.content.get("title") or self.name))

    @property
    def evidence(self) -> str:
        """The numbers that it stands on."""
        return evidence_line(self.content.get("evidence"))

    def as_dict(self) -> dict[str, Json]:
        """The finding as JSON."""
        known = {"id": self.id, "name": self.name, "status": self.status.value}
        place = {"volume": self.volume.place.volume, "owner": self.volume.place.owner}
        return {**known, **place, "at": to_json(self.at), **to_json(dict(self.content))}


def show_findings(found: Sequence[Finding], type: ArtifactType) -> None:
    """Print a list of them."""
    if not found:
        print(f"There is no {'open ' * (type is ArtifactType.SUGGESTION)}{type.value}.")
        return
    rows = [(short(f.id).lower(), when(f.at), f.status.value, _told(f)) for f in found]
    print_table(("ID", "WHEN", "STATUS", "WHAT"), rows)
    if type is ArtifactType.SUGGESTION:
        out().print("llmos accept ID, or: llmos dismiss ID", style="dim")


def show_finding(found: Finding) -> None:
    """Print a suggestion, with what stands behind it and what it would change."""
    said = out()
    said.print(printable(found.title), style="bold", soft_wrap=True)
    said.print(printable(str(found.content.get("text", ""))), soft_wrap=True)
    evidence = found.content.get("evidence")
    for name, value in (evidence if isinstance(evidence, dict) else {}).items():
        if value not in ("", [], None):
            told = one_line(value if isinstance(value, str) else json.dumps(to_json(value)), 200)
            said.print(printable(f"  {name.replace('_', ' ')}: {told}"), style="dim")
    action = found.content.get("action")
    if isinstance(action, dict) and action.get("diff"):
        print(f"\n{printable(str(action['diff']))}\n")
    if found.status is Status.DRAFT:
        said.print(f"llmos accept {found.name}, or: llmos dismiss {found.name}", style="dim")


def show_decided(found: Finding, status: Status, changed: bool) -> None:
    """Print what became of a suggestion."""
    word = "accepted" if status is Status.ACTIVE else "dismissed"
    print(f"{word}{'' if changed else ' before'}: {found.title}")
    action = found.content.get("action")
    if status is Status.ACTIVE and isinstance(action, dict) and action.get("command"):
        print(f"  {printable(str(action['command']))}")


def _told(found: Finding) -> str:
    return f"{found.title} · {found.evidence}" if found.evidence else found.title
