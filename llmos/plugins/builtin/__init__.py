"""The built-in tools, under the names and argument names that agents already know."""

from __future__ import annotations

from llmos.plugins.tool import Tool, tool_of


def builtin_tools(sandboxed: bool) -> list[Tool]:
    """``Read Write Edit Glob Grep Bash WebFetch``.

    Args:
        sandboxed: Whether ``Bash`` runs in the sandbox.
    """
    from llmos.plugins.builtin.files import edit, read, write
    from llmos.plugins.builtin.search import glob, grep
    from llmos.plugins.builtin.shell import bash_tool
    from llmos.plugins.builtin.web import web_fetch_tool

    simple = [tool_of(function) for function in (read, write, edit, glob, grep)]
    return [*simple, bash_tool(sandboxed), web_fetch_tool()]
