"""What was made from what, over all volumes.

A version names what it was made from by digest, and one content may lie in several volumes by
chance. Which of them was meant, the version's own artifact says first, then the event of its
promotion; else any that was there before it.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, select

from llmos.store.schema import artifacts, events, versions
from llmos.values import EventType
from llmos.volumes.reading import artifact_from, in_place, outline
from llmos.volumes.records import Place, Version

Node = tuple[str, str]
"""A version: id of its artifact, and digest."""


@dataclass(frozen=True, slots=True)
class Promotion:
    """One version that was promoted, as its event tells."""

    made: Node
    source: str
    """Digest of what it was made from."""
    origin: Place


def promotions(conn: Connection, place: Place | None = None) -> list[Promotion]:
    """Everything that was ever promoted, into ``place`` or anywhere, the oldest first."""
    query = select(events.c.subject, events.c.payload).order_by(events.c.seq)
    query = query.where(events.c.type == EventType.ARTIFACT_PROMOTED.value)
    if place is not None:
        query = query.where(in_place(events, place))
    found = []
    for subject, payload in conn.execute(query):
        told = json.loads(payload)
        if "source" in told and "digest" in told:
            origin = Place(told["from_volume"], told["from_owner"])
            found.append(Promotion((subject, told["digest"]), told["source"], origin))
    return found


def descendants(conn: Connection, digest: str) -> list[Version]:
    """Every version in any volume that was made from one with this digest, at whatever remove.

    Args:
        conn: Where to read.
        digest: In full.

    Returns:
        The oldest first, without their contents, which are not read.
    """
    return outlines(conn, made_from(conn, holders(conn, digest)))


def copied_from(conn: Connection, version: Version) -> list[Version]:
    """The versions of which one is a copy, at whatever remove; only what was promoted.

    What else is in its lineage does the same, or was its draft: those are other programs.

    Args:
        conn: Where to read.
        version: The copy.

    Returns:
        The oldest first, without their contents; what was purged is not among them.
    """
    made: dict[Node, list[Promotion]] = defaultdict(list)
    for promotion in promotions(conn):
        made[promotion.made].append(promotion)
    found: set[Node] = set()
    todo: list[Node] = [(version.artifact_id, version.digest)]
    while todo:
        for promotion in made.get(todo.pop(), ()):
            there = holders(conn, promotion.source).items()
            new = {node for node, place in there if place == promotion.origin} - found
            found |= new
            todo += new
    return outlines(conn, found)


def copies_of(conn: Connection, sources: Iterable[Version]) -> list[Version]:
    """The versions that are copies of some, at whatever remove, as `copied_from` tells it."""
    shared: dict[tuple[str, Place], set[Node]] = defaultdict(set)
    for promotion in promotions(conn):
        shared[promotion.source, promotion.origin].add(promotion.made)
    found: set[Node] = set()
    todo = list(sources)
    while todo:
        version = todo.pop()
        new = shared.get((version.digest, Place(version.volume, version.owner)), set()) - found
        found |= new
        todo += outlines(conn, _there(conn, new))
    return outlines(conn, _there(conn, found))


def _there(conn: Connection, nodes: Collection[Node]) -> set[Node]:
    """Those of some versions that were not purged."""
    return {node for node in nodes if node in holders(conn, node[1])}


def holders(conn: Connection, digest: str) -> dict[Node, Place]:
    """The versions with this digest, in all volumes."""
    columns = (versions.c.artifact_id, versions.c.volume, versions.c.owner)
    rows = conn.execute(select(*columns).where(versions.c.digest == digest))
    return {(r.artifact_id, digest): Place(r.volume, r.owner) for r in rows}


def made_from(conn: Connection, sources: Iterable[Node]) -> set[Node]:
    """The versions that were made from some, at whatever remove; a source only if made from one."""
    children = _children(conn)
    found: set[Node] = set()
    todo = list(sources)
    while todo:
        new = children.get(todo.pop(), set()) - found
        found |= new
        todo += new
    return found


def outlines(conn: Connection, nodes: Collection[Node]) -> list[Version]:
    """Some versions without their contents, the oldest first."""
    found = []
    for artifact_id in sorted({a for a, _ in nodes}):
        artifact = conn.execute(select(artifacts).where(artifacts.c.id == artifact_id)).one()
        columns = [c for c in versions.c if c is not versions.c.content]
        rows = conn.execute(select(*columns).where(versions.c.artifact_id == artifact_id))
        mine = [row for row in rows if (artifact_id, row.digest) in nodes]
        found += [outline(row, artifact_from(artifact)) for row in mine]
    return sorted(found, key=lambda v: (v.created_at, v.artifact_id, v.seq))


def _children(conn: Connection) -> Mapping[Node, set[Node]]:
    names = ("artifact_id", "digest", "volume", "owner", "parent", "lineage", "created_at")
    rows = conn.execute(select(*(versions.c[name] for name in names))).all()
    by_digest: dict[str, list[Row[Any]]] = defaultdict(list)
    for row in rows:
        by_digest[row.digest].append(row)
    promoted: dict[Node, list[Promotion]] = defaultdict(list)
    for promotion in promotions(conn):
        promoted[promotion.made].append(promotion)
    children: dict[Node, set[Node]] = defaultdict(set)
    for row in rows:
        made = (row.artifact_id, row.digest)
        for source in _sources(row, by_digest, promoted.get(made, [])):
            children[source.artifact_id, source.digest].add(made)
    return children


def _sources(
    row: Row[Any], by_digest: Mapping[str, list[Row[Any]]], promoted: Iterable[Promotion]
) -> Iterable[Row[Any]]:
    """The versions that ``row`` was made from."""
    told = {p.source: {q.origin for q in promoted if q.source == p.source} for p in promoted}
    named = {row.parent, *json.loads(row.lineage), *told} - {None}
    for digest in named:
        there = by_digest.get(digest, [])
        own = [s for s in there if s.artifact_id == row.artifact_id and digest != row.digest]
        if digest in told:
            yield from (s for s in there if Place(s.volume, s.owner) in told[digest])
        elif own:
            yield from own
        else:
            others = (s for s in there if s.artifact_id != row.artifact_id)
            yield from (s for s in others if s.created_at <= row.created_at)
