"""``llmos budget quota`` as people use it."""

from __future__ import annotations

from tests.surfaces.cli.conftest import Cli


def test_a_quota_is_set_changed_shown_and_lifted(cli: Cli) -> None:
    assert "No quotas" in cli("budget", "quota").out
    said = cli("budget", "quota", "user:alice", "--runs", "2", "--json")
    assert said.json == {"user:alice": {"runs": 2}}
    cli("budget", "quota", "user:alice", "--usd-per-day", "1.5")
    assert cli("budget", "quota", "--json").json == {"user:alice": {"runs": 2, "usd_per_day": 1.5}}
    assert "$1.50" in cli("budget", "quota").out
    assert cli("budget", "quota", "alice", "--runs", "2").code == 2
    assert cli("budget", "quota", "user:alice", "--none").code == 0
    assert cli("budget", "quota", "--json").json == {}
