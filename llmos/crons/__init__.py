"""Sentience Crons: what goes on while nobody works."""

from llmos.crons.cycle import CronLevel, CycleReport, CycleTask

__all__ = ["CronLevel", "CycleReport", "CycleTask"]
