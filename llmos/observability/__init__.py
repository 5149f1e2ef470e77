"""The reading side: what happened, what somebody should know, and what they have seen."""

from llmos.observability.feed import FeedEntry
from llmos.observability.hub import Notification, ObservabilityHub

__all__ = ["FeedEntry", "Notification", "ObservabilityHub"]
