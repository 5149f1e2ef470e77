"""All that memory tells a model about a goal, under one budget: facts, then what hooks add."""

from __future__ import annotations

from collections.abc import Sequence

from llmos.kernel.limits import NoAnswer, tell_hang
from llmos.memory.facts import Facts, Nearness, recall
from llmos.memory.injection import Asked, MemoryInjection, injected
from llmos.memory.pieces import Piece
from llmos.store import Store


def bearing_on(
    store: Store,
    asked: Asked,
    hooks: Sequence[MemoryInjection],
    budget: int,
    seconds: float = 0.0,
    near: Nearness | None = None,
) -> tuple[tuple[Piece, ...], tuple[str, ...]]:
    """What is known that bears on a goal.

    Args:
        store: Where facts are kept.
        asked: The goal, and whose it is.
        hooks: Of the program that embeds LLM OS.
        budget: Tokens that all of it may take together.
        seconds: How long each hook may take; 0 for no limit.
        near: Finds facts by their meaning too; None for words alone.

    Returns:
        The pieces, shown or left out, and what went wrong with hooks.
    """
    known = Facts(store, asked.user_id, asked.project).current(evidence=False)
    facts = recall(known, asked.goal, budget, near)
    left = budget - sum(piece.tokens for piece in facts if piece.shown)

    def hangs(error: NoAnswer) -> None:
        tell_hang(store, error, owner=asked.user_id, then="the run went on without it")

    added, warnings = injected(hooks, asked, left, seconds, hangs)
    return (*facts, *added), tuple(warnings)
