"""What a goal calls a thing may be the name that calls have for it."""

from __future__ import annotations

import pytest

from llmos.evolution.naming import named_alike, words_of


@pytest.mark.parametrize("name", ["get_total_weight", "getTotalWeight", "GetTotalWeight"])
def test_an_identifier_is_made_of_words(name: str) -> None:
    assert [w.lower() for w in words_of(name)] == ["get", "total", "weight"]


def test_texts_that_share_words_with_their_own_values_are_named_alike() -> None:
    table = {"total weight": "weight_total", "late parcels": "parcel_late_count"}
    assert named_alike(table)
    assert named_alike({**table, "the total weight": "weight_total"})


@pytest.mark.parametrize(
    "table",
    [
        {"total weight": "weight_total"},
        {"total weight": "parcel_late", "late parcels": "weight_total"},
        {"total weight": "weight_total", "total height": "total_weight_height"},
        {"alice": "alice.a@example.org", "bob": "bob.b@example.org"},
        {"blue": "3", "red": "4"},
    ],
)
def test_one_word_in_common_or_two_that_may_be_meant_prove_nothing(table: dict[str, str]) -> None:
    assert not named_alike(table)
