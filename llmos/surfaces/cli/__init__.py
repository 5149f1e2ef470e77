"""The command ``llmos``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import NoReturn


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit.

    Args:
        argv: Arguments without the program's name; those of the process when left out.
    """
    from llmos.surfaces.cli.entry import run

    sys.exit(run(sys.argv[1:] if argv is None else argv))
