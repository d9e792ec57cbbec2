from pathlib import Path

import socketio

HERE = Path(__file__).parent

sio = socketio.AsyncServer(async_mode="asgi", cors_allowed_origins="*")
app = socketio.ASGIApp(sio, static_files={"/": str(HERE / "static/index.html"), "/static": str(HERE / "static")})

question = {"text": "Tea or coffee?", "choices": ["tea", "coffee"]}
votes = {}


def result():
    return {choice: sum(1 for voted in votes.values() if voted == choice) for choice in question["choices"]}


class Voters(socketio.AsyncNamespace):
    """Everybody who votes."""

    async def on_connect(self, sid, environ, auth):
        name = (auth or {}).get("name")
        if not name:
            raise socketio.exceptions.ConnectionRefusedError("voters have a name")
        await self.save_session(sid, {"name": name})
        await self.emit("question", question, to=sid)

    async def on_vote(self, sid, choice):
        if choice not in question["choices"]:
            return False, f"{choice} is no choice"
        async with self.session(sid) as session:
            session["voted"] = choice
            votes[session["name"]] = choice
            await self.enter_room(sid, choice)
            await self.emit("also", {"name": session["name"]}, room=choice, skip_sid=sid)
        await sio.emit("result", result(), namespace="/screen")
        return True, choice

    async def on_mine(self, sid):
        return await self.get_session(sid)

    async def on_disconnect(self, sid, reason):
        session = await self.get_session(sid)
        if votes.pop(session["name"], None):
            await sio.emit("result", result(), namespace="/screen")


sio.register_namespace(Voters("/voters"))


@sio.event(namespace="/screen")
async def connect(sid, environ):
    await sio.emit("result", result(), to=sid, namespace="/screen")


@sio.on("ask", namespace="/screen")
async def ask(sid, text, choices):
    question.update(text=text, choices=choices)
    votes.clear()
    await sio.emit("question", question, namespace="/voters")
    await sio.emit("result", result(), namespace="/screen")
    return len(choices)


@sio.on("poke", namespace="/screen")
async def poke(sid, voter):
    """Asks one voter, who answers by the acknowledgement."""
    try:
        return await sio.call("are you there?", to=voter, namespace="/voters", timeout=10)
    except socketio.exceptions.TimeoutError:
        return "no"


@sio.on("count down", namespace="/screen")
async def count_down(sid, start):
    async def tick():
        for n in range(start, -1, -1):
            await sio.emit("tick", n, namespace="/screen")
            await sio.sleep(0.01)

    sio.start_background_task(tick)


if __name__ == "__main__":
    import uvicorn

    uvicorn.run(app, port=5000)
