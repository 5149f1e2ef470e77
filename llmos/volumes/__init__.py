"""Volumes: what a user, a team or the system owns, as immutable versions named by digest."""

from llmos.volumes.access import Access, Caller, Kind, may, require
from llmos.volumes.listing import PURGED
from llmos.volumes.mirror import Mirror, MirrorReport, PushReport
from llmos.volumes.privacy import is_private, keep_private, share
from llmos.volumes.readable import ReadableVolume
from llmos.volumes.records import Artifact, Change, Place, Status, Version, What
from llmos.volumes.roles import Role
from llmos.volumes.usages import Outcome, UsageStats, record_usage, usage_stats
from llmos.volumes.volume import Volume
from llmos.volumes.watermarks import get_watermark, set_watermark

__all__ = [
    "PURGED",
    "Access",
    "Artifact",
    "Caller",
    "Change",
    "Kind",
    "Mirror",
    "MirrorReport",
    "Outcome",
    "Place",
    "PushReport",
    "ReadableVolume",
    "Role",
    "Status",
    "UsageStats",
    "Version",
    "Volume",
    "What",
    "get_watermark",
    "is_private",
    "keep_private",
    "may",
    "record_usage",
    "require",
    "set_watermark",
    "share",
    "usage_stats",
]
