"""How an undo is shown."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from llmos.plugins.paths import shown
from llmos.surfaces.cli.output import err, printable, short

if TYPE_CHECKING:
    from llmos.kernel.undo import Undone


def show_undone(run_id: str, done: Undone) -> None:
    """Print what an undo did, and what it could not do."""
    here = Path.cwd()
    count = len(done.restored) + len(done.removed) + len(done.called)
    print(f"run {short(run_id)}: {count} {'change' if count == 1 else 'changes'} taken back")
    for paths, what in ((done.restored, "restored"), (done.removed, "removed")):
        for path in paths:
            print(f"  {what}  {printable(shown(path, here))}")
    for call in done.called:
        print(f"  called back  {printable(call)}")
    for left in done.left:
        err().print(f"! not taken back: {printable(left)}", style="yellow")


def show_taken_back(told: Sequence[str]) -> None:
    """Print what became of changes that were to be taken back."""
    for line in told:
        if line.startswith("left:"):
            err().print(f"! {printable(line)}", style="yellow")
        else:
            print(printable(line))
