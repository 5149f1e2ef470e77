"""The error tree, split by who must act.

Every error carries a one-line message and, where there is one, a hint that says what to type.
The command line prints both, exits 2 for errors the user can mend and 1 for ours.
"""

from __future__ import annotations


class LLMOSError(Exception):
    """Base of every error this package raises on purpose.

    Args:
        message: One line that names what went wrong.
        hint: What the reader can do or type next, or ``""``.
    """

    exit_code = 2

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def as_dict(self) -> dict[str, str]:
        """The form ``--json`` prints: ``{"type", "message", "hint"}``."""
        return {"type": type(self).__name__, "message": self.message, "hint": self.hint}


class UserError(LLMOSError):
    """A goal, name or argument that cannot be used; the hint says what to type instead."""


class ConfigError(LLMOSError):
    """A setting or an environment that cannot work; the message names the setting."""


class NeedsProcessor(LLMOSError):
    """The goal needs a model and none is configured; the hint names the ways to get one."""


class LowBatteryError(LLMOSError):
    """The call would overdraw a budget; it was not made."""


class PermissionDenied(LLMOSError):
    """A rule denied a tool call; the message names the rule."""


class RunStopped(LLMOSError):
    """The watchdog or the user ended the run: wall clock, call cap, loop or cancel."""

    exit_code = 1


class SandboxError(LLMOSError):
    """Learned or shell code could not be run in its sandbox."""

    exit_code = 1


class IntegrityError(LLMOSError):
    """A digest does not match what was stored; the thing is not run."""

    exit_code = 1


class StoreError(LLMOSError):
    """The database cannot be used now (locked, read-only, full disk); nothing is half-written."""

    exit_code = 1


class BugError(LLMOSError):
    """Our mistake: a state that the code holds to be impossible."""

    exit_code = 1
