"""What holds for every file: it says what it is, it is not too long, it names no path of anybody's
machine.

Relies on git's list of files. Must never read what git ignores."""

from __future__ import annotations

import re
from pathlib import Path

from integration.tree import ROOT, tracked

HEADERS = {
    ".rs": r"//!|//",
    ".py": r'r?"""|#',
    ".pyi": r'"""|#',
    ".toml": "#",
    ".sh": "#",
    "Makefile": "#",
    "run": "#",
}
# Data and generated files carry no header, and may be long.
DATA = {"corpus", "record"}
LONGEST = 600
MACHINE = re.compile(
    rb"/(?:work|root|home|Users|tmp/wt|private/tmp)/[a-z0-9_.-]+/"
    rb"|/tmp/[a-z]+-[a-z0-9]+/|https?://[^\s\"'<>)]*/simple\b|--(?:extra-)?index-url|extra-index",
)


def sources() -> list[Path]:
    return [
        file for file in tracked() if (file.suffix or file.name) in HEADERS and not DATA & set(file.parts)
    ]


def test_every_source_says_what_it_is() -> None:
    silent = []
    for file in sources():
        text = (ROOT / file).read_text(encoding="utf-8")
        if text.startswith("#!"):
            text = text.split("\n", 1)[1]
        # A manifest of a crate may say it in its description.
        said = file.name == "Cargo.toml" and re.search(r'^description = "\w', text, re.MULTILINE)
        if text.strip() and not said and not re.match(rf"(?:{HEADERS[file.suffix or file.name]})\W*\w", text):
            silent.append(str(file))
    assert silent == []
    assert len(sources()) > 40


def test_no_source_is_too_long() -> None:
    lengths = {str(file): len((ROOT / file).read_text(encoding="utf-8").splitlines()) for file in sources()}
    assert {file: lines for file, lines in lengths.items() if lines > LONGEST} == {}


def test_no_file_names_a_machine_or_a_package_index() -> None:
    here = Path(__file__).relative_to(ROOT)
    guilty = {}
    for file in tracked():
        # Wildcards and paths inside test data belong to nobody.
        if file == here or file.suffix in {".json", ".jsonl"} or DATA & set(file.parts):
            continue
        if found := MACHINE.search((ROOT / file).read_bytes()):
            guilty[str(file)] = found[0]
    assert guilty == {}


def test_no_unfinished_work_is_announced() -> None:
    words = re.compile(r"\b(?:TODO|FIXME|XXX|unimplemented!|todo!)")
    here = Path(__file__).relative_to(ROOT)
    guilty = [
        str(file)
        for file in sources()
        if file != here and words.search((ROOT / file).read_text(encoding="utf-8"))
    ]
    assert guilty == []


def test_unsafe_stands_only_where_the_inventory_says() -> None:
    inventory = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8").split("## Unsafe code", 1)[1]
    places = re.findall(r"^\| `([^`]+)`", inventory, re.MULTILINE)
    guilty = [
        str(file)
        for file in sources()
        if file.suffix == ".rs"
        and re.search(
            r"^(?!\s*//).*\bunsafe\b(?!_)\s*(?:\{|fn|impl|extern)",
            (ROOT / file).read_text(encoding="utf-8"),
            re.MULTILINE,
        )
        and not str(file).startswith(tuple(places))
    ]
    assert guilty == []
