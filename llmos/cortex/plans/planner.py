"""Has a model take a goal apart. What it answers is checked like anything from a stranger."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from llmos.cortex.agents import Agent, compose
from llmos.cortex.plans.briefing import Briefing, things_of
from llmos.cortex.plans.plan import MOST_PARTS, Plan
from llmos.cortex.tool_search.offer import Offer
from llmos.errors import UserError
from llmos.evolution.asking import Model, NoAnswer
from llmos.evolution.hints import Refused, read_answer
from llmos.evolution.tool import LearntTool
from llmos.values import Json

_FIRST = "Take a goal apart."
"""First line of the question."""

MOST_NEW = 3
"""Agents that a plan may bring."""

_RULES = f"""Answer {{"parts": [{{"id": "…", "goal": "…", "after": ["…"]}}, …]}} with at most
{MOST_PARTS} parts.
- id: small letters, digits and '-'. goal: one sentence that says all that its worker must know,
  with every name, path and figure that the whole goal gives for it. after: ids of the parts whose
  work it needs, left out where there are none; parts that do not need each other go at once.
- A worker sees the files that earlier parts wrote, and nothing else of them. Where it needs what
  another part answers, write {{{{id}}}} in its goal.
- Where one of the known jobs is what has to be done, word the goal exactly like it: then it costs
  nothing.
- "agent": one of the agents, only where that one is clearly meant for the part. Where none is and
  a part needs somebody who works in a way of its own, say who, at most {MOST_NEW} of them:
  {{"parts": […], "agents": [{{"name": "…", "description": "…", "prompt": "…", "tools": ["…"]}}]}}.
- tools: what workers can do, by name, as far as it seems to be of use here; they find others by
  themselves. An agent's "tools" are names of tools; left out, it may use all.
- A goal that is one piece of work is a plan of one part, worded otherwise than the goal."""

_TRIES = 2
"""A plan that cannot be carried out is told to the model once, with the reason."""

_AGENT = frozenset({"name", "description", "prompt", "tools"})

_YOURSELF = "say the parts yourself: llmos run --plan FILE"


def briefing_of(
    goal: str, jobs: Iterable[LearntTool], offer: Offer, agents: Mapping[str, str]
) -> Briefing:
    """What the model may be told of a goal; see `things_of`."""
    return Briefing(goal, _FIRST, _RULES, things_of(goal, jobs, offer, agents), offer.of)


async def planned(
    model: Model, briefing: Briefing, max_cost_usd: float, agents: Mapping[str, str]
) -> tuple[Plan, list[Agent]]:
    """The model's plan for a goal, and the agents of it that there are not yet.

    Args:
        model: Who is asked; afterwards it tells what that has cost.
        briefing: What it is told.
        max_cost_usd: What asking may cost.
        agents: All agents that a part may name.

    Raises:
        UserError: There is no plan in what it says.
        LowBatteryError: Nothing is left to pay it with.
    """
    why = ""
    async with model.paid(max_cost_usd):
        for _ in range(_TRIES):
            try:
                answer = await model.ask(briefing.question(why))
                said = read_answer(answer, ["parts", "agents"])
                plan = Plan.from_json(said, briefing.goal)
                return plan, _new_agents(plan, said.get("agents", []), agents)
            except NoAnswer as e:
                raise UserError(f"there is no plan: {e}", _YOURSELF) from e
            except Refused as e:
                why = str(e)
            except UserError as e:
                why = e.message
    raise UserError(f"the model gave no plan that can be carried out: {why}", _YOURSELF)


def _new_agents(plan: Plan, given: Json, there: Mapping[str, str]) -> list[Agent]:
    """The agents that a plan brings and that some part of it names.

    Raises:
        UserError: One of them is none, is there already, or a part names one that is nowhere.
    """
    if not isinstance(given, list) or len(given) > MOST_NEW:
        raise UserError(f"'agents' is no list of at most {MOST_NEW}")
    made = {agent.name: agent for agent in map(_composed, given)}
    taken = sorted(made.keys() & there.keys())
    if taken:
        raise UserError(f"there is an agent {taken[0]!r} already")
    for part in plan.parts:
        if part.agent and part.agent not in there and part.agent not in made:
            raise UserError(f"part {part.id!r} names the agent {part.agent!r}, which is not there")
    named = {part.agent for part in plan.parts}
    return [agent for name, agent in made.items() if name in named]


def _composed(given: Json) -> Agent:
    if not isinstance(given, dict) or not given.keys() <= _AGENT:
        raise UserError(f"an agent is an object of {', '.join(sorted(_AGENT))}")
    tools = given.get("tools")
    texts = [given.get(key, "") for key in ("name", "description", "prompt")]
    listed = tools is None or (isinstance(tools, list) and all(isinstance(t, str) for t in tools))
    if not listed or not all(isinstance(text, str) and text.strip() for text in texts):
        raise UserError("an agent has a name, a description and a prompt, and a list of tools")
    name, description, prompt = texts
    return compose(name, description, prompt, tools=tools)
