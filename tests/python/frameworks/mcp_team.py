"""An MCP server and its own client, in one process."""

import asyncio
import sys

if "before" in sys.argv:
    import stoa

    stoa.watch()

from mcp import Client
from mcp.server.mcpserver import MCPServer

if "before" not in sys.argv:
    import stoa

    stoa.watch()

server = MCPServer("shop")


@server.tool()
def search(query: str) -> str:
    """Finds things."""
    return f"found {query}"


@server.tool()
def broken() -> str:
    """Finds nothing."""
    raise ValueError("no such thing")


async def main():
    async with Client(server) as client:
        answer = await client.call_tool("search", {"query": "a desk"})
        assert answer.content[0].text == "found a desk"
        assert (await client.call_tool("broken", {})).is_error


asyncio.run(main())
print(stoa.watch().frameworks, stoa.stats())
