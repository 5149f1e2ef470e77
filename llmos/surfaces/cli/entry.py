"""From arguments to an exit code: every error is told in the same way, here."""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
from collections.abc import Sequence
from functools import cache
from typing import Any

import typer
from typer.main import get_command

from llmos.errors import LLMOSError, UserError
from llmos.surfaces.cli.app import app

_VALUES = ("--home", "--user", "--team", "--project")
_FLAGS = ("--debug",)

INTERRUPTED = 130
"""What shells use for a program that was ended by Ctrl-C."""


def run(argv: Sequence[str]) -> int:
    """Run one command and return its exit code; errors are printed, not raised."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A file name or an answer that is not valid text is shown, not a crash.
            stream.reconfigure(errors="backslashreplace")
    as_json, debug = "--json" in argv, "--debug" in argv
    try:
        code = _command()(hoisted(argv), prog_name="llmos", standalone_mode=False)
        sys.stdout.flush()
    except LLMOSError as e:
        return _report(e, as_json, debug)
    except typer.TyperException as e:
        return _report(_usage(e), as_json, debug)
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except BrokenPipeError:
        _discard_stdout()
        return 1
    except Exception as e:
        return _report(_ours(e), as_json, debug)
    return code if isinstance(code, int) else 0


@cache
def _command() -> Any:
    """All commands, put together: whoever runs several in one process waits for that once."""
    return get_command(app)


def hoisted(argv: Sequence[str]) -> list[str]:
    """The arguments with the global options first: they may stand anywhere before ``--``."""
    front: list[str] = []
    rest: list[str] = []
    todo = iter(argv)
    for argument in todo:
        if argument == "--":
            rest += [argument, *todo]
        elif argument in _VALUES:
            value = next(todo, None)
            if value is None:
                return [argument]  # alone, so that it is this option that is found wanting
            front += [argument, value]
        elif argument in _FLAGS or argument.partition("=")[0] in _VALUES:
            front.append(argument)
        else:
            rest.append(argument)
    return front + rest


def _report(error: LLMOSError, as_json: bool, debug: bool) -> int:
    if debug:
        import traceback

        traceback.print_exception(error.__cause__ or error)
    if as_json:
        print(json.dumps({"error": error.as_dict()}, ensure_ascii=False, indent=2))
    else:
        from llmos.surfaces.cli.output import printable

        print(f"error: {printable(error.message)}", file=sys.stderr)
        if error.hint:
            print(f"hint:  {printable(error.hint)}", file=sys.stderr)
    return error.exit_code


def _usage(error: typer.TyperException) -> UserError:
    """A mistake in the arguments, in our own form."""
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "llmos"
    message = error.format_message().strip().rstrip(".")
    hint = f"see `{command} --help`"
    if "unexpected extra argument" in message and command in ("llmos run", "llmos explain"):
        hint = f'put the goal in quotes: {command} "…"'
    return UserError(" ".join((message[:1].lower() + message[1:]).split()), hint)


def _ours(error: Exception) -> LLMOSError:
    from llmos.errors import BugError

    text = " ".join(f"{type(error).__name__}: {error}".split())
    bug = BugError(f"this is our mistake: {text}", "run it again with --debug and report it")
    bug.__cause__ = error
    return bug


def _discard_stdout() -> None:
    """Whoever read our output is gone (``| head``); Python must not stumble over it at exit."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
