"""A body of a stream that is sent again, since nobody knows whether it came: what it says is told once."""

import collections
import contextlib
import http.client
import json
import socket
import threading
import urllib.error
import urllib.parse
import urllib.request

import pytest

from conftest import PATIENCE
from telling_kit import project, rejected, sending, server, shown, stoa  # noqa: F401 - fixtures


class Lossy:
    """A proxy that passes everything on to Stoa, and loses its answers to some bodies."""

    def __init__(self, address, loses):
        self.address, self.loses, self.lost, self.paths = address, loses, 0, []
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=self._serve, args=(self.socket.accept()[0],), daemon=True).start()

    def _serve(self, connection):
        with connection, connection.makefile("rb") as read:
            while line := read.readline():
                path, length = line.split()[1].decode(), 0
                while (header := read.readline()) != b"\r\n":
                    name, _, value = header.decode().partition(":")
                    length = int(value) if name.lower() == "content-length" else length
                body = read.read(length)
                self.paths.append(path)
                onward = http.client.HTTPConnection(self.address, timeout=PATIENCE)
                onward.request("POST", path, body, {"Content-Type": "application/x-ndjson"})
                answer = onward.getresponse()
                said = answer.read()
                onward.close()
                if self.loses(body, self.lost):
                    self.lost += 1
                    return
                connection.sendall(b"HTTP/1.1 %d OK\r\nContent-Length: %d\r\n\r\n" % (answer.status, len(said)) + said)

    def close(self):
        self.socket.close()


#: Streams whose body with the text is lost three times: with a run of its own, and with none that has a name.
LOSSY = {
    "ag-ui": [
        [{"type": "RUN_STARTED", "threadId": "t", "runId": "r"}, {"type": "TEXT_MESSAGE_START", "messageId": "m", "role": "assistant"}],
        [{"type": "TEXT_MESSAGE_CONTENT", "messageId": "m", "delta": "hello "}],
        [{"type": "TEXT_MESSAGE_CONTENT", "messageId": "m", "delta": "hello "}],
        [{"type": "TEXT_MESSAGE_END", "messageId": "m"}, {"type": "RUN_FINISHED", "threadId": "t", "runId": "r"}],
    ],
    "vercel": [
        [{"type": "start"}, {"type": "text-start", "id": "0"}, {"type": "text-delta", "id": "0", "delta": "hello "}],
        [{"type": "text-delta", "id": "0", "delta": "hello "}, {"type": "text-end", "id": "0"}, {"type": "finish"}],
    ],
    "langgraph": [
        [{"type": "event", "method": "custom", "params": {"namespace": [], "timestamp": 1, "data": "hello "}}],
        [{"type": "event", "method": "custom", "params": {"namespace": [], "timestamp": 1, "data": "hello "}}],
    ],
}


@pytest.mark.parametrize("speaks", LOSSY)
def test_what_is_sent_again_after_a_lost_answer_is_told_once(server, project, speaks):
    proxy = Lossy(server.address, lambda body, lost: b"hello " in body and lost < 3)
    sending.configure(url=proxy.url, content="full")
    before = rejected()
    try:

        def stream():
            for messages in LOSSY[speaks]:
                yield from messages
                # Each group is a body of its own.
                assert stoa.flush(PATIENCE), stoa.stats()

        collections.deque(stoa.tee(stream(), speaks=speaks, agent="lead", project=project), maxlen=0)
        events = shown(server, project)
        assert proxy.lost == 3 and rejected() == before, (proxy.lost, stoa.stats())
    finally:
        sending.configure(url=server.url)
        proxy.close()
    said = [event["data"].get("content") or event["data"].get("value") for event in events if event["type"] in ("agent.message.appended", "custom.event")]
    assert said == ["hello ", "hello "], [event["type"] for event in events]
    assert collections.Counter(event["type"] for event in events)["workflow.run.started"] == 1
    numbers = [int(urllib.parse.parse_qs(urllib.parse.urlsplit(path).query)["body"][0]) for path in proxy.paths]
    assert numbers == sorted(numbers) and len(set(numbers)) == len(LOSSY[speaks])


def test_a_body_with_a_number_may_come_again(server, project):
    def post(number, *messages, thread="t", door="ag-ui"):
        said = {"project": project, "thread": thread, "body": number}
        query = urllib.parse.urlencode({key: value for key, value in said.items() if value is not None})
        lines = "\n".join(json.dumps(message) for message in messages).encode()
        request = urllib.request.Request(f"{server.url}/{door}/in?{query}", lines, {"Content-Type": "application/x-ndjson"})
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                found = json.load(answer)
                return found["accepted"], found["duplicates"]
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)["error"]["message"]

    begin = {"type": "RUN_STARTED", "threadId": "t", "runId": "r"}
    start = {"type": "TEXT_MESSAGE_START", "messageId": "m", "role": "assistant"}
    piece = {"type": "TEXT_MESSAGE_CONTENT", "messageId": "m", "delta": "a"}
    assert post(1, begin, start) == (2, 0)
    assert post(2, piece) == (1, 0) and post(2, piece) == post(2, piece) == (0, 1)
    # The same words once more are others, in a body of another number.
    assert post(5, piece, piece) == (2, 0) and post(5, piece, piece) == (0, 2)
    status, why = post(2, piece)
    assert status == 400 and "body 2" in why and "body 5" in why
    assert post(6, piece) == (1, 0)
    assert post(0, begin, thread="other") == (1, 0)
    status, why = post(1, begin, thread=None)
    assert status == 400 and "thread" in why
    # One whose beginning was taken before it was refused begins again where it began.
    assert post(7, piece, {"type": "TEXT_MESSAGE_CONTENT"}, piece) == (2, 0) and post(7, piece, {"type": "TEXT_MESSAGE_CONTENT"}, piece) == (0, 2)
    text = "".join(event["data"]["content"] for event in shown(server, project) if event["type"] == "agent.message.appended")
    assert text == "a" * 6
