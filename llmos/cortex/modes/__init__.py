"""The ways a goal can go, one module each; chosen by the dispatcher, called by boot."""

from llmos.cortex.modes.base import Outcome, Task
from llmos.cortex.modes.crystallized import crystallize
from llmos.cortex.modes.follower import follow
from llmos.cortex.modes.learner import learn
from llmos.cortex.modes.mixed import mix
from llmos.cortex.modes.orchestrator import orchestrate

__all__ = ["Outcome", "Task", "crystallize", "follow", "learn", "mix", "orchestrate"]
