"""`cargo install --path .`."""

from conftest import PROFILE, ROOT, run, works


def test_cargo_install_gives_a_program_that_works(tmp_path):
    run("cargo", "install", "--quiet", "--locked", "--profile", PROFILE, "--path", ROOT, "--root", tmp_path)
    works(tmp_path / "bin/stoa", tmp_path)
