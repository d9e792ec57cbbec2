"""A server and a project for tests of what the package tells."""

import json
import re
import sys
import urllib.parse
import urllib.request

import pytest

from conftest import PATIENCE, ROOT, Stoa

sys.path.insert(0, str(ROOT / "clients/python/src"))

import stoa  # noqa: E402
from stoa import sending  # noqa: E402


@pytest.fixture(scope="module")
def server():
    here = Stoa()
    before = dict(vars(sending.options()))
    yield here
    stoa.flush(PATIENCE)
    vars(sending.options()).update(before)
    sending.configure()
    here.stop()


@pytest.fixture
def project(server, request):
    sending.configure(url=server.url, service="shop", exit_timeout=0.0)
    return re.sub(r"[^A-Za-z0-9_.-]", ".", request.node.name)


def shown(server, project):
    """The events of a project in the history, and their text."""
    assert stoa.flush(PATIENCE), stoa.stats()
    found, cursor = [], ""
    while True:
        query = urllib.parse.urlencode({"limit": 500, "project_id": project})
        with urllib.request.urlopen(f"{server.url}/api/v1/events?{query}{cursor}", timeout=PATIENCE) as answer:
            page = json.load(answer)
        found += page["events"]
        if not page.get("next"):
            return found
        cursor = f"&after={page['next']}"


def rejected():
    return stoa.stats()["rejected"]
