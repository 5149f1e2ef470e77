"""The simulation of rewriting agents measures what it says."""

from __future__ import annotations

import asyncio

import pytest

from bench.rewriting import HINTS, Script, by_heart, main, teaches, trades, world

pytest.importorskip("gepa", reason="needs the extra llmos[gepa]")


def test_a_text_that_helps_is_suggested_and_one_that_fits_what_was_seen_is_not() -> None:
    good = asyncio.run(world(Script(teaches), 3))
    assert good.found and good.suggested and not good.wrong
    assert good.unseen[0] < 0.5 and good.unseen[1] == 1.0 and len(HINTS) == 3
    for reflects in (by_heart, trades):
        bad = asyncio.run(world(Script(reflects), 3))
        assert bad.found and bad.wrong and not bad.suggested, "it is better on what it has seen"
        assert bad.unseen[0] == bad.unseen[1]


def test_the_table_counts_what_is_wrong_apart_from_what_is_suggested() -> None:
    rows = main(1)
    assert [row["suggested and wrong"] for row in rows][:3] == [0, 0, 0]
    assert all(row["suggested"] <= row["found"] for row in rows)
