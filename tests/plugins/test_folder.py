"""Plugin files are loaded again where they have changed; one that breaks breaks nothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from llmos.plugins import Registry
from llmos.plugins.folder import PluginFolder
from tests.conftest import MakeOS, recording

PLUGIN = '''
from dataclasses import dataclass
from llmos.plugins import tool

@dataclass
class Told:
    text: str

@tool(effects="read", name="{name}")
def tell() -> Told:
    """Tells it."""
    return Told("{text}")
'''


class Files:
    """A folder of plugins and what came of them."""

    def __init__(self, folder: Path) -> None:
        self.path = folder
        folder.mkdir()
        self.registry = Registry()
        self.folder = PluginFolder(folder, self.registry)

    def write(self, file: str, name: str, text: str) -> None:
        (self.path / file).write_text(PLUGIN.format(name=name, text=text))

    def told(self, name: str) -> str:
        text: str = self.registry.get(name).function().text
        return text


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path / "plugins")


def test_a_changed_file_is_loaded_again_and_is_another_tool(files: Files) -> None:
    files.write("a.py", "tell", "one")
    assert [s.where for s in files.folder.refresh()] == [str(files.path / "a.py")]
    before = files.registry.get("tell").digest
    files.write("a.py", "tell", "two")
    files.folder.refresh()
    assert files.told("tell") == "two"
    assert files.registry.get("tell").digest != before


def test_what_has_not_changed_is_not_run_again(files: Files) -> None:
    count = files.path.parent / "count"
    files.write("a.py", "tell", "one")
    with (files.path / "a.py").open("a") as f:
        f.write(f"\nopen({str(count)!r}, 'a').write('x')\n")
    files.folder.refresh()
    files.folder.refresh()
    os.utime(files.path / "a.py", (1, 1))
    assert files.folder.refresh() == []
    assert count.read_text() == "x"
    assert len(files.folder.refresh(force=True)) == 1
    assert count.read_text() == "xx"


def test_a_change_that_keeps_size_and_time_of_a_fresh_file_is_seen(files: Files) -> None:
    files.write("a.py", "tell", "one")
    stat = (files.path / "a.py").stat()
    files.folder.refresh()
    files.write("a.py", "tell", "two")
    os.utime(files.path / "a.py", ns=(stat.st_atime_ns, stat.st_mtime_ns))
    files.folder.refresh()
    assert files.told("tell") == "two"


@pytest.mark.parametrize("broken", ["def (", "1 / 0", "", PLUGIN.format(name="other", text="x")])
def test_a_file_that_breaks_leaves_its_tools_in_use_and_says_so(files: Files, broken: str) -> None:
    files.write("a.py", "tell", "one")
    files.write("b.py", "other", "another")
    files.folder.refresh()
    (files.path / "a.py").write_text(broken)
    files.folder.refresh()
    assert (files.told("tell"), files.told("other")) == ("one", "another")
    (problem,) = files.registry.problems
    assert "the version before is in use" in problem.reason
    files.write("a.py", "tell", "two")
    files.folder.refresh()
    assert files.told("tell") == "two" and files.registry.problems == []


def test_new_files_come_and_removed_ones_go(files: Files) -> None:
    files.folder.refresh()
    files.write("a.py", "first", "one")
    files.write("b.py", "second", "two")
    files.folder.refresh()
    assert files.registry.names == ("first", "second")
    (files.path / "a.py").unlink()
    files.folder.refresh()
    assert files.registry.names == ("second",)
    assert len(files.registry.sources) == 1


def test_a_tool_keeps_its_place_when_its_file_is_loaded_again(files: Files) -> None:
    for file, name in (("a.py", "first"), ("b.py", "second")):
        files.write(file, name, "one")
    files.folder.refresh()
    files.write("a.py", "first", "two")
    files.folder.refresh()
    assert files.registry.names == ("first", "second")


async def test_the_next_run_uses_the_changed_file_and_follows_no_trace_of_the_old(
    make_os: MakeOS, home: Path
) -> None:
    (home / "plugins").mkdir(parents=True, exist_ok=True)
    (home / "llmos.db").unlink(missing_ok=True)
    file = home / "plugins" / "a.py"
    file.write_text(PLUGIN.format(name="tell", text="one"))
    asks = recording("What is told?", ("tell", {}))
    os = await make_os([asks])
    assert (await os.execute(asks.goal)).steps[0].observation == {"text": "one"}
    assert os.explain(asks.goal)[0].mode == "FOLLOWER"
    file.write_text(PLUGIN.format(name="tell", text="two"))
    result = await os.execute(asks.goal)
    assert result.mode != "FOLLOWER" and result.steps[-1].observation == {"text": "two"}
    file.write_text("def (")
    assert (await os.execute(asks.goal)).success
    (row,) = [r for r in os.kernel.list_plugins() if r.kind == "file"]
    assert row.tools == {"tell": "read"} and "is not Python" in row.problems[0]
