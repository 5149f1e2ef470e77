"""Which calls may be made. Decisions are asked of the real built-in tools and of plugins."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llmos.errors import ConfigError
from llmos.kernel.permissions import ApprovalRequest, Permission, Permissions, reject_all
from llmos.plugins import Registry, ToolContext, ToolFailed, invoke, tool, tool_of
from llmos.plugins.builtin import builtin_tools
from llmos.plugins.builtin.shell import bash_tool

anywhere = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150
)

SANDBOXED = Registry(builtin_tools(sandboxed=True))
PLAIN = bash_tool(sandboxed=False)

Ask = Callable[..., Permission]


@tool(effects="external", name="mail.send")
def send(to: str) -> str:
    """Send a mail."""
    return to


@tool(effects="external", name="mcp__github__close_issue")
def close_issue(number: int) -> str:
    """Close an issue."""
    return str(number)


@tool(effects="write", name="notes.add", writes=lambda c, a: [f"file:{a['path']}"])
def add_note(path: str) -> str:
    """Add a note."""
    return path


@tool(
    effects="write",
    name="folder.tidy",
    reads=lambda c, a: [f"tree:{a['path']}"],
    writes=lambda c, a: [f"tree:{a['path']}"],
)
def tidy(path: str) -> str:
    """Tidy a folder."""
    return path


@tool(effects="write", name="calendar.add", writes="calendar:alice")
def add_event(title: str) -> str:
    """Add an event."""
    return title


@tool(effects="write", name="broken", writes=lambda c, a: [a["missing"]])
def broken(x: int) -> int:
    """Cannot say what it writes."""
    return x


TOOLS = Registry(
    [*SANDBOXED, *(tool_of(f) for f in (send, close_issue, add_note, tidy, add_event, broken))]
)


@pytest.fixture
def cwd(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    (folder / "src").mkdir(parents=True)
    return folder.resolve()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "llmos-home"
    folder.mkdir()
    (folder / "llmos.db").write_text("the one database")
    return folder.resolve()


@pytest.fixture(autouse=True)
def person(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "alice"
    (folder / ".ssh").mkdir(parents=True)
    (folder / "notes").mkdir()
    monkeypatch.setenv("HOME", str(folder))
    return folder.resolve()


@pytest.fixture
def context(cwd: Path, home: Path) -> ToolContext:
    return ToolContext(cwd, home, datetime(2026, 3, 2, 9, 7, tzinfo=UTC))


@pytest.fixture
def ask(context: ToolContext, cwd: Path, home: Path) -> Ask:
    """Decides about a call of a tool (by name, or ``$`` for Bash without sandbox)."""

    def decide(
        name: str,
        arguments: Mapping[str, Any],
        allow: Sequence[str] = (),
        ask: Sequence[str] = (),
        deny: Sequence[str] = (),
    ) -> Permission:
        permissions = Permissions(allow, ask, deny, cwd=cwd, home=home)
        made = PLAIN if name == "$" else TOOLS.get(name)
        return permissions.decide(made, arguments, replace(context, hidden=permissions.hides))

    return decide


def shell(command: str) -> dict[str, Any]:
    return {"command": command}


def file(path: object) -> dict[str, Any]:
    return {"file_path": str(path), "content": "", "old_string": "a", "new_string": "b"}


# --- defaults ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "arguments", "decision", "rule"),
    [
        ("Read", file("a.txt"), "allow", "default"),
        ("Read", file("/usr/share/x"), "allow", "default"),
        ("Read", file("~/notes/a.txt"), "allow", "default"),
        ("Read", file("~/.ssh/id_ed25519"), "ask", "secret"),
        ("Read", file(".env"), "ask", "secret"),
        ("Read", file("/proc/self/environ"), "ask", "secret"),
        ("Grep", {"pattern": "x", "path": "~/.ssh"}, "ask", "secret"),
        ("Glob", {"pattern": "*"}, "allow", "default"),
        ("Write", file("a.txt"), "allow", "default"),
        ("Write", file("new/deep/a.txt"), "allow", "default"),
        ("Write", file("../a.txt"), "deny", "outside"),
        ("Write", file("/etc/passwd"), "deny", "outside"),
        ("Write", file("~/notes/a.txt"), "deny", "outside"),
        ("Write", file(".env"), "ask", "secret"),
        ("Edit", file("src/a.py"), "allow", "default"),
        ("Edit", file("/etc/hosts"), "deny", "outside"),
        ("Bash", shell("rm -rf *"), "allow", "default"),
        ("$", shell("git status"), "ask", "unsandboxed"),
        ("WebFetch", {"url": "https://example.org/"}, "allow", "default"),
        ("mail.send", {"to": "bob"}, "ask", "external"),
        ("calendar.add", {"title": "x"}, "allow", "default"),
        ("notes.add", {"path": "src/n.txt"}, "allow", "default"),
        ("notes.add", {"path": "/var/n.txt"}, "deny", "outside"),
        ("folder.tidy", {"path": "src"}, "allow", "default"),
        ("folder.tidy", {"path": ".."}, "deny", "home"),
    ],
)
def test_defaults(ask: Ask, name: str, arguments: dict[str, Any], decision: str, rule: str) -> None:
    decided = ask(name, arguments)
    assert (decided.decision, decided.rule) == (decision, rule)
    assert decided.explanation
    assert "\n" not in decided.explanation


def test_write_outside_says_which_rule_would_allow_it(ask: Ask, tmp_path: Path) -> None:
    arguments = file(tmp_path / "other" / "a.txt")
    hint = f"Write({tmp_path / 'other'}/**)"
    assert hint in ask("Write", arguments).explanation
    assert ask("Write", arguments, allow=[hint]).decision == "allow"


def test_secret_says_which_rule_would_allow_it(ask: Ask, person: Path) -> None:
    hint = f"Read({person}/.ssh/id_rsa)"
    assert hint in ask("Read", file("~/.ssh/id_rsa")).explanation
    assert ask("Read", file("~/.ssh/id_rsa"), allow=[hint]).decision == "allow"
    assert ask("Read", file("~/.ssh/other"), allow=[hint]).decision == "ask"


@pytest.mark.parametrize("bare", ["Write", "Read", "Edit", "*"])
def test_bare_tool_name_lifts_no_boundary(ask: Ask, bare: str) -> None:
    assert ask("Write", file("/etc/x"), allow=[bare]).decision == "deny"
    assert ask("Read", file("~/.netrc"), allow=[bare]).decision == "ask"


def test_plugin_that_cannot_say_what_it_writes_is_denied(ask: Ask) -> None:
    decided = ask("broken", {"x": 1})
    assert decided.decision == "deny"
    assert "broken cannot tell what it reads and writes: KeyError" in decided.explanation


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("Read", file("a\0b")),
        ("Write", file("")),
        ("WebFetch", {"url": "file:///etc/passwd"}),
        ("$", shell("echo \0")),
        ("$", shell("cat \ud800/x")),
    ],
)
def test_arguments_that_make_no_sense_are_never_allowed(
    ask: Ask, name: str, arguments: dict[str, Any]
) -> None:
    assert ask(name, arguments).decision != "allow"


# --- the home of LLM OS -----------------------------------------------------------------------


EVERYTHING = ["*", "Bash", "Read(/**)", "Write(/**)", "Edit(/**)", "Bash(unsandboxed)"]


def test_home_is_denied_to_every_tool_whatever_the_rules_say(
    ask: Ask, home: Path, cwd: Path
) -> None:
    (cwd / "link").symlink_to(home)
    for path in (home, home / "llmos.db", "../llmos-home/x", "link/llmos.db", "src/../link"):
        for name, arguments in [
            ("Read", file(path)),
            ("Write", file(path)),
            ("Edit", file(path)),
            ("Glob", {"pattern": "*", "path": str(path)}),
            ("Grep", {"pattern": "x", "path": str(path)}),
            ("notes.add", {"path": str(path)}),
            ("folder.tidy", {"path": str(path)}),
            ("$", shell(f"cat {path}")),
            ("$", shell(f'cat "{path}"')),
            ("$", shell(f"x={path}; cat $x")),
        ]:
            decided = ask(name, arguments, allow=EVERYTHING)
            assert (decided.decision, decided.rule) == ("deny", "home"), (name, arguments)


def test_folder_around_the_home_may_be_read_but_not_written_as_a_whole(
    ask: Ask, tmp_path: Path
) -> None:
    search = {"pattern": "x", "path": str(tmp_path)}
    assert ask("Grep", search).decision == "allow"
    decided = ask("folder.tidy", {"path": str(tmp_path)}, allow=EVERYTHING)
    assert (decided.decision, decided.rule) == ("deny", "home")


async def test_search_around_the_home_does_not_see_into_it(
    context: ToolContext, home: Path, tmp_path: Path
) -> None:
    (tmp_path / "notes.txt").write_text("the one note")
    permissions = Permissions(EVERYTHING, cwd=context.cwd, home=home)
    grep = TOOLS.get("Grep")
    values = grep.validate({"pattern": "the one", "path": str(tmp_path)})
    found = await invoke(grep, replace(context, hidden=permissions.hides), values, 20.0)
    assert found == str(tmp_path.resolve() / "notes.txt")


def test_sandboxed_shell_may_work_around_the_home_for_it_cannot_see_it(
    context: ToolContext, tmp_path: Path, home: Path
) -> None:
    around = replace(context, cwd=tmp_path.resolve())
    permissions = Permissions(["Bash"], cwd=tmp_path, home=home)
    assert permissions.decide(TOOLS.get("Bash"), shell("ls"), around).decision == "allow"
    assert permissions.decide(PLAIN, shell("ls"), around).rule == "home"


def test_home_that_is_a_link_is_denied_where_it_leads(
    context: ToolContext, cwd: Path, home: Path, tmp_path: Path
) -> None:
    (tmp_path / "alias").symlink_to(home)
    permissions = Permissions(EVERYTHING, cwd=cwd, home=tmp_path / "alias")
    assert permissions.decide(TOOLS.get("Read"), file(home / "x"), context).rule == "home"


def test_home_by_another_name_of_the_file_system_is_the_home(
    ask: Ask, home: Path, cwd: Path
) -> None:
    # As on a case-insensitive file system: another spelling, the same folder, and no link.
    (cwd / "mounted").mkdir()
    if subprocess.run(["mount", "--bind", home, cwd / "mounted"]).returncode != 0:
        pytest.skip("a folder cannot be bind-mounted here")
    try:
        assert ask("Read", file("mounted/llmos.db"), allow=EVERYTHING).rule == "home"
        assert ask("Write", file("mounted/new/x"), allow=EVERYTHING).rule == "home"
    finally:
        subprocess.run(["umount", cwd / "mounted"], check=True)


def test_home_with_a_space_in_its_name_is_found_in_a_command(
    context: ToolContext, cwd: Path, tmp_path: Path
) -> None:
    spaced = tmp_path / "home of llmos"
    spaced.mkdir()
    permissions = Permissions(EVERYTHING, cwd=cwd, home=spaced)
    decided = permissions.decide(PLAIN, shell(f"cat '{spaced}/llmos.db'"), context)
    assert decided.rule == "home"


# --- rules ------------------------------------------------------------------------------------


def test_deny_wins_over_ask_and_ask_over_allow(ask: Ask) -> None:
    call = ("Read", file("a.txt"))
    assert ask(*call, allow=["Read"], ask=["Read"], deny=["Read"]).decision == "deny"
    assert ask(*call, allow=["Read"], ask=["Read"]).decision == "ask"
    assert ask(*call, allow=["Read"]).decision == "allow"
    assert ask(*call, allow=["Read"]).rule == "Read"


@pytest.mark.parametrize(
    ("rule", "name", "meant"),
    [
        ("mail.send", "mail.send", True),
        ("mail.*", "mail.send", True),
        ("mail", "mail.send", False),
        ("mcp__github__*", "mcp__github__close_issue", True),
        ("mcp__github", "mcp__github__close_issue", True),
        ("mcp__git", "mcp__github__close_issue", False),
        ("mcp__*", "mcp__github__close_issue", True),
        ("mcp__github__open_*", "mcp__github__close_issue", False),
        ("*", "mail.send", True),
        ("Mail.send", "mail.send", False),
    ],
)
def test_rule_by_name(ask: Ask, rule: str, name: str, meant: bool) -> None:
    arguments = {"to": "bob"} if name == "mail.send" else {"number": 1}
    assert ask(name, arguments, allow=[rule]).decision == ("allow" if meant else "ask")
    assert ask(name, arguments, deny=[rule]).decision == ("deny" if meant else "ask")


PATH_RULES = [
    ("src/**", "src/a.py", True),
    ("src/**", "src/deep/er/a.py", True),
    ("src/**", "other/a.py", False),
    ("src/**", "srcs/a.py", False),
    ("./src/**", "src/a.py", True),
    ("src", "src/a.py", True),
    ("src/", "deep/src/a.py", True),
    ("*.py", "src/a.py", True),
    ("*.py", "a.txt", False),
    ("/*.py", "a.py", False),
    ("src/*.py", "src/deep/a.py", False),
    ("{src,lib}/**", "lib/a", True),
    ("~/notes/**", "~/notes/a.txt", True),
    ("~/notes/**", "~/other/a.txt", False),
    ("~/**", "~/.ssh/x", True),
    ("/**", "/etc/x", True),
    ("//etc/**", "/etc/x", True),
    ("/etc/**", "/etc/x", True),
    ("/etc/**", "/etcetera/x", False),
    ("../sibling/**", "../sibling/a.txt", True),
    ("src/../../sibling/**", "../sibling/a.txt", True),
    ("../sibling/**", "../other/a.txt", False),
]


@pytest.mark.parametrize(("pattern", "path", "meant"), PATH_RULES)
def test_path_rule_in_deny_and_ask(ask: Ask, pattern: str, path: str, meant: bool) -> None:
    for name, rule in [("Write", "Write"), ("Edit", "Write"), ("Write", "Edit"), ("Read", "Read")]:
        text = f"{rule}({pattern})"
        denied, asked = ask(name, file(path), deny=[text]), ask(name, file(path), ask=[text])
        assert (denied.rule == text) is meant
        assert (asked.rule == text) is meant


@pytest.mark.parametrize(("pattern", "path", "meant"), PATH_RULES)
def test_path_rule_in_allow_opens_what_lies_outside(
    ask: Ask, pattern: str, path: str, meant: bool
) -> None:
    without = ask("Write", file(path)).decision
    decided = ask("Write", file(path), allow=[f"Write({pattern})"]).decision
    assert decided == ("allow" if meant else without)


def test_path_rules_hold_for_plugins_that_declare_files(ask: Ask) -> None:
    assert ask("notes.add", {"path": "/var/n"}, allow=["Write(/var/**)"]).decision == "allow"
    assert ask("notes.add", {"path": "src/n"}, deny=["Write(src/**)"]).decision == "deny"
    assert ask("folder.tidy", {"path": "src"}, deny=["Write(src/keep/**)"]).decision == "deny"
    assert ask("folder.tidy", {"path": "src"}, deny=["Read(.env)"]).decision == "deny"
    assert ask("folder.tidy", {"path": "src"}, deny=["Write(/other/**)"]).decision == "allow"


def test_folder_is_allowed_only_by_a_rule_that_means_all_of_it(ask: Ask) -> None:
    for rule, decision in [
        ("Write(/var/data/**)", "allow"),
        ("Write(/var/**)", "allow"),
        ("Write(/var/data)", "allow"),
        ("Write(/var/data/*)", "allow"),
        ("Read(/var/**)", "deny"),
        ("Write(/var/data/*.txt)", "deny"),
        ("Write(/var/data/x/**)", "deny"),
        ("Write(/var/*/a/**)", "deny"),
    ]:
        assert ask("folder.tidy", {"path": "/var/data"}, allow=[rule]).decision == decision, rule


def test_rule_for_searching_holds_for_that_tool_alone(ask: Ask) -> None:
    search = {"pattern": "x", "path": "src"}
    assert ask("Grep", search, deny=["Grep(src/**)"]).decision == "deny"
    assert ask("Glob", search, deny=["Grep(src/**)"]).decision == "allow"
    assert ask("Read", file("src/a"), deny=["Grep(src/**)"]).decision == "allow"
    assert ask("Grep", search, deny=["Read(src/**)"]).decision == "deny"


async def test_search_leaves_out_what_a_rule_denies(
    context: ToolContext, cwd: Path, home: Path
) -> None:
    (cwd / "src" / "open.txt").write_text("needle")
    (cwd / "src" / "closed.txt").write_text("needle")
    (cwd / "private").mkdir()
    (cwd / "private" / "a.txt").write_text("needle")
    permissions = Permissions(deny=["Read(closed.txt)", "Grep(private/**)"], cwd=cwd, home=home)
    context = replace(context, hidden=permissions.hides)
    grep = TOOLS.get("Grep")
    assert permissions.decide(grep, {"pattern": "needle"}, context).decision == "allow"
    found = await invoke(grep, context, grep.validate({"pattern": "needle"}), 20.0)
    assert found == "src/open.txt"


def test_search_that_cannot_leave_out_what_is_denied_is_denied(
    context: ToolContext, cwd: Path, home: Path
) -> None:
    permissions = Permissions(deny=["Read(closed.txt)"], cwd=cwd, home=home)
    assert context.hidden is None
    decided = permissions.decide(TOOLS.get("Grep"), {"pattern": "x"}, context)
    assert (decided.decision, decided.rule) == ("deny", "Read(closed.txt)")


def test_denied_name_of_a_link_is_denied_though_it_leads_elsewhere(ask: Ask, cwd: Path) -> None:
    (cwd / "real.txt").touch()
    (cwd / "alias.txt").symlink_to("real.txt")
    assert ask("Read", file("alias.txt"), deny=["Read(alias.txt)"]).decision == "deny"
    assert ask("Read", file("alias.txt"), deny=["Read(real.txt)"]).decision == "deny"
    assert ask("Read", file("src/../alias.txt"), deny=["Read(alias.txt)"]).decision == "deny"


def test_denied_path_that_is_a_link_is_denied_where_it_leads(ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "shortcut").symlink_to(tmp_path / "data")
    rule = f"Read({tmp_path}/shortcut/**)"
    assert ask("Read", file(tmp_path / "data" / "a"), deny=[rule]).decision == "deny"


def test_link_made_by_a_run_does_not_widen_an_allow_rule(
    ask: Ask, cwd: Path, tmp_path: Path
) -> None:
    (cwd / "out").symlink_to("/etc")
    for rule in ("Write(out/**)", f"Write({cwd}/out/**)", "Write(**)"):
        assert ask("Write", file("out/passwd"), allow=[rule]).decision == "deny", rule


@pytest.mark.parametrize(
    ("rule", "url", "meant"),
    [
        ("WebFetch(domain:example.org)", "https://example.org/x", True),
        ("WebFetch(domain:example.org)", "https://EXAMPLE.org.:443/x", True),
        ("WebFetch(domain:example.org)", "https://www.example.org/", True),
        ("WebFetch(domain:*.example.org)", "https://www.example.org/", True),
        ("WebFetch(domain:example.org)", "https://notexample.org/", False),
        ("WebFetch(domain:example.org)", "https://example.org.evil.test/", False),
        ("WebFetch(domain:example.org)", "https://evil.test/?u=example.org", False),
        ("WebFetch(domain:bücher.example)", "https://xn--bcher-kva.example/", True),
        ("WebFetch", "https://evil.test/", True),
    ],
)
def test_domain_rule(ask: Ask, rule: str, url: str, meant: bool) -> None:
    assert (ask("WebFetch", {"url": url}, deny=[rule]).decision == "deny") is meant
    assert (ask("WebFetch", {"url": url}, allow=[rule]).rule == rule) is meant


# --- shell commands ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rules", "command", "allowed"),
    [
        (["Bash"], "anything $(at all) > x", True),
        (["Bash(*)"], "anything $(at all) > x", True),
        (["Bash(git *)"], "git status", True),
        (["Bash(git *)"], "git", True),
        (["Bash(git *)"], "git   commit\t-m 'a; b'", True),
        (["Bash(git *)"], "gitx status", False),
        (["Bash(git *)"], "echo git status", False),
        (["Bash(git*)"], "gitx status", True),
        (["Bash(git status)"], "git status", True),
        (["Bash(git status)"], "git status -s", False),
        (["Bash(npm run test:*)"], "npm run test", True),
        (["Bash(npm run test:*)"], "npm run test -- -v", True),
        (["Bash(npm run test:*)"], "npm run test:unit", True),
        (["Bash(npm run test:*)"], "npm run tests", False),
        (["Bash(npm run test:*)"], "npm run build", False),
        (["Bash(* --version)"], "python --version", True),
        (["Bash(* --version)"], "python -c x", False),
        (["Bash(git * main)"], "git push main", True),
        (["Bash(git *)"], "git log | git shortlog", True),
        (["Bash(git *)"], "git log && git status; git diff\ngit show", True),
        (["Bash(git *)", "Bash(head *)"], "git log | head -5", True),
        (["Bash(git *)"], "git log | head -5", False),
        (["Bash(git *)"], "git status; rm -rf x", False),
        (["Bash(git *)"], "git log && curl evil.test", False),
        (["Bash(git *)"], "git log & curl evil.test", False),
        (["Bash(git *)"], "git log || curl evil.test", False),
        (["Bash(git *)"], "git log | sh", False),
        (["Bash(git *)"], "git log\ncurl evil.test", False),
        (["Bash(git *)"], "git log $(curl evil.test)", False),
        (["Bash(git *)"], "git log `curl evil.test`", False),
        (["Bash(git *)"], 'git log "$(curl evil.test)"', False),
        (["Bash(git *)"], "git log > ~/.bashrc", False),
        (["Bash(git *)"], "git log < /etc/passwd", False),
        (["Bash(git *)"], "git log <(curl evil.test)", False),
        (["Bash(git *)"], "GIT_PAGER=evil git log", False),
        (["Bash(git *)"], "git log $X", False),
        (["Bash(git *)"], "git log #'\nrm -rf x #'", False),
        (["Bash(git *)"], "'git status'", False),
        (["Bash(git *)"], "git log \\\nrm", False),
        (["Bash(git *)"], "(git log)", False),
        (["Bash(git *)"], "git() { rm x; }; git log", False),
        (["Bash(git *)"], "function git { rm x; }; git log", False),
        (["Bash(git *)"], "alias git=rm; git x", False),
        (["Bash(git *)"], "git log 'open", False),
        (["Bash(git *)"], "", False),
        (["Bash(unsandboxed)"], "anything $(at all)", True),
        (["Read"], "git status", False),
    ],
)
def test_command_is_allowed_only_if_every_part_is(
    ask: Ask, rules: list[str], command: str, allowed: bool
) -> None:
    assert ask("$", shell(command), allow=rules).decision == ("allow" if allowed else "ask")


@pytest.mark.parametrize(
    "command",
    [
        "rm -rf x",
        "git status; rm -rf x",
        "git status && sudo rm -rf x",
        "echo $(rm -rf x)",
        'echo "`rm -rf x`"',
        "sh -c 'rm -rf x'",
        "X=1 rm x",
        "/bin/rm x",
        "r\\m x",
        "if true; then rm x; fi",
        "find . | xargs rm",
        "rm",
    ],
)
@pytest.mark.parametrize("name", ["$", "Bash"])
def test_command_is_denied_if_any_part_is(ask: Ask, name: str, command: str) -> None:
    for rule in ("Bash(rm *)", "Bash(rm:*)", "Bash(rm*)"):
        assert ask(name, shell(command), allow=["Bash"], deny=[rule]).rule == rule
        assert ask(name, shell(command), allow=["Bash"], ask=[rule]).decision == "ask"


def test_denied_command_with_quotes_is_found_among_others(ask: Ask) -> None:
    rule = 'Bash(echo "a b")'
    assert ask("Bash", shell("ls; echo  'a b'"), deny=[rule]).decision == "deny"
    assert ask("Bash", shell("ls; echo 'a c'"), deny=[rule]).decision == "allow"


def test_denied_command_does_not_deny_others(ask: Ask) -> None:
    for command in ("ls", "git rm x", "grep rm x", "rmdir x", "echo 'form x'"):
        assert ask("Bash", shell(command), deny=["Bash(rm *)"]).decision == "allow", command


def test_without_sandbox_can_be_asked_about_or_denied_whatever_is_allowed(ask: Ask) -> None:
    rule = "Bash(unsandboxed)"
    assert ask("$", shell("ls"), allow=["Bash"], ask=[rule]).decision == "ask"
    assert ask("$", shell("ls"), allow=["Bash(ls *)"], deny=[rule]).decision == "deny"
    assert ask("Bash", shell("ls"), deny=[rule]).decision == "allow"


def test_question_about_a_command_names_the_rule_to_add(ask: Ask) -> None:
    assert "Bash(git *)" in ask("$", shell("git status")).explanation
    assert ask("$", shell("git status $X")).explanation.endswith("add the rule Bash")


def test_path_rule_does_not_bind_the_shell_by_chance(ask: Ask) -> None:
    assert ask("Bash", shell("ls"), deny=["Read(.env)", "Write(src/**)"]).decision == "allow"
    assert ask("Bash", shell("ls"), deny=["Write(**)"]).decision == "deny"


# --- malformed rules --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "rule",
    [
        "",
        " ",
        "Bash(",
        "Bash()",
        "Bash( )",
        "Bash(git *",
        "Bash git *",
        "Bash(git *) x",
        "(git *)",
        "Bash(:*)",
        "Bash( * )x",
        "mail.send(bob)",
        "mcp__github__*(x)",
        "WebFetch(example.org)",
        "WebFetch(domain:)",
        "WebFetch(url:example.org)",
        "WebFetch(domain:exa mple)",
        "Read(~bob/x)",
        "Write(a\0b)",
        "1st",
        "Read;Write",
    ],
)
@pytest.mark.parametrize("kind", ["allow", "ask", "deny"])
def test_malformed_rule_is_a_configuration_error_that_names_it(
    cwd: Path, home: Path, rule: str, kind: str
) -> None:
    with pytest.raises(ConfigError) as e:
        Permissions(**{kind: ["Read", rule]}, cwd=cwd, home=home)  # type: ignore[arg-type]
    assert repr(rule) in e.value.message
    assert e.value.hint


# --- approval ---------------------------------------------------------------------------------


async def test_nobody_to_ask_rejects_and_names_the_rule_to_add(
    ask: Ask, context: ToolContext
) -> None:
    arguments = shell("git push")
    request = ApprovalRequest(PLAIN, arguments, context, ask("$", arguments))
    answer = await reject_all(request)
    assert answer.decision == "reject"
    assert "Bash(git *)" in answer.explanation


# --- properties -------------------------------------------------------------------------------

RULES = [
    *("*", "Bash", "Read", "Write", "Edit", "Glob", "Grep", "WebFetch", "mail.*", "mcp__github"),
    *("Bash(git *)", "Bash(rm *)", "Bash(ls:*)", "Bash(* x)", "Bash(unsandboxed)"),
    *("Read(**)", "Read(/**)", "Read(src/**)", "Read(*.txt)", "Read(~/**)", "Grep(src/**)"),
    *("Write(**)", "Write(/**)", "Write(src/**)", "Edit(/etc/**)", "Write(~/notes/**)"),
    *("WebFetch(domain:example.org)", "WebFetch(domain:test)"),
]
CALLS: list[tuple[str, dict[str, Any]]] = [
    *((n, file(p)) for n in ("Read", "Write", "Edit") for p in ("a.txt", "src/b", "/etc/x")),
    *((n, file(p)) for n in ("Read", "Write") for p in ("~/.ssh/x", "~/notes/n", "../work/src/x")),
    *((n, {"pattern": "x", "path": p}) for n in ("Glob", "Grep") for p in ("src", "/", "a.txt")),
    *((n, shell(c)) for n in ("$", "Bash") for c in ("git status", "ls; rm x", "git $(rm x)")),
    *(("WebFetch", {"url": u}) for u in ("https://example.org/", "http://a.test/")),
    ("mail.send", {"to": "bob"}),
    ("mcp__github__close_issue", {"number": 1}),
    ("folder.tidy", {"path": "src"}),
    ("notes.add", {"path": "/etc/n"}),
]
some_rules = st.lists(st.sampled_from(RULES), max_size=4)


@anywhere
@given(call=st.sampled_from(CALLS), allow=some_rules, asking=some_rules, deny=some_rules)
def test_deny_always_wins_and_allow_never_lifts_it(
    ask: Ask,
    call: tuple[str, dict[str, Any]],
    allow: list[str],
    asking: list[str],
    deny: list[str],
) -> None:
    by_itself = ask(*call, deny=deny)
    together = ask(*call, allow=allow, ask=asking, deny=deny)
    if by_itself.rule in deny:
        assert (together.decision, together.rule) == ("deny", by_itself.rule)
    elif (alone := ask(*call, ask=asking)).rule in asking:
        assert together.decision in ("ask", "deny")
        assert together.rule == alone.rule
    if together.decision == "allow":
        assert not any(ask(*call, deny=[rule]).rule == rule for rule in [*deny, *asking])


def test_who_asks_to_be_asked_about_a_place_outside_is_asked(ask: Ask) -> None:
    assert ask("Write", file("/etc/x"), ask=["Write(/etc/**)"]).decision == "ask"
    assert ask("Write", file("/var/x"), ask=["Write(/etc/**)"]).decision == "deny"
    assert ask("Write", file("/etc/x"), ask=["Write"]).decision == "deny"


@anywhere
@given(call=st.sampled_from(CALLS), some=some_rules, more=some_rules)
def test_more_allow_rules_never_allow_less_and_more_deny_rules_never_more(
    ask: Ask, call: tuple[str, dict[str, Any]], some: list[str], more: list[str]
) -> None:
    rank = {"deny": 0, "ask": 1, "allow": 2}
    before = rank[ask(*call, allow=some).decision]
    assert rank[ask(*call, allow=[*some, *more]).decision] >= before
    assert rank[ask(*call, allow=some, deny=more).decision] <= before
    questions = [rule for rule in more if not rule.startswith(("Write(", "Edit("))]
    assert rank[ask(*call, allow=some, ask=questions).decision] <= before


PIECES = [
    *("..", ".", "", "src", "new", "out", "up", "far", "loop", "deep", "file.txt", "...", " "),
    *("~", "~root", "caf\u00e9", "cafe\u0301", "\u2025", "\uff0e\uff0e", "%2e%2e", "..\u200b"),
    *("src/../..", "out/..", "up/..", "a\nb", "-rf", "*", "\\", "..\\..", "\u202e", "SRC"),
]


@pytest.fixture
def maze(cwd: Path, tmp_path: Path) -> Path:
    """A working directory with links that lead out, up and around; returns what lies outside."""
    outside = tmp_path / "outside"
    (outside / "deep").mkdir(parents=True)
    (outside / "file.txt").write_text("precious")
    (cwd / "out").symlink_to(outside)
    (cwd / "far").symlink_to("../outside/deep")
    (cwd / "up").symlink_to("..")
    (cwd / "loop").symlink_to("loop")
    (cwd / "src" / "out").symlink_to("../out/deep")
    (cwd / "deep").mkdir()
    (cwd / "deep" / "file.txt").symlink_to("../../outside/file.txt")
    (cwd / "caf\u00e9").symlink_to(outside)
    return outside


def snapshot(*folders: Path) -> dict[str, object]:
    seen: dict[str, object] = {}
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.is_symlink() or not path.is_file():
                seen[str(path)] = os.readlink(path) if path.is_symlink() else "folder"
            else:
                seen[str(path)] = path.read_bytes()
    return seen


@anywhere
@given(pieces=st.lists(st.sampled_from(PIECES), min_size=1, max_size=6), absolute=st.booleans())
async def test_no_spelling_of_a_path_writes_outside_the_working_directory(
    context: ToolContext,
    cwd: Path,
    home: Path,
    person: Path,
    maze: Path,
    pieces: list[str],
    absolute: bool,
) -> None:
    path = "/".join([str(cwd), *pieces] if absolute else pieces)
    permissions = Permissions(["Write", "Read", "Write(**)"], cwd=cwd, home=home)
    write = TOOLS.get("Write")
    arguments = {"file_path": path, "content": "overwritten"}
    if permissions.decide(write, arguments, context).decision != "allow":
        return
    before = snapshot(maze, home, person)
    with contextlib.suppress(ToolFailed):
        await invoke(write, context, write.validate(arguments), 20.0)
    assert snapshot(maze, home, person) == before
    assert sorted(p.name for p in cwd.parent.iterdir()) == sorted(
        ["alice", "llmos-home", "outside", "work"]
    )


@anywhere
@given(pieces=st.lists(st.sampled_from(PIECES), min_size=1, max_size=6))
def test_write_is_allowed_exactly_where_the_path_really_lies_inside(
    ask: Ask, cwd: Path, maze: Path, pieces: list[str]
) -> None:
    path = "/".join(pieces)
    real = os.path.join(cwd, os.path.expanduser(path)) if path else "/"
    while real != os.path.realpath(real):  # after a link in a circle it takes more than one go
        real = os.path.realpath(real)
    inside = real == str(cwd) or real.startswith(f"{cwd}/")
    assert (ask("Write", file(path)).decision == "allow") is inside
