"""MCP servers as sources of tools. See `llmos.plugins.mcp.servers`, where it begins."""

from llmos.plugins.mcp.listing import Definition, Listing
from llmos.plugins.mcp.server import Server, parse_server, parse_servers, redacted
from llmos.plugins.mcp.server_tool import ServerTool
from llmos.plugins.mcp.servers import Servers

__all__ = [
    "Definition",
    "Listing",
    "Server",
    "ServerTool",
    "Servers",
    "parse_server",
    "parse_servers",
    "redacted",
]
