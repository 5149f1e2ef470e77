"""``Glob`` and ``Grep`` on real folders."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path

import pytest

from llmos.plugins import ToolContext, ToolError, invoke, tool_of
from llmos.plugins.builtin import matching, search
from tests.plugins.conftest import Run

GLOB, GREP = tool_of(search.glob), tool_of(search.grep)


@pytest.fixture
def tree(cwd: Path) -> Path:
    for name, text in {
        "readme.md": "# Title\nhello world\n",
        "src/main.py": "def main():\n    greet()\n\ndef other():\n    pass\n",
        "src/greet.py": "def greet():\n    print('Hello')\n",
        "src/deep/er/util.py": "UTIL = 1\n",
        ".hidden/notes.txt": "hello from hidden\n",
        ".git/config": "hello = git\n",
        "node_modules/m/index.js": "hello()\n",
    }.items():
        path = cwd / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return cwd


# --- Glob -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "files"),
    [
        ("*.py", ["src/deep/er/util.py", "src/greet.py", "src/main.py"]),
        ("src/*.py", ["src/greet.py", "src/main.py"]),
        ("./src/*.py", ["src/greet.py", "src/main.py"]),
        ("src/**/*.py", ["src/deep/er/util.py", "src/greet.py", "src/main.py"]),
        ("**/{main,util}.py", ["src/deep/er/util.py", "src/main.py"]),
        ("notes.txt", [".hidden/notes.txt"]),
        ("**/config", []),
        ("src", []),
    ],
)
async def test_glob_lists_files_by_path(
    tree: Path, run: Run, pattern: str, files: list[str]
) -> None:
    assert await run(GLOB, pattern=pattern) == ("\n".join(files) or "No files found")


async def test_glob_does_not_depend_on_when_files_changed(tree: Path, run: Run) -> None:
    before = await run(GLOB, pattern="*.py")
    os.utime(tree / "src/main.py", (1, 1))
    (tree / "src/greet.py").touch()
    assert await run(GLOB, pattern="*.py") == before


async def test_glob_in_another_folder_takes_absolute_patterns_too(tree: Path, run: Run) -> None:
    assert await run(GLOB, pattern="*.py", path="src/deep") == "src/deep/er/util.py"
    assert await run(GLOB, pattern=f"{tree}/src/*.py") == "src/greet.py\nsrc/main.py"
    with pytest.raises(ToolError, match="lies outside"):
        await run(GLOB, pattern="/elsewhere/*.py")


async def test_glob_stops_at_100_files_and_says_so(cwd: Path, run: Run) -> None:
    for i in range(103):
        (cwd / f"{i:03d}.txt").touch()
    lines = (await run(GLOB, pattern="*.txt")).split("\n")
    assert lines[99:] == ["099.txt", "(… 3 more files: use a narrower pattern or path)"]


async def test_glob_does_not_follow_links(tree: Path, run: Run, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret.py").touch()
    (tree / "way_out").symlink_to(tmp_path / "outside")
    (tree / "loop").symlink_to(tree)
    assert "secret" not in await run(GLOB, pattern="*.py")


async def test_glob_of_no_folder_is_an_error(tree: Path, run: Run) -> None:
    with pytest.raises(ToolError, match=r"readme\.md is no folder"):
        await run(GLOB, pattern="*", path="readme.md")


async def test_file_whose_name_is_no_text_is_listed_as_text(cwd: Path, run: Run) -> None:
    Path(os.fsdecode(os.fsencode(cwd) + b"/bad\xff.txt")).touch()
    assert await run(GLOB, pattern="*.txt") == "bad\ufffd.txt"


# --- Grep -------------------------------------------------------------------------------------


async def test_grep_lists_files_first(tree: Path, run: Run) -> None:
    assert await run(GREP, pattern="hello") == ".hidden/notes.txt\nreadme.md"


async def test_grep_without_a_match_says_so(tree: Path, run: Run) -> None:
    assert await run(GREP, pattern="nowhere to be found") == "No matches found"


async def test_grep_content_shows_lines_with_numbers(tree: Path, run: Run) -> None:
    found = await run(GREP, pattern="^def", path="src", output_mode="content")
    assert (
        found
        == "src/greet.py:1:def greet():\nsrc/main.py:1:def main():\nsrc/main.py:4:def other():"
    )


async def test_grep_in_one_file_leaves_its_name_out(tree: Path, run: Run) -> None:
    options = {"path": "src/main.py", "output_mode": "content"}
    assert await run(GREP, pattern="other", **options) == "4:def other():"
    assert await run(GREP, pattern="other", **{"-n": False}, **options) == "def other():"


async def test_grep_shows_lines_around_matches_as_grep_does(tree: Path, run: Run) -> None:
    options = {"path": "src/main.py", "output_mode": "content"}
    assert await run(GREP, pattern="greet", **{"-B": 1, "-A": 1}, **options) == (
        "1-def main():\n2:    greet()\n3-"
    )
    assert await run(GREP, pattern="def", **{"-C": 0, "-A": 1}, **options) == (
        "1:def main():\n2-    greet()\n--\n4:def other():\n5-    pass"
    )
    assert (await run(GREP, pattern="def", **{"-C": 5}, **options)).count("--") == 0


async def test_grep_counts(tree: Path, run: Run) -> None:
    assert await run(GREP, pattern="def", output_mode="count", path="src") == (
        "src/greet.py:1\nsrc/main.py:2"
    )


async def test_grep_ignores_case_only_when_told(tree: Path, run: Run) -> None:
    assert await run(GREP, pattern="HELLO") == "No matches found"
    found = await run(GREP, pattern="HELLO", **{"-i": True})
    assert found == ".hidden/notes.txt\nreadme.md\nsrc/greet.py"


async def test_grep_narrows_by_glob_and_type(tree: Path, run: Run) -> None:
    assert await run(GREP, pattern="(?i)hello", glob="*.{md,rst}") == "readme.md"
    assert await run(GREP, pattern="(?i)hello", glob="src/**") == "src/greet.py"
    assert await run(GREP, pattern="(?i)hello", type="py") == "src/greet.py"
    with pytest.raises(ToolError, match="'cobol' is no known type; types: c, cpp"):
        await run(GREP, pattern="x", type="cobol")


async def test_grep_across_lines_only_when_told(tree: Path, run: Run) -> None:
    pattern = r"main\(\).*other"
    assert await run(GREP, pattern=pattern) == "No matches found"
    found = await run(GREP, pattern=pattern, multiline=True, output_mode="content", path="src")
    assert [line.split(":")[1] for line in found.split("\n")] == ["1", "2", "3", "4"]
    assert await run(GREP, pattern=pattern, multiline=True, output_mode="count") == "src/main.py:1"


async def test_grep_head_limit(cwd: Path, run: Run) -> None:
    (cwd / "a.txt").write_text("x\n" * 300)
    options = {"pattern": "x", "output_mode": "content"}
    limited = (await run(GREP, head_limit=2, **options)).split("\n")
    assert limited[2:] == ["(… 298 more lines: set head_limit to see more)"]
    assert (await run(GREP, **options)).count("\n") == 250
    assert (await run(GREP, head_limit=0, **options)).count("\n") == 299


async def test_grep_skips_binary_files_and_names_those_too_large(cwd: Path, run: Run) -> None:
    (cwd / "binary").write_bytes(b"hello\0")
    (cwd / "latin.txt").write_bytes(b"hello caf\xe9\n")
    with open(cwd / "huge", "wb") as f:
        f.truncate(matching.MAX_BYTES + 1)
    assert await run(GREP, pattern="hello") == "latin.txt\n(too large to search: huge)"


async def test_grep_reads_no_link_and_no_pipe(tree: Path, run: Run, tmp_path: Path) -> None:
    (tmp_path / "outside.txt").write_text("hello outside")
    (tree / "link.txt").symlink_to(tmp_path / "outside.txt")
    os.mkfifo(tree / "pipe")
    assert "link" not in await run(GREP, pattern="hello")
    with pytest.raises(ToolError, match="there is no file or folder pipe"):
        await run(GREP, pattern="hello", path="pipe")


async def test_grep_of_a_bad_expression_is_an_error(tree: Path, run: Run) -> None:
    with pytest.raises(ToolError, match=r"'\(' is no regular expression: missing \)"):
        await run(GREP, pattern="(")


@pytest.mark.parametrize(
    "pattern", ["(a+)+$", "(a|aa)*c", "a?" * 40 + "a" * 40, r"(.*)(.*)(.*)\1x"]
)
async def test_expression_that_would_never_end_is_stopped(
    cwd: Path, context: ToolContext, pattern: str
) -> None:
    (cwd / "a.txt").write_text("a" * 39 + "!\n")
    values = GREP.validate({"pattern": pattern})
    short = replace(context, timeout_s=1.0)
    try:
        found = await invoke(GREP, short, values, 20.0)
    except ToolError as e:
        assert "takes too long" in e.message
    else:
        assert found == "No matches found"


@pytest.mark.parametrize("pattern", ["hello", "h.*o", "(hello|title)", "^#", r"\bworld\b", "l{2}"])
@pytest.mark.parametrize("ignore_case", [False, True])
def test_child_finds_what_is_found_here(tree: Path, pattern: str, ignore_case: bool) -> None:
    query: matching.Query = {
        "pattern": pattern,
        "ignore_case": ignore_case,
        "multiline": False,
        "before": 1,
        "after": 0,
        "files": [str(tree / "readme.md"), str(tree / ".hidden/notes.txt")],
    }
    here, too_large = matching._find(query, None)
    found, too_large_there = matching.find_apart(query, 20.0)
    flags = re.IGNORECASE if ignore_case else 0
    assert [(f["file"], [tuple(line) for line in f["lines"]]) for f in found] == [
        (f["file"], f["lines"]) for f in here
    ]
    assert too_large == too_large_there == []
    assert bool(found) == bool(re.search(pattern, "# Title\nhello world\n", flags | re.MULTILINE))


async def test_long_line_is_cut(cwd: Path, run: Run) -> None:
    (cwd / "a.js").write_text("needle" + "x" * 600)
    found = await run(GREP, pattern="needle", output_mode="content")
    assert found.endswith("x… (106 more characters)")


# --- what a run may not see -------------------------------------------------------------------


async def test_search_leaves_out_home_and_secrets(
    person: Path, context: ToolContext, tmp_path: Path
) -> None:
    inner = person / "llmos-home"
    inner.mkdir()
    (inner / "trace.txt").write_text("hunter2 in a trace")
    (person / "notes.txt").write_text("hunter2 in my notes")
    (person / ".env").write_text("PASSWORD=hunter2")
    inside = replace(context, cwd=person, home=inner)
    found = await invoke(GREP, inside, GREP.validate({"pattern": "hunter2|KEY"}), 20.0)
    assert found == "notes.txt"
    listed = await invoke(GLOB, inside, GLOB.validate({"pattern": "**"}), 20.0)
    assert listed == "notes.txt"


async def test_search_leaves_out_what_the_context_hides(tree: Path, context: ToolContext) -> None:
    hiding = replace(context, hidden=lambda path: path.name in ("src", "readme.md"))
    assert await invoke(GLOB, hiding, GLOB.validate({"pattern": "**"}), 20.0) == (
        ".hidden/notes.txt\nnode_modules/m/index.js"
    )
    with pytest.raises(ToolError, match="not searched as a whole"):
        await invoke(GLOB, hiding, GLOB.validate({"pattern": "**", "path": "src"}), 20.0)


async def test_walk_without_end_gives_up(
    tree: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "MAX_ENTRIES", 5)
    with pytest.raises(ToolError, match="more than 5 files"):
        await run(GLOB, pattern="**")


def test_what_is_searched_is_declared(tree: Path, context: ToolContext) -> None:
    for made in (GLOB, GREP):
        for path, resource in [
            (None, f"tree:{tree}"),
            ("src/../src", f"tree:{tree}/src"),
            ("readme.md", f"file:{tree}/readme.md"),
        ]:
            declared = made.resources(context, {"pattern": "x", "path": path})
            assert declared is not None
            assert declared.reads == (resource,)
