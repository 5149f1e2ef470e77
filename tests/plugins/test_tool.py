"""`@tool`: schema, validation, digest and what it refuses."""

from __future__ import annotations

import types
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field

from llmos.errors import UserError
from llmos.plugins import Alias, Tool, ToolContext, tool, tool_of
from llmos.values import Effect


class Attendee(BaseModel):
    name: str
    age: int = 0


@dataclass
class Room:
    number: int
    floor: str = "ground"


@tool(effects="read", name="calendar.search")
def search(
    query: str,
    context: ToolContext,
    limit: int = 10,
    kind: Literal["meeting", "call"] = "meeting",
    on: date | None = None,
    who: list[Attendee] = [],  # noqa: B006
    room: Room | None = None,
) -> list[str]:
    """Search the calendar.

    All of it.

    Args:
        query: What to look for,
            in any language.
        limit (int): At most this many.
        kind: Which events.

    Returns:
        Titles.
    """
    return [query, str(context.cwd)]


SEARCH = tool_of(search)


def test_description_is_the_docstring_without_its_sections() -> None:
    assert SEARCH.description == "Search the calendar.\n\nAll of it."


def test_schema_comes_from_hints_and_docstring() -> None:
    properties = SEARCH.parameters["properties"]
    assert properties["query"] == {
        "type": "string",
        "description": "What to look for, in any language.",
    }
    assert properties["limit"] == {
        "type": "integer",
        "default": 10,
        "description": "At most this many.",
    }
    assert properties["kind"]["enum"] == ["meeting", "call"]
    assert SEARCH.parameters["required"] == ["query"]
    assert SEARCH.parameters["additionalProperties"] is False


def test_context_parameter_is_hidden_from_the_model() -> None:
    assert SEARCH.context_parameter == "context"
    assert "context" not in SEARCH.parameters["properties"]
    with pytest.raises(UserError, match="context"):
        SEARCH.validate({"query": "x", "context": {}})


def test_idempotency_key_is_hidden_from_the_model() -> None:
    @tool(idempotency_key="key")
    def pay(amount: int, key: str) -> str:
        """Pay."""
        return key

    assert list(tool_of(pay).parameters["properties"]) == ["amount"]
    assert tool_of(pay).validate({"amount": 3}) == {"amount": 3}


def test_validate_returns_typed_values_with_defaults() -> None:
    values = SEARCH.validate(
        {
            "query": "x",
            "limit": "3",
            "on": "2026-03-02",
            "who": [{"name": "alice"}],
            "room": {"number": 7},
        }
    )
    assert values == {
        "query": "x",
        "limit": 3,
        "kind": "meeting",
        "on": date(2026, 3, 2),
        "who": [Attendee(name="alice")],
        "room": Room(7),
    }


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({}, "query: Field required"),
        ({"query": "x", "limit": "many"}, "limit: "),
        ({"query": "x", "kind": "party"}, "kind: "),
        ({"query": "x", "colour": "red"}, "colour: Extra inputs"),
        ({"query": "x", "who": [{"age": 3}]}, "who.0.name: "),
    ],
)
def test_validation_message_names_the_wrong_argument_on_one_line(
    arguments: dict[str, Any], named: str
) -> None:
    with pytest.raises(UserError) as e:
        SEARCH.validate(arguments)
    assert e.value.message.startswith("calendar.search: ")
    assert named in e.value.message
    assert "\n" not in e.value.message
    assert e.value.hint == ("arguments of calendar.search: query, limit, kind, on, who, room")


def test_validation_names_every_wrong_argument() -> None:
    with pytest.raises(UserError, match=r"query: .*; limit: "):
        SEARCH.validate({"query": 1, "limit": "x"})


def test_arguments_that_are_no_object_are_a_user_error() -> None:
    with pytest.raises(UserError, match="arguments: "):
        SEARCH.validate(["x"])  # type: ignore[arg-type]


