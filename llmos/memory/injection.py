"""What a program that embeds LLM OS adds to what the model is told."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from llmos.errors import LLMOSError
from llmos.kernel.limits import NoAnswer, name_of, within
from llmos.memory.pieces import Piece, tokens_of

HOOK = "hook"
"""Source of a piece that a hook has added."""
_LONGEST_NAME = 64


@dataclass(frozen=True, slots=True)
class Asked:
    """What a hook is told: the goal that a model may be shown something for."""

    goal: str
    user_id: str
    project: str | None
    cwd: Path


@dataclass(frozen=True, slots=True)
class Injected:
    """One piece that a hook adds."""

    source: str
    """Where it comes from, in a word or two: shown to the model and to people."""
    text: str


class MemoryInjection(Protocol):
    """A hook that adds to what the model is told about a goal.

    It is asked for every goal before it is decided how it goes, also where no model will work:
    what it says is a part of the context, so a run is replayed only while it says the very same.
    A hook that says something else each time (the time of day) makes every run cost a model.
    """

    def __call__(self, asked: Asked, /) -> Iterable[Injected]:
        """The pieces for a goal, the most important first.

        What it raises is told as a warning, and so is that it takes longer than ``hook_seconds``.
        """
        ...


def injected(
    hooks: Sequence[MemoryInjection],
    asked: Asked,
    budget: int,
    seconds: float = 0.0,
    hangs: Callable[[NoAnswer], None] = lambda error: None,
) -> tuple[list[Piece], list[str]]:
    """Ask the hooks, and take in what there is room for.

    Args:
        hooks: In this order.
        asked: The goal.
        budget: Tokens that their pieces may take together.
        seconds: How long each may take; 0 for no limit.
        hangs: Told of one that takes longer.

    Returns:
        The pieces, shown or left out, and what went wrong. Of a hook that fails, nothing is taken.
    """
    found: list[Piece] = []
    warnings: list[str] = []
    for hook in hooks:
        try:
            # What a generator says is taken within the limit, too.
            said = within(seconds, lambda h=hook: [_checked(one) for one in h(asked)], hook)  # type: ignore[misc]
        except NoAnswer as e:
            hangs(e)
            warnings.append(f"memory hook {e.message} and added nothing")
            continue
        except Exception as e:
            # Foreign code: whatever it raises, the run goes on without what it would have said.
            told = e.message if isinstance(e, LLMOSError) else f"{type(e).__name__}: {e}"
            warnings.append(
                " ".join(f"memory hook {name_of(hook)!r} failed and added nothing: {told}".split())
            )
            continue
        for one in said:
            fits = tokens_of(one.text) <= budget
            budget -= tokens_of(one.text) if fits else 0
            why = "a hook adds it" if fits else "a hook adds it, but there is no room for it"
            found.append(Piece(HOOK, one.source, one.text, fits, why))
    return found, warnings


def told_of(memory: Sequence[Piece]) -> tuple[tuple[str, str], ...]:
    """What of it counts in the context digest: what is shown, by its words, not by its id."""
    return tuple(
        (f"{HOOK}:{p.name}" if p.source == HOOK else p.source, p.text) for p in memory if p.shown
    )


def _checked(one: Injected) -> Injected:
    if not isinstance(one.source, str) or not isinstance(one.text, str):
        raise TypeError("a piece has a source and a text, both str")
    if not one.text.strip() or not one.source.strip():
        raise ValueError("a piece has a source and a text that are not empty")
    source = " ".join(one.source.split())[:_LONGEST_NAME]
    # Lone surrogates have no UTF-8: no processor could send them.
    return Injected(_plain(source), _plain(one.text))


def _plain(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
