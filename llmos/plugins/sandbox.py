"""Bubblewrap around a command: it sees the machine read-only and writes only its own folder.

Inside there is no network, ``/tmp`` is private and empty, and the home of LLM OS as well as the
person's keys and tokens are empty and read-only. Sockets below ``/run`` are out of reach: a
container engine or a key agent would be a way out.
"""

from __future__ import annotations

import asyncio
import functools
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from llmos.errors import SandboxError
from llmos.plugins.paths import SECRET_FILES, SECRET_FOLDERS, inside, user_home
from llmos.plugins.tool import ToolContext

_REPLACED = ("/tmp", "/var/tmp", "/run")
"""Folders that are private and empty inside."""

_KEPT = ("/run/current-system",)
"""What NixOS finds its programs by."""


@functools.cache
def available() -> str | None:
    """None if the sandbox works here, else why not, in one line. Tried once per process."""
    if sys.platform != "linux":
        return "bubblewrap needs Linux"
    if shutil.which("bwrap") is None:
        return "bubblewrap (bwrap) is not installed"
    with tempfile.TemporaryDirectory() as folder:
        cwd, home = Path(folder).resolve() / "work", Path(folder).resolve() / "home"
        cwd.mkdir()
        home.mkdir()
        argv = command([sys.executable, "-I", "-S", "-c", ""], ToolContext(cwd, home, _EPOCH))
        try:
            ran = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=20)
        except (OSError, subprocess.TimeoutExpired) as e:
            return f"bubblewrap does not run here: {e}"
    if ran.returncode == 0:
        return None
    said = ran.stderr.decode("utf-8", "replace").strip().splitlines() or ["no reason given"]
    return f"bubblewrap does not run here: {said[0]}"


def command(argv: Sequence[str], context: ToolContext, info_fd: int | None = None) -> list[str]:
    """``argv`` as a command line that runs it in the sandbox.

    Args:
        argv: Program and arguments.
        context: ``cwd`` is the one folder that can be written, ``home`` is hidden.
        info_fd: The end of a pipe to write to for `ended`.

    Raises:
        SandboxError: The working directory lies in the home of LLM OS, is the root folder, or
            does not exist.
    """
    cwd, home = _real(context.cwd), _real(context.home)
    if inside(cwd, home):
        raise SandboxError(
            f"the working directory {cwd} lies in the home of LLM OS", "work in another folder"
        )
    if not cwd.is_dir():
        raise SandboxError(f"the working directory {cwd} does not exist")
    if cwd == Path("/"):
        raise SandboxError("the whole machine is no working directory", "work in another folder")
    masks = _masks(home)
    # What lies around the working directory is hidden first, or it would hide that too.
    around = [m for m in masks if inside(cwd, m)]
    others = [m for m in masks if m not in around]
    return [
        *("bwrap", "--unshare-all", "--new-session", "--die-with-parent", "--cap-drop", "ALL"),
        *(("--info-fd", str(info_fd)) if info_fd is not None else ()),
        *("--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc"),
        *_each("--tmpfs", (p for p in map(Path, _REPLACED) if p.is_dir() and not p.is_symlink())),
        *(x for kept in _KEPT for x in ("--ro-bind-try", kept, kept)),
        *_hide(around),
        *_interpreter(cwd, [*map(Path, _REPLACED), *around]),
        *("--bind", str(cwd), str(cwd)),
        *_hide(others),
        *_interpreter(cwd, [m for m in others if not inside(m, cwd)]),
        *_each("--remount-ro", (m for m in masks if m.is_dir())),
        *("--chdir", str(cwd), "--"),
        *argv,
    ]


async def ended(info_fd: int, timeout_s: float = 2.0) -> None:
    """Wait until no process of a sandbox is left, once its ``bwrap`` has exited.

    ``bwrap`` exits as soon as its command does. What else runs inside dies with it, but may go on
    writing for a moment.

    Args:
        info_fd: The end to read from of the pipe that was given to `command`.
        timeout_s: When to give up waiting.
    """
    os.set_blocking(info_fd, False)
    try:
        first = os.pidfd_open(json.loads(os.read(info_fd, 4096))["child-pid"])
    except (OSError, ValueError):  # gone already, or never begun
        return
    loop, gone = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(first, gone.set)  # readable once the whole process namespace has ended
    try:
        await asyncio.wait_for(gone.wait(), timeout_s)
    except TimeoutError:
        return
    finally:
        loop.remove_reader(first)
        os.close(first)


def _masks(home: Path) -> list[Path]:
    person = user_home()
    named = [home, *(person / name for name in (*SECRET_FOLDERS, *SECRET_FILES))]
    found = {_real(path) for path in named if os.path.exists(path)}
    return sorted(found, key=lambda path: (len(path.parts), path))


def _hide(paths: Iterable[Path]) -> list[str]:
    options: list[str] = []
    for path in paths:
        # Not a file of its own: that would have to be made, and cleaned up.
        options += (
            ("--tmpfs", str(path)) if path.is_dir() else ("--ro-bind", "/dev/null", str(path))
        )
    return options


def _interpreter(cwd: Path, hidden: Sequence[Path]) -> list[str]:
    """Makes the running Python visible again where it lies in a hidden folder."""
    options: list[str] = []
    places = {_real(Path(p)) for p in (sys.prefix, sys.base_prefix)}
    for place in sorted(places, key=lambda p: len(p.parts)):
        if any(inside(place, h) for h in hidden) and not inside(place, cwd):
            options += ("--ro-bind", str(place), str(place))
    return options


def _each(option: str, paths: Iterable[Path]) -> list[str]:
    return [x for path in paths for x in (option, str(path))]


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
