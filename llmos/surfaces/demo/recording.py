"""Recordings: what a real model once did for a goal, with what it took, as JSON in the package.

`scripts/record_demo.py` makes them; nobody edits them by hand.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from importlib import resources

from llmos.cortex.processors import RecordedProcessor
from llmos.errors import IntegrityError
from llmos.kernel.places import Places
from llmos.values import Context, Effect, Json, Step, Trace, Usage, Verdict


@dataclass(frozen=True, slots=True)
class Recording:
    """One run of a model that passed its job's check."""

    job: str
    trace: Trace
    """In stored form, with ``$CWD`` and the like. Its cost is what the run cost, nothing for a
    model on one's own machine."""
    model: str
    """Name of the model, for people."""
    model_sha256: str
    """Digest of the model's file."""
    attempts: int
    """Runs it took until the check passed, that one included."""
    failures: Mapping[str, int] = field(default_factory=dict)
    """How the other runs ended: verdict to count."""
    machine: str = ""
    """What it ran on."""

    def as_json(self) -> dict[str, Json]:
        """The form in which it is kept."""
        trace = self.trace
        return {
            "job": self.job,
            "goal": trace.goal,
            "recorded_at": trace.now.isoformat(),
            "model": self.model,
            "model_sha256": self.model_sha256,
            "machine": self.machine,
            "attempts": self.attempts,
            "failures": dict(self.failures),
            "verdict": trace.verdict.value,
            "usage": asdict(trace.usage),
            "cost_usd": trace.cost_usd,
            "seconds": round(trace.duration_s, 1),
            "output": trace.output,
            "steps": [_step_as_json(step) for step in trace.steps],
        }

    @classmethod
    def from_json(cls, kept: Mapping[str, Json]) -> Recording:
        """The inverse of `as_json`."""
        trace = Trace(
            goal=kept["goal"],
            steps=tuple(_step_from_json(step) for step in kept["steps"]),
            output=kept["output"],
            verdict=Verdict(kept["verdict"]),
            now=datetime.fromisoformat(kept["recorded_at"]),
            model=kept["model"],
            usage=Usage(**kept["usage"]),
            cost_usd=kept["cost_usd"],
            duration_s=kept["seconds"],
        )
        facts = ("job", "model", "model_sha256", "attempts", "failures", "machine")
        return cls(trace=trace, **{name: kept[name] for name in facts})


def load(job: str) -> Recording | None:
    """The recording of a job, or None when it was never recorded.

    Raises:
        IntegrityError: The file is not one that the script has made.
    """
    file = resources.files(__package__) / "recordings" / f"{job}.json"
    if not file.is_file():
        return None
    try:
        return Recording.from_json(json.loads(file.read_text("utf-8")))
    except (ValueError, KeyError, TypeError) as e:
        raise IntegrityError(f"the recording {job}.json cannot be read: {e!r}") from e


def player(recordings: Mapping[str, Recording]) -> RecordedProcessor:
    """The processor that plays recordings, each in the working directory of its run."""
    return RecordedProcessor({r.trace.goal: r.trace for r in recordings.values()}, expand=expand)


def expand(value: Json, context: Context) -> Json:
    """``value`` with the folders of a run in place of ``$CWD`` and the like."""
    return Places.of(context.cwd).absolute(value)


def _step_as_json(step: Step) -> dict[str, Json]:
    return {
        "tool": step.tool,
        "arguments": dict(step.arguments),
        "observation": step.observation,
        "is_error": step.is_error,
        "effect": step.effect.value,
        "seconds": round(step.duration_s, 3),
    }


def _step_from_json(kept: Mapping[str, Json]) -> Step:
    return Step(
        kept["tool"],
        kept["arguments"],
        kept["observation"],
        kept["is_error"],
        Effect(kept["effect"]),
        duration_s=kept["seconds"],
    )
