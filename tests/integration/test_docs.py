"""Judges every example of the documentation and checks every link. A `pattern` block holds a pattern, then events marked
✓ or ✗, or the word "refused"; rulebus.Pattern and rulebus.reference must both say the same.

Relies on the installed package; reads nothing from the network: links to other sites are not followed."""

from __future__ import annotations

import re

import pytest
import rulebus
from integration.tree import ROOT, Block, blocks, run_python, tracked
from rulebus import reference

PAGES = sorted(str(file) for file in tracked() if file.suffix == ".md" and "corpus" not in file.parts)
PATTERNS = [block for page in PAGES for block in blocks(page) if block.language == "pattern"]
# The README has a test of its own.
PYTHON = [block for page in PAGES if page != "README.md" for block in blocks(page) if block.language == "python"]


def named(block: Block) -> str:
    return f"{block.file}:{block.line}"


@pytest.mark.parametrize("block", PATTERNS, ids=named)
def test_pattern_block(block: Block) -> None:
    pattern, *events = block.text.strip().splitlines()
    if events == ["refused"]:
        with pytest.raises(rulebus.PatternError):
            rulebus.Pattern(pattern)
        with pytest.raises(reference.ReferencePatternError):
            reference.parse(pattern)
        return
    assert events, "a pattern without a verdict teaches nothing"
    for line in events:
        mark, event = line.split(" ", 1)
        assert mark in "✓✗"
        assert rulebus.Pattern(pattern).matches(event) is (mark == "✓"), f"{pattern} on {event}"
        assert reference.matches(reference.parse(pattern), event) is (mark == "✓"), f"reference: {pattern} on {event}"


@pytest.mark.parametrize("block", PYTHON, ids=named)
def test_python_block(block: Block) -> None:
    run_python(block, {})


def test_every_operator_has_an_example() -> None:
    shown = "\n".join(block.text for block in PATTERNS if block.file == "docs/patterns.md")
    for operator in ("exactly", "prefix", "suffix", "equals-ignore-case", "wildcard", "numeric", "cidr", "exists", "anything-but", "$or"):
        assert f'"{operator}":' in shown, operator


def anchors(text: str) -> set[str]:
    """The anchors that a page's headings get."""
    headings = re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`\n]*`", "", text)):
        if "://" in target:
            continue
        file, _, anchor = target.partition("#")
        aim = (ROOT / page).parent / file if file else ROOT / page
        assert aim.exists(), f"{page} links to {target}"
        if anchor:
            assert anchor in anchors(aim.read_text(encoding="utf-8")), f"{page} links to {target}"


def test_every_event_code_is_documented() -> None:
    codes = re.findall(r'Self::\w+ => "([a-z0-9-]+)"', (ROOT / "src/core/error.rs").read_text(encoding="utf-8"))
    listed = re.findall(r"^\| `([a-z0-9-]+)` \|", (ROOT / "docs/errors.md").read_text(encoding="utf-8").split("## Events")[1], re.MULTILINE)
    assert len(codes) > 10
    assert set(codes) <= set(listed)


def test_every_pattern_code_is_documented_and_its_example_gives_it() -> None:
    catalogue = (ROOT / "src/core/pattern/catalogue.rs").read_text(encoding="utf-8")
    codes = re.findall(r'code: "([a-z0-9-]+)"', catalogue)
    section = (ROOT / "docs/errors.md").read_text(encoding="utf-8").split("## Patterns")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `([a-z0-9-]+)` \|[^|]*\| (.*?) \|", section, re.MULTILINE)
    assert len(codes) > 20
    assert [code for code, _ in rows] == codes
    shown = [(code, example.strip("`")) for code, example in rows if example.startswith("`")]
    for code, example in shown:
        with pytest.raises(rulebus.PatternError) as caught:
            rulebus.Pattern(example)
        assert caught.value.code == code, example
    assert len(shown) > 20
