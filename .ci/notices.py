"""Writes the licences of what others made and the program carries: crates, and packages of its page.

    python3 .ci/notices.py FILE

They ask for their notices to go with every copy. A text that several have stands once.
"""

import json
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
TEXT = re.compile(r"(licen[cs]e|copying|notice|copyright)", re.IGNORECASE)


def crates():
    """Name, licence, authors and folder of each crate in the program; those that only run while it is compiled are not."""
    command = ["cargo", "metadata", "--format-version", "1", "--locked"]
    packages = json.loads(subprocess.check_output(command, cwd=ROOT))["packages"]
    known = {(package["name"], package["version"]): package for package in packages}
    command = ["cargo", "tree", "--locked", "--edges", "normal,no-proc-macro", "--prefix", "none", "--format", "{p}"]
    lines = subprocess.check_output(command, cwd=ROOT, text=True).splitlines()
    for name, version in sorted({re.match(r"(\S+) v(\S+)", line).groups() for line in lines if line}):
        package = known[name, version]
        if package["source"]:
            yield f"{name} {version}", package["license"], package["authors"], pathlib.Path(package["manifest_path"]).parent


def modules():
    """The same of the packages that the page is made of; none where it is not built."""
    page = ROOT / "web-demo"
    if not (page / "dist/index.html").exists():
        return
    for path, package in json.loads((page / "package-lock.json").read_text())["packages"].items():
        if path and not package.get("dev") and not package.get("optional") and (page / path).exists():
            about = json.loads((page / path / "package.json").read_text())
            author = about.get("author", "")
            author = author.get("name", "") if isinstance(author, dict) else author
            licence = package.get("license") or ", ".join(one["type"] for one in about["licenses"])
            yield f"{about['name']} {about['version']}", licence, [author] if author else [], page / path


def texts(folder):
    """The texts in a package's own folder, by their names."""
    for file in sorted(folder.iterdir()):
        if file.is_file() and TEXT.match(file.name) and file.suffix not in (".rs", ".json"):
            yield "\n".join(line.rstrip() for line in file.read_text(errors="replace").strip().splitlines())


def notices():
    """The whole file."""
    parts, packages = {}, [*crates(), *modules()]
    for name, licence, authors, folder in packages:
        title = f"{name} ({licence})"
        found = list(texts(folder))
        for text in found:
            parts.setdefault(text, []).append(title)
        if not found:
            by = f", by {', '.join(authors)}" if authors else ""
            parts.setdefault("The package has no text of its licence; that of another with the same is here.", []).append(title + by)
    yield f"Stoa carries {len(packages)} packages of others, crates and those of its page. Each is under one of the licences that it names."
    for text, titles in sorted(parts.items(), key=lambda part: part[1]):
        yield "\n".join(["=" * 100, *titles, "-" * 100, text])


if __name__ == "__main__":
    target = pathlib.Path(sys.argv[1])
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text("\n\n".join(notices()) + "\n")
