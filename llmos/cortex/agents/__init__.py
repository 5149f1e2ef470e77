"""Agents: Markdown files in volumes that say how a model works, and with which tools."""

from llmos.cortex.agents.agent import (
    AUTO,
    Agent,
    check_agent_name,
    check_file,
    compose,
    parse,
    render,
)
from llmos.cortex.agents.registry import AgentRow, Agents, KeptAgent, StoredAgent

__all__ = [
    "AUTO",
    "Agent",
    "AgentRow",
    "Agents",
    "KeptAgent",
    "StoredAgent",
    "check_agent_name",
    "check_file",
    "compose",
    "parse",
    "render",
]
