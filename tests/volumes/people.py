"""Volumes as several callers have them."""

from llmos.store import Store
from llmos.volumes import Caller, Volume
from llmos.volumes.records import VolumeType

CRONS = {"user-cron": Caller.user_cron("alice"), "system-cron": Caller.system_cron()}


def who(author: str) -> Caller:
    """Alice, one of the crons, or work of the kernel in her volume that has a name of its own."""
    if author == "alice":
        return Caller.person("alice")
    return CRONS.get(author) or Caller.user_cron("alice", author)


def of_alice(store: Store, author: str = "alice") -> Volume:
    """Alice's volume as ``author`` has it."""
    return Volume(store, "user", "alice", caller=who(author))


def acting(volume: Volume, author: str) -> Volume:
    """The same volume as ``author`` has it."""
    return Volume(volume._store, volume.place.volume, volume.place.owner, caller=who(author))


def kept_by(store: Store, kind: VolumeType, owner: str) -> Volume:
    """A volume as the system's cron has it, which may write all."""
    return Volume(store, kind, owner, caller=Caller.system_cron())
