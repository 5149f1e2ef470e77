"""The gates of a promotion: what must hold before a tool serves more people than its owner.

Beside the rule of use (often enough, good enough, by enough users) there are four: proof, privacy,
capability and consent. Each says what it looked at; one that is not green says who must act.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from llmos.evolution.reproof import Reproof
from llmos.evolution.standing import Standing
from llmos.memory.redact import redact_text
from llmos.values import Effect, Json

_SHOWN = 5
"""Constants that are named in a reason; the evidence holds all."""


_SECRET = re.compile(r"\[redacted:[^\]]*\]")
"""What stands in place of a secret."""


def _is_secret(text: str) -> bool:
    return redact_text(text) != text


class Light(StrEnum):
    """What a gate says."""

    GREEN = "green"
    REVIEW = "review"
    """A person must decide."""
    RED = "red"
    """Not now, whoever asks."""


@dataclass(frozen=True, slots=True)
class Gate:
    """One gate and what it found."""

    name: str
    light: Light
    why: str
    who: str = ""
    """Who must decide a review: ``owner`` of the source, or ``target``: who looks after it."""

    def as_dict(self) -> dict[str, Json]:
        """The gate as JSON."""
        return {"name": self.name, "light": self.light.value, "why": self.why, "who": self.who}


@dataclass(frozen=True, slots=True)
class Rule:
    """From when on a tool is shared; the defaults of each step are in `llmos.config`."""

    uses: int
    success: float
    users: int = 1
    authenticated: bool = True
    """Whether different users are known to be different people."""


def use_gate(standing: Standing, rule: Rule) -> Gate:
    """Whether a tool was used often and well enough, by enough users."""
    told = str(standing)
    if standing.uses < rule.uses or standing.users < rule.users:
        needed = f"{rule.uses} uses" + (f" by {rule.users} users" if rule.users > 1 else "")
        return Gate("use", Light.RED, f"{told}; {needed} are needed")
    if standing.success <= rule.success:
        return Gate("use", Light.RED, f"{told}; more than {rule.success:.0%} must be good")
    if rule.users > 1 and not rule.authenticated:
        why = f"{told}; that these are different people is only what they say of themselves"
        return Gate("use", Light.REVIEW, why, "target")
    return Gate("use", Light.GREEN, told)


def proof_gate(active: bool, risk: float, error_budget: float, reproof: Reproof) -> Gate:
    """Whether the tool is in use, and holds in the runs that the target can see."""
    if not active:
        return Gate("proof", Light.RED, "it is not in use where it comes from")
    if risk > error_budget + 1e-9:
        return Gate("proof", Light.RED, f"its risk of {risk:.4f} is over the error budget")
    if reproof.contradicted:
        return Gate("proof", Light.RED, f"it {reproof}")
    if not reproof.agreed:
        return Gate("proof", Light.RED, "no run that can be read there shows that it holds")
    return Gate("proof", Light.GREEN, f"it {reproof}; its risk is {risk:.4f}")


def privacy_gate(own: Sequence[str], owner: str, held: Sequence[str] = ()) -> Gate:
    """Whether the tool holds a secret, or something that only its owner's runs hold.

    Args:
        own: What of the tool's constants and wordings no other user's runs hold.
        owner: Whose runs.
        held: All that the tool holds, whoever else holds it: a secret of two is one.
    """
    found = (_SECRET.search(redact_text(text)) for text in (*held, *own) if _is_secret(text))
    secret = next((m.group() for m in found if m), None)
    if secret is not None:
        return Gate("privacy", Light.RED, f"it holds what looks like a secret ({secret})")
    if own:
        named = ", ".join(repr(t[:40]) for t in sorted(own)[:_SHOWN])
        more = f" and {len(own) - _SHOWN} more" if len(own) > _SHOWN else ""
        why = f"only runs of {owner} hold {named}{more}: {owner} must agree to share that"
        return Gate("privacy", Light.REVIEW, why, "owner")
    return Gate("privacy", Light.GREEN, "nothing in it is held by one user's runs alone")


def capability_gate(tools: Sequence[str], known: Mapping[str, Effect]) -> Gate:
    """Whether the tool calls only what may be called there without somebody's look at it.

    Args:
        tools: What it calls.
        known: Effect of every tool that there is.
    """
    absent = sorted(t for t in tools if t not in known)
    if absent:
        return Gate("capability", Light.RED, f"there is no tool {absent[0]!r} here")
    outward = sorted(t for t in tools if known[t] is Effect.EXTERNAL)
    if outward:
        why = f"{', '.join(outward)} changes what is outside this machine"
        return Gate("capability", Light.REVIEW, why, "target")
    return Gate("capability", Light.GREEN, f"it calls {', '.join(sorted(tools)) or 'nothing'}")


def consent_gate(private: bool) -> Gate:
    """Whether the owner has kept the tool, or a run that it was learnt from, to themselves."""
    if private:
        return Gate("consent", Light.RED, "its owner keeps it, or runs it was learnt from, private")
    return Gate("consent", Light.GREEN, "its owner keeps nothing of it private")
