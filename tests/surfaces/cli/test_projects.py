"""Projects at the command line."""

from __future__ import annotations

from pathlib import Path

from tests.surfaces.cli.conftest import Cli
from tests.surfaces.cli.test_prompt import HELLO, Model

KIND = "---\nname: kind\ndescription: For kindness.\n---\n\nBe kind.\n"


def test_a_first_use_is_told_and_a_slip_begins_nothing(cli: Cli, model: Model) -> None:
    model(HELLO)
    assert "new project web" in cli("run", HELLO.goal, "--project", "web").err
    assert "new project" not in cli("run", HELLO.goal, "--project", "web").err
    said = cli("run", HELLO.goal, "--project", "wbe")
    assert said.code == 2 and "did you mean --project web?" in said.err
    assert cli("facts", "add", "Always be brief", "--project", "webb").code == 2
    assert "did you mean web?" in cli("traces", "--project", "webb").err
    assert [p["name"] for p in cli("projects", "--json").json] == ["web"]
    assert cli("projects", "new", "webb").code == 0
    assert cli("facts", "add", "Always be brief", "--project", "webb").code == 0


def test_the_prompt_does_not_open_in_a_project_by_a_slip(cli: Cli, model: Model) -> None:
    model(HELLO)
    cli("projects", "new", "web")
    said = cli("interactive", "--project", "webb", stdin=f"{HELLO.goal}\n".encode())
    assert said.code == 2 and "did you mean --project web?" in said.err
    assert cli("traces", "--json").json == []


def test_projects_are_listed_shown_and_laid_aside(cli: Cli, model: Model) -> None:
    model(HELLO)
    assert "No project yet" in cli("projects").out
    for _ in range(2):
        cli("run", HELLO.goal, "--project", "web")
    cli("facts", "add", "Always be brief", "--project", "web")
    (web,) = cli("projects", "--json").json
    assert (web["runs"], web["free_runs"], web["free_share"], web["facts"]) == (2, 1, 0.5, 1)
    assert "50%" in cli("projects").out
    shown = cli("projects", "show", "web").out
    assert "Always be brief" in shown and HELLO.goal in shown
    told = cli("projects", "show", "web", "--json").json
    assert (len(told["newest_runs"]), len(told["facts_of_it"])) == (2, 1)
    assert cli("projects", "archive", "web").out == "project web is archived\n"
    told = cli("explain", "Say hi", "--project", "web")
    assert told.code == 0 and "llmos projects restore web" in " ".join(told.err.split())
    assert cli("projects", "--json").json == []
    assert cli("projects", "--all", "--json").json[0]["archived_at"]
    refused = cli("run", HELLO.goal, "--project", "web")
    assert refused.code == 2 and "llmos projects restore web" in refused.err
    assert cli("projects", "restore", "web").out == "project web is in use\n"
    missed = cli("projects", "show", "wbe")
    assert missed.code == 2 and "did you mean web?" in missed.err


def test_an_agent_of_a_project_is_made_general_and_taken_back(cli: Cli, cwd: Path) -> None:
    (cwd / "kind.md").write_text(KIND)
    cli("agents", "create", "--file", "kind.md", "--project", "web")
    names = [row["name"] for row in cli("agents", "--json").json]
    assert "kind" not in names
    (mine,) = [r for r in cli("agents", "--json", "--project", "web").json if r["name"] == "kind"]
    assert mine["owner"] == "alice:web"
    assert "1 agent" in cli("volumes", "show", "--project", "web").out
    assert cli("volumes", "promote", "kind").code == 2, "a project is to be named"
    said = cli("volumes", "promote", "kind", "--project", "web").out
    assert "kind" in [row["name"] for row in cli("agents", "--json").json]
    assert "nothing to do" in cli("volumes", "promote", "kind", "--project", "web").out
    cli("undo", said.split()[-1])
    assert "kind" not in [row["name"] for row in cli("agents", "--json").json]


