"""Write the pinned requirement files from pyproject.toml: ``make lock``.

``constraints.txt`` is the lock: every dependency of every extra, with the hashes of all its files.
The other files are parts of it with the same versions: older pips (23.2) cannot check hashes that
stand in a constraints file, but every pip checks those of a requirements file.

The files hold for Linux (x86_64, aarch64) and macOS (Apple silicon), Python 3.11 and newer;
`check_wheels` asks for every such machine whether all pins have a wheel. They name no package
index: each user's pip knows its own.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

LOCK = "constraints.txt"
# Without embeddings, which has no wheel for some machines: test brings it along where it has one.
EVERYTHING = ("claude", "models", "local", "postgres", "mcp", "gepa", "otel", "test", "check")
PARTS = {
    "requirements/base.txt": (),  # make demo
    "requirements.txt": ("claude",),  # a clone that works with Claude, without make
}
TOOLS = "requirements/lock.txt"  # make lock

PLATFORMS = (
    "x86_64-manylinux_2_28",
    "aarch64-manylinux_2_28",
    "aarch64-apple-darwin",
)
PYTHONS = ("3.11", "3.12", "3.13", "3.14")


def uv(*arguments: str, text: str | None = None) -> str:
    """Run uv, free of its settings on this machine, and return what it says."""
    command = [sys.executable, "-m", "uv", "--no-config", "--system-certs", *arguments]
    done = subprocess.run(command, cwd=ROOT, input=text, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"error: uv {' '.join(arguments[:2])} failed:\n{done.stderr}")
    return done.stdout


def compile_pins(target: str, *sources: str, text: str) -> None:
    """Resolve ``sources`` for all platforms at once; pins that ``target`` has already are kept."""
    uv(
        *("pip", "compile", "--quiet", "--universal", "--python-version", "3.11"),
        *("--generate-hashes", "--only-binary", ":all:", "--emit-build-options"),
        *("--annotation-style", "line", "--custom-compile-command", "make lock"),
        *("--output-file", target, *sources, "-"),
        text=text,
    )


def extras(names: Iterable[str]) -> list[str]:
    """The options that ask uv for these extras."""
    return [f"--extra={name}" for name in names]


def check_wheels(pins: str) -> None:
    """Stop unless every pin has a wheel for every platform and Python we promise."""
    for platform in PLATFORMS:
        for python in PYTHONS:
            with tempfile.TemporaryDirectory() as empty:
                uv(
                    *("pip", "install", "--quiet", "--dry-run", "--target", empty),
                    *("--python-platform", platform, "--python-version", python),
                    *("--require-hashes", "--only-binary", ":all:", "-r", pins),
                )
            print(f"{pins}: wheels for {platform}, Python {python}: all there")


def main() -> None:
    parser = argparse.ArgumentParser(description="Write the pinned requirement files.")
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions")
    arguments = parser.parse_args()

    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    # The project is installed without build isolation, so its builder is pinned as well.
    builder = "\n".join(project["build-system"]["requires"])
    tools = "\n".join(project["project"]["optional-dependencies"]["lock"])
    upgrade = ["--upgrade"] if arguments.upgrade else []

    compile_pins(LOCK, *upgrade, *extras(EVERYTHING), "pyproject.toml", text=builder)
    for part, names in PARTS.items():
        same = f"--constraint={LOCK}"
        compile_pins(part, same, *extras(names), "pyproject.toml", text=builder)
    compile_pins(TOOLS, *upgrade, text=tools)
    check_wheels(LOCK)


if __name__ == "__main__":
    main()
