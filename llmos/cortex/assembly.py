"""What a model sees, put together under a budget, with the reason for every piece.

What is needed goes in whatever it costs: the rules, the agent's own words, what is already done
in this run, the goal. What memory tells was chosen before, under a budget of its own, since it
counts in the context digest. The rest goes in as far as there is room: the turns, newest first,
then worked examples, then what a model is told that takes the goal apart, then the internal
state. Turns come first because they count in the digest
as well: what they are cut by must not hang on what does not count.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from llmos.cortex.agents import StoredAgent
from llmos.cortex.processors.prompts import (
    MAX_EXAMPLES,
    MAX_TURNS,
    example_text,
    note_text,
    prefix_text,
    system_prompt,
    turn_text,
)
from llmos.kernel.fence import fence
from llmos.memory.injection import HOOK
from llmos.memory.pieces import Piece, tokens_of
from llmos.values import Context, Json, Trace, Turn

NEEDED = frozenset({"rules", "agent", "prefix", "note", "planning", "goal"})
"""Sources of pieces that go in whatever they cost."""


@dataclass(frozen=True, slots=True)
class Assembled:
    """A context as the model gets it, and what became of every piece."""

    context: Context
    pieces: tuple[Piece, ...]
    """In the order in which the model reads them; left out ones where they would stand."""
    budget: int

    @property
    def tokens(self) -> int:
        """What is shown, all together."""
        return sum(piece.tokens for piece in self.pieces if piece.shown)

    def record(self) -> list[Json]:
        """Names and sizes for the run's record. Whoever wants the texts finds them by name."""
        return [_recorded(piece) | {"shown": piece.shown} for piece in self.pieces]

    def as_dict(self) -> dict[str, Json]:
        """All of it as JSON, with the texts."""
        told = [
            _recorded(piece) | {"shown": piece.shown, "why": piece.why, "text": piece.text}
            for piece in self.pieces
        ]
        return {"budget": self.budget, "tokens": self.tokens, "pieces": told}


def assemble(
    goal: str,
    context: Context,
    budget: int,
    *,
    agent: StoredAgent | None = None,
    memory: Sequence[Piece] = (),
    state: str = "",
    planning: Sequence[Piece] = (),
) -> Assembled:
    """Put together what the model sees. Pure.

    Args:
        goal: The user's sentence.
        context: Turns, examples, prefix and note as they would be without a budget; no ``system``.
        budget: Tokens of everything.
        agent: What the model works as.
        memory: Facts and what hooks add, shown or left out already.
        state: The internal state as the model is told it; ``""`` if it is not.
        planning: Where the goal is to be taken apart: how, and what it may be made of, the most
            useful first.
    """
    needed = [
        Piece("rules", "", system_prompt(context), True, "every model is told them"),
        *_agent(agent),
        *_one("prefix", prefix_text(context.prefix), "it is already done in this run"),
        *_one("note", note_text(context.note), "why the model is called in"),
        *(piece for piece in planning if piece.source in NEEDED),
        Piece("goal", "", goal, True, "it is what to do"),
    ]
    left = _left(_left(budget, needed), memory)
    turns = list(_turns(context.turns, left))
    left = _left(left, turns)
    examples = list(_examples(context.examples, left))
    left = _left(left, examples)
    made_of = list(_let_in([p for p in planning if p.source not in NEEDED], left))
    left = _left(left, made_of)
    told = list(_state(state, left))
    by = {piece.source: piece for piece in needed}
    pieces = [by.get("agent"), *memory, *told, by["rules"], *turns, *examples]
    pieces += [by.get("prefix"), by.get("note"), by.get("planning"), by["goal"], *made_of]
    shown = replace(
        context,
        system=_system(by.get("agent"), memory, told),
        turns=tuple(t for t, p in zip(context.turns, turns, strict=True) if p.shown),
        examples=tuple(e for e, p in zip(context.examples, examples, strict=True) if p.shown),
    )
    return Assembled(shown, tuple(p for p in pieces if p is not None), budget)


def _recorded(piece: Piece) -> dict[str, Json]:
    return {"source": piece.source, "name": piece.name, "tokens": piece.tokens}


def _left(budget: int, pieces: Sequence[Piece]) -> int:
    return budget - sum(piece.tokens for piece in pieces if piece.shown)


def _one(source: str, text: str, why: str) -> list[Piece]:
    return [Piece(source, "", text, True, why)] if text else []


def _agent(agent: StoredAgent | None) -> list[Piece]:
    if agent is None or not agent.agent.prompt.strip():
        return []
    return [Piece("agent", agent.label, agent.agent.prompt.strip(), True, "the model works as it")]


def _turns(turns: Sequence[Turn], left: int) -> Iterator[Piece]:
    """The turns, oldest first; one that does not fit takes all older ones with it."""
    pieces: list[Piece] = []
    room = True
    for number, turn in reversed(list(enumerate(turns, 1))):
        text = turn_text(turn)
        fits, recent = tokens_of(text) <= left, len(pieces) < MAX_TURNS
        room = room and fits and recent
        why = "the goal refers to what was said before"
        if not room:
            why = (
                f"only the last {MAX_TURNS} are shown" if not recent else "there is no room for it"
            )
        left -= tokens_of(text) if room else 0
        pieces.append(Piece("turn", str(number), text, room, why))
    yield from reversed(pieces)


def _examples(examples: Sequence[Trace], left: int) -> Iterator[Piece]:
    for number, trace in enumerate(examples):
        text = example_text(trace)
        fits, few = tokens_of(text) <= left, number < MAX_EXAMPLES
        why = "a worked example of this goal" if fits else "there is no room for it"
        if not few:
            why = f"only {MAX_EXAMPLES} are shown"
        left -= tokens_of(text) if fits and few else 0
        yield Piece("example", trace.id, text, fits and few, why)


def _let_in(pieces: Sequence[Piece], left: int) -> Iterator[Piece]:
    for piece in pieces:
        fits = piece.tokens <= left
        left -= piece.tokens if fits else 0
        yield replace(piece, shown=fits, why=piece.why if fits else "there is no room for it")


def _state(state: str, left: int) -> Iterator[Piece]:
    if state:
        fits = tokens_of(state) <= left
        why = "the setting show_state_to_model is on" if fits else "there is no room for it"
        yield Piece("state", "", state, fits, why)


def _system(agent: Piece | None, memory: Sequence[Piece], state: Sequence[Piece]) -> str:
    """What precedes the rules: who the model is, what is known, how the system stands."""
    facts = [f"- {p.text}" for p in memory if p.shown and p.source != HOOK]
    parts = [agent.text] if agent else []
    if facts:
        told = "What the user has said earlier and still holds (what the goal says goes before it):"
        parts.append("\n".join([told, *facts]))
    parts += [f"From {p.name}:\n{fence(p.text)}" for p in memory if p.shown and p.source == HOOK]
    parts += [p.text for p in state if p.shown]
    return "\n\n".join(parts)
