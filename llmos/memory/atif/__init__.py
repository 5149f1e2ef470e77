"""Runs as documents of the Agent Trajectory Interchange Format (ATIF), and back.

The format belongs to the Harbor framework: RFC 0001 "trajectory format" and the models in
``harbor.models.trajectories``. What is written is version 1.7, the first with ``llm_call_count``;
1.0 to 1.8 are read. All names and rules of fields here were checked against the models that came
with Harbor 0.26.0.
"""

from llmos.memory.atif.checking import Malformed, checked
from llmos.memory.atif.reading import LARGEST, read_document
from llmos.memory.atif.writing import VERSION, Stopped, trajectory

__all__ = ["LARGEST", "VERSION", "Malformed", "Stopped", "checked", "read_document", "trajectory"]
