"""A learned tool as a volume keeps it, and the shelf where goals find those that are active."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from llmos.errors import IntegrityError
from llmos.evolution.holes import Hole
from llmos.evolution.ir import Program, program_from
from llmos.evolution.optimize import Optimized
from llmos.evolution.prove import Proof
from llmos.evolution.relabel import relabelled, relabelled_proof
from llmos.evolution.templates import Index, Template
from llmos.values import ArtifactType
from llmos.volumes import Status, Version, Volume

TOOL = "tool:"
"""Prefix of the source of a run that a learned tool made; ``name@digest`` comes after it."""

NAMES, EXPRESSIONS = "names", "expressions"
"""What of a tool a model may have proposed."""


@dataclass(frozen=True)
class LearntTool:
    """One version of a learned tool."""

    name: str
    digest: str
    whole: Program
    """What was learnt."""
    optimized: Optimized
    """What is served of it."""
    templates: tuple[Template, ...]
    proof: Proof
    code: str
    """Python source for the sandbox."""
    function: str
    """The function in it."""
    parameters: Mapping[str, str]
    """Slot to parameter of the function."""
    tools: Mapping[str, str]
    """What it calls: tool to digest, as the traces had them."""
    cost_usd: float = 0.0
    """What the traces that it was learnt from have cost."""
    tokens: int = 0
    """Tokens of these traces."""
    holes: Mapping[str, Hole] = field(default_factory=dict)
    """What is left to a model, by place."""
    proposed_by: Mapping[str, str] = field(default_factory=dict)
    """What of it a model has proposed (`NAMES`, `EXPRESSIONS`): the processor and the model."""

    @classmethod
    def of(cls, version: Version) -> LearntTool:
        """The tool that a version holds."""
        content: Mapping[str, Any] = version.content
        labels: Mapping[str, str] = content.get("labels", {})
        whole = relabelled(program_from(content["program"]), labels)
        served = content.get("optimized")
        optimized = Optimized.from_json(whole, served) if served else Optimized(whole)
        return cls(
            version.name,
            version.digest,
            whole,
            optimized,
            tuple(Template.from_json(t).renamed(labels) for t in content["templates"]),
            relabelled_proof(Proof.from_json(content["proof"]), labels),
            content["code"],
            content["function"],
            content["parameters"],
            content["tools"],
            content["cost_usd"],
            content["tokens"],
            {h.place: h for h in map(Hole.from_json, content.get("holes", ()))},
            content.get("proposed_by", {}),
        )

    @property
    def program(self) -> Program:
        """What runs."""
        return self.optimized.program

    @property
    def label(self) -> str:
        """Name and version: ``name@digest``."""
        return f"{self.name}@{self.digest}"

    @property
    def mean_tokens(self) -> int:
        """What a run of the model cost on average, in tokens: what a run of the tool saves."""
        return round(self.tokens / max(1, self.proof.runs))

    @property
    def mean_cost_usd(self) -> float:
        """The same in dollars."""
        return self.cost_usd / max(1, self.proof.runs)


def learnt(version: Version) -> LearntTool | None:
    """The tool that a version holds; None where a person wrote it: nothing can run that."""
    try:
        return LearntTool.of(version)
    except (KeyError, TypeError, ValueError):
        return None


@dataclass(frozen=True)
class Reading:
    """One way to understand a goal: a tool, one of its templates, and what stands at the slots."""

    tool: LearntTool
    template: int
    slots: Mapping[str, str]

    def refusal(self, tools: Mapping[str, str], error_budget: float) -> str | None:
        """Why the goal is not served by this reading, or None.

        Args:
            tools: Digest of every tool that there is.
            error_budget: Risk up to which a tool runs without a model.
        """
        for name, digest in self.tool.tools.items():
            if name not in tools:
                return f"there is no tool {name!r} here"
            if digest not in ("", tools[name]):
                return f"the tool {name!r} has changed since"
        if self.tool.proof.risk > error_budget + 1e-9:  # at the budget is within it
            return f"its risk of {self.tool.proof.risk:.3f} is over the error budget"
        return self.tool.proof.refusal(self.tool.templates[self.template], self.slots)


@dataclass
class Shelf:
    """The active learned tools of some volumes, the nearest first.

    Args:
        volumes: Where to look.
    """

    volumes: Sequence[Volume]
    damaged: dict[str, str] = field(default_factory=dict)
    """Tools whose stored content is not what was stored: never run, whatever the goal."""
    _editions: list[int] = field(default_factory=list)
    _tools: dict[str, LearntTool] = field(default_factory=dict)
    _index: Index = field(default_factory=Index)
    _numbers: dict[int, tuple[str, int]] = field(default_factory=dict)

    def tools(self) -> list[LearntTool]:
        """All active tools, as they are now."""
        self._refresh()
        return list(self._tools.values())

    def readings(self, goal: str) -> list[Reading]:
        """Every way to understand a goal."""
        self._refresh()
        found = []
        for key, template, slots in self._index.parse(goal):
            found.append(Reading(self._tools[key], self._numbers[id(template)][1], slots))
        return found

    def _refresh(self) -> None:
        editions = [volume.edition() for volume in self.volumes]
        if editions == self._editions:
            return
        known = {tool.digest: tool for tool in self._tools.values()}
        self._tools, self.damaged = {}, {}
        for k, volume in enumerate(self.volumes):
            for artifact in volume.list_artifacts(ArtifactType.TOOL, Status.ACTIVE, limit=100_000):
                tool = known.get(artifact.current)
                try:
                    if tool is None:
                        tool = learnt(volume.get(ArtifactType.TOOL, artifact.name))
                except IntegrityError as e:
                    self.damaged[artifact.name] = e.message
                    continue
                if tool is None:
                    continue
                self._tools[f"{k}/{artifact.name}"] = tool
        self._numbers = {
            id(template): (key, n)
            for key, tool in self._tools.items()
            for n, template in enumerate(tool.templates)
        }
        self._index = Index.of({key: list(t.templates) for key, t in self._tools.items()})
        self._editions = editions