def test_alias_is_what_the_model_sees_and_the_function_gets_its_own_name() -> None:
    @tool(effects="read")
    def grep(pattern: str, ignore_case: Annotated[bool, Alias("-i")] = False) -> str:
        """Search.

        Args:
            ignore_case: Upper is lower.
        """
        return pattern

    made = tool_of(grep)
    assert made.parameters["properties"]["-i"] == {
        "type": "boolean",
        "default": False,
        "description": "Upper is lower.",
    }
    assert made.validate({"pattern": "x", "-i": True}) == {"pattern": "x", "ignore_case": True}
    with pytest.raises(UserError, match="ignore_case: Extra"):
        made.validate({"pattern": "x", "ignore_case": True})


def test_pydantic_field_in_an_annotation_is_kept() -> None:
    @tool(effects="read")
    def roll(sides: Annotated[int, Field(ge=2, alias="n", description="Of the die.")] = 6) -> int:
        """Roll."""
        return sides

    entry = tool_of(roll).parameters["properties"]["n"]
    assert (entry["minimum"], entry["description"], entry["default"]) == (2, "Of the die.", 6)
    with pytest.raises(UserError, match="n: "):
        tool_of(roll).validate({"n": 1})


@pytest.mark.parametrize("name", ["copy", "json", "schema", "model_config", "_hidden", "validate"])
def test_parameter_may_be_named_like_something_of_pydantic(
    name: str, recwarn: pytest.WarningsRecorder
) -> None:
    namespace: dict[str, Any] = {}
    exec(f"def f({name}: int = 1) -> int:\n  'Does it.'\n  return {name}", namespace)
    made = tool_of(tool(effects="read")(namespace["f"]))
    assert list(made.parameters["properties"]) == [name]
    assert made.validate({name: 2}) == {name: 2}
    assert not recwarn.list


def test_async_function_keeps_its_schema() -> None:
    @tool(effects="open_read")
    async def fetch(url: str) -> str:
        """Fetch."""
        return url

    assert tool_of(fetch).spec.parameters["required"] == ["url"]
    assert tool_of(fetch).effect is Effect.OPEN_READ


def test_bare_decorator_means_external() -> None:
    @tool
    def send(text: str) -> str:
        """Send."""
        return text

    assert tool_of(send).effect is Effect.EXTERNAL
    assert send("x") == "x"


def test_spec_is_what_the_model_sees() -> None:
    assert SEARCH.spec.name == "calendar.search"
    assert SEARCH.spec.effect is Effect.READ
    assert SEARCH.spec.parameters is SEARCH.parameters


# --- refused at decoration --------------------------------------------------------------------


def undocumented(x: int) -> int:
    return x


def only_sections(x: int) -> int:
    """
    Args:
        x: A number.
    """
    return x


def untyped(x) -> int:  # type: ignore[no-untyped-def]
    """Has no type."""
    return 1


def variadic(*xs: int) -> int:
    """Takes many."""
    return 1


def keywords(**xs: int) -> int:
    """Takes many."""
    return 1


def positional(x: int, /) -> int:
    """Takes one without a name."""
    return x


def yielding(x: int) -> Any:
    """Yields."""
    yield x


def unknown_type(x: Nowhere) -> int:  # type: ignore[name-defined]  # noqa: F821
    """Takes what nobody knows."""
    return 1


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (undocumented, "has no docstring"),
        (only_sections, "has no docstring"),
        (untyped, "'x' has no type"),
        (variadic, "'xs' must be a plain named one"),
        (keywords, "'xs' must be a plain named one"),
        (positional, "'x' must be a plain named one"),
        (yielding, "yields"),
        (unknown_type, "'Nowhere' is not known"),
    ],
)
def test_function_that_cannot_be_a_tool_is_refused_at_once(function: Any, said: str) -> None:
    with pytest.raises(UserError, match=said):
        tool(effects="read")(function)


@pytest.mark.parametrize("name", ["", "1st", "with space", "../x", "x" * 65, "é"])
def test_unusable_tool_name_is_refused(name: str) -> None:
    def f(x: int) -> int:
        """Does it."""
        return x

    with pytest.raises(UserError, match="is not usable"):
        tool(name=name or " ")(f)


def test_unknown_effect_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UserError, match="'harmless' is not an effect") as e:
        tool(effects="harmless")
        tool(effects="harmless")(undocumented)
    assert e.value.hint == "effects: read, open_read, write, external"


def test_idempotency_key_must_name_a_parameter() -> None:
    def pay(amount: int) -> int:
        """Pay."""
        return amount

    with pytest.raises(UserError, match="no parameter 'key'"):
        tool(idempotency_key="key")(pay)


