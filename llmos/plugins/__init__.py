"""Tools: what a run can do. See `llmos.plugins.tool` for writing one."""

from llmos.plugins.arguments import Alias
from llmos.plugins.invoke import ToolError, ToolFailed, ToolTimeout, invoke
from llmos.plugins.loader import LoadProblem
from llmos.plugins.registry import Registry, default_registry
from llmos.plugins.tool import Tool, ToolContext, tool, tool_of

__all__ = [
    "Alias",
    "LoadProblem",
    "Registry",
    "Tool",
    "ToolContext",
    "ToolError",
    "ToolFailed",
    "ToolTimeout",
    "default_registry",
    "invoke",
    "tool",
    "tool_of",
]
