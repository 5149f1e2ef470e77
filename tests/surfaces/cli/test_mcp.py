"""``llmos mcp`` as people use it, with a real server."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from llmos.config import config_path
from tests.plugins.mcp.at_url import desk
from tests.plugins.mcp.conftest import Odd
from tests.surfaces.cli.conftest import Cli


@pytest.fixture
def odd(tmp_path: Path) -> Odd:
    return Odd(tmp_path / "odd.json")


def test_a_server_from_its_command_to_its_removal(cli: Cli, odd: Odd, home: Path) -> None:
    assert "No MCP servers" in cli("mcp").out
    command = [odd.raw["command"], *odd.raw["args"]]
    said = cli("mcp", "add", "bank", "--env", "TOKEN=t0p", "--", *command)
    assert said.code == 0, said.err
    assert "bank.pay" in said.out and "external" in said.out and "readOnlyHint=true" in said.out
    (row,) = cli("mcp", "list", "--json").json
    assert (row["name"], row["tools"], row["transport"]) == ("bank", 1, "stdio")
    shown = cli("mcp", "show", "bank")
    assert "TOKEN=***" in shown.out and "t0p" not in shown.out
    assert "t0p" not in cli("config", "show", "--json").out
    assert cli("mcp", "trust", "bank", "pay", "--effect", "read").code == 0
    (tool,) = cli("mcp", "tools", "bank", "--json").json["tools"]
    assert (tool["effect"], tool["trusted"][:5]) == ("read", "read@")
    assert "bank.pay" in cli("doctor", "--json").out
    assert cli("mcp", "remove", "bank", "--json").json == {"removed": "bank"}
    assert cli("mcp", "list", "--json").json == []
    assert "mcp_servers" not in config_path(home).read_text()
    assert list((home / "mcp").iterdir()) == []


def test_servers_of_another_program_are_taken_over(cli: Cli, odd: Odd, tmp_path: Path) -> None:
    file = tmp_path / "mcp.json"
    entries = {
        "my bank": {**odd.raw, "env": {"TOKEN": "${TOKEN}"}, "autoApprove": ["pay"]},
        "off": {"type": "http", "url": "http://127.0.0.1:9/mcp", "disabled": True},
        "old": {"type": "sse", "url": "http://127.0.0.1:9/sse"},
    }
    file.write_text(json.dumps({"mcpServers": entries}))
    said = cli("mcp", "import", str(file), "--json")
    assert said.code == 1
    assert [(r["name"], r["outcome"]) for r in said.json] == [
        *(("my-bank", "new"), ("off", "new"), ("old", "refused"))
    ]
    assert "autoApprove" in said.json[0]["told"]
    assert odd.noted("started") == [], "none is started"
    assert cli("mcp", "import", str(file), "--json").json[0]["outcome"] == "kept"
    assert "off (off)" in cli("mcp").out


def test_what_cannot_be_is_told(cli: Cli, odd: Odd, tmp_path: Path) -> None:
    for words in (
        ("mcp", "show", "nobody"),
        ("mcp", "add", "x"),
        ("mcp", "add", "x", "--env", "nothing", "--", "true"),
        ("mcp", "add", "a.b", "--", "true"),
        ("mcp", "remove", "nobody"),
        ("mcp", "import", str(tmp_path / "nothing.json")),
    ):
        assert cli(*words).code == 2, words
    assert cli("mcp", "add", "bank", "--", *[odd.raw["command"], *odd.raw["args"]]).code == 0
    assert "llmos mcp remove bank" in cli("mcp", "add", "bank", "--", "true").err
    assert "tools: pay" in cli("mcp", "trust", "bank", "get", "--effect", "read").err
    assert "not an effect" in cli("mcp", "trust", "bank", "pay", "--effect", "safe").err


def test_comments_beside_a_server_stay(cli: Cli, odd: Odd, home: Path) -> None:
    home.mkdir()
    config_path(home).write_text('# mine\n[mcp_servers.shop]  # the shop\nurl = "http://h/mcp"\n')
    cli("mcp", "add", "bank", "--", odd.raw["command"], *odd.raw["args"])
    cli("mcp", "remove", "bank")
    text = config_path(home).read_text()
    assert "# mine" in text and "# the shop" in text and "bank" not in text
    cli("config", "set", "max_calls", "7")
    assert [r["name"] for r in cli("mcp", "list", "--json").json] == ["shop"]
    assert {s["name"]: s["value"] for s in cli("config", "show", "--json").json}["max_calls"] == 7


def test_a_token_is_kept_out_of_the_settings(
    cli: Cli, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with desk() as shop:
        add = ("mcp", "add", "shop", "--url", shop.url, "--header")
        refused = cli(*add, "Authorization=Bearer t0p")
        assert refused.code == 2 and "export SHOP_AUTHORIZATION=" in refused.err
        assert not config_path(home).exists() or "t0p" not in config_path(home).read_text()
        monkeypatch.setenv("SHOP_TOKEN", "t0p")
        added = cli(*add, "Authorization=Bearer ${SHOP_TOKEN}")
        assert added.code == 0, added.err
        assert "shop.pay" in added.out and "external" in added.out
        assert shop.authorization == {"Bearer t0p"}
        assert "t0p" not in config_path(home).read_text()
        shop.status = {"initialize": 401, "server/discover": 401}
        assert "OAuth logins are not spoken" in cli("mcp", "tools", "shop").err
    file = tmp_path / "mcp.json"
    entry = {"url": "http://127.0.0.1:9/mcp", "headers": {"X-Api-Key": "t0p", "X-Team": "crew"}}
    file.write_text(json.dumps({"mcpServers": {"desk": entry}}))
    (taken,) = cli("mcp", "import", str(file), "--json").json
    assert taken["outcome"] == "new" and taken["told"].endswith("the header X-Api-Key")
