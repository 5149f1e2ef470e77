"""How the internal state is shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from llmos.config import LLMOSConfig
from llmos.sentience import SET_POINT, InternalState, Moment, Opportunity, Policy
from llmos.sentience.modes import MEANING
from llmos.sentience.valence import DIMENSIONS
from llmos.surfaces.cli.output import (
    dollars,
    duration,
    one_line,
    out,
    print_table,
    printable,
    short,
    when,
)
from llmos.values import Json

if TYPE_CHECKING:
    from llmos.boot import LLMOS

_GAUGE = 21
"""Characters from -1 to 1; an odd number, so that 0 is one of them."""
_PLOTTED = 60
"""Columns of the plot."""
_BLOCKS = "▁▂▃▄▅▆▇█"
_TOLD = 3
"""Opportunities that are told."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What is shown: the state, what led to it, what follows."""

    state: InternalState
    config: LLMOSConfig
    """The settings of the home."""
    moments: Sequence[Moment]
    """What moved the state, the newest first."""
    opportunities: Sequence[Opportunity]

    @classmethod
    def of(cls, os: LLMOS) -> Standing:
        """That of the user.

        Args:
            os: Booted.
        """
        kernel = os.kernel
        return cls(
            kernel.get_internal_state(),
            kernel.config,
            kernel.get_state_history(1000),
            kernel.detect_improvement_opportunities(),
        )

    @property
    def policy(self) -> Policy:
        """What the numbers yield; where that is turned off, what they would."""
        return self.state.policy

    def as_dict(self, limit: int) -> dict[str, Json]:
        """The standing as JSON.

        Args:
            limit: How many moments.
        """
        return {
            "enabled": self.config.enable_sentience,
            "values": self.state.valence.as_dict(),
            "set_points": SET_POINT.as_dict(),
            "cost": self.state.valence.cost,
            **self.policy.as_dict(),
            "effective": {name: value for name, value, _ in _effective(self)},
            "history": [m.as_dict() for m in self.moments[:limit]],
            "opportunities": [o.as_dict() for o in self.opportunities],
        }


def show_standing(standing: Standing, limit: int) -> None:
    """Print numbers, mode, knobs, a plot of what was, and what could be better.

    Args:
        standing: What to show.
        limit: How many moments are listed.
    """
    console = out()
    mode = standing.state.mode
    console.print(f"{mode.value}: {MEANING[mode]}")
    if not standing.config.enable_sentience:
        off = "! it is turned off, and nothing goes by it: llmos config set enable_sentience true"
        console.print(off, style="yellow")
    console.print()
    numbers = zip(DIMENSIONS, standing.state.valence.numbers, SET_POINT.numbers, strict=True)
    rows = [(_name(n), f"{v:.2f}", f"{s:.1f}", gauge(v, s)) for n, v, s in numbers]
    print_table(("", ">IS", ">SET-POINT", "-1 … 1"), rows)
    console.print()
    print_table(("KNOB", "IS", "WHY"), [(_name(n), v, why) for n, v, why in _effective(standing)])
    if standing.moments:
        _show_moments(standing.moments, limit)
    if standing.opportunities:
        console.print("\nWhat could be better:")
        for found in standing.opportunities[:_TOLD]:
            told = f"{one_line(found.subject, 80)}: {found.told}"
            runs = ", ".join(short(i) for i in found.trace_ids)
            console.print(f"- {printable(told)} ({dollars(found.cost_usd)}; runs {runs})")


def _show_moments(moments: Sequence[Moment], limit: int) -> None:
    console = out()
    series = zip(*(m.valence.numbers for m in reversed(moments)), strict=True)
    console.print()
    lines = [(_name(n), plot(values)) for n, values in zip(DIMENSIONS, series, strict=True)]
    count = "the last event" if len(moments) == 1 else f"the last {len(moments)} events"
    print_table(("", f"{count} that moved it, oldest first"), lines)
    console.print()
    header = ("WHEN", *(f">{_name(n).upper()}" for n in DIMENSIONS), "WHAT HAPPENED")
    print_table(header, [_cells(m) for m in moments[:limit]])


def _cells(moment: Moment) -> tuple[str, ...]:
    happened = ", ".join(t.value.replace("_", " ") for t in moment.triggers) or "nothing of note"
    return (when(moment.at), *(f"{n:+.2f}" for n in moment.valence.numbers), happened)


def gauge(value: float, set_point: float) -> str:
    """A number between -1 and 1 on a line, with its set-point: ``─────────┼────●─``."""
    line = ["─"] * _GAUGE
    line[_place(set_point)] = "┼"
    line[_place(value)] = "●"
    return "".join(line)


def plot(values: Sequence[float]) -> str:
    """Numbers between -1 and 1 as one line of blocks; each is the mean of its share of them."""
    columns = min(len(values), _PLOTTED)
    edges = [round(k * len(values) / columns) for k in range(columns + 1)] if columns else []
    shares = [values[a:b] for a, b in pairwise(edges)]
    means = [sum(share) / len(share) for share in shares]
    return "".join(_BLOCKS[min(7, int((mean + 1) * 4))] for mean in means)


def _place(value: float) -> int:
    return round((value + 1) / 2 * (_GAUGE - 1))


def _name(name: str) -> str:
    return name.replace("_", "-") if name == "self_confidence" else name.replace("_", " ")


def _effective(standing: Standing) -> list[tuple[str, str, str]]:
    """Each knob with the setting that it comes to, and why."""
    policy, config = standing.policy, standing.config
    now = policy.governed(config)
    rates = f"{now.audit_rate:.1%}, {now.audit_rate_external:.1%} of external writes"
    asks = "every external write asks" if policy.approvals.moved else "as the rules say"
    is_now = (
        f"{now.error_budget:.4f} of {config.error_budget:.4f}",
        rates,
        f"{duration(now.learn_seconds)} of {duration(config.learn_seconds)} for each search",
        f"{dollars(config.max_cost_usd * policy.exploration.value)} for proposals of a model",
        asks,
    )
    knobs = zip(policy.knobs, is_now, strict=True)
    return [(knob.name, value, knob.why) for knob, value in knobs]
