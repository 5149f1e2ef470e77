"""Write docs/cli.md from the help of the command line: ``python scripts/cli_docs.py``."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "docs" / "cli.md"

INTRODUCTION = """\
# The command line

<!-- Written by scripts/cli_docs.py from the commands' own help; a test holds both equal. -->

`llmos run "…"` does a goal. Without a command `llmos` opens the prompt, and so do
`python -m llmos` and `python llmos/boot.py interactive`.

- The answer goes to standard output, everything else to standard error.
- `--json` prints one JSON value on standard output instead, errors too:
  `{"error": {"type", "message", "hint"}}`.
- A run is named by its id, by the last six characters of it, or as `last`.
- Exit codes: 0 it worked; 1 the run failed, or something of ours is broken; 2 what was asked
  cannot be done, and the hint says what to type; 130 Ctrl-C.
- At the prompt a line is a goal, `/help` lists what else there is, and after a run one key says
  `r`ight, `w`rong or `u`ndo. Any other key begins the next goal.
"""


def help_of(*words: str) -> str:
    """What a command's ``--help`` prints, 80 columns wide."""
    from llmos.surfaces.cli.entry import run

    os.environ["COLUMNS"] = "80"
    told = io.StringIO()
    with contextlib.redirect_stdout(told):
        code = run([*words, "--help"])
    assert code == 0, words
    return "\n".join(line.rstrip() for line in told.getvalue().strip().splitlines())


def commands() -> Iterator[tuple[str, ...]]:
    """Every command as the words that name it, groups before what is in them."""
    from typer.main import get_command

    from llmos.surfaces.cli.app import app

    def below(command: object, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        yield path
        for name in getattr(command, "list_commands", lambda context: [])(None):
            yield from below(command.commands[name], (*path, name))  # type: ignore[attr-defined]

    yield from below(get_command(app), ())


def page() -> str:
    """The whole page."""
    parts = [INTRODUCTION]
    for words in commands():
        title = " ".join(("llmos", *words))
        parts.append(
            f"{'##' if len(words) < 2 else '###'} {title}\n\n```text\n{help_of(*words)}\n```\n"
        )
    return "\n".join(parts)


def main() -> None:
    sys.path.insert(0, str(ROOT))
    TARGET.write_text(page(), encoding="utf-8")
    print(f"{TARGET.relative_to(ROOT)} is written")


if __name__ == "__main__":
    main()
