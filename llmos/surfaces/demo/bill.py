"""What both times took and what the second one saved, computed from the store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from llmos.evolution.tool import TOOL
from llmos.surfaces.demo.price import Price, dollars
from llmos.surfaces.demo.scene import Scene, Served, Twice
from llmos.surfaces.demo.teller import Teller
from llmos.values import Json


@dataclass(frozen=True, slots=True)
class Line:
    """One job: the first run against the second."""

    job: str
    first_tokens: int
    first_usd: float
    """What was paid for it; where that was nothing, what it would cost at the price."""
    first_seconds: float
    second_tokens: int
    second_usd: float
    second_seconds: float
    """With the check."""


@dataclass(frozen=True, slots=True)
class Free:
    """A new goal that a learned tool has done. Nothing is said to be saved by it."""

    goal: str
    tool: str
    """Name and version."""
    tokens: int
    usd: float
    seconds: float
    """With the check."""


@dataclass(frozen=True, slots=True)
class Bill:
    """All jobs that were done twice, and all new goals that learned tools have done."""

    lines: tuple[Line, ...]
    free: tuple[Free, ...]
    first_column: str
    """What the dollars of the first runs are."""
    time_column: str
    ledger_usd: float
    """What the ledger says was spent in all."""

    @classmethod
    def of(
        cls, scene: Scene, twice: Sequence[Twice], served: Sequence[Served], price: Price
    ) -> Bill:
        """Read it from the store."""
        paid = any(t.trace.cost_usd for t in twice)
        return cls(
            tuple(_line(scene, t, price) for t in twice),
            tuple(_free(scene, s) for s in served),
            "paid" if paid else f"at {price.model}",
            "time" if scene.live else "time as recorded",
            scene.following.kernel.economy.status("system").spent_usd,
        )

    @property
    def total(self) -> Line:
        """All lines together."""
        return Line(
            "all",
            sum(line.first_tokens for line in self.lines),
            sum(line.first_usd for line in self.lines),
            sum(line.first_seconds for line in self.lines),
            sum(line.second_tokens for line in self.lines),
            sum(line.second_usd for line in self.lines),
            sum(line.second_seconds for line in self.lines),
        )

    def show(self, teller: Teller) -> None:
        """Tell it."""
        first = ("first: tokens", self.first_column, self.time_column)
        head = ("", *first, "second: tokens", "cost", "time with check")
        total = self.total
        teller.table(head, [_cells(line) for line in self.lines], total=_cells(total))
        teller.say(
            f"Saved, if a model had worked again as it did the first time: "
            f"{total.first_tokens - total.second_tokens:,} tokens, "
            f"{dollars(total.first_usd - total.second_usd)} ({self.first_column}), "
            f"{total.first_seconds - total.second_seconds:.1f} s."
        )
        self._show_free(teller)
        teller.say(f"Spent in all, says the ledger: {dollars(self.ledger_usd)}.")
        teller.claim(
            "the second time took no tokens and no money",
            bool(self.lines) and not total.second_tokens and not total.second_usd,
        )
        teller.claim(
            "neither did the new goals",
            bool(self.free) and not any(line.tokens or line.usd for line in self.free),
        )

    def _show_free(self, teller: Teller) -> None:
        total = Free(
            "all",
            "",
            sum(line.tokens for line in self.free),
            sum(line.usd for line in self.free),
            sum(line.seconds for line in self.free),
        )
        head = ("new goals", "tokens", "cost", "time with check")
        teller.table(head, [_free_cells(f) for f in self.free], total=_free_cells(total))
        teller.say(
            "No saving is claimed for these: the runs that their tools were learnt from were made "
            "for this demo, and nobody knows what a model would have taken."
        )

    def as_json(self) -> dict[str, Json]:
        """The form that ``--json`` prints."""
        total = self.total
        return {
            "lines": [asdict(line) for line in self.lines],
            "total": asdict(total),
            "free": [asdict(line) for line in self.free],
            "first_usd_is": self.first_column,
            "saved_tokens": total.first_tokens - total.second_tokens,
            "saved_usd": total.first_usd - total.second_usd,
            "saved_seconds": total.first_seconds - total.second_seconds,
            "spent_usd": self.ledger_usd,
        }


def _line(scene: Scene, t: Twice, price: Price) -> Line:
    first, second = t.trace, scene.following.traces.get(t.second.trace_id)
    recording = scene.recordings.get(t.job.name)
    return Line(
        t.job.name,
        first.usage.total_tokens,
        first.cost_usd or price.of(first.usage),
        # The store knows how long the recording took to play, which is not what the model took.
        recording.trace.duration_s if recording else first.duration_s,
        second.usage.total_tokens,
        second.cost_usd,
        second.duration_s,
    )


def _free(scene: Scene, served: Served) -> Free:
    stored = scene.following.traces.get(served.result.trace_id)
    return Free(
        stored.goal,
        stored.source.removeprefix(TOOL),
        stored.usage.total_tokens,
        stored.cost_usd,
        stored.duration_s,
    )


def _free_cells(line: Free) -> tuple[str, ...]:
    return (line.goal, f"{line.tokens:,}", dollars(line.usd), f"{line.seconds * 1000:.0f} ms")


def _cells(line: Line) -> tuple[str, ...]:
    return (
        line.job,
        f"{line.first_tokens:,}",
        dollars(line.first_usd),
        f"{line.first_seconds:.1f} s",
        f"{line.second_tokens:,}",
        dollars(line.second_usd),
        f"{line.second_seconds * 1000:.0f} ms",
    )
