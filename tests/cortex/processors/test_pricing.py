from __future__ import annotations

import math

import pytest

from llmos.cortex.processors.pricing import FREE, Price, cost_usd, unaffordable
from llmos.values import Usage

MILLION = 1_000_000


def test_list_price_counts_each_kind_of_token_at_its_own_rate() -> None:
    def price(**tokens: int) -> float | None:
        return cost_usd("claude-3-5-haiku-latest", Usage(**tokens), provider="anthropic")

    assert price(input_tokens=MILLION) == pytest.approx(0.80)
    assert price(output_tokens=MILLION) == pytest.approx(4.00)
    assert price(cache_read_tokens=MILLION) == pytest.approx(0.08)
    assert price(cache_write_tokens=MILLION) == pytest.approx(1.00)
    assert price() == 0.0


@pytest.mark.parametrize(
    ("model", "provider", "api_url"),
    [
        ("no-such-model", "anthropic", None),
        ("claude-3-5-haiku-latest", "no-such-provider", None),
        ("no-such-model", None, None),
        ("claude-3-5-haiku-latest", None, "https://models.example.com/v1"),
    ],
)
def test_price_of_what_is_not_listed_is_unknown_and_not_zero(
    model: str, provider: str | None, api_url: str | None
) -> None:
    assert cost_usd(model, Usage(1, 1), provider=provider, api_url=api_url) is None


def test_unknown_address_falls_back_to_the_named_provider() -> None:
    found = cost_usd(
        "claude-3-5-haiku-latest",
        Usage(input_tokens=MILLION),
        provider="anthropic",
        api_url="https://models.example.com/v1",
    )
    assert found == pytest.approx(0.80)


def test_stated_price_takes_input_rate_for_cached_tokens_unless_it_states_theirs() -> None:
    used = Usage(MILLION, MILLION, MILLION, MILLION)
    assert Price(1, 10)(used) == pytest.approx(13)
    assert Price(1, 10, cache_read_usd=0, cache_write_usd=2)(used) == pytest.approx(13)
    assert Price(1, 10, cache_read_usd=0)(used) == pytest.approx(12)
    assert FREE(used) == 0.0


@pytest.mark.parametrize("wrong", [-1.0, math.nan, math.inf])
def test_stated_price_must_be_a_price(wrong: float) -> None:
    with pytest.raises(ValueError, match="price"):
        Price(1.0, wrong)


def test_call_whose_worst_case_fits_may_be_made_and_one_cent_less_may_not() -> None:
    cost = Price(10, 100)  # worst case of 1,000 in and 1,000 out: 1 cent and 10 cents
    assert unaffordable(cost, "m", 0.11, 1_000, 1_000) is None
    reason = unaffordable(cost, "m", 0.10, 1_000, 1_000)
    assert reason is not None and "$0.1100" in reason and "$0.1000" in reason


def test_worst_case_takes_the_dearest_way_to_send_the_prompt() -> None:
    cost = Price(10, 0, cache_write_usd=20)
    assert unaffordable(cost, "m", 0.015, 1_000, 0) is not None
    assert unaffordable(cost, "m", 0.020, 1_000, 0) is None


def test_unknown_price_is_refused_under_a_budget_and_says_how_to_go_on() -> None:
    reason = unaffordable(lambda _: None, "acme:new", 5.0, 10, 10)
    assert reason is not None and "\n" not in reason
    assert "'acme:new'" in reason and "Price(" in reason
    assert unaffordable(lambda _: None, "acme:new", math.inf, 10, 10) is None


def test_overdrawn_budget_is_told_as_nothing_left() -> None:
    reason = unaffordable(Price(1, 1), "m", -0.5, 1_000_000, 0)
    assert reason is not None and "$0.0000" in reason and "-" not in reason
