"""docs/errors.md lists the codes of stores, archives and replays: all of them, and none that is not raised.

Relies on the sources' texts. Must never import what it judges."""

from __future__ import annotations

import re

import pytest

from integration.tree import ROOT

PACKAGE = ROOT / "python" / "rulebus"


def raised(folder: str) -> set[str]:
    """The codes that stand in the sources: as first argument of an error, or in the table of SQLite's results."""
    codes: set[str] = set()
    for file in (PACKAGE / folder).rglob("*.py"):
        text = file.read_text(encoding="utf-8")
        codes |= set(re.findall(r'(?:StoreError|BusError)\(\s*"([a-z-]+)"', text))
        codes |= set(re.findall(r'^ {8}"(store-[a-z-]+)",$', text, re.MULTILINE))
        codes |= set(re.findall(r'^_OTHER = \("(store-[a-z-]+)"', text, re.MULTILINE))
    return codes


def listed(heading: str) -> list[str]:
    page = (ROOT / "docs/errors.md").read_text(encoding="utf-8")
    section = page.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    return re.findall(r"^\| `([a-z-]+)` \|", section, re.MULTILINE)


@pytest.mark.parametrize(("folder", "heading"), [("stores", "Stores"), ("archive", "Archives and replays")])
def test_every_code_is_listed(folder: str, heading: str) -> None:
    codes = listed(heading)
    assert len(codes) == len(set(codes))
    assert set(codes) == raised(folder)
