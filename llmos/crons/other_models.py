"""Another model for an agent, suggested where the record of its runs speaks for it."""

from __future__ import annotations

from llmos.cortex.agents import Agents, StoredAgent
from llmos.cortex.agents.model_records import ModelRecords
from llmos.cortex.agents.models import told
from llmos.cortex.agents.refining import with_model
from llmos.crons.agent_changes import OTHER_MODEL, change_of, what_of
from llmos.crons.findings import Finding, milestone
from llmos.store import Store
from llmos.values import ArtifactType


def other_model(
    store: Store, agents: Agents, user_id: str, stored: StoredAgent, configured: str
) -> Finding | None:
    """The suggestion of another model; None where the agent should keep its own.

    Args:
        store: Where runs are.
        agents: The user's.
        user_id: Whose runs.
        stored: The agent.
        configured: The model of the settings.
    """
    records = ModelRecords.of(store, agents, user_id, stored)
    choice = records.choice()
    named = records.name_of(choice.model, configured) if choice else ""
    agent = with_model(stored.agent, named) if named else stored.agent
    if choice is None or agent is stored.agent or agent.model == stored.agent.model:
        return None
    name = stored.agent.name
    why = "it is as good and costs less" if choice.cheaper else "what it gets right costs less"
    return Finding(
        ArtifactType.SUGGESTION,
        f"model-{name}-{stored.digest[:8]}",
        f"{what_of(user_id, stored)} {name}: work with the model {named}, {why}",
        f"In goals that both models were given, {choice.why}. To take it back: "
        f"llmos agents rollback {name}",
        {
            "model": choice.model,
            "here": told(choice.model, choice.record),
            "in_use": told(choice.instead_of, choice.theirs),
            "probability": round(choice.chance, 3),
            "agent": stored.label,
        },
        ("model", named, milestone(choice.record.runs), stored.digest[:12]),
        change_of(stored, agent, OTHER_MODEL, f"the model {named}, {why}"),
        tell="an agent of yours could work for less",
    )
