"""An agent's file is taken as a whole, or refused with its line."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmos.cortex.agents import compose, parse, render
from llmos.cortex.agents.agent import LARGEST
from llmos.cortex.agents.shipped import shipped
from llmos.errors import UserError

# As one of Claude Code's own generator looks: no YAML for want of quotes, and keys of its own.
FOREIGN = (
    "---\n"
    "name: test-runner\n"
    "description: Use this agent after a change. Examples: <example>user: 'Done' assistant: "
    '"I\'ll run: the tests"</example>\n'
    "tools: Read, Grep, Bash\n"
    "model: sonnet\n"
    "color: cyan\n"
    "---\n"
    "\n"
    "You run the tests.\n"
)


def file(head: str, body: str = "You are.") -> str:
    return f"---\n{head}\n---\n{body}\n"


GOOD = "name: a\ndescription: d"


def test_a_file_of_claude_code_is_taken_as_it_is() -> None:
    agent = parse(FOREIGN)
    assert (agent.name, agent.model) == ("test-runner", "sonnet")
    assert agent.tools == ("Read", "Grep", "Bash")
    assert agent.description.endswith('"I\'ll run: the tests"</example>')
    assert agent.prompt == "You run the tests."
    assert render(agent) == FOREIGN
    assert [w.partition(":")[0] for w in agent.warnings] == ["line 3", "line 6"]
    assert "'color'" in agent.warnings[1]


@pytest.mark.parametrize(
    ("tools", "names"),
    [
        ("tools: Read, Grep", ("Read", "Grep")),
        ("tools: [Read, Grep]", ("Read", "Grep")),
        ("tools:\n- Read\n- Grep", ("Read", "Grep")),
        ("tools: Read,Read ,  Grep", ("Read", "Grep")),
        ("tools: []", ()),
        ("tools: '*'", None),
        ("tools: mcp__db__query, calendar.search", ("mcp__db__query", "calendar.search")),
        ("model: inherit", None),
    ],
)
def test_tools_are_a_list_or_separated_by_commas(tools: str, names: object) -> None:
    agent = parse(file(f"{GOOD}\n{tools}"))
    assert (agent.tools, agent.model) == (names, "")


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("You are.", 1, "---"),
        ("---\nname: a\n", 3, "no end"),
        (file("name: a"), 1, "no description"),
        (file("description: d"), 1, "no name"),
        (file("name: A b\ndescription: d"), 2, "no name"),
        (file("name: ../a\ndescription: d"), 2, "no name"),
        (file("name: 7\ndescription: d"), 2, "must be text"),
        (file("name: a\ndescription: yes"), 3, "must be text"),
        (file("name: a\ndescription: {a: b}"), 3, "must be text"),
        (file("name: a\ndescription:"), 3, "must be text"),
        (file("name: a\ndescription: d\nname: b"), 4, "twice, first in line 2"),
        (file(f"{GOOD}\ntools:"), 4, "all or none"),
        (file(f"{GOOD}\ntools: 'Read; rm'"), 4, "no name of a tool"),
        (file(f"{GOOD}\ntools: [Read, 3]"), 4, "must be text"),
        (file(f"{GOOD}\ntools: [Read, [Grep]]"), 4, "must be text"),
        (file(f"{GOOD}\ntools: {{Read: true}}"), 4, "must be text"),
        (file(f"{GOOD}\nmodel: a b"), 4, "no name of a model"),
        (file(f"{GOOD}\nx: [1, 2"), 4, "expected"),
        (file("name: &n a\ndescription: *n"), 2, "anchors"),
        (file(f"{GOOD}\nx: *n"), 4, "aliases"),
        (file(f"{GOOD}\nx: !!python/name:os.system"), 4, "tags"),
        (file(f"{GOOD}\n<<: {{tools: Read}}"), 4, "a key must be a word"),
        (file(f"{GOOD}\nx: {'[' * 5000}"), 4, "collections"),
        (file("- a\n- b"), 2, "no list of 'key: value'"),
        (file(""), 2, "empty"),
        (file(GOOD, " "), 4, "nothing stands below"),
        (file(GOOD, "a\0b"), 5, "control character"),
        (file(GOOD, "x" * LARGEST), 1, "bytes"),
        (file(f"{GOOD}\n# {'x' * 70_000}"), 1, "characters"),
    ],
)
def test_what_is_no_agent_is_refused_with_line_and_reason(
    text: str, line: int, reason: str
) -> None:
    with pytest.raises(UserError) as e:
        parse(text)
    assert e.value.message.startswith(f"line {line}: "), e.value.message
    assert reason in e.value.message


def test_a_file_is_of_the_agent_that_it_names() -> None:
    with pytest.raises(UserError, match=r"^line 2: it is named 'a' and kept as 'b'"):
        parse(file(GOOD), "b")


def test_what_it_is_granted_is_never_more_than_there_is() -> None:
    there = ("Read", "Write", "Bash")
    every, none = parse(file(GOOD)), parse(file(f"{GOOD}\ntools: []"))
    assert every.granted(there) == set(there)
    assert none.granted(there) == set()
    some = parse(
        file(f"{GOOD}\ntools: Read, WebSearch, Bash(git *)\ndisallowedTools: Write(src/**)")
    )
    assert some.granted(there) == {"Read"}
    assert some.missing(there) == ("WebSearch",)
    assert len(some.warnings) == 2
    without = parse(file(f"{GOOD}\ndisallowedTools: Write, Bash(rm *)"))
    assert without.granted(there) == {"Read"}


TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), min_size=1)
LINES = st.text(st.characters(codec="utf-8", exclude_categories=("Cs",), exclude_characters="\r"))
NAME = st.from_regex(r"[a-z0-9][a-z0-9-]{0,47}", fullmatch=True)
TOOL = st.text(string.ascii_letters + "_", min_size=1, max_size=20)


@given(st.text(), st.text())
def test_any_text_is_an_agent_that_renders_as_it_was_or_an_error_with_a_line(
    head: str, body: str
) -> None:
    for text in (head, file(head, body), file(f"{GOOD}\n{head}", body)):
        try:
            agent = parse(text)
        except UserError as e:
            assert e.message.startswith("line ")
        else:
            assert render(agent) == text
            assert parse(render(agent)) == agent


@given(NAME, TEXT.filter(str.strip), TEXT, st.none() | st.lists(TOOL, unique=True), st.booleans())
def test_what_is_composed_says_what_went_in(
    name: str, description: str, body: str, tools: list[str] | None, named: bool
) -> None:
    prompt = f"You. {body}".strip()
    model = "haiku" if named else ""
    try:
        agent = compose(name, description, prompt, tools=tools, model=model)
    except UserError as e:
        assert "no text has" in e.message  # YAML knows characters that it does not take
        return
    assert (agent.name, agent.model, agent.prompt) == (name, model, prompt)
    assert agent.description == " ".join(description.split())
    assert agent.tools == (None if tools is None else tuple(tools))
    assert agent.warnings == ()


@given(st.frozensets(TOOL), st.none() | st.lists(TOOL), st.lists(TOOL))
def test_granting_is_an_intersection(
    there: frozenset[str], tools: list[str] | None, denied: list[str]
) -> None:
    names = "" if tools is None else f"tools: [{', '.join(f'x{t}' for t in tools)}]\n"
    agent = parse(file(f"{GOOD}\n{names}disallowedTools: [{', '.join(f'x{t}' for t in denied)}]"))
    there = frozenset(f"x{t}" for t in there)
    granted = agent.granted(there)
    assert granted <= there
    assert not granted & {f"x{t}" for t in denied}


def test_the_shipped_agents_are_well_formed_and_of_the_tools_that_there_are() -> None:
    assert set(shipped()) == {"coder", "researcher", "data-analyst", "cron-analyst"}
    builtin = {"Read", "Write", "Edit", "Glob", "Grep", "Bash", "WebFetch"}
    for agent in shipped().values():
        assert not agent.warnings
        assert not agent.missing(builtin)
        assert agent.tools is not None
    assert shipped()["cron-analyst"].granted(builtin) == frozenset()
