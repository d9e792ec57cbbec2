"""The exporter of OpenTelemetry's own SDK, by environment variables alone, and the lines of docs/agents.md for hooks of Claude."""

import json
import os
import re
import subprocess
import sys
import time
import urllib.request

import pytest

from conftest import PATIENCE, ROOT, Stoa

PROGRAM = """
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
tracer = provider.get_tracer("team")

def span(operation, **attributes):
    named = {key.replace("__", "."): value for key, value in attributes.items()}
    return tracer.start_as_current_span(operation, attributes={"gen_ai.operation.name": operation, **named})

with span("invoke_agent", gen_ai__agent__name="ada", gen_ai__agent__description="Plans"):
    with span("chat", gen_ai__request__model="small-1", gen_ai__usage__input_tokens=7, gen_ai__usage__output_tokens=3):
        pass
    with span("execute_tool", gen_ai__tool__name="ask_bo"):
        with span("invoke_agent", gen_ai__agent__name="bo"):
            pass
provider.shutdown()
"""


def state(server):
    with urllib.request.urlopen(f"{server.url}/api/v1/state", timeout=PATIENCE) as answer:
        return json.load(answer)


def until(server, is_so):
    end = time.monotonic() + PATIENCE
    while not is_so(seen := state(server)):
        assert time.monotonic() < end, seen
        time.sleep(0.02)
    return seen


@pytest.mark.parametrize("compression", ["none", "gzip"])
@pytest.mark.parametrize("page", ["README.md", "docs/agents.md"])
def test_the_variables_of_the_pages_are_the_whole_set_up(page, compression):
    server = Stoa()
    try:
        lines = re.findall(r"^export (OTEL_.*)$", (ROOT / page).read_text(), re.MULTILINE)
        variables = dict(word.split("=", 1) for line in lines for word in line.split())
        assert variables["OTEL_SERVICE_NAME"] == "shop" and len(variables) == 3
        variables["OTEL_EXPORTER_OTLP_ENDPOINT"] = variables["OTEL_EXPORTER_OTLP_ENDPOINT"].replace("http://localhost:8000", server.url)
        variables["OTEL_EXPORTER_OTLP_COMPRESSION"] = compression
        program = subprocess.run(
            [sys.executable, "-c", PROGRAM], env={**os.environ, **variables}, capture_output=True, text=True, timeout=PATIENCE
        )
        assert program.returncode == 0, program.stderr
        assert "rror" not in program.stderr
        seen = until(server, lambda seen: len(seen["tasks"]) == 2)
        assert {agent["name"]: agent["status"] for agent in seen["agents"].values()} == {"ada": "idle", "bo": "idle"}
        assert seen["agents"]["shop:ada"]["role"] == "Plans"
        assert seen["agents"]["shop:ada"]["handed_to"] == "shop:bo"
        assert [run["status"] for run in seen["runs"].values()] == ["completed"]
        assert list(seen["projects"]) == ["shop"]
    finally:
        server.stop()


def test_the_settings_and_lines_for_hooks_do_what_the_guide_says():
    guide = (ROOT / "docs/agents.md").read_text()
    by_http, by_command = [json.loads(block) for block in re.findall(r'^```json\n(\{"hooks".*?)^```$', guide, re.MULTILINE | re.DOTALL)]
    # Each row of the table begins with its hooks, and the settings have all of them.
    table = guide.split("| hook | events |")[1].split("\n\n")[0]
    named = {name for row in table.splitlines() for name in re.findall(r"`([A-Z]\w+)`", row.split("|")[1] if "|" in row else "")}
    assert set(by_http["hooks"]) == named and len(named) == 19
    ((name, (matcher,)),) = by_command["hooks"].items()
    (tried,) = [line for line in guide.splitlines() if line.startswith("echo '{\"hook_event_name\"")]
    (counted,) = [line for line in guide.splitlines() if line.startswith("curl -s localhost:8000/metrics")]
    server = Stoa()
    try:
        lines = {
            "the command of the settings": matcher["hooks"][0]["command"],
            "the line to try": tried,
        }
        hook = {"hook_event_name": name, "session_id": "s1", "cwd": "/home/me/shop", "source": "startup"}
        for what, line in lines.items():
            line = line.replace("http://localhost:8000", server.url)
            run = subprocess.run(["sh", "-c", line], input=json.dumps(hook), capture_output=True, text=True, timeout=PATIENCE)
            assert (run.returncode, run.stdout) == (0, ""), (what, run.stderr)
        seen = until(server, lambda seen: len(seen["tasks"]) == 1)
        assert [agent["name"] for agent in seen["agents"].values()] == ["Claude"]
        assert [task["name"] for task in seen["tasks"].values()] == ["Mend the tests"]
        assert list(seen["projects"]) == ["shop"]
        # Each hook of the settings, as Claude posts it; the last one ends the session.
        for name, (matcher,) in by_http["hooks"].items():
            (way,) = matcher["hooks"]
            body = json.dumps({**hook, "hook_event_name": name, "tool_name": "Bash", "tool_use_id": "t1", "message": "hm"}).encode()
            request = urllib.request.Request(way["url"].replace("http://localhost:8000", server.url), body)
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                assert (way["type"], answer.status) == ("http", 204)
        until(server, lambda seen: [run["status"] for run in seen["runs"].values()] == ["completed"])
        told = subprocess.run(["sh", "-c", counted.replace("localhost:8000", server.address)], capture_output=True, text=True, timeout=PATIENCE)
        assert 'stoa_hooks_total{outcome="published"}' in told.stdout
        assert "bad_request" not in told.stdout
    finally:
        server.stop()
