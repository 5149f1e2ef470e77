"""Stored text names folders; the translation loses nothing and moves nothing that it should not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmos.kernel.places import Places
from llmos.values import Json

HERE = Places("/home/alice/work", "/home/alice", "/tmp")
THERE = Places("/srv/other", "/home/bob", "/var/tmp")

# Folders that are nested, equal, the root, or hold characters with a meaning of their own.
NAMES = st.sampled_from(
    ["a", "b", "a.b", "b.", "$HOME", "$CWD", "$", "a+(b)", "[x]", "é", "-I", "*"]
)
FOLDER = st.lists(NAMES, max_size=3).map(lambda parts: "/" + "/".join(parts))
PLACES = st.builds(Places, FOLDER, FOLDER, FOLDER)
PIECE = st.sampled_from(
    [*"/.$ ~-_x", "..", "$CWD", "$$HOME", "$TMP", "CWD", "HOME", "-I", "a", "b", "file:", "\n", '"']
)


@st.composite
def place_and_text(draw: st.DrawFn) -> tuple[Places, str]:
    places = draw(PLACES)
    folder = st.sampled_from([places.cwd, places.home, places.tmp])
    return places, "".join(draw(st.lists(PIECE | folder | st.text(max_size=3), max_size=8)))


@given(place_and_text())
def test_text_comes_back_as_it_was(given_: tuple[Places, str]) -> None:
    places, text = given_
    assert places.absolute(places.relative(text)) == text


@given(place_and_text(), st.text(max_size=5))
def test_two_texts_are_never_stored_alike(given_: tuple[Places, str], other: str) -> None:
    places, text = given_
    assert (places.relative(text) == places.relative(other)) == (text == other)


@given(PLACES, PLACES, st.lists(st.sampled_from(["a", "b c", "é.txt", "x-y", ".."]), max_size=3))
def test_a_file_below_a_folder_is_the_same_file_below_the_other_ones(
    here: Places, there: Places, below: list[str]
) -> None:
    for old, new in zip(
        (here.cwd, here.home, here.tmp), (there.cwd, there.home, there.tmp), strict=True
    ):
        if old == "/" or [here.cwd, here.home, here.tmp].count(old) > 1:
            continue
        inner = [f for f in (here.cwd, here.home, here.tmp) if f.startswith(f"{old}/")]
        path = "/".join([old, *below])
        if any(path == f or path.startswith(f"{f}/") for f in inner):
            continue  # it lies in a folder with a name of its own
        moved = there.absolute(here.relative(path))
        assert moved == ("/".join([new.rstrip("/"), *below]) or "/")


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("/home/alice/work", "$CWD"),
        ("/home/alice/work/a.txt", "$CWD/a.txt"),
        ("/home/alice/work/", "$CWD/"),
        ("/home/alice/work.", "$CWD."),
        ("/home/alice/work, /tmp", "$CWD, $TMP"),
        ("/home/alice/notes", "$HOME/notes"),
        ("/home/alice/works/a", "$HOME/works/a"),
        ("/tmp/x", "$TMP/x"),
        ("file:/home/alice/work/a", "file:$CWD/a"),
        ("tree:/home/alice/work", "tree:$CWD"),
        ("cd '/home/alice/work' && ls", "cd '$CWD' && ls"),
        ("A=/tmp:/home/alice/work", "A=$TMP:$CWD"),
        ("gcc -I/home/alice/work/include", "gcc -I$CWD/include"),
        ("/home/alice/work/a.py:12: error", "$CWD/a.py:12: error"),
        ("/home/alice/work/../x", "$CWD/../x"),
        ("curl -d @/tmp/x; (/tmp/y)", "curl -d @$TMP/x; ($TMP/y)"),
        ("#!/home/alice/bin/x", "#!$HOME/bin/x"),
    ],
)
def test_folders_are_named(text: str, stored: str) -> None:
    assert HERE.relative(text) == stored
    assert HERE.absolute(stored) == text


@pytest.mark.parametrize(
    "text",
    [
        "/home/alice/work2",
        "/home/alice/work-old",
        "/home/alice/work.old",
        "/home/alice/work~",
        "/home/alice/work..old",
        "/home/alice/work@2x",
        "/home/alice/works",
    ],
)
def test_another_folder_with_the_same_beginning_is_not_the_working_directory(text: str) -> None:
    assert HERE.relative(text) == text.replace("/home/alice", "$HOME")
    assert THERE.absolute(HERE.relative(text)) == text.replace("/home/alice", "/home/bob")


@pytest.mark.parametrize(
    "text",
    [
        "/mnt/tmp/x",
        "x/tmp",
        "/var/tmp",
        "../tmp",
        "~/tmp",
        "http://h/tmp",
        "old (copy)/tmp",
        "$x/tmp",
        "/tmpx",
    ],
)
def test_a_folder_further_down_a_path_is_left(text: str) -> None:
    assert HERE.relative(text) == text


@pytest.mark.parametrize(
    ("text", "stored"),
    [("$HOME", "$$HOME"), ("$$CWD", "$$$CWD"), ("echo $TMP/x", "echo $$TMP/x")],
)
def test_a_name_that_was_in_the_text_all_along_stays_that(text: str, stored: str) -> None:
    assert HERE.relative(text) == stored
    assert THERE.absolute(stored) == text


@pytest.mark.parametrize("text", ["$HOMES", "$CWD_x", "$TMPDIR", "HOME", "$ HOME", "$PATH"])
def test_other_variables_are_left(text: str) -> None:
    assert HERE.relative(text) == text == HERE.absolute(text)


def test_folders_that_are_one_here_are_two_elsewhere() -> None:
    one = Places("/home/alice", "/home/alice", "/tmp")
    assert one.absolute(HERE.relative("/home/alice/notes")) == "/home/alice/notes"
    assert one.relative("/home/alice/notes") == "$CWD/notes"


def test_the_root_as_working_directory_matches_nothing_but_can_be_meant() -> None:
    root = Places("/", "/root", "/tmp")
    assert root.relative("/etc and / and /tmp") == "/etc and / and $TMP"
    assert root.absolute("$CWD/etc; cd $CWD") == "/etc; cd /"


def test_all_texts_and_keys_of_a_value_are_translated_and_nothing_else() -> None:
    value: Json = {"/tmp/a": ["/tmp/b", {"c": "/tmp"}], "n": 5, "t": True, "z": None, "f": 1.5}
    stored = HERE.relative(value)
    assert stored == {"$TMP/a": ["$TMP/b", {"c": "$TMP"}], "n": 5, "t": True, "z": None, "f": 1.5}
    assert HERE.absolute(stored) == value


def test_the_folders_of_a_run_are_real_ones(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    places = Places.of(tmp_path / "link")
    assert places.cwd == str(tmp_path / "real")
    assert os.path.isabs(places.home) and os.path.isabs(places.tmp)
