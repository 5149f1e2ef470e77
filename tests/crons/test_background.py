"""The daemon in the background: who ends it waits until it is gone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from llmos.crons.background import end
from llmos.crons.holding import holder, lock_path

SLOW = """
import json, os, signal, sys, time
from pathlib import Path
from llmos.store.lock import FileLock

path = Path(sys.argv[1])
path.parent.mkdir(parents=True)
lock = FileLock(path)
assert lock.try_acquire()
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
since = "2026-03-02T09:07:00.000000Z"
path.write_text(json.dumps({"pid": os.getpid(), "since": since, "kind": "daemon"}))
print("ready", flush=True)
signal.sigwait([signal.SIGTERM])
path.write_text("")
time.sleep(0.3)
lock.release()
"""
"""Holds the crons; takes its name out of the lock some time before it lets go of it."""


def test_a_daemon_has_not_ended_before_it_lets_go_of_the_lock(home: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", SLOW, str(lock_path(home))], stdout=subprocess.PIPE, text=True
    ) as daemon:
        assert daemon.stdout is not None
        assert daemon.stdout.readline() == "ready\n"
        ended = end(home)
        assert ended is not None and ended.pid == daemon.pid
        assert holder(home) is None
