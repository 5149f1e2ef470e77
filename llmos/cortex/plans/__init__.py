"""Plans: a goal as parts, each of which is dispatched like any other goal."""

from llmos.cortex.plans.plan import GOAL, MOST_PARTS, Part, Plan

__all__ = ["GOAL", "MOST_PARTS", "Part", "Plan"]
