"""An office with a calendar, a mailbox and the like, to measure learning in.

A plain-Python implementation of the tools of WorkBench (Styles et al., 2024), written from their
description. The data are not part of it: everything is read from a folder named by the caller.
Start with `World.load`, `make_plugins` and `load_tasks`.
"""

from bench.workbench.catalog import TOOLS, call
from bench.workbench.data import (
    Call,
    ModelRun,
    Task,
    load_expert_traces,
    load_model_runs,
    load_tasks,
)
from bench.workbench.plugins import WorldRef, make_plugins
from bench.workbench.world import NOW, State, World, same_state

__all__ = [
    "NOW",
    "TOOLS",
    "Call",
    "ModelRun",
    "State",
    "Task",
    "World",
    "WorldRef",
    "call",
    "load_expert_traces",
    "load_model_runs",
    "load_tasks",
    "make_plugins",
    "same_state",
]
