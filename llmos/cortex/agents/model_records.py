"""What came of a user's runs under an agent, by the model that made them, read from the runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from llmos.cortex.agents.agent import Agent, parse
from llmos.cortex.agents.families import families
from llmos.cortex.agents.models import ModelChoice, choose_model, records_by_model
from llmos.cortex.agents.records import Run, runs_of
from llmos.cortex.agents.refining import is_same_but_model
from llmos.cortex.agents.registry import Agents, StoredAgent
from llmos.cortex.agents.selection import Record
from llmos.errors import UserError
from llmos.store import Store


@dataclass(frozen=True, slots=True)
class ModelRecords:
    """The runs under an agent and its versions that differ from it in their model alone."""

    runs: tuple[Run, ...]
    """The newest first."""
    wanted: Mapping[str, str]
    """Model that each version names, by its label."""
    current: str
    """The model that the agent works with now: that of its newest run; ``""`` before any."""

    @classmethod
    def of(cls, store: Store, agents: Agents, user_id: str, stored: StoredAgent) -> ModelRecords:
        """Read them.

        Args:
            store: Where runs are.
            agents: The user's.
            user_id: Whose runs.
            stored: The agent in its current version.
        """
        wanted = _versions(agents, stored)
        every = store.read(lambda c: runs_of(c, user_id))
        runs = tuple(run for run in every if run.agent in wanted and run.model)
        newest = next((run.model for run in runs if run.agent == stored.label), "")
        return cls(runs, wanted, newest)

    @property
    def records(self) -> Mapping[str, Record]:
        """What came of them, by model."""
        return records_by_model(self.runs)

    def choice(self) -> ModelChoice | None:
        """The model that should be used instead; see `choose_model`."""
        if not self.current or len({run.model for run in self.runs}) < 2:
            return None
        return choose_model(families(self.runs), self.current)

    def name_of(self, model: str, configured: str) -> str:
        """What an agent has to say to get a model, or ``""`` where that is not known.

        A processor reports models by other names than those that it takes. So what an agent has
        said and always got counts, then what the settings say, then the name itself where none has
        to name a provider.

        Args:
            model: The name that was reported.
            configured: The model of the settings.
        """
        got: dict[str, set[str]] = {}
        for run in self.runs:
            got.setdefault(self.wanted[run.agent], set()).add(run.model)
        said = [name for name, models in got.items() if name and models == {model}]
        if said:
            return said[0]
        if configured.partition(":")[2] == model or configured == model:
            return configured
        return "" if ":" in configured else model


def _versions(agents: Agents, stored: StoredAgent) -> dict[str, str]:
    name, found = stored.agent.name, {stored.label: stored.agent.model}
    for place in {row.place for row in agents.listed() if row.name == name}:
        for version in agents.history(name, place):
            agent = _parsed(str(version.content.get("text", "")))
            if agent is not None and is_same_but_model(stored.agent, agent):
                found[f"{name}@{version.digest[:12]}"] = agent.model
    return found


def _parsed(text: str) -> Agent | None:
    try:
        return parse(text)
    except UserError:
        return None
