"""What tokens would cost at the published price of a well-known small model.

A counterfactual, and labelled so wherever it is shown: the recorded runs were made by a model on
one's own machine, whose tokens cost nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from llmos.values import Json, Usage

_MODEL, _PROVIDER, _NAME = "claude-haiku-4-5", "anthropic", "Claude Haiku 4.5"


@dataclass(frozen=True, slots=True)
class Price:
    """A published price, in US dollars for a million tokens."""

    model: str
    input_usd: float
    output_usd: float
    cached_usd: float

    def of(self, usage: Usage) -> float:
        """What ``usage`` would cost, in US dollars; cached tokens at the lower price for them."""
        micro = (
            (usage.input_tokens + usage.cache_write_tokens) * self.input_usd
            + usage.cache_read_tokens * self.cached_usd
            + usage.output_tokens * self.output_usd
        )
        return micro / 1_000_000

    def told(self, usage: Usage, paid_usd: float) -> str:
        """What a run cost, in words."""
        if paid_usd:
            return f"{dollars(paid_usd)} paid"
        return f"{dollars(self.of(usage))} at the price"

    def as_json(self) -> dict[str, Json]:
        """The form that ``--json`` prints."""
        return {
            "model": self.model,
            "input_usd_per_million_tokens": self.input_usd,
            "output_usd_per_million_tokens": self.output_usd,
            "source": "genai-prices",
            "counterfactual": True,
        }


def named_price() -> Price:
    """The price that the demo compares with, as genai-prices knows it."""
    from genai_prices import Usage as Priced
    from genai_prices import calc_price

    def of(usage: Priced) -> float:
        return float(calc_price(usage, _MODEL, provider_id=_PROVIDER).total_price)

    million = 1_000_000
    return Price(
        _NAME,
        input_usd=of(Priced(input_tokens=million)),
        output_usd=of(Priced(output_tokens=million)),
        cached_usd=of(Priced(input_tokens=million, cache_read_tokens=million)),
    )


def dollars(usd: float) -> str:
    """An amount, with as many places as a small one needs."""
    return "$0" if usd == 0 else f"${usd:.4f}"


def tokens(usage: Usage) -> str:
    """All tokens of a run, with commas."""
    return f"{usage.total_tokens:,}"