def test_a_purge_in_a_project_is_of_what_the_project_has(cli: Cli, cwd: Path, model: Model) -> None:
    (cwd / "kind.md").write_text(KIND)
    cli("agents", "create", "--file", "kind.md")
    missed = cli("volumes", "purge", "kind", "--yes", "--project", "web")
    assert missed.code == 2 and "no artifact or run 'kind' in the volume of user" in missed.err
    cli("agents", "create", "--file", "kind.md", "--project", "web")
    gone = cli("volumes", "purge", "kind", "--yes", "--project", "web")
    assert gone.code == 0 and "project web would be deleted for good" in gone.out
    assert cli("agents", "show", "kind", "--in", "user").code == 0, "one's own is still there"
    model(HELLO)
    run = cli("run", HELLO.goal, "--project", "web", "--json").json["trace_id"]
    assert cli("volumes", "purge", run, "--yes", "--project", "web").code == 0
    assert cli("traces", "--json").json == []


def test_what_a_project_has_can_be_kept_private(cli: Cli, cwd: Path) -> None:
    (cwd / "kind.md").write_text(KIND)
    for more in ([], ["--project", "web"]):
        cli("agents", "create", "--file", "kind.md", *more)
    said = cli("volumes", "private", "on", "kind", "--project", "web")
    assert said.out.startswith("agent kind of project web is private\n")
    (kept,) = cli("volumes", "private", "--json").json
    assert (kept["kind"], kept["name"], kept["project"]) == ("artifact", "kind", "web")
    assert "kind of project web" in cli("volumes", "private").out
    assert "was private" not in cli("volumes", "private", "on", "kind").out, "one's own was not"
    cli("volumes", "private", "off", "kind", "--project", "web")
    assert [k["project"] for k in cli("volumes", "private", "--json").json] == [""]
    cli("volumes", "private", "on", "--project", "web")
    assert "the volume of project web" in cli("volumes", "private").out


def test_the_files_of_a_project_stand_within_those_of_its_user(
    cli: Cli, cwd: Path, home: Path
) -> None:
    (cwd / "kind.md").write_text(KIND)
    cli("agents", "create", "--file", "kind.md", "--project", "web")
    assert cli("volumes", "mirror", "--project", "web").code == 0
    mine = home / "workspace" / "volumes" / "users" / "alice"
    file = mine / "projects" / "web" / "agents" / "kind.md"
    assert file.read_text().endswith("Be kind.\n") and not list((mine / "agents").glob("*"))
    file.write_text(file.read_text().replace("Be kind.", "Be kinder."))
    assert cli("volumes", "push", "--project", "web").code == 0
    assert "Be kinder." in cli("agents", "show", "kind", "--project", "web").out
    assert cli("agents", "show", "kind").code == 2


def test_a_fact_of_one_project_is_made_to_hold_in_all(cli: Cli) -> None:
    fact = cli("facts", "add", "Always be brief", "--project", "web", "--json").json["fact"]
    said = cli("facts", "general", fact["id"][-6:], "--project", "web")
    assert said.code == 0
    (held,) = cli("facts", "--json").json
    assert (held["project"], held["sentence"]) == ("", "Always be brief")
    again = cli("facts", "general", held["id"])
    assert again.code == 2 and "holds in all projects already" in again.err


def test_an_agent_of_a_teams_project_is_for_its_members_in_that_project(
    cli: Cli, cwd: Path
) -> None:
    (cwd / "kind.md").write_text(KIND)
    alice = ("--team", "red", "--project", "web")
    assert cli("agents", "create", "--file", "kind.md", "--in", "team-project", *alice).code == 0
    bob = ("--user", "bob", "--team", "red")
    assert cli("agents", "show", "kind", *bob).code == 2
    assert "Be kind." in cli("agents", "show", "kind", *bob, "--project", "web").out
    assert cli("volumes", "promote", "kind", "team", *bob, "--project", "web").code == 2
    assert cli("volumes", "promote", "kind", "team", *alice).code == 0
    assert "Be kind." in cli("agents", "show", "kind", *bob).out
    missing = cli("agents", "show", "kind", "--in", "project")
    assert missing.code == 2 and "--project NAME" in missing.err
