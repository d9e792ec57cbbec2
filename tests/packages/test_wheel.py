"""The wheel: `pip install` gives the command `stoa`."""

import subprocess
import sys
import zipfile

from conftest import PROFILE, ROOT, TOOLS, VERSION, run, works


def test_pip_install_gives_a_program_that_works(tmp_path):
    wheels = tmp_path / "wheels"
    fast = ["--compression-method", "stored"] if PROFILE == "dev" else []
    run(TOOLS / "maturin", "build", "--profile", PROFILE, "--out", wheels, *fast, cwd=ROOT / "clients/wheel")
    (wheel,) = wheels.glob("stoa_server-*.whl")
    assert wheel.name.startswith(f"stoa_server-{VERSION}-py3-none-"), wheel
    names = zipfile.ZipFile(wheel).namelist()
    assert f"stoa_server-{VERSION}.data/scripts/stoa" in names
    # The program and what pip needs, and nothing of the checkout.
    assert all(name.startswith(f"stoa_server-{VERSION}.") for name in names), names

    run(sys.executable, "-m", "venv", tmp_path / "venv")
    python = tmp_path / "venv/bin/python"
    pip = [python, "-m", "pip", "--disable-pip-version-check"]
    run(*pip, "install", "--quiet", "--no-index", wheel)
    stoa = tmp_path / "venv/bin/stoa"
    works(stoa, tmp_path)
    run(*pip, "uninstall", "--quiet", "--yes", "stoa-server")
    assert not stoa.exists()
    assert subprocess.run([python, "-c", "import stoa"], capture_output=True).returncode, "no module of this name"
