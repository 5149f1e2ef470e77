"""What the state turns: never laxer than configured, always bounded, always explained."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmos import LLMOSConfig
from llmos.sentience import SET_POINT, LatentMode, Policy, Valence, latent_mode, policy_of
from llmos.sentience.block import internal_state_block
from llmos.sentience.policy import HIGHEST_AUDIT_RATE, LEAST_ERROR_BUDGET, MOST_AUDITS
from llmos.sentience.valence import DIMENSIONS
from tests.sentience.test_valence import number, valences

configs = st.builds(
    LLMOSConfig,
    error_budget=st.floats(0, 1),
    audit_rate=st.floats(0, 1),
    audit_rate_external=st.floats(0, 1),
    learn_seconds=st.floats(0, 100),
)


@given(valences, configs)
def test_whatever_the_state_nothing_is_laxer_than_configured(v: Valence, c: LLMOSConfig) -> None:
    governed = policy_of(v).governed(c)
    assert LEAST_ERROR_BUDGET * c.error_budget - 1e-12 <= governed.error_budget <= c.error_budget
    for name in ("audit_rate", "audit_rate_external"):
        was, now = getattr(c, name), getattr(governed, name)
        assert was <= now <= max(was, min(HIGHEST_AUDIT_RATE, MOST_AUDITS * was))
    assert 0.25 * c.learn_seconds <= governed.learn_seconds <= 1.5 * c.learn_seconds
    assert 0.25 * c.cron_runs - 1 <= governed.cron_runs <= 1.5 * c.cron_runs + 1
    knobs = ("error_budget", "audit_rate", "audit_rate_external", "learn_seconds", "cron_runs")
    assert replace(governed, **{k: getattr(c, k) for k in knobs}) == c


@given(valences)
def test_every_knob_is_bounded_and_says_which_number_moved_it(v: Valence) -> None:
    policy = policy_of(v)
    assert 0.25 <= policy.exploration.value <= 1
    assert policy.approvals.value == (v.safety < 0)
    names = [d.replace("_", "-") for d in DIMENSIONS]
    for knob in policy.knobs:
        assert any(knob.why.removeprefix("as configured: ").startswith(f"{n} is") for n in names)
        assert knob.why.startswith("as configured") != knob.moved
        assert "\n" not in knob.why


def test_at_the_set_points_every_knob_is_exactly_as_configured() -> None:
    config = LLMOSConfig()
    policy = policy_of(SET_POINT)
    assert not any(knob.moved for knob in policy.knobs)
    assert policy.governed(config) is config
    assert (policy.ask_before_external, policy.told) == ("", "")


@given(valences, number)
def test_less_safety_never_means_less_care(v: Valence, other: float) -> None:
    less, more = sorted((v.safety, other))
    low, high = policy_of(replace(v, safety=less)), policy_of(replace(v, safety=more))
    assert low.error_budget.value <= high.error_budget.value
    assert low.audit_rate.value >= high.audit_rate.value
    assert low.approvals.value >= high.approvals.value
    assert low.exploration.value <= high.exploration.value


@given(valences, number)
def test_less_energy_never_means_more_work(v: Valence, other: float) -> None:
    less, more = sorted((v.energy, other))
    low, high = policy_of(replace(v, energy=less)), policy_of(replace(v, energy=more))
    if more < 0.4:
        assert low.cron_budget.value <= high.cron_budget.value
    assert low.exploration.value <= high.exploration.value


def test_who_wants_no_audits_gets_none() -> None:
    worst = policy_of(Valence(-1, -1, -1, -1))
    assert worst.governed(LLMOSConfig(audit_rate=0.0)).audit_rate == 0.0


def test_one_violation_makes_audits_many_times_as_frequent_and_is_told() -> None:
    policy = policy_of(Valence(safety=0.35))
    assert policy.audit_rate.value == pytest.approx(10.6)
    assert policy.audit_rate.why == "safety is 0.35 (set-point 0.5), so that audits are 10.6 times"
    assert policy.governed(LLMOSConfig()).audit_rate == pytest.approx(0.212)
    assert not policy.approvals.moved


@pytest.mark.parametrize(
    ("valence", "mode"),
    [
        (SET_POINT, LatentMode.BALANCED),
        (Valence(energy=-0.51), LatentMode.RECOVERY),
        (Valence(safety=-0.51), LatentMode.RECOVERY),
        (Valence(energy=-0.5, safety=-0.5), LatentMode.CAUTIOUS),
        (Valence(safety=-0.01, curiosity=1), LatentMode.CAUTIOUS),
        (Valence(safety=0, curiosity=0.31), LatentMode.AUTO_CREATIVE),
        (Valence(curiosity=0.31, self_confidence=0.1), LatentMode.BALANCED),
        (Valence(curiosity=-0.31), LatentMode.AUTO_CONTAINED),
        (Valence(self_confidence=-0.21), LatentMode.AUTO_CONTAINED),
        (Valence(curiosity=-0.3, self_confidence=-0.2), LatentMode.BALANCED),
    ],
)
def test_the_modes_are_those_of_the_design(valence: Valence, mode: LatentMode) -> None:
    assert latent_mode(valence) is mode
    assert policy_of(valence).mode is mode


def test_curiosity_gives_background_work_more_time_but_never_money() -> None:
    policy = policy_of(Valence(curiosity=1.0))
    assert (policy.cron_budget.value, policy.exploration.value) == (1.5, 1.0)
    assert "curiosity is 1.00" in policy.cron_budget.why


def test_the_policy_as_json_names_every_knob() -> None:
    told = Policy.as_dict(policy_of(Valence(safety=-0.2)))
    assert told["mode"] == "CAUTIOUS"
    assert list(told["knobs"]) == [
        "error_budget",
        "audit_rate",
        "cron_budget",
        "exploration",
        "approvals",
    ]
    assert told["knobs"]["approvals"]["moved"] is True


@given(valences)
def test_the_block_for_the_model_is_short_and_names_mode_and_numbers(v: Valence) -> None:
    block = internal_state_block(v)
    assert block.startswith("[INTERNAL_STATE]\n") and block.endswith("\n[/INTERNAL_STATE]")
    assert latent_mode(v).value in block and all(d in block for d in DIMENSIONS)
    assert len(block) < 260
