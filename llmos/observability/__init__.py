"""The reading side: what happened, what somebody should know, and what they have seen."""

from llmos.observability.feed import FeedEntry
from llmos.observability.hub import ObservabilityHub
from llmos.observability.notifications import Notification
from llmos.observability.report import ActivityReport, activity_report

__all__ = [
    "ActivityReport",
    "FeedEntry",
    "Notification",
    "ObservabilityHub",
    "activity_report",
]
