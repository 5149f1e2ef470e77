"""Options that many commands share, and the ones that stand for all of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer


@dataclass(frozen=True, slots=True)
class Globals:
    """Whose home, and who asks."""

    home: Path | None = None
    """None: `llmos.config.default_home`."""
    user: str = "user"
    team: str | None = None
    debug: bool = False
    project: str | None = None

    @property
    def folder(self) -> Path:
        """The home folder."""
        from llmos.config import default_home

        return self.home.expanduser() if self.home is not None else default_home()


def globals_of(ctx: typer.Context) -> Globals:
    """The global options of this call."""
    found = ctx.find_root().obj
    assert isinstance(found, Globals)  # set by the callback of the app
    return found


def group(help_text: str, **more: Any) -> typer.Typer:
    """A group of commands that does something without a command too."""
    given = {"add_completion": False} | more
    return typer.Typer(
        help=help_text,
        invoke_without_command=True,
        # Help in colours would cost half of what --help may take.
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        **given,
    )


JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON on standard output.")]
Limit = Annotated[int, typer.Option("--limit", min=1, metavar="N", help="How many at most.")]
Cwd = Annotated[
    Path | None,
    typer.Option("--cwd", metavar="PATH", help="Working directory; the current one by default."),
]
Goal = Annotated[
    str,
    typer.Argument(metavar="GOAL", help="What to do; - reads it from stdin, @FILE from a file."),
]
Yes = Annotated[bool, typer.Option("--yes", help="Approve every call that asks.")]
Run = Annotated[
    str,
    typer.Argument(metavar="RUN", help="Id of the run, its beginning or end, or: last."),
]
