"""How a refresh of the mirror and a push are shown."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from llmos.surfaces.cli.output import err, out, printable
from llmos.values import ArtifactType
from llmos.volumes import MirrorReport, PushReport
from llmos.volumes.mirror import Note, Pushed


def show_mirror(report: MirrorReport, root: Path) -> None:
    """Print what a refresh did.

    Args:
        report: Of the refresh.
        root: The folder of all volumes.
    """
    for path in report.written:
        print(f"written  {printable(path)}")
    for path in report.removed:
        print(f"removed  {printable(path)}")
    if not (report.written or report.removed):
        print("nothing to write")
    out().print(printable(f"in {root}"), style="dim", soft_wrap=True)
    _show_trouble(report)


def show_push(report: PushReport, folder: Path, dry_run: bool) -> None:
    """Print what a push took, and what it did not.

    Args:
        report: Of the push.
        folder: The files of the volume.
        dry_run: Nothing was stored.
    """
    for pushed in report.pushed:
        _show_pushed(pushed, dry_run)
    if not report.pushed:
        print("no edited file to take")
        out().print(printable(f"in {folder}"), style="dim", soft_wrap=True)
    _show_notes(report.refused, "! not taken: ", "red")
    _show_notes(report.deleted, "", "yellow")
    _show_trouble(report.mirror)


def _show_pushed(pushed: Pushed, dry_run: bool) -> None:
    what = f"{pushed.type.value} {pushed.name}"
    if dry_run:
        print(f"would be taken  {what}")
    else:
        print(f"taken  {what} is at version {pushed.version}, draft")
    if pushed.note:
        err().print(f"  {printable(pushed.note)}", style="yellow")
    if pushed.type is ArtifactType.TOOL and not dry_run:
        told = "  it has no proof, so nothing runs it"
        if pushed.version != 1:
            told += f"; back to what was: llmos tools rollback {pushed.name}"
        out().print(told, style="dim")
    if pushed.type is ArtifactType.AGENT and not dry_run:
        told = f"  it is used from the next run on; back: llmos agents rollback {pushed.name}"
        out().print(told, style="dim")


def _show_trouble(report: MirrorReport) -> None:
    _show_notes(report.edited, "! ", "yellow")
    _show_notes(report.problems, "! ", "red")


def _show_notes(notes: Sequence[Note], before: str, style: str) -> None:
    for note in notes:
        err().print(f"{before}{printable(f'{note.path}: {note.told}')}", style=style)
        if note.hint:
            err().print(f"  {printable(note.hint)}", style="dim")
