"""Volumes: what a user, a team or the system owns, as immutable versions named by digest."""

from llmos.volumes.mirror import Mirror, MirrorReport, PushReport
from llmos.volumes.records import Artifact, Change, Place, Status, Version, What
from llmos.volumes.usages import Outcome, UsageStats, record_usage, usage_stats
from llmos.volumes.volume import Volume
from llmos.volumes.watermarks import get_watermark, set_watermark

__all__ = [
    "Artifact",
    "Change",
    "Mirror",
    "MirrorReport",
    "Outcome",
    "Place",
    "PushReport",
    "Status",
    "UsageStats",
    "Version",
    "Volume",
    "What",
    "get_watermark",
    "record_usage",
    "set_watermark",
    "usage_stats",
]
