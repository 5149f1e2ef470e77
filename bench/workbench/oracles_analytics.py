"""Oracles of the templates over visits."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from bench.workbench import analytics
from bench.workbench.data import Call
from bench.workbench.oracles_common import (
    METRICS,
    WEEK,
    Oracle,
    Slots,
    Undefined,
    address,
    day,
    holds,
    improvement,
    known,
    last_day,
    meeting,
    per_day,
    weekday_before,
)
from bench.workbench.world import World

SOURCES = ("direct", "referral", "search engine", "social media")


def distribution(slots: Slots, world: World, now: datetime) -> list[Call]:
    on = str(day(slots["natural_language_date"], now))
    return [_plot(on, on, _value(slots), slots, "histogram")]


def bars_of_two(slots: Slots, world: World, now: datetime) -> list[Call]:
    since = day(slots["date_min"], now)
    last = last_day(world, since)
    return [
        _plot(since, last, _value(slots, name), slots, "bar")
        for name in ("natural_language_metric", "natural_language_metric_2")
    ]


def line_since_weekday(slots: Slots, world: World, now: datetime) -> list[Call]:
    since = weekday_before(slots["day_of_week"], now)
    values = _ends(world, slots["natural_language_metric"], since)
    if not holds(_grew(*values, slots), slots):
        return []
    return [_plot(since, last_day(world, since), _value(slots), slots, "line")]


def line_over_week(slots: Slots, world: World, now: datetime) -> list[Call]:
    last = weekday_before(slots["day_of_week"], now)
    values = _ends(world, slots["natural_language_metric"], last - WEEK, last)
    if not holds(_grew(*values, slots), slots):
        return []
    return [_plot(last - WEEK, last, _value(slots), slots, "line")]


def line_of_source(slots: Slots, world: World, now: datetime) -> list[Call]:
    since = day(slots["natural_language_date"], now)
    last = last_day(world, since)
    visits = {source: _visits(world, source, since) for source in SOURCES}
    most = slots["most_or_least"] == "most"
    best = (max if most else min)(visits.values())
    named = [source for source in SOURCES if visits[source] == best]
    if len(named) > 1:
        raise Undefined("two sources are as popular")
    return [_plot(since, last, _source_value(named[0]), slots, "line")]


def bars_of_sources(slots: Slots, world: World, now: datetime) -> list[Call]:
    # The clock's day counts though it has no visits yet: four weeks are 28 days before it.
    days = int(slots["n_weeks"]) * int(slots.get("unit_days", 7))
    since = now.date() - timedelta(days=days)
    pair = (slots["traffic_source_1"], slots["traffic_source_2"])
    first, second = (_visits(world, source, since) for source in pair)
    more = first > second if slots.get("more_or_less", "more") == "more" else first < second
    if not holds(more, slots):
        return []
    last = last_day(world, since)
    return [_plot(since, last, _source_value(source), slots, "bar") for source in pair]


def compare_growth(slots: Slots, world: World, now: datetime) -> list[Call]:
    since = weekday_before(slots["day_of_week"], now)
    other = slots["natural_language_metric_2"]
    ours, theirs = (
        _ends(world, metric, since) for metric in (slots["natural_language_metric"], other)
    )
    if not (ours[0] and theirs[0]):
        raise Undefined("growth from nothing")
    more = ours[1] / ours[0] > theirs[1] / theirs[0]
    if slots.get("more_or_less") == "less":
        more = ours[1] / ours[0] < theirs[1] / theirs[0]
    if not holds(more, slots):
        return []
    who = address(world, slots["name"])
    return [
        improvement(who, slots, now),
        meeting(world, slots["text2"], who, slots, now),
    ]


def _ends(world: World, metric: str, first: date, last: date | None = None) -> tuple[float, float]:
    """The values on the first and on the last day: without ``last`` the last that has data.

    Raises:
        Undefined: One of the days has none.
    """
    values = known(per_day(world, metric, first, last))
    until = str(last) if last else max(values)
    if str(first) not in values or until not in values:
        raise Undefined("no visits on a day that is compared")
    return values[str(first)], values[until]


def _grew(before: float, after: float, slots: Slots) -> bool:
    share = float(slots["natural_language_growth_threshold"].rstrip("%")) / 100
    if slots["higher_or_lower"] == "higher":
        return after > before * (1 + share)
    return after < before * (1 - share)


def _visits(world: World, source: str, since: date) -> int:
    return sum(analytics.traffic_source_count(world, str(since), None, source).values())


def _value(slots: Slots, slot: str = "natural_language_metric") -> str:
    return METRICS[slots[slot]][1]


def _source_value(source: str) -> str:
    return f"visits_{source.replace(' ', '_')}"


def _plot(first: object, last: object, value: str, slots: Slots, kind: str) -> Call:
    """The call that draws; with ``plot`` another kind of picture."""
    return Call(
        "analytics.create_plot",
        {
            "time_min": str(first),
            "time_max": str(last),
            "value_to_plot": value,
            "plot_type": slots.get("plot", kind),
        },
    )


ORACLES: dict[str, Oracle] = {
    "analytics-01": distribution,
    "analytics-04": bars_of_two,
    "analytics-07": line_since_weekday,
    "analytics-08": line_over_week,
    "analytics-10": line_of_source,
    "analytics-11": bars_of_sources,
    "multi-17": compare_growth,
}
