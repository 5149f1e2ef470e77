"""Tools by name."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from llmos.errors import UserError
from llmos.plugins import Registry, default_registry, sandbox, tool, tool_of

PLUGIN = '''
from llmos.plugins import tool

@tool(effects="read")
def {name}(x: int) -> int:
    """Does it."""
    return x
'''


GREP_REST = ["head_limit", "multiline", "type"]


@tool(effects="read")
def weather(place: str) -> str:
    """Tell the weather."""
    return place


def test_added_function_is_found_by_name() -> None:
    registry = Registry([weather])
    assert registry.get("weather") is tool_of(weather)
    assert "weather" in registry
    assert registry.names == ("weather",)
    assert [s.name for s in registry.specs()] == ["weather"]


@pytest.mark.parametrize(
    ("asked", "hint"),
    [("Raed", "did you mean Read?"), ("bash", "did you mean Bash?"), ("webfetch", "WebFetch")],
)
def test_unknown_tool_is_told_with_the_nearest_name(asked: str, hint: str) -> None:
    with pytest.raises(UserError, match=f"no tool '{asked}'") as e:
        default_registry(sandbox=False).get(asked)
    assert hint in e.value.hint


def test_unknown_tool_far_from_all_is_told_with_all_names() -> None:
    with pytest.raises(UserError) as e:
        Registry([weather]).get("zzz")
    assert e.value.hint == "tools: weather"


def test_two_tools_of_one_name_are_refused_with_both_origins() -> None:
    @tool(name="weather", effects="read")
    def other(x: int) -> int:
        """Something else."""
        return x

    with pytest.raises(UserError, match="two tools are named 'weather'") as e:
        Registry([weather, other])
    assert tool_of(weather).origin in e.value.message
    assert tool_of(other).origin in e.value.message


def test_the_same_tool_twice_is_one() -> None:
    assert len(Registry([weather, weather])) == 1


def test_of_several_tools_all_are_added_or_none() -> None:
    registry = Registry([weather])

    @tool(effects="read")
    def fresh(x: int) -> int:
        """New."""
        return x

    @tool(name="weather", effects="read")
    def clash(x: int) -> int:
        """Old."""
        return x

    with pytest.raises(UserError):
        registry.add_all([fresh, clash])
    assert registry.names == ("weather",)


def test_default_registry_has_the_known_tools_then_the_given_ones() -> None:
    registry = default_registry([weather])
    assert registry.names == (
        *("Read", "Write", "Edit", "Glob", "Grep", "Bash", "WebFetch"),
        "weather",
    )


def test_every_builtin_has_a_schema_and_declares_a_version() -> None:
    for made in default_registry(sandbox=False):
        assert made.parameters["type"] == "object"
        assert made.version == "1"
        undocumented = [
            name
            for name, entry in made.parameters["properties"].items()
            if "description" not in entry
        ]
        assert undocumented == [], made.name


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("Read", ["file_path", "offset", "limit"]),
        ("Write", ["file_path", "content"]),
        ("Edit", ["file_path", "old_string", "new_string", "replace_all"]),
        ("Glob", ["pattern", "path"]),
        (
            "Grep",
            ["pattern", "path", "glob", "output_mode", "-i", "-n", "-A", "-B", "-C", *GREP_REST],
        ),
        ("Bash", ["command", "timeout", "description"]),
        ("WebFetch", ["url", "prompt"]),
    ],
)
def test_builtin_arguments_have_the_names_agents_know(name: str, arguments: list[str]) -> None:
    assert list(default_registry(sandbox=False).get(name).parameters["properties"]) == arguments


def test_given_tool_may_not_take_the_name_of_a_builtin() -> None:
    @tool(name="Read", effects="read")
    def mine(x: int) -> int:
        """Mine."""
        return x

    with pytest.raises(UserError, match="two tools are named 'Read'"):
        default_registry([mine])


def test_user_plugins_are_loaded_from_the_home(home: Path) -> None:
    (home / "plugins").mkdir()
    (home / "plugins" / "a.py").write_text(PLUGIN.format(name="mine"))
    assert "mine" in default_registry(home=home)


def test_user_plugin_that_clashes_is_left_out_whole_and_told(home: Path) -> None:
    (home / "plugins").mkdir()
    both = PLUGIN.format(name="fresh") + PLUGIN.format(name="Read")
    (home / "plugins" / "bad.py").write_text(both)
    (home / "plugins" / "good.py").write_text(PLUGIN.format(name="good"))
    registry = default_registry(home=home)
    assert "good" in registry
    assert "fresh" not in registry
    assert [p.path.name for p in registry.problems] == ["bad.py"]
    assert "two tools are named 'Read'" in registry.problems[0].reason


@pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed")
def test_sandbox_is_used_wherever_bubblewrap_works() -> None:
    options = ("--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "--unshare-all")
    if subprocess.run(["bwrap", *options, "true"], capture_output=True).returncode != 0:
        pytest.skip("bubblewrap does not work on this machine at all")
    assert sandbox.available() is None
    assert default_registry().get("Bash").sandboxed


def test_registry_without_sandbox_says_that_bash_is_external() -> None:
    made = default_registry(sandbox=False).get("Bash")
    assert made.effect == "external"
    assert not made.sandboxed
