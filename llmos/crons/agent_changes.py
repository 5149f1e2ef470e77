"""What accepting a cron's suggestion of an agent does to its file, and to nothing else.

Whatever a suggestion says, the new file is held against the old one when it is accepted: it may
change only what its kind of change may.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from llmos.cortex.agents import Agent, Agents, StoredAgent, parse
from llmos.cortex.agents.refining import is_refined, is_same_but_model
from llmos.cortex.agents.rewriting import diff_of, is_rewritten
from llmos.crons.cycle import CronLevel
from llmos.errors import UserError
from llmos.store import Store
from llmos.values import ArtifactType, Json
from llmos.volumes import Artifact, Place, Volume

REFINE, GO_BACK = "refine-agent", "roll-back-agent"
REWRITE, OTHER_MODEL = "rewrite-agent", "model-of-agent"
"""What accepting a suggestion does; see `carry_out`."""

_MAY: Mapping[str, Callable[[Agent, Agent], bool]] = {
    REFINE: is_refined,
    REWRITE: is_rewritten,
    OTHER_MODEL: is_same_but_model,
}
"""Whether a new file changes no more than what is suggested says."""

_SUGGESTION = ArtifactType.SUGGESTION


def carry_out(store: Store, user_id: str, volume: Volume, name: str) -> None:
    """Do what a suggestion of the user's own cron says of an agent; nothing for all others.

    Args:
        store: Where agents are.
        user_id: Who accepts it.
        volume: Where the suggestion is.
        name: Its name.

    Raises:
        UserError: The agent was changed since.
    """
    version = volume.get(_SUGGESTION, name)
    action = version.content.get("action")
    own = volume.place == Place("user", user_id) and version.author == CronLevel.USER.author
    if not own or not isinstance(action, Mapping):
        return
    do = str(action.get("do"))
    if do not in (*_MAY, GO_BACK):
        return
    agents = Agents(store, user_id)
    stored = agents.get(str(action["agent"]))
    if stored.digest != action["digest"]:
        told = f"agent {stored.agent.name!r} was changed since this was suggested"
        raise UserError(told, f"dismiss it: llmos dismiss {name}")
    if do == GO_BACK:
        _go_back(agents, user_id, stored, str(action["to"]))
    else:
        _store(agents, user_id, stored, action, _MAY[do])


def change_of(
    stored: StoredAgent, agent: Agent, do: str, why: str, command: str = ""
) -> dict[str, Json]:
    """What accepting the suggestion of another file does.

    Args:
        stored: The agent as it is.
        agent: As it would be.
        do: `REFINE`, `REWRITE` or `OTHER_MODEL`.
        why: The reason, for the history.
        command: What to type next; the agent is shown when left out.
    """
    return {
        "do": do,
        "agent": stored.agent.name,
        "digest": stored.digest,
        "text": agent.text,
        "diff": diff_of(stored.agent, agent),
        "note": f"refined from {stored.label}: {why}",
        "command": command or f"llmos agents show {stored.agent.name}",
    }


def what_of(user_id: str, stored: StoredAgent) -> str:
    """What accepting does to the agent, in words that its name follows."""
    own = stored.place == Place("user", user_id)
    return "Change the agent" if own else "Make a copy of your own of the agent"


def _store(
    agents: Agents,
    user_id: str,
    stored: StoredAgent,
    action: Mapping[str, Json],
    may: Callable[[Agent, Agent], bool],
) -> None:
    own, name = Place("user", user_id), stored.agent.name
    text, note = str(action["text"]), str(action["note"])
    if not may(stored.agent, parse(text, name)):
        raise UserError(f"what is suggested for {name!r} changes more than it may", "dismiss it")
    made_from = [str(run) for run in action.get("made_from", ())]
    if agents.find(name, own) is None:
        agents.create(text, own, note, made_from)
    else:
        agents.modify(name, text, own, note, made_from)


def _go_back(agents: Agents, user_id: str, stored: StoredAgent, to: str) -> Artifact:
    own, name = Place("user", user_id), stored.agent.name
    digest = to.partition("@")[2]
    before = [v.digest for v in agents.history(name, own) if v.digest.startswith(digest)]
    why = f"{to} did better"
    if before:
        return agents.rollback(name, before[0], own, why)
    # It was copied from a team's or the system's, which counts again without the copy.
    return agents.archive(name, own, why)
