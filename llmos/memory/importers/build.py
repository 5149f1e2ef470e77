"""Makes a trace of a goal that was heard: without secrets, with paths that hold elsewhere too."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from llmos.kernel.places import Places
from llmos.kernel.text import plain
from llmos.memory.goals import context_digest
from llmos.memory.importers.heard import Call, Heard
from llmos.memory.redact import redact, redact_text
from llmos.values import Json, Step, Trace, Turn, Usage, Verdict

Price = Callable[[str, Usage], float | None]
"""US dollars for some tokens of a model; None where that is not known."""

REDACTED = "redacted"
"""Stands in a trace for the digest of each tool that it used if a secret was taken out of it.

No tool has this digest, so no replay follows the trace: it would write ``[redacted:…]``. The model
may still be shown it as a worked example.
"""

NO_RESULT = "(the transcript holds no result)"

_TURNS = 16
"""Earlier turns that are digested one by one; what was before them, together."""


class Builder:
    """Makes the traces of one session, in the order of its goals.

    Args:
        session: Its id.
        price: What tokens cost.
    """

    def __init__(self, session: str, price: Price) -> None:
        self._session = session
        self._price = price
        self._turns: list[Turn] = []
        self.redactions: Counter[str] = Counter()
        """What was taken out of the last trace, by kind."""

    def skip(self, heard: Heard) -> None:
        """Take note of a goal that is known already: what follows was said after it."""
        ignored: Counter[str] = Counter()
        self._turn(_clean(heard.goal, ignored), _clean(heard.output, ignored))

    def trace(self, heard: Heard) -> Trace:
        """The trace of a goal that has a time; paths are relative where they may be."""
        assert heard.now is not None
        found: Counter[str] = Counter()
        goal, output = _clean(heard.goal, found), _clean(heard.output, found)
        added = tuple(Turn(_clean(text, found), "") for text in heard.added)
        relative = _as_it_is if heard.relative else _places(heard).relative
        steps = tuple(_step(call, relative, found) for call in heard.calls)
        error = _clean(_error(heard), found)
        digest = context_digest((*self._turns, *added))
        self._turn(goal, output)
        self.redactions = found
        return Trace(
            goal=goal,
            steps=steps,
            output=relative(output),
            verdict=Verdict.FAILED if error else Verdict.COMPLETED,
            now=heard.now,
            model=heard.model[:128],
            usage=heard.usage,
            cost_usd=self._cost(heard),
            duration_s=heard.duration_s,
            cwd=heard.cwd,
            context_digest=digest,
            tools={step.tool: REDACTED for step in steps} if found else {},
            source=f"import:{self._session}#{heard.index}@{heard.end}",
            error=error,
        )

    def _cost(self, heard: Heard) -> float:
        if heard.cost_usd is not None:
            return heard.cost_usd
        return self._price(heard.model, heard.usage) or 0.0

    def _turn(self, goal: str, output: str) -> None:
        self._turns.append(Turn(goal, output))
        if len(self._turns) > _TURNS:
            self._turns = [Turn("", context_digest(self._turns))]


def _error(heard: Heard) -> str:
    if heard.interrupted:
        return "the user interrupted it"
    if not heard.error and not heard.finished:
        return "it has no answer"
    return heard.error


def _step(call: Call, relative: Callable[[Json], Any], found: Counter[str]) -> Step:
    arguments = relative(redact(dict(call.arguments), found))
    observation = redact(call.observation, found) if call.answered else NO_RESULT
    return Step(
        tool=call.tool[:64],
        arguments=arguments,
        observation=relative(observation),
        is_error=call.is_error or not call.answered,
        duration_s=call.duration_s,
    )


def _as_it_is(value: Json) -> Any:
    return value


def _clean(text: str, found: Counter[str]) -> str:
    return redact_text(plain(text).replace("\0", ""), found)


def _places(heard: Heard) -> Places:
    # A goal that names the folder it was done in means that very folder, wherever it comes back.
    home = str(Path.home())
    short = heard.cwd.replace(home, "~", 1) if heard.cwd.startswith(f"{home}/") else heard.cwd
    here = heard.cwd in heard.goal or short in heard.goal
    return Places("" if here else heard.cwd, home, str(Path(tempfile.gettempdir()).resolve()))
