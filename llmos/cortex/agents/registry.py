"""`Agents`: those that a user has, the nearest first, and how they are changed.

They are artifacts like tools: immutable versions in the volumes of the user, their teams and the
system. The agents that are shipped count as the system's until the system volume holds one of that
name. Every call looks anew, so a change is in use from the next run on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar

from llmos.cortex.agents.agent import Agent, check_agent_name, parse
from llmos.cortex.agents.shipped import shipped
from llmos.errors import LLMOSError, UserError
from llmos.evolution.ledger import near_volumes
from llmos.store import Store, Transaction
from llmos.values import ArtifactType
from llmos.volumes import Artifact, Caller, Place, Status, Version, Volume
from llmos.volumes.content import canonical, digest_of
from llmos.volumes.reading import Ref

T = TypeVar("T")

SYSTEM = Place("system", "system")

_AGENT = ArtifactType.AGENT
_AS_SHIPPED = "as shipped"
_ALWAYS = datetime.fromtimestamp(0, UTC)
"""When a shipped agent was made: a version needs a time, and nobody asks for this one."""


@dataclass(frozen=True, slots=True)
class StoredAgent:
    """An agent and where it is kept."""

    agent: Agent
    place: Place
    digest: str
    """Of its version."""
    version: int
    """Number of it; 0 for one that is as it was shipped."""
    status: Status

    @property
    def label(self) -> str:
        """What a run says of who made it: ``coder@1f2e3d4c5b6a``."""
        return f"{self.agent.name}@{self.digest[:12]}"


@dataclass(frozen=True, slots=True)
class KeptAgent:
    """The file of an agent in one volume, whether or not it can be read as one."""

    text: str
    place: Place
    version: int
    digest: str
    status: Status


@dataclass(frozen=True, slots=True)
class AgentRow:
    """One agent in a list, also one that cannot be used."""

    name: str
    place: Place
    version: int
    digest: str
    status: Status
    used: bool
    """It is the one that its name stands for; else a nearer one is."""
    description: str = ""
    problem: str = ""
    """Why it cannot be used."""


def system_agent(store: Store, name: str, caller: Caller) -> StoredAgent:
    """An agent of the system volume, or as it was shipped.

    Args:
        store: Where volumes are kept.
        name: The agent.
        caller: Who reads.

    Raises:
        UserError: There is none, it was laid aside, or it cannot be read.
        PermissionDenied: ``caller`` may not read the system volume.
    """
    kept = _kept(Volume(store, "system", "system", caller=caller), check_agent_name(name))
    if kept is None or kept.status.out_of_use:
        so = "is laid aside" if kept else "is not there"
        raise UserError(f"the system's agent {name!r} {so}", "see: llmos agents list --all")
    return _stored(kept, SYSTEM)


class Agents:
    """The agents of one user.

    All methods raise `PermissionDenied` for who may not read or write there, and `UserError` for
    what is not there and for a file that describes no agent.

    Args:
        store: Where volumes are kept.
        user_id: Who asks.
        project: The project that is worked in: its agents go before the user's others, and what is
            new is its own. Those of other projects are not there.
    """

    def __init__(self, store: Store, user_id: str, project: str | None = None) -> None:
        self._store = store
        self._user_id = user_id
        self._project = project

    # --- reading -----------------------------------------------------------------------------

    def get(self, name: str) -> StoredAgent:
        """The agent that a name stands for: the nearest, in its current version.

        A draft is in use too: what a person has written has no proof to wait for. One that is
        laid aside or quarantined is passed over. One that cannot be read is an error, not passed
        over: its owner means it.
        """
        check_agent_name(name)
        for volume in self._volumes():
            found = _kept(volume, name)
            if found is not None and not found.status.out_of_use:
                return _stored(found, volume.place)
        there = [row.name for row in self.listed() if row.used]
        raise UserError(f"there is no agent {name!r}", f"there are: {', '.join(there)}")

    def find(self, name: str, where: Place | None = None) -> KeptAgent | None:
        """The file of an agent, or None where there is none of that name.

        Args:
            name: The agent.
            where: The volume; the nearest that has it, in use before laid aside, when left out.
        """
        check_agent_name(name)
        having = self._having(name, where)
        if not having:
            return None
        volume, kept = having[0]
        text = str(kept.content.get("text", ""))
        return KeptAgent(text, volume.place, kept.seq, kept.digest, kept.status)

    def listed(self, *, everything: bool = False) -> list[AgentRow]:
        """The agents by name, the nearest of each first.

        Args:
            everything: Also those that are laid aside.
        """
        rows: list[AgentRow] = []
        taken: set[str] = set()
        for volume in self._volumes():
            for version in self._all(volume):
                out = version.status.out_of_use
                if not out or everything:
                    used = not out and version.name not in taken
                    rows.append(_row(version, volume.place, used))
                if not out:
                    taken.add(version.name)
        return sorted(rows, key=lambda row: row.name)

    def history(self, name: str, where: Place | None = None) -> list[Version]:
        """The versions of an agent, the oldest first."""
        volume = self._holding(name, where)
        if _is_shipped(volume, name):
            return [_of_package(name)]
        return volume.history(_AGENT, name)

    def diff(
        self, name: str, a: Ref | None = None, b: Ref | None = None, where: Place | None = None
    ) -> str:
        """What changed from version ``a`` to ``b``; see `Volume.diff`."""
        volume = self._holding(name, where)
        if _is_shipped(volume, name):
            raise UserError(
                f"agent {name!r} is as it was shipped", f"see: llmos agents show {name}"
            )
        return volume.diff(_AGENT, name, a, b)

    # --- changing ----------------------------------------------------------------------------

    def create(
        self, text: str, where: Place | None = None, note: str = "", lineage: Sequence[str] = ()
    ) -> StoredAgent:
        """Store a new agent.

        Args:
            text: Its file.
            where: The volume; the project's, or the user's own, when left out.
            note: Why, for the history.
            lineage: Ids of runs that it was made from: with them it is purged.
        """
        agent = parse(text)
        volume = self._volume(where or self._own)
        return self._put(volume, agent, note, lineage, new=True)

    def modify(
        self,
        name: str,
        text: str,
        where: Place | None = None,
        note: str = "",
        lineage: Sequence[str] = (),
    ) -> StoredAgent:
        """Store a new version of an agent. One that was laid aside is back with it.

        Args:
            name: The agent.
            text: Its file as it shall be.
            where: The volume; the nearest that has it when left out.
            note: Why, for the history.
            lineage: Ids of runs that it was made from: with them it is purged.
        """
        return self._put(self._holding(name, where), parse(text, name), note, lineage)

    def rollback(
        self, name: str, to: Ref | None = None, where: Place | None = None, why: str = ""
    ) -> Artifact:
        """Let another version count; see `Volume.rollback`."""
        return self._change(name, where, lambda v: partial(v.rollback, to=to), why)

    def archive(self, name: str, where: Place | None = None, why: str = "") -> Artifact:
        """Lay an agent aside; a farther one of that name counts then. Nothing is deleted."""
        return self._change(name, where, lambda v: v.archive, why)

    def restore(self, name: str, where: Place | None = None, why: str = "") -> Artifact:
        """Take an agent back that was laid aside."""
        return self._change(name, where, lambda v: v.restore, why)

    # --- small things ------------------------------------------------------------------------

    def _change(
        self,
        name: str,
        where: Place | None,
        change: Callable[[Volume], Callable[..., object]],
        why: str,
    ) -> Artifact:
        volume = self._holding(name, where)

        def write(tx: Transaction) -> Artifact:
            self._keep_shipped(tx, volume, name)
            change(volume)(_AGENT, name, author=self._user_id, why=why, tx=tx)
            found = volume.find(_AGENT, name, tx=tx)
            assert found is not None  # else `change` has raised
            return found

        return self._store.write(write)

    def _put(
        self,
        volume: Volume,
        agent: Agent,
        note: str,
        lineage: Sequence[str] = (),
        *,
        new: bool = False,
    ) -> StoredAgent:
        def write(tx: Transaction) -> Version:
            if new and _kept(volume, agent.name, tx) is not None:
                hint = f"change it: llmos agents modify {agent.name}"
                raise UserError(f"there is an agent {agent.name!r} in {volume.place}", hint)
            self._keep_shipped(tx, volume, agent.name)
            version = volume.put(
                tx,
                _AGENT,
                agent.name,
                _content(agent),
                author=self._user_id,
                lineage=lineage,
                note=note,
                status=Status.ACTIVE,
            )
            if version.status is not Status.ACTIVE:
                # The very text was there before, and put aside: who puts it now wants it.
                why = note or "put again"
                volume.set_status(
                    _AGENT, agent.name, Status.ACTIVE, author=self._user_id, why=why, tx=tx
                )
            return volume.get(_AGENT, agent.name, tx=tx)

        return _stored(self._store.write(write), volume.place)

    def _keep_shipped(self, tx: Transaction, volume: Volume, name: str) -> None:
        """Before its first change: what was shipped is version 1, to compare and to go back to."""
        known = volume.place == SYSTEM and name in shipped()
        if known and volume.find(_AGENT, name, tx=tx) is None:
            volume.put(
                tx,
                _AGENT,
                name,
                _content(shipped()[name]),
                author=self._user_id,
                note=_AS_SHIPPED,
                status=Status.ACTIVE,
            )

    def _volumes(self) -> list[Volume]:
        near = (self._store, self._user_id, self._project)
        return self._store.read(lambda c: near_volumes(c, *near))

    @property
    def _own(self) -> Place:
        own = Place("user", self._user_id)
        return own.of(self._project) if self._project else own

    def _volume(self, place: Place) -> Volume:
        for volume in self._volumes():
            if volume.place == place:
                return volume
        raise UserError(f"{place} is none of yours", "use your own, your team's or the system's")

    def _holding(self, name: str, where: Place | None) -> Volume:
        """The volume that is meant; see `find`."""
        check_agent_name(name)
        having = self._having(name, where)
        if not having:
            inside = f" in {where}" if where else ""
            raise UserError(f"there is no agent {name!r}{inside}", "see: llmos agents list")
        return having[0][0]

    def _having(self, name: str, where: Place | None) -> list[tuple[Volume, Version]]:
        """The volumes that have an agent, the ones where it is in use first, then the nearest."""
        volumes = [self._volume(where)] if where else self._volumes()
        having = [(v, kept) for v in volumes if (kept := _kept(v, name)) is not None]
        return sorted(having, key=lambda pair: pair[1].status.out_of_use)

    def _all(self, volume: Volume) -> Iterator[Version]:
        artifacts = volume.list_artifacts(_AGENT, limit=1000)
        for artifact in artifacts:
            yield volume.get(_AGENT, artifact.name)
        if volume.place == SYSTEM:
            yield from (_of_package(n) for n in shipped() if n not in {a.name for a in artifacts})


def _kept(volume: Volume, name: str, tx: Transaction | None = None) -> Version | None:
    if volume.find(_AGENT, name, tx=tx) is not None:
        return volume.get(_AGENT, name, tx=tx)
    return _of_package(name) if _is_shipped(volume, name, tx) else None


def _is_shipped(volume: Volume, name: str, tx: Transaction | None = None) -> bool:
    """Whether the agent of that name is the package's."""
    known = volume.place == SYSTEM and name in shipped()
    return known and volume.find(_AGENT, name, tx=tx) is None


