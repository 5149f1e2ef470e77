"""Which reads may be made before which writes.

A read is hoisted over a write only if both tools declare their resources and these are disjoint.
What writes a whole folder (a shell command) is a barrier, and so is what declares nothing.
"""

from __future__ import annotations

import posixpath

from llmos.kernel.observe import FILE, TREE
from llmos.values import Resources


def overlap(a: str, b: str) -> bool:
    """Whether two resources may be the same thing or one inside the other."""
    scheme_a, path_a = _split(a)
    scheme_b, path_b = _split(b)
    if scheme_a != scheme_b:
        return False
    if a.startswith(FILE) and b.startswith(FILE):
        return path_a == path_b
    return _within(path_a, path_b) or _within(path_b, path_a)


def may_hoist(read: Resources | None, write: Resources | None) -> bool:
    """Whether a read may be made before a write that stands before it in the trace."""
    if read is None or write is None or not read.reads or not write.writes:
        return False
    if any(w.startswith(TREE) for w in write.writes):
        return False
    return not any(overlap(r, w) for r in read.reads for w in write.writes)


def _split(resource: str) -> tuple[str, str]:
    scheme, _, path = resource.partition(":")
    if scheme not in ("file", "tree"):
        return scheme, path.rstrip("/")
    # A file and a folder are both places in the file system; a tool may spell them as it likes.
    return "path", posixpath.normpath("/" + path.lstrip("/"))


def _within(inner: str, outer: str) -> bool:
    # Without a path a scheme is all that it names.
    return not outer or inner == outer or inner.startswith(outer.rstrip("/") + "/")
