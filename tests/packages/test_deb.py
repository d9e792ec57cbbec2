"""The Debian package: installed, started as its unit says, upgraded, purged. It is done to this machine."""

import gzip
import os
import pathlib
import pwd
import re
import shutil
import stat
import subprocess
import urllib.error

import pytest
from conftest import PROFILE, ROOT, TOOLS, VERSION, Running, get, has_page, is_stripped, not_checked, run

ETC = pathlib.Path("/etc/stoa")
STATE = pathlib.Path("/var/lib/stoa")
DOC = pathlib.Path("/usr/share/doc/stoa")
PROGRAM = pathlib.Path("/usr/bin/stoa")
UNIT = pathlib.Path("/usr/lib/systemd/system/stoa.service")


def mode(path):
    found = path.stat()
    return oct(stat.S_IMODE(found.st_mode)), pwd.getpwuid(found.st_uid).pw_name


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    if not shutil.which("dpkg"):
        not_checked("the Debian package: there is no dpkg here")
    folder = tmp_path_factory.mktemp("deb")
    fast = ["--fast", "--no-strip"] if PROFILE == "dev" else []
    tools = f"{TOOLS}:{os.environ['PATH']}"
    run(TOOLS / "cargo-deb", "--profile", PROFILE, "--locked", "--output", folder, *fast, env={**os.environ, "PATH": tools})
    (deb,) = folder.glob("stoa_*.deb")
    return deb


@pytest.fixture
def machine():
    """A machine that may be changed: ours to change, and without Stoa on it."""
    if os.geteuid() != 0:
        not_checked("the installation of the Debian package: it takes root; run `sudo make test-packages` in a container")
    there = any(path.exists() for path in (ETC, STATE, PROGRAM, UNIT))
    if there or subprocess.run(["dpkg", "-s", "stoa"], capture_output=True).returncode == 0:
        not_checked("the installation of the Debian package: Stoa is installed here, and it would be purged")
    yield
    run("dpkg", "--purge", "stoa")
    assert not any(path.exists() for path in (ETC, STATE, DOC, PROGRAM, UNIT))
    with pytest.raises(KeyError):
        pwd.getpwnam("stoa")


def test_its_contents_are_in_their_places(package):
    listed = run("dpkg-deb", "--contents", package)
    for path in ("usr/bin/stoa", "etc/stoa/config.toml", "lib/systemd/system/stoa.service", "usr/share/doc/stoa/README.md"):
        assert path in listed, listed
    fields = dict(re.findall(r"^(\S+): (.*)$", run("dpkg-deb", "--field", package), re.M))
    assert fields["Package"] == "stoa" and fields["Version"].startswith(VERSION), fields
    assert "libc6" in fields["Depends"], fields
    assert "/etc/stoa/config.toml" in run("dpkg-deb", "--info", package, "conffiles")


def started():
    """The program as the unit starts it, by its user and with its environment, on a free port."""
    unit = UNIT.read_text()
    line = re.search(r"^ExecStart=(.*)$", unit, re.M).group(1).split()
    pairs = re.search(r"^Environment=(.*)$", unit, re.M).group(1).split() + (ETC / "stoa.env").read_text().splitlines()
    env = dict(pair.split("=", 1) for pair in pairs if pair and not pair.startswith("#"))
    # The service manager makes this folder, by `StateDirectory` and `StateDirectoryMode`.
    assert f"StateDirectory={STATE.name}\n" in unit and "StateDirectoryMode=0700\n" in unit
    STATE.mkdir(exist_ok=True, mode=0o700)
    shutil.chown(STATE, "stoa", "stoa")
    user = ["setpriv", "--reuid=stoa", "--regid=stoa", "--clear-groups", "--no-new-privs", "--inh-caps=-all", "--bounding-set=-all"]
    return Running([*user, *line, "--port", "0"], env, STATE)


def token(role):
    """A token, made as the guide says."""
    script = f"set -a; . /etc/stoa/stoa.env; exec stoa token --role {role} --user you --ttl 1h"
    return run("sh", "-c", script, cwd="/").splitlines()[0]


def serves(published):
    """Whether the service lets in who has a token, and has kept what was published."""
    with started() as server:
        get(f"{server.url}/healthz")
        get(f"{server.url}/readyz")
        has_page(server.url)
        with pytest.raises(urllib.error.HTTPError) as refused:
            get(f"{server.url}/api/v1/state")
        assert refused.value.code == 401
        event = '{"type": "package.works"}\n'
        run("stoa", "publish", "--url", server.url, "--token", token("producer"), cwd="/", input=event)
        events = get(f"{server.url}/api/v1/events", Authorization=f"Bearer {token('admin')}")
        assert events.count('"package.works"') == published, events
    assert mode(STATE / "stoa.db") == ("0o600", "stoa")


def test_it_is_installed_started_upgraded_and_purged(package, machine):
    run("dpkg", "--install", package)
    assert mode(ETC) == ("0o750", "root")
    assert mode(ETC / "config.toml") == ("0o640", "root")
    assert mode(ETC / "stoa.env") == ("0o600", "root")
    assert mode(PROGRAM) == ("0o755", "root")
    is_stripped(PROGRAM)
    user = pwd.getpwnam("stoa")
    assert user.pw_shell.endswith("nologin") and user.pw_dir == str(STATE)
    secret = (ETC / "stoa.env").read_text()
    assert re.search(r"^STOA_AUTHENTICATION__SECRET=[0-9a-f]{64}$", secret, re.M), secret

    assert (ROOT / "LICENSE").read_text().split("\n\n", 1)[1].split()[0] in (DOC / "copyright").read_text()
    assert "tokio" in text(DOC / "THIRD-PARTY.txt")
    for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        assert text(DOC / page.relative_to(ROOT)) == page.read_text()

    if shutil.which("systemd-analyze"):
        run("systemd-analyze", "verify", UNIT)
        run("systemd-analyze", "security", "--offline=true", "--threshold=20", UNIT)
    else:
        not_checked("the unit: there is no systemd-analyze here")

    with (ETC / "config.toml").open("a") as config:
        config.write("# mine\n")
    serves(published=1)
    # The same again is an upgrade: what is one's own is left alone.
    run("dpkg", "--install", "--force-confold", package)
    assert (ETC / "stoa.env").read_text() == secret
    assert (ETC / "config.toml").read_text().endswith("# mine\n")
    serves(published=2)


def text(path):
    """A text of the package, which may be compressed."""
    packed = path.with_name(f"{path.name}.gz")
    return gzip.decompress(packed.read_bytes()).decode() if packed.exists() else path.read_text()
