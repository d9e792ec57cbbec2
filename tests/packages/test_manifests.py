"""The packages' manifests, without building any: names, versions, licences, files, and the unit."""

import json
import re
import subprocess
import sys

import tomllib
from conftest import ROOT, VERSION

CARGO = tomllib.loads((ROOT / "Cargo.toml").read_text())
WHEEL = tomllib.loads((ROOT / "clients/wheel/pyproject.toml").read_text())["project"]
AGENTS = tomllib.loads((ROOT / "clients/python/pyproject.toml").read_text())["project"]


def test_names_and_versions_go_together():
    assert CARGO["package"]["name"] == WHEEL["name"] == "stoa-server"
    assert AGENTS["name"] == "stoa-agents"
    # The program is the wheel's, the module is the package's: neither has a file of the other.
    assert "scripts" not in AGENTS and "entry-points" not in AGENTS
    assert AGENTS["optional-dependencies"]["server"] == [f"stoa-server~={VERSION}"]
    said = (ROOT / "clients/python/src/stoa/version.py").read_text()
    assert f'__version__ = "{VERSION}"' in said
    assert json.loads((ROOT / "web-demo/package.json").read_text())["version"] == VERSION


def test_each_package_has_the_licence():
    licence = (ROOT / "LICENSE").read_text()
    for folder, project in (("clients/wheel", WHEEL), ("clients/python", AGENTS)):
        assert project["license"] == CARGO["package"]["license"] == "MIT"
        assert "LICENSE" in project["license-files"]
        assert (ROOT / folder / "LICENSE").read_text() == licence
        assert (ROOT / folder / project["readme"]).is_file()
    assert CARGO["package"]["metadata"]["deb"]["license-file"][0] == "LICENSE"


def test_notices_of_others_are_complete(tmp_path):
    notices = tmp_path / "notices.txt"
    subprocess.run([sys.executable, ROOT / ".ci/notices.py", notices], check=True)
    said = notices.read_text()
    for one in (r"^tokio \S+ \(MIT\)", r"^aws-lc-sys \S+ \(.*ISC", r"^vue \S+ \(MIT\)", r"^@fontsource-variable/inter \S+ \(OFL-1.1\)"):
        assert re.search(one, said, re.M), one
    assert "SIL OPEN FONT LICENSE" in said and "Permission is hereby granted" in said and "Apache License" in said
    # Ours is not among those of others.
    assert not re.search(r"^stoa-server ", said, re.M)


def test_files_of_the_debian_package_are_there():
    deb = CARGO["package"]["metadata"]["deb"]
    made = {"target/release/stoa", "clients/wheel/THIRD-PARTY.txt"}
    for source, place, _ in deb["assets"]:
        assert source in made or list(ROOT.glob(source)), source
        assert not place.startswith("/") and "local" not in place
    folder = ROOT / deb["maintainer-scripts"]
    for script in ("postinst", "postrm"):
        text = (folder / script).read_text()
        assert text.startswith("#!/bin/sh\n") and "set -e\n" in text and "#DEBHELPER#" in text
        subprocess.run(["sh", "-n", folder / script], check=True)
    # The secret of the guide and that of the package are of the same kind, and so is the rest of the environment.
    guide = (ROOT / "docs/deploy.md").read_text()
    keys = re.compile(r"^#?(STOA_\w+)=", re.M)
    steps = guide.split("stoa.env <<END\n")[1].split("\nEND\n")[0]
    assert keys.findall(steps) == keys.findall((folder / "postinst").read_text())


def test_the_unit_is_that_of_the_guide():
    guide = (ROOT / "docs/deploy.md").read_text().split("```ini\n")[1].split("```")[0]
    assert (ROOT / ".ci/debian/stoa.service").read_text() == guide.replace("/usr/local/bin/stoa", "/usr/bin/stoa")
