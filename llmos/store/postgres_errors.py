"""What errors of PostgreSQL mean for a person."""

from __future__ import annotations

import psycopg
from sqlalchemy.exc import DBAPIError

from llmos.errors import BugError, ConfigError, LLMOSError, StoreError
from llmos.store.address import SETTING

_LOST = ("57P01", "57P02", "57P05", "08")
_CHECK = f"check `{SETTING}` (llmos config show) and what the server allows"


def explain(error: BaseException, where: str, *, reading: bool) -> LLMOSError | None:
    """What ``error`` means; None if it is about one statement or row."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    if not isinstance(cause, psycopg.Error):
        return None
    code = cause.sqlstate
    if code is None:
        return _unreachable(cause, where) if isinstance(cause, psycopg.OperationalError) else None
    if reading and code == "25006":
        return BugError("a function given to read() tried to write; give it to write()")
    if code.startswith(_LOST):
        return _lost(where)
    return _by_code(code, cause, where)


def _by_code(code: str, cause: psycopg.Error, where: str) -> LLMOSError | None:
    # The codes: https://www.postgresql.org/docs/current/errcodes-appendix.html
    match code:
        case "55P03":
            return StoreError(
                f"{where} is locked: another process has been writing for too long",
                "wait for it or stop it (the view pg_stat_activity names it), then try again",
            )
        case "57P03":
            return StoreError(f"{where} is starting up or shutting down", "try again in a moment")
        case "53100" | "53200" | "53300" | "53000":
            return StoreError(
                f"the server of {where} has run out of something: {_line(cause)}",
                "free some (disk, memory, connections), then try again; nothing was written",
            )
        case "25006":
            return StoreError(
                f"{where} is read-only", "name the primary server, not a standby, then try again"
            )
        case "40001" | "40P01":
            return StoreError(f"a transaction collided with another in {where}", "try again")
        case "57014" | "25P03" | "25P04" | "57P04":
            return StoreError(
                f"the server ended what was done in {where}: {_line(cause)}",
                "raise its time limit for this user, or find out what makes it slow",
            )
        case "42501":
            return ConfigError(f"the user of {where} may not do that: {_line(cause)}", _CHECK)
        case "58030" | "XX001" | "XX002":
            return StoreError(
                f"the disk of {where} gives errors, or it is damaged: {_line(cause)}",
                "ask whoever runs the server; a backup may be needed",
            )
    return None


def _unreachable(cause: psycopg.Error, where: str) -> LLMOSError:
    """The server told no code: the connection failed, or broke without a word."""
    said = str(cause)
    if "FATAL" not in said:
        if "connection failed" in said or "connection is bad" in said or "resolve" in said:
            return StoreError(f"cannot reach {where}: {_reason(said)}", f"start it, or {_CHECK}")
        if "timeout" in said:
            return StoreError(f"{where} does not answer", f"start it, or {_CHECK}")
        return _lost(where)
    if "too many" in said or "remaining connection slots" in said:
        return StoreError(f"{where} has no connection left", "close some, or raise its limit")
    if "starting up" in said or "shutting down" in said or "recovery" in said:
        return StoreError(f"{where} is starting up or shutting down", "try again in a moment")
    return ConfigError(f"{where} lets nobody in this way: {_reason(said)}", _CHECK)


def _lost(where: str) -> StoreError:
    # Not tried again: the server may have committed before it could say so.
    return StoreError(
        f"the connection to {where} was lost; whether the last write was kept is not known",
        "when the server is back, look whether what you did is there before doing it again",
    )


def _reason(said: str) -> str:
    """The last words of what the driver says; before them it only tells where it tried."""
    return said.splitlines()[0].rpartition("FATAL:")[2].rpartition("failed:")[2].strip()


def _line(cause: psycopg.Error) -> str:
    return cause.diag.message_primary or str(cause).splitlines()[0]
