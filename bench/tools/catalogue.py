"""A generated catalogue: as many tools as wanted, in families as servers have them."""

from __future__ import annotations

import random
from collections.abc import Iterator

from bench.parsing import NOUNS, VERBS
from llmos.values import Effect, Json, ToolSpec

READS = frozenset(("check", "compare", "count", "find", "label", "list", "plot", "review", "sort"))
EACH = 10
"""Tools of one family."""

_FIELDS = (
    ("title", "string", "text shown above it"),
    ("owner", "string", "address of whoever it belongs to"),
    ("date_from", "string", "first day, as YYYY-MM-DD"),
    ("date_to", "string", "last day, as YYYY-MM-DD"),
    ("status", "string", "open, closed or waiting"),
    ("limit", "integer", "how many at most"),
    ("query", "string", "text to look for"),
    ("priority", "string", "low, normal or high"),
    ("notify", "boolean", "whether everybody concerned is told"),
    ("note", "string", "anything to remember"),
)


def catalogue(count: int, seed: int = 7, taken: frozenset[str] = frozenset()) -> list[ToolSpec]:
    """So many different tools, the same for equal seeds.

    Args:
        count: How many.
        seed: Of the random numbers.
        taken: Names that are not to be used.
    """
    made: dict[str, ToolSpec] = {}
    for spec in _specs(random.Random(seed)):
        if len(made) == count:
            break
        if spec.name not in taken:
            made.setdefault(spec.name, spec)
    return list(made.values())


def _specs(rng: random.Random) -> Iterator[ToolSpec]:
    while True:
        family, thing = rng.choice(NOUNS), rng.choice(NOUNS)
        for verb in rng.sample(VERBS, EACH):
            yield _spec(rng, family, verb, thing)


def _spec(rng: random.Random, family: str, verb: str, thing: str) -> ToolSpec:
    fields = rng.sample(_FIELDS, rng.randint(2, 5))
    properties: dict[str, Json] = {
        f"{thing}_id": {"type": "string", "description": f"which {thing}"}
    }
    properties |= {name: {"type": kind, "description": told} for name, kind, told in fields}
    described = f"{verb.capitalize()} a {thing} of the {family}, by its {fields[0][0]}."
    schema = {
        "type": "object",
        "properties": properties,
        "required": [f"{thing}_id"],
        "additionalProperties": False,
    }
    effect = Effect.READ if verb in READS else Effect.WRITE
    return ToolSpec(f"{family}.{verb}_{thing}", described, schema, effect)
