"""Volumes as several callers have them."""

from typing import Any

from llmos.store import Store
from llmos.volumes import Caller, Place, Volume
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


class Everybodys:
    """A volume in which each call is made by who is named as its author.

    Calls without an author are its owner's, or the system's cron's for what is shared.
    """

    def __init__(self, store: Store, kind: VolumeType, owner: str) -> None:
        self._store, self._kind, self._owner = store, kind, owner
        self.place = Place(kind, owner)

    def __getattr__(self, name: str) -> Any:
        def call(*args: Any, **more: Any) -> Any:
            caller = self._caller(more.get("author"))
            volume = Volume(self._store, self._kind, self._owner, caller=caller)
            return getattr(volume, name)(*args, **more)

        return call

    def _caller(self, author: str | None) -> Caller:
        if author == "team-cron":
            return Caller.team_cron(self._owner)
        if author == "system-cron" or self._kind != "user":
            return Caller.system_cron()
        if author in (None, self._owner):
            return Caller.person(self._owner)
        return Caller.user_cron(self._owner, "" if author == "user-cron" else author)
