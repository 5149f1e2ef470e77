"""A learned tool as a volume keeps it, and the shelf where goals find those that are active."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from llmos.errors import IntegrityError, PermissionDenied
from llmos.evolution.holes import Hole
from llmos.evolution.ir import Program, program_from
from llmos.evolution.optimize import Optimized
from llmos.evolution.prove import Proof
from llmos.evolution.relabel import relabelled, relabelled_proof
from llmos.evolution.templates import Index, Template
from llmos.values import ArtifactType
from llmos.volumes import Artifact, Status, Version, Volume

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
    abroad: str = ""
    """Why the tool is not at home where the goal was said; ``""``: it is."""

    def refusal(self, tools: Mapping[str, str], error_budget: float) -> str | None:
        """Why the goal is not served by this reading, or None.

        Args:
            tools: Digest of every tool that there is.
            error_budget: Risk up to which a tool runs without a model.
        """
        if self.abroad:
            return self.abroad
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

    A name in a nearer volume hides it in those farther away, also where the nearer tool is out of
    use: what its user has laid aside does not come back from elsewhere.

    Args:
        volumes: Where to look: the user's own, then those that are shared with the user.
    """

    volumes: Sequence[Volume]
    damaged: dict[str, str] = field(default_factory=dict)
    """Tools whose stored content is not what was stored: never run, whatever the goal."""
    _editions: list[_Edition | None] = field(default_factory=list)
    _tools: dict[str, LearntTool] = field(default_factory=dict)
    _index: Index = field(default_factory=Index)
    _numbers: dict[int, tuple[str, int]] = field(default_factory=dict)

    def tools(self) -> list[LearntTool]:
        """All active tools, as they are now."""
        self._refresh()
        return list(self._tools.values())

    def readings(self, goal: str) -> list[Reading]:
        """Every way to understand a goal, by tools of the nearest volumes first."""
        self._refresh()
        found = [
            (key, Reading(self._tools[key], self._numbers[id(template)][1], slots))
            for key, template, slots in self._index.parse(goal)
        ]
        # The sort is stable: within a volume the order is the index's.
        return [reading for _, reading in sorted(found, key=lambda f: int(f[0].partition("/")[0]))]

    def _refresh(self) -> None:
        editions = [_edition(k, volume) for k, volume in enumerate(self.volumes)]
        if editions == self._editions:
            return
        known = {tool.digest: tool for tool in self._tools.values()}
        self._tools, self.damaged = {}, {}
        names: set[str] = set()
        for k, volume in enumerate(self.volumes):
            edition = editions[k]
            if edition is None:
                continue
            there = volume.list_artifacts(ArtifactType.TOOL, limit=100_000)
            suspended = edition[1]
            for artifact in there:
                usable = artifact.status is Status.ACTIVE and artifact.current not in suspended
                if usable and artifact.name not in names:
                    self._put(k, volume, artifact, known)
            names |= {artifact.name for artifact in there}
        self._numbers = {
            id(template): (key, n)
            for key, tool in self._tools.items()
            for n, template in enumerate(tool.templates)
        }
        self._index = Index.of({key: list(t.templates) for key, t in self._tools.items()})
        self._editions = editions

    def _put(
        self, k: int, volume: Volume, artifact: Artifact, known: Mapping[str, LearntTool]
    ) -> None:
        tool = known.get(artifact.current)
        try:
            if tool is None or tool.name != artifact.name:
                tool = learnt(volume.get(ArtifactType.TOOL, artifact.name))
        except IntegrityError as e:
            self.damaged[artifact.name] = e.message
            return
        if tool is not None:
            self._tools[f"{k}/{artifact.name}"] = tool


_Edition = tuple[int, frozenset[str]]
"""State of a volume: the number of its last change, and the versions that are in doubt."""


def _edition(k: int, volume: Volume) -> _Edition | None:
    """What a shelf must know anew when it changes; None where its user may not look any more.

    In the user's own volume what is in doubt is quarantined at once.
    """
    try:
        return volume.edition(), volume.doubted() if k else frozenset()
    except PermissionDenied:
        return None