def _content(agent: Agent) -> dict[str, str]:
    return {"text": agent.text}


def _of_package(name: str) -> Version:
    """A shipped agent, as the version that it would be."""
    content = _content(shipped()[name])
    return Version(
        artifact_id="",
        volume="system",
        owner="system",
        type=_AGENT,
        name=name,
        digest=digest_of(canonical(content, f"agent {name!r}")),
        seq=0,
        content=content,
        author="llmos",
        created_at=_ALWAYS,
        parent=None,
        lineage=(),
        note=_AS_SHIPPED,
        status=Status.ACTIVE,
    )


def _stored(version: Version, place: Place) -> StoredAgent:
    return StoredAgent(_parsed(version), place, version.digest, version.seq, version.status)


def _parsed(version: Version) -> Agent:
    text = version.content.get("text")
    try:
        return parse(text if isinstance(text, str) else "", version.name)
    except UserError as e:
        told = f"agent {version.name!r}, version {version.seq}: {e.message}"
        raise UserError(told, f"mend it: llmos agents modify {version.name}") from e


def _row(version: Version, place: Place, used: bool) -> AgentRow:
    kept = (version.name, place, version.seq, version.digest, version.status, used)
    try:
        return AgentRow(*kept, description=_parsed(version).description)
    except LLMOSError as e:
        return AgentRow(*kept, problem=e.message)
