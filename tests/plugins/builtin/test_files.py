"""``Read``, ``Write`` and ``Edit`` on real files."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llmos.plugins import ToolContext, ToolError, tool_of
from llmos.plugins.builtin import files
from tests.plugins.conftest import Run

READ, WRITE, EDIT = (tool_of(f) for f in (files.read, files.write, files.edit))


# --- Read -------------------------------------------------------------------------------------


async def test_read_numbers_lines_as_cat_does(cwd: Path, run: Run) -> None:
    (cwd / "a.txt").write_text("alpha\n\nbeta\n")
    expected = subprocess.run(["cat", "-n", cwd / "a.txt"], capture_output=True, text=True).stdout
    assert await run(READ, file_path="a.txt") == expected.rstrip("\n")


async def test_read_takes_absolute_and_home_paths(cwd: Path, person: Path, run: Run) -> None:
    (cwd / "a.txt").write_text("here")
    (person / "b.txt").write_text("there")
    assert await run(READ, file_path=str(cwd / "a.txt")) == "     1\there"
    assert await run(READ, file_path="~/b.txt") == "     1\tthere"


async def test_read_part_says_how_to_go_on(cwd: Path, run: Run) -> None:
    (cwd / "a.txt").write_text("".join(f"line {i}\n" for i in range(1, 11)))
    assert await run(READ, file_path="a.txt", offset=3, limit=2) == (
        "     3\tline 3\n     4\tline 4\n(… 6 more lines: go on with offset=5)"
    )
    assert await run(READ, file_path="a.txt", offset=10, limit=2) == "    10\tline 10"


async def test_read_stops_at_2000_lines(cwd: Path, run: Run) -> None:
    (cwd / "a.txt").write_text("x\n" * 2001)
    lines = (await run(READ, file_path="a.txt")).split("\n")
    assert len(lines) == 2001
    assert lines[-1] == "(… 1 more lines: go on with offset=2001)"


async def test_read_cuts_long_lines_and_says_so(cwd: Path, run: Run) -> None:
    (cwd / "a.txt").write_text("x" * 2005)
    assert (await run(READ, file_path="a.txt")).endswith("x… (5 more characters)")


async def test_read_of_an_empty_file_says_so(cwd: Path, run: Run) -> None:
    (cwd / "a.txt").touch()
    assert await run(READ, file_path="a.txt") == "(the file a.txt is empty)"


async def test_read_past_the_end_says_how_many_lines_there_are(cwd: Path, run: Run) -> None:
    (cwd / "a.txt").write_text("one\n")
    assert await run(READ, file_path="a.txt", offset=5) == "(the file a.txt has 1 lines: none at 5)"


async def test_read_hides_line_ends_and_byte_order_mark(cwd: Path, run: Run) -> None:
    (cwd / "a.txt").write_bytes(b"\xef\xbb\xbfone\r\ntwo\r\n")
    assert await run(READ, file_path="a.txt") == "     1\tone\n     2\ttwo"


async def test_read_of_what_cannot_be_read_is_a_clear_error(cwd: Path, run: Run) -> None:
    (cwd / "folder").mkdir()
    (cwd / "latin.txt").write_bytes(b"caf\xe9")
    os.mkfifo(cwd / "pipe")
    (cwd / "circle").symlink_to("circle")
    for path, said in [
        ("gone.txt", "gone.txt does not exist"),
        ("folder", "folder is a folder: Glob lists what is in it"),
        ("latin.txt", "latin.txt is not UTF-8 text (byte 0xe9 at 3)"),
        ("pipe", "pipe is no regular file"),
        ("/dev/zero", "/dev/zero is no regular file"),
        ("circle", "cannot read circle: too many symlinks"),
        ("latin.txt/x", "cannot read latin.txt/x: Not a directory"),
        ("a\0b", "'a\\x00b' is not a path"),
        ("", "'' is not a path"),
        ("x" * 300, f"cannot read {'x' * 300}: File name too long"),
    ]:
        with pytest.raises(ToolError) as e:
            await run(READ, file_path=path)
        assert e.value.message == said


async def test_read_of_a_huge_file_is_refused(cwd: Path, run: Run) -> None:
    with open(cwd / "huge", "wb") as f:
        f.truncate(files.MAX_BYTES + 1)
    with pytest.raises(ToolError, match="larger than 64 MiB"):
        await run(READ, file_path="huge")


def test_reads_and_writes_are_declared_at_the_links_target(cwd: Path, context: ToolContext) -> None:
    (cwd / "real").mkdir()
    (cwd / "link").symlink_to("real")
    arguments = {"file_path": "link/../link/./a.txt"}
    expected = (f"file:{cwd}/real/a.txt",)
    for made, reads, writes in [(READ, expected, ()), (WRITE, (), expected)]:
        declared = made.resources(context, arguments)
        assert declared is not None
        assert (declared.reads, declared.writes) == (reads, writes)
    declared = EDIT.resources(context, arguments)
    assert declared is not None
    assert declared.reads == declared.writes == expected


# --- Write ------------------------------------------------------------------------------------


async def test_write_makes_file_and_folders(cwd: Path, run: Run) -> None:
    said = await run(WRITE, file_path="a/b/c.txt", content="text\r\nmore")
    assert said == "The file a/b/c.txt has been created."
    assert (cwd / "a/b/c.txt").read_bytes() == b"text\r\nmore"


async def test_write_replaces_and_keeps_mode_bits(cwd: Path, run: Run) -> None:
    (cwd / "run.sh").write_text("old")
    (cwd / "run.sh").chmod(0o750)
    assert await run(WRITE, file_path="run.sh", content="") == "The file run.sh has been replaced."
    assert (cwd / "run.sh").read_text() == ""
    assert stat.S_IMODE((cwd / "run.sh").stat().st_mode) == 0o750


async def test_write_makes_files_as_the_umask_says(cwd: Path, run: Run) -> None:
    (cwd / "peer").touch()
    await run(WRITE, file_path="new", content="x")
    assert (cwd / "new").stat().st_mode == (cwd / "peer").stat().st_mode


async def test_write_through_a_link_writes_its_target(cwd: Path, run: Run) -> None:
    (cwd / "real.txt").write_text("old")
    (cwd / "link.txt").symlink_to("real.txt")
    await run(WRITE, file_path="link.txt", content="new")
    assert (cwd / "link.txt").is_symlink()
    assert (cwd / "real.txt").read_text() == "new"


async def test_failed_write_leaves_the_old_file_and_no_draft(cwd: Path, run: Run) -> None:
    (cwd / "a.txt").write_text("old")
    with pytest.raises(ToolError, match="cannot be written as UTF-8"):
        await run(WRITE, file_path="a.txt", content="lone \ud800")
    (cwd / "folder").mkdir()
    with pytest.raises(ToolError, match="folder is a folder"):
        await run(WRITE, file_path="folder", content="x")
    with pytest.raises(ToolError, match=r"cannot write a\.txt/b: "):
        await run(WRITE, file_path="a.txt/b", content="x")
    os.mkfifo(cwd / "pipe")
    with pytest.raises(ToolError, match="pipe is no regular file"):
        await run(WRITE, file_path="pipe", content="x")
    assert (cwd / "a.txt").read_text() == "old"
    assert sorted(p.name for p in cwd.iterdir()) == ["a.txt", "folder", "pipe"]


async def test_write_to_a_full_disk_leaves_the_old_file(
    cwd: Path, run: Run, tmp_path: Path
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk])
    if mounted.returncode != 0:
        pytest.skip("a small tmpfs cannot be mounted here")
    try:
        (disk / "a.txt").write_text("old")
        with pytest.raises(ToolError, match="No space left on device"):
            await run(WRITE, file_path=str(disk / "a.txt"), content="x" * 200_000)
        assert [p.name for p in disk.iterdir()] == ["a.txt"]
        assert (disk / "a.txt").read_text() == "old"
    finally:
        subprocess.run(["umount", disk], check=True)


# --- Edit -------------------------------------------------------------------------------------


async def test_edit_replaces_the_one_occurrence(cwd: Path, run: Run) -> None:
    (cwd / "a.py").write_text("x = 1\ny = 2\n")
    said = await run(EDIT, file_path="a.py", old_string="y = 2", new_string="y = 3")
    assert said == "The file a.py has been edited."
    assert (cwd / "a.py").read_text() == "x = 1\ny = 3\n"


async def test_edit_refuses_what_is_not_unique_unless_told(cwd: Path, run: Run) -> None:
    (cwd / "a.py").write_text("x x x")
    with pytest.raises(ToolError, match=r"occurs 3 times in a\.py"):
        await run(EDIT, file_path="a.py", old_string="x", new_string="y")
    assert (cwd / "a.py").read_text() == "x x x"
    said = await run(EDIT, file_path="a.py", old_string="x", new_string="y", replace_all=True)
    assert said == "The file a.py has been edited: 3 times."
    assert (cwd / "a.py").read_text() == "y y y"


async def test_edit_refuses_what_does_nothing(cwd: Path, run: Run) -> None:
    (cwd / "a.py").write_text("x")
    for old, new, said in [
        ("z", "y", "was not found"),
        ("x", "x", "are the same"),
        ("", "y", "old_string is empty, but a.py exists"),
    ]:
        with pytest.raises(ToolError, match=said):
            await run(EDIT, file_path="a.py", old_string=old, new_string=new)
    with pytest.raises(ToolError, match=r"gone\.py does not exist"):
        await run(EDIT, file_path="gone.py", old_string="x", new_string="y")
    assert (cwd / "a.py").read_text() == "x"


async def test_edit_with_nothing_to_replace_creates_the_file(cwd: Path, run: Run) -> None:
    said = await run(EDIT, file_path="new.py", old_string="", new_string="x = 1\n")
    assert said == "The file new.py has been created."
    assert (cwd / "new.py").read_text() == "x = 1\n"


async def test_edit_keeps_windows_line_ends(cwd: Path, run: Run) -> None:
    (cwd / "a.txt").write_bytes(b"one\r\ntwo\r\nthree\r\n")
    await run(EDIT, file_path="a.txt", old_string="one\ntwo", new_string="1\n2")
    assert (cwd / "a.txt").read_bytes() == b"1\r\n2\r\nthree\r\n"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(content=st.text(st.characters(exclude_categories=["Cs"]), max_size=200))
def test_written_text_is_on_disk_byte_for_byte(
    cwd: Path, context: ToolContext, content: str
) -> None:
    files.write("a.txt", content, context)
    assert (cwd / "a.txt").read_bytes() == content.encode()
