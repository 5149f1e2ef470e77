"""The tools over the visits of the web site."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from bench.workbench.rows import Refused
from bench.workbench.world import Row, World

T = TypeVar("T")

VALUES = (
    "total_visits",
    "session_duration_seconds",
    "user_engaged",
    "visits_direct",
    "visits_referral",
    "visits_search_engine",
    "visits_social_media",
)
PLOT_TYPES = ("bar", "line", "scatter", "histogram")


def get_visitor_information_by_id(world: World, visitor_id: str | None = None) -> list[Row]:
    """List all visits of one visitor.

    Args:
        visitor_id: The visitor's id, exactly.
    """
    if not visitor_id:
        raise Refused("Visitor ID not provided.")
    visits = [dict(row) for row in world.visits if row["visitor_id"] == visitor_id]
    if not visits:
        raise Refused("Visitor not found.")
    if world.durations_as_numbers:
        for row in visits:
            row["session_duration_seconds"] = float(row["session_duration_seconds"])
    return visits


def create_plot(
    world: World,
    time_min: str | None = None,
    time_max: str | None = None,
    value_to_plot: str | None = None,
    plot_type: str | None = None,
) -> str:
    """Draw a value over a range of days and return the path of the picture.

    Args:
        time_min: First day: YYYY-MM-DD.
        time_max: Last day.
        value_to_plot: total_visits, session_duration_seconds, user_engaged, visits_direct,
            visits_referral, visits_search_engine or visits_social_media.
        plot_type: bar, line, scatter or histogram.
    """
    if not time_min:
        raise Refused("Start date not provided.")
    if not time_max:
        raise Refused("End date not provided.")
    if value_to_plot not in VALUES:
        # The message's own spellings of the last four are not the accepted ones.
        raise Refused(
            "Value to plot must be one of 'total_visits', 'session_duration_seconds',"
            " 'user_engaged', 'direct', 'referral', 'search engine', 'social media'"
        )
    if plot_type not in PLOT_TYPES:
        raise Refused("Plot type must be one of 'bar', 'line', 'scatter', or 'histogram'")
    path = f"plots/{time_min}_{time_max}_{value_to_plot}_{plot_type}.png"
    world.plots.append({"file_path": path})
    return path


def total_visits_count(
    world: World, time_min: str | None = None, time_max: str | None = None
) -> dict[str, int]:
    """Count the visits of each day that had any.

    Args:
        time_min: First day: YYYY-MM-DD.
        time_max: Last day.
    """
    return _per_day(world, time_min, time_max, len)


def engaged_users_count(
    world: World, time_min: str | None = None, time_max: str | None = None
) -> dict[str, int]:
    """Count, for each day that had visits, those whose user was engaged.

    Args:
        time_min: First day: YYYY-MM-DD.
        time_max: Last day.
    """
    return _per_day(
        world, time_min, time_max, lambda visits: sum(row["user_engaged"] for row in visits)
    )


def traffic_source_count(
    world: World,
    time_min: str | None = None,
    time_max: str | None = None,
    traffic_source: str | None = None,
) -> dict[str, int]:
    """Count, for each day that had visits, those that came from one source, or all.

    Args:
        time_min: First day: YYYY-MM-DD.
        time_max: Last day.
        traffic_source: direct, referral, search engine or social media.
    """
    if not traffic_source:
        return _per_day(world, time_min, time_max, len)
    return _per_day(
        world,
        time_min,
        time_max,
        lambda visits: sum(row["traffic_source"] == traffic_source for row in visits),
    )


def get_average_session_duration(
    world: World, time_min: str | None = None, time_max: str | None = None
) -> dict[str, float]:
    """Give the mean length of a session, in seconds, for each day that had visits.

    Args:
        time_min: First day: YYYY-MM-DD.
        time_max: Last day.
    """
    if not time_min and not time_max:
        world.durations_as_numbers = True
    return _per_day(world, time_min, time_max, _mean_duration)


def _per_day(
    world: World, first: str | None, last: str | None, value: Callable[[list[Row]], T]
) -> dict[str, T]:
    # Days are compared as text, whatever the bounds hold.
    days: dict[str, list[Row]] = {}
    for row in world.visits:
        day = row["date_of_visit"]
        if (not first or day >= first) and (not last or day <= last):
            days.setdefault(day, []).append(row)
    return {day: value(days[day]) for day in sorted(days)}


def _mean_duration(visits: list[Row]) -> float:
    return sum(float(row["session_duration_seconds"]) for row in visits) / len(visits)


READS = (
    get_visitor_information_by_id,
    total_visits_count,
    engaged_users_count,
    traffic_source_count,
    get_average_session_duration,
)
WRITES = (create_plot,)
