"""The Debian package: installed, started as its unit says, upgraded, purged. It is done to this machine."""

import os
import pathlib
import pwd
import re
import shutil
import stat
import subprocess
import urllib.error
import urllib.request

import pytest
from conftest import PROFILE, ROOT, TOOLS, Running, get, not_checked, run

ETC = pathlib.Path("/etc/stoa")
UNIT = pathlib.Path("/usr/lib/systemd/system/stoa.service")


def mode(path):
    found = path.stat()
    return oct(stat.S_IMODE(found.st_mode)), pwd.getpwuid(found.st_uid).pw_name


@pytest.fixture
def package(tmp_path):
    if not shutil.which("dpkg"):
        not_checked("the Debian package: there is no dpkg here")
    fast = ["--fast", "--no-strip"] if PROFILE == "dev" else []
    tools = f"{TOOLS}:{os.environ['PATH']}"
    run(TOOLS / "cargo-deb", "--profile", PROFILE, "--locked", "--output", tmp_path, *fast, env={**os.environ, "PATH": tools})
    (deb,) = tmp_path.glob("stoa_*.deb")
    return deb


@pytest.fixture
def machine():
    """A machine that may be changed: ours to change, and without Stoa on it."""
    if os.geteuid() != 0:
        not_checked("the installation of the Debian package: it takes root; run `sudo make test-packages` in a container")
    if ETC.exists() or subprocess.run(["dpkg", "-s", "stoa"], capture_output=True).returncode == 0:
        not_checked("the installation of the Debian package: Stoa is installed here, and it would be purged")
    yield
    run("dpkg", "--purge", "stoa")
    assert not ETC.exists() and not pathlib.Path("/var/lib/stoa").exists() and not UNIT.exists()
    with pytest.raises(KeyError):
        pwd.getpwnam("stoa")


def test_its_contents_are_in_their_places(package):
    listed = run("dpkg-deb", "--contents", package)
    for path in ("usr/bin/stoa", "etc/stoa/config.toml", "lib/systemd/system/stoa.service", "usr/share/doc/stoa/README.md"):
        assert path in listed, listed
    assert run("dpkg-deb", "--field", package, "Package").strip() == "stoa"
    assert "libc6" in run("dpkg-deb", "--field", package, "Depends")
    assert "/etc/stoa/config.toml" in run("dpkg-deb", "--info", package, "conffiles")


def test_the_unit_is_that_of_the_guide():
    guide = (ROOT / "docs/deploy.md").read_text().split("```ini\n")[1].split("```")[0]
    assert (ROOT / ".ci/debian/stoa.service").read_text() == guide.replace("/usr/local/bin/stoa", "/usr/bin/stoa")


def started(folder):
    """The program as the unit starts it, by its user and with its environment, on a free port."""
    unit = UNIT.read_text()
    line = re.search(r"^ExecStart=(.*)$", unit, re.M).group(1).split()
    pairs = re.search(r"^Environment=(.*)$", unit, re.M).group(1).split() + (ETC / "stoa.env").read_text().splitlines()
    env = dict(pair.split("=", 1) for pair in pairs if pair and not pair.startswith("#"))
    folder.mkdir(exist_ok=True)
    shutil.chown(folder, "stoa", "stoa")
    return Running(["setpriv", "--reuid=stoa", "--regid=stoa", "--clear-groups", "--no-new-privs", *line, "--port", "0"], env)


def test_it_is_installed_started_upgraded_and_purged(package, machine):
    run("dpkg", "--install", package)
    assert mode(ETC) == ("0o750", "root")
    assert mode(ETC / "config.toml") == ("0o640", "root")
    assert mode(ETC / "stoa.env") == ("0o600", "root")
    secret = (ETC / "stoa.env").read_text()
    assert re.search(r"^STOA_AUTHENTICATION__SECRET=[0-9a-f]{64}$", secret, re.M), secret
    if shutil.which("systemd-analyze"):
        run("systemd-analyze", "verify", UNIT)
    with (ETC / "config.toml").open("a") as config:
        config.write("# mine\n")
    state = pathlib.Path("/var/lib/stoa")
    for _ in ("new", "upgraded"):
        with started(state) as server:
            get(f"{server.url}/readyz")
            with pytest.raises(urllib.error.HTTPError) as refused:
                get(f"{server.url}/api/v1/state")
            assert refused.value.code == 401
            token = run("sh", "-c", "set -a; . /etc/stoa/stoa.env; exec stoa token --role admin --user you --ttl 1h").splitlines()[0]
            get(f"{server.url}/api/v1/state", Authorization=f"Bearer {token}")
        assert (state / "stoa.db").exists()
        # The same again is an upgrade: what is one's own is left alone.
        run("dpkg", "--install", "--force-confold", package)
        assert (ETC / "stoa.env").read_text() == secret
        assert (ETC / "config.toml").read_text().endswith("# mine\n")
