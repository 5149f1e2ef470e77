"""What the examples have in common: files to start from, and checks that are scripts."""

from __future__ import annotations

from pathlib import Path

from llmos.surfaces.demo.jobs import Files


def files_in(folder: Path) -> Files:
    """Relative path to content, of every file below ``folder``."""
    found = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_text("utf-8") for path in found}


def verify_with(script: Path) -> str:
    """The ``verify`` of a job whose check is a script with a function ``check(expected)``."""
    return f"{script.read_text('utf-8')}\ncheck(expected)\n"
