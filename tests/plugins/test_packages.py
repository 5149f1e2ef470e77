"""Installed packages offer tools by an entry point; a broken one is told and stops nobody."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from llmos.plugins.packages import load_packages

TOOLS = '''
from llmos.plugins import tool
from llmos.plugins.builtin.files import read

@tool(effects="read", name="{name}.tell")
def tell() -> str:
    """Tells it."""
    return "told"

@tool(effects="external", name="{name}.send")
def send() -> str:
    """Sends it."""
    return "sent"
'''


class Site:
    """A folder of installed packages."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def install(self, name: str, source: str, *entries: str) -> None:
        (self.folder / f"{name}.py").write_text(source)
        info = self.folder / f"{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text("\n".join(["[llmos.plugins]", *entries]))


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    before = set(sys.modules)
    yield Site(folder)
    for name in set(sys.modules) - before:
        if name.startswith("plug_"):
            del sys.modules[name]


def test_a_module_a_tool_and_a_list_can_be_offered(site: Site) -> None:
    site.install("plug_a", TOOLS.format(name="a"), "all = plug_a")
    site.install("plug_b", TOOLS.format(name="b"), "one = plug_b:tell")
    both = TOOLS.format(name="c") + "\nTOOLS = [send, tell]\n"
    site.install("plug_c", both, "some = plug_c:TOOLS")
    offered = {s.where.partition(":")[0]: [t.name for t in s.tools] for s in load_packages()}
    assert offered == {
        "plug_a": ["a.tell", "a.send"],
        "plug_b": ["b.tell"],
        "plug_c": ["c.send", "c.tell"],
    }


@pytest.mark.parametrize(
    ("source", "entry", "says"),
    [
        ("1 / 0", "x = plug_bad", "ZeroDivisionError"),
        ("raise SystemExit(3)", "x = plug_bad", "SystemExit"),
        ("", "x = plug_bad", "offers no tool"),
        ("", "x = plug_bad:nothing", "AttributeError"),
        ("def f(): ...", "x = plug_bad:f", "is not a tool"),
        ("", "x = plug_not_there", "ModuleNotFoundError"),
    ],
)
def test_what_cannot_be_used_is_told_with_the_name_of_its_package(
    site: Site, source: str, entry: str, says: str
) -> None:
    site.install("plug_bad", source, entry)
    site.install("plug_good", TOOLS.format(name="good"), "x = plug_good")
    bad, good = load_packages()
    assert not bad.tools and len(good.tools) == 2
    (problem,) = bad.problems
    assert says in problem.reason and str(problem).startswith("plug_bad: x = ")
