"""Holds the lists of codes in docs/errors.md to what targets and schedules can say. Reads their sources as text."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from integration.tree import ROOT
from rulebus.errors import BusError
from rulebus.schedule import ScheduleError, parse

PACKAGE = ROOT / "python" / "rulebus"
PAGE = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
# Kinds that refuse nothing of their own by these codes.
OTHERS = {"function.py", "bus.py", "log.py", "context.py", "protocol.py"}


def listed(heading: str) -> list[list[str]]:
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `.*$", section, re.MULTILINE)
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]] for row in rows]


def sources(folder: str) -> Iterator[str]:
    for file in sorted((PACKAGE / folder).rglob("*.py")):
        if file.name not in OTHERS:
            yield file.read_text(encoding="utf-8")


def test_every_code_of_a_target_that_is_refused_is_listed() -> None:
    said = {code for text in sources("targets") for code in re.findall(r'"((?:target|extra)-[a-z-]+)"', text)}
    assert said == {row[0].strip("`") for row in listed("Targets")}


def test_every_code_of_a_failure_is_listed() -> None:
    form = re.compile(r'"(?:permanent|retryable|throttled)",\s*"([A-Z][A-Z0-9_]+)"')
    said = {code for text in sources("targets") for code in form.findall(text)}
    said |= {code for text in sources("targets") for code in re.findall(r'kind,\s*"([A-Z][A-Z0-9_]+)"', text)}
    said |= {code for text in sources("targets") for code in re.findall(r'EndIndex", "([A-Z_]+)"', text)}
    assert said == {row[0].strip("`") for row in listed("Failures")}


def test_every_code_of_a_schedule_is_listed() -> None:
    said = {code for text in sources("schedule") for code in re.findall(r'"(schedule-[a-z-]+)"', text)}
    assert said == {row[0].strip("`") for row in listed("Schedules")}


@pytest.mark.parametrize("row", listed("Schedules"), ids=lambda row: row[0])
def test_examples_of_schedule_codes_are_refused_with_them(row: list[str]) -> None:
    code, _, example, _ = (cell.strip("`") for cell in row)
    text = "x" * 300 if example.startswith("(see") else example
    with pytest.raises(ScheduleError) as caught:
        parse(text)
    assert caught.value.code == code
    assert isinstance(caught.value, BusError)
