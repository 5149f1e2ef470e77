"""A read is made before a write only where it is certain that the write does not touch it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmos.replay.overlap import may_hoist, overlap
from llmos.values import Resources

RESOURCE = st.builds(
    lambda scheme, parts, slash: f"{scheme}:/{'/'.join(parts)}{slash}",
    st.sampled_from(["file", "tree", "calendar"]),
    st.lists(st.sampled_from(["a", "ab", "b", "..", "."]), max_size=3),
    st.sampled_from(["", "/"]),
)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("file:/a/b", "file:/a/b"),
        ("file:/a/b", "tree:/a"),
        ("file:/a/b/c", "tree:/a"),
        ("file:/a", "tree:/a"),
        ("tree:/a", "tree:/a/b"),
        ("tree:/", "file:/a"),
        ("tree:/a/", "file:/a/b"),
        ("file:/a//b", "file:/a/b"),
        ("file:/a/./b", "file:/a/c/../b"),
        ("file:/a/b/", "file:/a/b"),
        ("calendar:alice", "calendar:alice/7"),
        ("calendar:alice/", "calendar:alice/7"),
        ("calendar:", "calendar:alice"),
        ("calendar", "calendar:alice"),
        ("calendar", "calendar"),
    ],
)
def test_the_same_thing_or_one_inside_the_other(one: str, other: str) -> None:
    assert overlap(one, other)
    assert overlap(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("file:/a/b", "file:/a/c"),
        ("file:/a/b", "file:/a/bc"),
        ("tree:/a/b", "tree:/a/bc"),
        ("tree:/a/b", "file:/a/b.txt"),
        ("file:/a", "file:/a/b"),
        ("calendar:alice", "calendar:alice2"),
        ("calendar:alice", "mail:alice"),
        ("calendar:/a", "file:/a"),
    ],
)
def test_different_things(one: str, other: str) -> None:
    assert not overlap(one, other)
    assert not overlap(other, one)


@given(RESOURCE, RESOURCE)
def test_overlap_is_symmetric_and_everything_overlaps_itself(one: str, other: str) -> None:
    assert overlap(one, other) == overlap(other, one)
    assert overlap(one, one)


@given(RESOURCE, st.lists(st.sampled_from(["a", "b"]), max_size=3))
def test_a_folder_overlaps_all_that_lies_below_it(resource: str, below: list[str]) -> None:
    scheme, _, path = resource.partition(":")
    outer = "tree" if scheme == "file" else scheme
    assert overlap(f"{outer}:{path}", "/".join([f"{scheme}:{path}", *below]))


def of(reads: str = "", writes: str = "") -> Resources:
    return Resources(tuple(reads.split()), tuple(writes.split()))


def test_a_read_of_another_file_is_hoisted() -> None:
    assert may_hoist(of("file:/a"), of(writes="file:/b"))
    assert may_hoist(of("file:/a file:/c"), of(writes="file:/b mail:bob"))
    assert may_hoist(of("tree:/a"), of("file:/a/x", "file:/b"))


@pytest.mark.parametrize(
    ("read", "write"),
    [
        (of("file:/a"), of(writes="file:/a")),
        (of("file:/a file:/b"), of(writes="file:/b")),
        (of("tree:/a"), of(writes="file:/a/b")),
        (of("calendar:alice"), of(writes="calendar:alice/7")),
    ],
)
def test_a_read_of_what_is_written_is_not(read: Resources, write: Resources) -> None:
    assert not may_hoist(read, write)


@pytest.mark.parametrize("read", [of("file:/a"), of("calendar:alice"), of("file:/elsewhere/x")])
def test_what_writes_a_whole_folder_is_a_barrier(read: Resources) -> None:
    assert not may_hoist(read, of("tree:/b", "tree:/b"))


@pytest.mark.parametrize(
    ("read", "write"),
    [
        (None, of(writes="file:/b")),
        (of("file:/a"), None),
        (None, None),
        (of(), of(writes="file:/b")),
        (of(writes="file:/c"), of(writes="file:/b")),
        (of("file:/a"), of()),
        (of("file:/a"), of("file:/b")),
    ],
)
def test_what_is_not_declared_is_never_hoisted(
    read: Resources | None, write: Resources | None
) -> None:
    assert not may_hoist(read, write)
