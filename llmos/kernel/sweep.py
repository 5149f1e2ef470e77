"""Deletes blobs that nobody refers to any more: what purged runs and finished commands left.

A blob is needed by the journal, to put a file back; by the listing of a folder in which a command
is at work; and by the footprint of a step that looked at a folder, to say what changed in it. The
blobs are the home's own, and the rows those of all homes that share the database.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, select

from llmos.errors import IntegrityError, StoreError
from llmos.kernel.observe import TREE
from llmos.store import BlobStore, Store
from llmos.store.schema import journal, steps

UNTOUCHED_S = 3600.0
"""Seconds for which nobody must have put a content before it can go, at the least."""


@dataclass(frozen=True, slots=True)
class Swept:
    """What a sweep deleted."""

    blobs: int = 0
    bytes: int = 0


def untouched_for(tool_timeout_s: float) -> float:
    """How long nobody must have put a content before it can go.

    Between a content being put and a row that names it there is less than the time that one call
    may take.

    Args:
        tool_timeout_s: That time, in seconds.
    """
    return max(UNTOUCHED_S, 2 * tool_timeout_s)


def sweep(store: Store, untouched_s: float = UNTOUCHED_S) -> Swept:
    """Delete the blobs of a home that no row refers to, but for those that were put of late.

    Safe while others work with the same home: see `BlobStore.drop`.

    Args:
        store: Of the home.
        untouched_s: How long nobody must have put a content.

    Raises:
        StoreError: The database or a listing cannot be read, or nothing can be deleted.
    """
    store.blobs.drop_unfinished(untouched_s)
    old = set(store.blobs.untouched(untouched_s))
    # Read after: what is named from now on has been put, and so touched, from now on.
    needed = store.read(lambda c: set(_needed(c, store.blobs))) if old else set()
    freed = [n for digest in old - needed if (n := store.blobs.drop(digest, untouched_s))]
    return Swept(len(freed), sum(freed))


def _needed(conn: Connection, blobs: BlobStore) -> Iterator[str]:
    kept = select(journal.c.before).where(journal.c.before.is_not(None)).distinct()
    yield from conn.scalars(kept)
    working = (journal.c.before_kind == "tree") & (journal.c.after_kind == "unknown")
    for digest in conn.scalars(select(journal.c.before).where(working)):
        yield from _listed(blobs, digest)
    looked = steps.c.footprint.contains(f'"{TREE}', autoescape=True)
    for footprint in conn.scalars(select(steps.c.footprint).where(looked)):
        for resource, seen in json.loads(footprint).get("reads", {}).items():
            if resource.startswith(TREE) and seen:
                yield seen


def _listed(blobs: BlobStore, digest: str) -> Iterator[str]:
    """The contents of the files in a folder, by its listing (`Journal.before_tree`)."""
    try:
        listing = json.loads(blobs.get(digest).decode("utf-8", "surrogateescape"))
    except IntegrityError as e:
        why = e.__cause__
        if isinstance(why, OSError) and not isinstance(why, FileNotFoundError):
            # It is there: what it names is needed as soon as it can be read again.
            hint = "see its owner and mode; the system's cron tries again"
            raise StoreError(f"nothing was swept: {e.message}", hint) from e
        return  # it is gone, or another home's: nothing can be put back by it here
    for _, found, _ in listing.values():
        if found:
            yield found