def test_type_without_a_json_form_is_a_user_error() -> None:
    @tool(effects="read")
    def f(x: types.ModuleType) -> int:
        """Takes a module."""
        return 1

    with pytest.raises(UserError, match="'f': a parameter's type has no JSON form"):
        _ = tool_of(f).parameters


def test_undecorated_function_is_no_tool() -> None:
    with pytest.raises(UserError, match="'undocumented' is not a tool"):
        tool_of(undocumented)


# --- digest -----------------------------------------------------------------------------------

BASE = """
LIMIT = 10

def helper(x):
    return x + 1

@tool(effects="read")
def count(x: int = 3) -> int:
    '''Count.'''
    return helper(x) + LIMIT
"""


def made_from(source: str, **namespace: Any) -> Tool:
    module = types.ModuleType("a_plugin")
    module.__dict__.update(tool=tool, **namespace)
    exec(compile(source, "a_plugin.py", "exec"), module.__dict__)
    return tool_of(module.__dict__["count"])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("LIMIT = 10", "# a comment\n\n\nLIMIT = 10  # more"),
        ("    return helper(x) + LIMIT", "    # why\n    return (helper(x)\n        + LIMIT)"),
        ("def helper(x):", "def unused(y):\n    return y\n\ndef helper(x):"),
    ],
)
def test_digest_does_not_change_with_comments_and_layout(old: str, new: str) -> None:
    assert made_from(BASE.replace(old, new)).digest == made_from(BASE).digest


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("+ LIMIT", "- LIMIT"),
        ("LIMIT = 10", "LIMIT = 11"),
        ("return x + 1", "return x + 2"),
        ("x: int = 3", "x: int = 4"),
        ("x: int = 3", "x: float = 3"),
        ('effects="read"', 'effects="write"'),
        ('effects="read"', "effects=\"read\", ids=['$']"),
        ('effects="read"', "effects=\"read\", name='other'"),
    ],
)
def test_digest_changes_with_code_helpers_constants_and_signature(old: str, new: str) -> None:
    assert old in BASE
    assert made_from(BASE.replace(old, new)).digest != made_from(BASE).digest


def test_digest_changes_with_what_a_closure_holds() -> None:
    def make(n: int) -> Tool:
        @tool(effects="read")
        def add(x: int) -> int:
            """Add."""
            return x + n

        return tool_of(add)

    assert make(1).digest == make(1).digest
    assert make(1).digest != make(2).digest


def test_digest_with_a_version_stands_for_the_code() -> None:
    versioned = BASE.replace('effects="read"', 'effects="read", version="1"')
    changed = versioned.replace("return x + 1", "return x + 2")
    assert made_from(changed).digest == made_from(versioned).digest
    assert made_from(changed.replace('"1"', '"2"')).digest != made_from(versioned).digest


def test_digest_of_sets_and_objects_is_the_same_in_every_process(tmp_path: Path) -> None:
    import subprocess
    import sys

    program = tmp_path / "digest.py"
    program.write_text(
        "from llmos.plugins import tool, tool_of\n"
        "marker = object()\n"
        "@tool(effects='read')\n"
        "def f(x: str, y: object = marker) -> bool:\n"
        "    'Look.'\n"
        "    return x in {'a', 'b', 'c', 'd', 'e'}\n"
        "print(tool_of(f).digest)\n"
    )
    root = Path(__file__).parents[2]
    digests = {
        subprocess.run(
            [sys.executable, str(program)],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(root)},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(digests) == 1


# --- resources --------------------------------------------------------------------------------


def test_undeclared_resources_are_unknown(context: ToolContext) -> None:
    assert SEARCH.resources(context, {"query": "x"}) is None


def test_resources_may_be_names_one_name_or_a_function(context: ToolContext) -> None:
    @tool(
        effects="write",
        reads="calendar:alice",
        writes=lambda c, a: [f"calendar:alice/{a['number']}"],
    )
    def delete(number: int) -> str:
        """Delete."""
        return ""

    declared = tool_of(delete).resources(context, {"number": 7})
    assert declared is not None
    assert declared.reads == ("calendar:alice",)
    assert declared.writes == ("calendar:alice/7",)
