"""The file mirror: current versions as files that people read, and edited files taken back."""

from llmos.volumes.mirror.mirror import Mirror
from llmos.volumes.mirror.reports import MirrorReport, Note, Pushed, PushReport

__all__ = ["Mirror", "MirrorReport", "Note", "PushReport", "Pushed"]
