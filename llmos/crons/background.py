"""The daemon that runs the crons in the background: launched here, and ended by its pid."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from llmos.crons.claim import Holder
from llmos.crons.holding import DAEMON, CronsElsewhere, holder
from llmos.errors import StoreError, UserError

_STARTS_S = 30.0
_ENDS_S = 10.0
_POLL_S = 0.05


def log_path(home: Path) -> Path:
    """Where a daemon in the background writes what it has to say."""
    return home.expanduser().absolute() / "logs" / "daemon.log"


def launch(home: Path, arguments: Sequence[str]) -> Holder:
    """Start a daemon that outlives this process, and wait until it runs the crons.

    Args:
        home: Of LLM OS.
        arguments: Of ``llmos``, with the command.

    Raises:
        CronsElsewhere: Somebody runs them already.
        StoreError: It ended at once; its last line says why.
    """
    known = holder(home)
    if known is not None:
        raise CronsElsewhere(known)
    log = log_path(home)
    log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with log.open("ab") as out:
        child = subprocess.Popen(
            [sys.executable, "-m", "llmos", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    until = time.monotonic() + _STARTS_S
    while time.monotonic() < until and child.poll() is None:
        found = holder(home)
        if found is not None and found.pid == child.pid:
            return found
        time.sleep(_POLL_S)
    raise StoreError(f"the daemon did not start: {_last_line(log)}", f"see {log}")


def end(home: Path) -> Holder | None:
    """End the daemon of a home and wait for it; None if there is none.

    Raises:
        UserError: The crons are run by a program that embeds LLM OS, or by another person's.
        StoreError: It did not end in time.
    """
    found = holder(home)
    if found is None:
        return None
    if found.kind != DAEMON or not found.pid:
        raise CronsElsewhere(found)
    try:
        os.kill(found.pid, signal.SIGTERM)
    except ProcessLookupError:
        return found
    except PermissionError as e:
        raise UserError(f"the {found} is not yours", "ask whoever started it") from e
    until = time.monotonic() + _ENDS_S
    while time.monotonic() < until:
        now = holder(home)
        # Who ends takes its name out of the lock before it lets go of it.
        if now is None or now.pid not in (found.pid, 0):
            return found
        time.sleep(_POLL_S)
    raise StoreError(f"the {found} is still ending", f"look again soon, or: kill -9 {found.pid}")


def _last_line(log: Path) -> str:
    lines = [line for line in log.read_text("utf-8", "replace").splitlines() if line.strip()]
    errors = [line for line in lines[-5:] if line.startswith("error: ")]
    return (errors or lines or ["it said nothing"])[-1].removeprefix("error: ")
