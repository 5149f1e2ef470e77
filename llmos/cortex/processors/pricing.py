"""What model calls cost, from `genai-prices`, and whether the next one can be afforded."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from llmos.values import Usage

Cost = Callable[[Usage], float | None]
"""US dollars for some tokens; None where the price is not known."""

PER = 1_000_000
"""Prices are per this many tokens."""


@dataclass(frozen=True, slots=True)
class Price:
    """A price that somebody states, in US dollars per million tokens; itself a `Cost`.

    Cached tokens cost what other input does unless they have prices of their own.
    """

    input_usd: float
    output_usd: float
    cache_read_usd: float | None = None
    cache_write_usd: float | None = None

    def __post_init__(self) -> None:
        stated = (self.input_usd, self.output_usd, self.cache_read_usd, self.cache_write_usd)
        if not all(math.isfinite(p) and p >= 0 for p in stated if p is not None):
            raise ValueError(f"a price must be finite and not negative: {self}")

    def __call__(self, usage: Usage) -> float:
        """US dollars for ``usage``."""
        read = self.input_usd if self.cache_read_usd is None else self.cache_read_usd
        write = self.input_usd if self.cache_write_usd is None else self.cache_write_usd
        return (
            usage.input_tokens * self.input_usd
            + usage.output_tokens * self.output_usd
            + usage.cache_read_tokens * read
            + usage.cache_write_tokens * write
        ) / PER


FREE = Price(0.0, 0.0)
"""Of a model on this machine, or in this process."""


def cost_usd(
    model: str, usage: Usage, *, provider: str | None = None, api_url: str | None = None
) -> float | None:
    """US dollars for ``usage`` at list prices, or None where the price is not known.

    Args:
        model: The model as its provider names it.
        usage: Its tokens; ``input_tokens`` without the cached ones.
        provider: Who serves it, as `genai-prices` names it. A model's name alone does not tell
            who serves it, but with neither this nor ``api_url`` the best match is taken.
        api_url: Where it is served; tried before ``provider``, because it is more exact.
    """
    from genai_prices import Usage as Priced
    from genai_prices import calc_price

    counted = Priced(
        input_tokens=usage.input_tokens + usage.cache_read_tokens + usage.cache_write_tokens,
        output_tokens=usage.output_tokens,
        cache_read_tokens=usage.cache_read_tokens,
        cache_write_tokens=usage.cache_write_tokens,
    )
    if api_url:
        try:
            return float(calc_price(counted, model, provider_api_url=api_url).total_price)
        except (LookupError, ValueError):
            if not provider:
                return None
    try:
        return float(calc_price(counted, model, provider_id=provider).total_price)
    except (LookupError, ValueError):
        return None


def unaffordable(
    cost: Cost, model: str, left_usd: float, input_tokens: int, output_tokens: int
) -> str | None:
    """Why the next model call must not be made, in one line, or None if it may be.

    Args:
        cost: Price of the model.
        model: Its name, for the reason.
        left_usd: What may still be spent; infinite when no budget is set.
        input_tokens: Estimate of what the call sends, better too high than too low.
        output_tokens: The most it may answer.
    """
    if math.isinf(left_usd):
        return None
    # The dearest way to send a prompt may be to write it into a cache, and a price may be stated
    # without one for the other way.
    ways = (
        Usage(input_tokens=input_tokens, output_tokens=output_tokens),
        Usage(cache_write_tokens=input_tokens, output_tokens=output_tokens),
    )
    known = [usd for usd in map(cost, ways) if usd is not None]
    if not known:
        return (
            f"the price of {model!r} is not known, so its cost cannot be kept within "
            f"${max(0.0, left_usd):.4f}: name a model with a known price, or state one with "
            "PydanticAIProcessor(model, price=Price(input_usd, output_usd))"
        )
    worst = max(known)
    if worst <= left_usd:
        return None
    return (
        f"the next model call may cost up to ${worst:.4f}, "
        f"but ${max(0.0, left_usd):.4f} of the run's budget is left"
    )
