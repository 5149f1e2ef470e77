"""Paths: where they really lead, patterns, secrets."""

from __future__ import annotations

import os
import re
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmos.plugins.paths import Glob, inside, is_secret, really_inside, resolve, shown, spelled

names = st.text("ab.", min_size=1, max_size=3)
patterns = st.lists(st.one_of(st.text("ab.*?", min_size=1, max_size=4), st.just("**")), max_size=5)


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("*.py", "a.py", True),
        ("*.py", "d/a.py", False),
        ("**/*.py", "a.py", True),
        ("**/*.py", "d/e/a.py", True),
        ("src/**", "src/a/b", True),
        ("src/**", "srcs/a", False),
        ("src/**/t/*.py", "src/t/a.py", True),
        ("src/**/t/*.py", "src/x/y/t/a.py", True),
        ("src/**/t/*.py", "src/x/y/a.py", False),
        ("*.{js,ts}", "a.ts", True),
        ("*.{js,ts}", "a.py", False),
        ("{a,b}/{c,d}.txt", "b/c.txt", True),
        ("a?c", "abc", True),
        ("a?c", "a/c", False),
        ("[ab].txt", "b.txt", True),
        ("[!ab].txt", "b.txt", False),
        ("A.txt", "a.txt", False),
        (".*", ".hidden", True),
        ("*", ".hidden", True),
        ("a\nb", "a\nb", True),
        ("a*", "a\nb", True),
    ],
)
def test_glob_matches_whole_paths(pattern: str, path: str, matches: bool) -> None:
    assert Glob(pattern).matches(path.split("/")) is matches


def by_definition(pattern: list[str], path: list[str]) -> bool:
    """What a pattern means, straight from its definition and slow."""
    if not pattern:
        return not path
    if pattern[0] == "**":
        return any(by_definition(pattern[1:], path[i:]) for i in range(len(path) + 1))
    return bool(path) and fnmatchcase(path[0], pattern[0]) and by_definition(pattern[1:], path[1:])


@given(patterns, st.lists(names, max_size=5))
def test_glob_means_what_its_definition_says(pattern: list[str], path: list[str]) -> None:
    glob = Glob("/".join(pattern))
    prefixes = [path[:i] for i in range(len(path) + 1)]
    assert glob.matches(path) is by_definition(pattern, path)
    assert glob.covers(path) is any(by_definition(pattern, p) for p in prefixes)


@given(patterns, st.lists(names, max_size=3), st.lists(names, max_size=3))
def test_folder_of_a_covered_path_is_known_to_reach_it(
    pattern: list[str], folder: list[str], below: list[str]
) -> None:
    glob = Glob("/".join(pattern), start=("root",))
    if glob.covers(["root", *folder, *below]):
        assert glob.reaches_below(["root", *folder])
        assert glob.reaches_below([])


def test_start_of_a_glob_stands_for_itself() -> None:
    glob = Glob("*.txt", start=("a*b", "{c,d}"))
    assert glob.matches(["a*b", "{c,d}", "x.txt"])
    assert not glob.matches(["aXb", "c", "x.txt"])


def test_pattern_with_many_stars_does_not_explode() -> None:
    glob = Glob("/".join(["**", "*a*a*a*a*a*a*b"] * 12))
    assert not glob.matches(["a" * 200] * 40)


def test_braces_without_end_are_bounded() -> None:
    assert not Glob("{a,b}" * 60).matches(["c"])


def test_resolve_follows_links_before_it_goes_up(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "far" / "deep").mkdir(parents=True)
    (tmp_path / "work" / "link").symlink_to(tmp_path / "far" / "deep")
    assert resolve(tmp_path / "work", "link/../x") == (tmp_path / "far" / "x").resolve()
    assert spelled(tmp_path / "work", "link/../x") == tmp_path / "work" / "x"


def test_resolve_knows_the_persons_home(tmp_path: Path, person: Path) -> None:
    assert resolve(tmp_path, "~/notes.txt") == person / "notes.txt"
    assert resolve(tmp_path, "a~/x") == tmp_path.resolve() / "a~" / "x"


@pytest.mark.parametrize("text", ["", "a\0b"])
def test_what_is_no_path_is_an_error(tmp_path: Path, text: str) -> None:
    with pytest.raises(ValueError, match="is not a path"):
        resolve(tmp_path, text)


def test_link_that_leads_in_a_circle_is_no_endless_loop(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    (tmp_path / "out").symlink_to("/usr")
    assert inside(resolve(tmp_path, "a/x"), tmp_path.resolve())
    assert resolve(tmp_path, "a/../out/x") == Path("/usr/x")


def test_links_that_send_each_other_round_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "b").symlink_to("loop/../c")
    (tmp_path / "c").symlink_to("loop/../b")
    with pytest.raises(ValueError, match="leads in a circle"):
        resolve(tmp_path, "b")


@given(st.lists(st.sampled_from(["a", "b", "ab", "a b"]), max_size=4))
def test_inside_is_what_pathlib_says(parts: list[str]) -> None:
    path, folder = Path("/", *parts), Path("/a/b")
    assert inside(path, folder) is path.is_relative_to(folder)
    assert inside(path, Path("/"))


def test_bind_mount_like_second_name_is_the_same_folder(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "other").symlink_to(tmp_path / "home")
    assert really_inside(tmp_path / "other" / "x", tmp_path / "home")
    assert not really_inside(tmp_path / "third" / "x", tmp_path / "home")


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("~/.ssh/id_ed25519", True),
        ("~/.ssh", True),
        ("~/.config/gh/hosts.yml", True),
        ("~/.local/share/keyrings/login", True),
        ("~/.local/share/other", False),
        ("~/.netrc", True),
        ("~/.netrc2", False),
        ("~/.sshx/a", False),
        ("~/notes.txt", False),
        ("/work/.env", True),
        ("/work/.env.local", True),
        ("/work/.env.example", False),
        ("/work/environment.py", False),
        ("/work/id_rsa", True),
        ("/work/id_rsa.pub", False),
        ("/etc/shadow", True),
        ("/etc/passwd", False),
        ("/proc/1/environ", True),
        ("/proc/cpuinfo", False),
    ],
)
def test_well_known_secrets(person: Path, text: str, secret: bool) -> None:
    path = Path(os.path.expanduser(text))
    assert is_secret(path, cwd=Path("/work")) is secret


def test_secret_folder_chosen_as_working_directory_is_no_secret_inside(person: Path) -> None:
    cwd = person / ".config" / "editor"
    assert not is_secret(cwd / "settings.lua", cwd)
    assert is_secret(cwd / ".env", cwd)
    assert is_secret(person / ".config" / "gh" / "hosts.yml", cwd)
    assert is_secret(person / ".ssh" / "id_rsa", cwd)


def test_secret_folder_below_the_working_directory_stays_secret(person: Path) -> None:
    assert is_secret(person / ".ssh" / "known_hosts", cwd=person)


def test_shown_path_is_relative_and_valid_text(tmp_path: Path) -> None:
    assert shown(tmp_path / "a" / "b", tmp_path) == "a/b"
    assert shown("/elsewhere/x", tmp_path) == "/elsewhere/x"
    strange = os.fsdecode(b"/x/\xff")
    assert not re.search("[\ud800-\udfff]", shown(strange, tmp_path))
