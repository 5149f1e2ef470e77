"""User plugins: every file on its own, as a whole or not at all."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from llmos.plugins.loader import LoadProblem, Plugin, load_file, load_folder

GOOD = '''"""A plugin."""
from dataclasses import dataclass
from llmos.plugins import tool

@dataclass
class Item:
    name: str

@tool(effects="read")
def {name}(item: Item) -> str:
    """Tell the item's name."""
    return helper(item)

def helper(item: Item) -> str:
    return item.name
'''


def write(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_missing_folder_holds_no_plugins(tmp_path: Path) -> None:
    assert load_folder(tmp_path / "nowhere") == ([], [])


def test_good_file_gives_its_tools(tmp_path: Path) -> None:
    loaded = load_file(write(tmp_path, "a.py", GOOD.format(name="first")))
    assert isinstance(loaded, Plugin)
    (made,) = loaded.tools
    values = made.validate({"item": {"name": "lamp"}})
    assert made.function(**values) == "lamp"


BAD = {
    "syntax": ("x = 1\ndef f(:\n    pass\n", 2, "is not Python"),
    "raises": ("x = 1\n\nraise ValueError('no\\nway')\n", 3, "does not import: ValueError: no way"),
    "exits": ("import sys\nsys.exit(4)\n", 2, "does not import: SystemExit: 4"),
    "imports": ("import no_such_module_at_all\n", 1, "ModuleNotFoundError"),
    "latin": ("x = 1\n# caf\xe9\n".encode("latin-1"), 2, "is not UTF-8: byte 0xe9"),
    "nul": (b"x = 1\0\n", None, "is not Python"),
    "undocumented": (
        "from llmos.plugins import tool\n@tool\ndef f(x: int) -> int:\n    return x\n",
        2,
        "tool 'f' has no docstring",
    ),
    "no_schema": (
        "import types\nfrom llmos.plugins import tool\n@tool\n"
        "def f(x: types.ModuleType) -> int:\n    'Does it.'\n    return 1\n",
        None,
        "no JSON form",
    ),
    "empty": ("", None, "defines no tool"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_file_is_told_with_its_line(tmp_path: Path, name: str) -> None:
    content, line, reason = BAD[name]
    loaded = load_file(write(tmp_path, f"{name}.py", content))
    assert isinstance(loaded, LoadProblem)
    assert loaded.line == line
    assert reason in loaded.reason
    assert "\n" not in str(loaded)
    assert str(loaded).startswith(str(tmp_path / f"{name}.py"))


def test_bad_file_leaves_no_module_behind(tmp_path: Path) -> None:
    before = set(sys.modules)
    load_file(write(tmp_path, "bad.py", GOOD.format(name="half") + "\n1 / 0\n"))
    assert not {m for m in set(sys.modules) - before if m.startswith("llmos_plugin")}


def test_others_load_beside_bad_ones_in_order_of_names(tmp_path: Path) -> None:
    for name in ("b", "a"):
        write(tmp_path, f"{name}.py", GOOD.format(name=f"tool_{name}"))
    for name, (content, _, _) in BAD.items():
        write(tmp_path, f"bad_{name}.py", content)
    plugins, problems = load_folder(tmp_path)
    assert [t.name for p in plugins for t in p.tools] == ["tool_a", "tool_b"]
    assert len(problems) == len(BAD)


def test_folder_and_dangling_link_named_like_plugins_are_told(tmp_path: Path) -> None:
    (tmp_path / "folder.py").mkdir()
    (tmp_path / "link.py").symlink_to(tmp_path / "gone")
    _, problems = load_folder(tmp_path)
    assert [p.path.name for p in problems] == ["folder.py", "link.py"]


def test_files_with_underscore_are_left_alone(tmp_path: Path) -> None:
    write(tmp_path, "_notes.py", "1 / 0")
    assert load_folder(tmp_path) == ([], [])


def test_files_of_one_name_in_two_homes_stay_apart(tmp_path: Path) -> None:
    loaded = []
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        path = write(tmp_path / folder, "same.py", GOOD.format(name=folder))
        loaded.append(load_file(path))
    names = {p.tools[0].function.__module__ for p in loaded if isinstance(p, Plugin)}
    assert len(names) == 2


def test_same_file_elsewhere_is_the_same_tool(tmp_path: Path) -> None:
    digests = set()
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        loaded = load_file(write(tmp_path / folder, "same.py", GOOD.format(name="same")))
        assert isinstance(loaded, Plugin)
        digests.add(loaded.tools[0].digest)
    assert len(digests) == 1


def test_imported_tools_belong_to_somebody_else(tmp_path: Path) -> None:
    source = "from llmos.plugins.builtin.files import read\n" + GOOD.format(name="own")
    loaded = load_file(write(tmp_path, "a.py", source))
    assert isinstance(loaded, Plugin)
    assert [t.name for t in loaded.tools] == ["own"]


def test_loading_writes_nothing(tmp_path: Path) -> None:
    write(tmp_path, "a.py", GOOD.format(name="first"))
    load_folder(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["a.py"]


def test_file_with_a_byte_order_mark_loads(tmp_path: Path) -> None:
    content = b"\xef\xbb\xbf" + GOOD.format(name="marked").encode()
    assert isinstance(load_file(write(tmp_path, "a.py", content)), Plugin)
