"""Command lines taken apart: certain where it allows, thorough where it denies."""

from __future__ import annotations

import shutil
import subprocess
import tempfile

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from llmos.kernel.shell_commands import fragments, joined, simple_commands


@pytest.mark.parametrize(
    ("line", "commands"),
    [
        ("git status", [["git", "status"]]),
        ("  git \t status  ", [["git", "status"]]),
        ("git log | head -5", [["git", "log"], ["head", "-5"]]),
        ("a && b || c; d & e\nf", [["a"], ["b"], ["c"], ["d"], ["e"], ["f"]]),
        ("a;", [["a"]]),
        ("git commit -m 'one; two && three'", [["git", "commit", "-m", "one; two && three"]]),
        ('git commit -m "it\'s"', [["git", "commit", "-m", "it's"]]),
        ("echo 'a'\"b\"c ''", [["echo", "abc", ""]]),
        ("echo '$HOME `x` \\'", [["echo", "$HOME `x` \\"]]),
        ("git add *.py", [["git", "add", "*.py"]]),
        ("git log a#b", [["git", "log", "a#b"]]),
        ("echo 'two\nlines'", [["echo", "two\nlines"]]),
    ],
)
def test_plain_lines_are_taken_apart(line: str, commands: list[list[str]]) -> None:
    assert simple_commands(line) == commands


@pytest.mark.parametrize(
    "line",
    [
        "",
        "  ",
        ";",
        "echo $HOME",
        'echo "$HOME"',
        "echo $(rm x)",
        "echo `rm x`",
        'echo "`rm x`"',
        'echo "a\\"b"',
        "echo a > b",
        "cat < a",
        "cat <<EOF\nrm x\nEOF",
        "diff <(a) <(b)",
        "(rm x)",
        "{ rm x; }",
        "echo {a,b}",
        "f() { rm x; }",
        "echo a\\ b",
        "echo \\; rm",
        "echo 'open",
        'echo "open',
        "git status # then",
        "git status #'\nrm -rf x #'",
        "X=1 git status",
        "X=1",
        "PATH+=:/x git status",
        "a[0]=1 git",
        "if true; then rm x; fi",
        "! git status",
        "time git status",
        "for x in a; do rm x; done",
        "[[ a == b ]]",
        "[ a = b ]",
        "g?t status",
        "/bin/r* x",
        "~/bin/tool",
        "git status\r\nrm x",
        "git\x00status",
        "git\x0bstatus",
        "function f",
    ],
)
def test_everything_else_is_not_understood(line: str) -> None:
    assert simple_commands(line) is None


words = st.text(alphabet="abc;&|$`'\"\\ \n\t#<>(){}!*~=[]", max_size=12)


# Commands of a pipeline run at once, so each is told by a single append.
TOLD = """command_not_found_handle() {
    local words
    printf -v words '%s\\x1f' "$@"
    printf '%s\\x1e' "$words" >>"$TOLD"
}
set -f
"""
PIECES = ["a", "b", "f ", " ", " ", "'", '"', "''", ";", "&", "&&", "|", "||", "\n", "\t", "#", "*"]
ODD = ["$", "\\", "`", "(", ")", "{", "}", "<", ">", "!", "=", "$(f)", "\r"]


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
@settings(max_examples=200, deadline=None)
@given(st.lists(st.one_of(*[st.sampled_from(PIECES)] * 5, st.sampled_from(ODD)), max_size=12))
def test_bash_runs_nothing_but_what_was_understood(pieces: list[str]) -> None:
    line = "".join(pieces)
    commands = simple_commands(line)
    if commands is None:
        return
    with tempfile.NamedTemporaryFile() as file:
        # No program is found, so bash hands every command to the function, which writes it down.
        subprocess.run(
            [str(shutil.which("bash")), "--norc", "-c", f"{TOLD}{line}\nwait"],
            env={"PATH": "/nowhere", "TOLD": file.name},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=20,
        )
        ran = file.read().decode().split("\x1e")[:-1]
    assert {tuple(words.split("\x1f")[:-1]) for words in ran} <= set(map(tuple, commands))


@given(words)
def test_taking_apart_never_fails(line: str) -> None:
    simple_commands(line)
    list(fragments(line))


@given(st.lists(st.text("ab-./", min_size=1, max_size=4), min_size=1, max_size=4))
def test_plain_words_are_among_the_fragments(line: list[str]) -> None:
    assume(not any("=" in word for word in line))
    assert " ".join(line) in list(fragments(" ".join(line)))


@pytest.mark.parametrize(
    "line",
    [
        "rm -rf x",
        "git status; rm -rf x",
        "git status && rm -rf x",
        "git status & rm -rf x",
        "git status | rm -rf x",
        "git status\nrm -rf x",
        "echo $(rm -rf x)",
        "echo `rm -rf x`",
        'echo "$(rm -rf x)"',
        "(rm -rf x)",
        "{ rm -rf x; }",
        "X=1 Y=2 rm -rf x",
        "sudo rm -rf x",
        "sudo -u alice rm -rf x",
        "env X=1 rm -rf x",
        "timeout 5 rm -rf x",
        "xargs rm -rf x",
        "nohup nice -n 5 rm -rf x",
        "sh -c 'rm -rf x'",
        'bash -lc "rm -rf x"',
        "eval 'rm -rf x'",
        "if true; then rm -rf x; fi",
        "for a in b; do rm -rf x; done",
        "! rm -rf x",
        "/bin/rm -rf x",
        "sudo /bin/rm -rf x",
        "\\rm -rf x",
        "r'm' -rf x",
        'r"m" -rf x',
        "r\\\nm -rf x",
        "rm\t-rf   x",
        "rm${IFS}-rf${IFS}x",
        "{rm,-rf,x}",
        "find . -exec rm -rf x",
        "cat <(rm -rf x)",
        "echo a >b; rm -rf x",
        "git commit -m 'x' || rm -rf x # no",
        "cat <<EOF\nrm -rf x\nEOF",
    ],
)
def test_hidden_command_is_among_the_fragments(line: str) -> None:
    assert any(f.startswith("rm -rf x") for f in fragments(line)), list(fragments(line))


def test_long_line_takes_bounded_time() -> None:
    assert sum(1 for _ in fragments("sudo " + "a " * 20_000)) > 20_000


def test_word_with_spaces_stays_recognisable_as_one() -> None:
    assert joined(["git status", "x"]) == '"git status" x'
    assert joined(["git", ""]) == 'git ""'
