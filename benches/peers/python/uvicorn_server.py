"""A python-socketio server on uvicorn that sends everybody what it is given: `uvicorn_server.py PORT`."""

import sys

import socketio
import uvicorn

# Handlers of one client run in turn: in tasks of their own, updates would pass each other.
server = socketio.AsyncServer(async_mode="asgi", async_handlers=False)


@server.event
async def publish(_client, data):
    await server.emit("update", data)


uvicorn.run(socketio.ASGIApp(server), host="127.0.0.1", port=int(sys.argv[1]), log_level="warning", loop="uvloop")
