"""The gates of a promotion, each by what it must not let through."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmos.evolution.gates import (
    Light,
    Rule,
    capability_gate,
    consent_gate,
    privacy_gate,
    proof_gate,
    use_gate,
)
from llmos.evolution.reproof import Reproof
from llmos.evolution.standing import Standing
from llmos.values import Effect

TEAM = Rule(5, 0.95)
SYSTEM = Rule(5, 0.95, 3)


@pytest.mark.parametrize(
    ("done", "light"),
    [
        (Standing(4, 4, 1), Light.RED),
        (Standing(5, 5, 1), Light.GREEN),
        (Standing(20, 19, 2), Light.RED),  # 95 % is not more than 95 %
        (Standing(21, 20, 2), Light.GREEN),
        (Standing(0, 0, 0), Light.RED),
    ],
)
def test_five_uses_of_which_more_than_95_percent_are_good_open_the_way_to_a_team(
    done: Standing, light: Light
) -> None:
    assert use_gate(done, TEAM).light is light


def test_three_users_are_needed_for_the_system() -> None:
    assert use_gate(Standing(50, 50, 2), SYSTEM).light is Light.RED
    assert use_gate(Standing(50, 50, 3), SYSTEM).light is Light.GREEN


def test_users_who_only_say_who_they_are_need_a_persons_look() -> None:
    gate = use_gate(Standing(50, 50, 3), Rule(5, 0.95, 3, authenticated=False))
    assert (gate.light, gate.who) == (Light.REVIEW, "target")


def test_a_tool_that_is_not_in_use_or_contradicted_is_not_proven() -> None:
    held = Reproof(("A",), ("alice",))
    assert proof_gate(True, 0.01, 0.01, held).light is Light.GREEN
    assert proof_gate(False, 0.01, 0.01, held).light is Light.RED
    assert proof_gate(True, 0.011, 0.01, held).light is Light.RED
    assert proof_gate(True, 0.01, 0.01, Reproof()).light is Light.RED
    assert proof_gate(True, 0.01, 0.01, Reproof(("A",), ("alice",), ("B",))).light is Light.RED


def test_what_only_one_user_holds_is_shown_to_that_user_first() -> None:
    gate = privacy_gate(["Project Falcon"], "alice")
    assert (gate.light, gate.who) == (Light.REVIEW, "owner")
    assert "Project Falcon" in gate.why


def test_a_secret_leaves_no_volume_and_is_not_told_in_the_reason() -> None:
    secret = "sk-ant-api03-" + "Zq8vK3mT9xLw2Rb7Yd4NfHs6" * 2
    gate = privacy_gate([secret], "alice")
    assert gate.light is Light.RED
    assert secret not in gate.why


def test_a_secret_that_two_users_hold_is_one() -> None:
    secret = "sk-ant-api03-" + "Zq8vK3mT9xLw2Rb7Yd4NfHs6" * 2
    gate = privacy_gate([], "alice", [f'key = "{secret}"'])
    assert gate.light is Light.RED
    assert secret not in gate.why and "[redacted:" in gate.why


def test_what_changes_the_world_outside_needs_a_look_at_the_target() -> None:
    known = {"note.post": Effect.WRITE, "courier.order": Effect.EXTERNAL}
    assert capability_gate(["note.post"], known).light is Light.GREEN
    gate = capability_gate(["courier.order", "note.post"], known)
    assert (gate.light, gate.who) == (Light.REVIEW, "target")
    assert capability_gate(["unknown.tool"], known).light is Light.RED


def test_what_is_private_stays() -> None:
    assert consent_gate(True).light is Light.RED
    assert consent_gate(False).light is Light.GREEN


@given(st.integers(0, 500), st.integers(0, 500), st.integers(1, 9))
def test_the_interval_holds_the_rate_and_shrinks_with_uses(n: int, k: int, users: int) -> None:
    uses, good = max(n, k), min(n, k)
    done = Standing(uses, good, users)
    low, high = done.interval
    assert 0.0 <= low <= done.success <= high <= 1.0 or not uses
    more = Standing(10 * uses, 10 * good, users).interval
    assert more[1] - more[0] <= high - low + 1e-9
