"""The instruction-count gate: what fails it, what it only reports, when it skips. The counting itself is run by
`make check`, not by the tests.

Relies on benches/gates.py as a file. Must never start valgrind."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from benches import gates

from integration.tree import ROOT


def case(instructions: int, count: int = 5) -> dict[str, Any]:
    return {"instructions": instructions, "count": count}


@pytest.mark.parametrize(
    ("counted", "failed", "words"),
    [
        ({"a": case(1030)}, False, "1 cases, 0 failed"),
        ({"a": case(1031)}, True, "MORE THAN +3 %"),
        ({"a": case(900)}, False, "1 better than recorded"),
        ({"a": case(1000, count=4)}, True, "FOUND 4 INSTEAD OF 5"),
        ({"a": case(1000), "b": case(1)}, True, "is not recorded"),
        ({}, True, "is recorded but was not run"),
    ],
)
def test_verdicts(counted: dict[str, Any], failed: bool, words: str) -> None:
    lines, verdict = gates.verdicts({"a": case(1000)}, counted)
    assert verdict is failed
    assert words in "\n".join(lines)
    assert ("--accept" in lines[-1]) is (failed or "better" in words)


def test_it_skips_with_the_reason_where_valgrind_is_not(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(gates.shutil, "which", lambda name: None)
    assert gates.main([]) == 0
    assert "skipped, valgrind is not installed" in capsys.readouterr().out
    assert gates.main(["--accept"]) == 2


def test_it_skips_with_the_reason_under_another_compiler(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(gates, "_missing", lambda: None)
    monkeypatch.setattr(gates, "_about", lambda: {"compiler": "rustc 99", "valgrind": "valgrind-9"})
    assert gates.main([]) == 0
    assert re.search(
        r"skipped, they were recorded with rustc .* and this is rustc 99", capsys.readouterr().out
    )


def test_a_dozen_cases_are_recorded() -> None:
    recorded = json.loads((ROOT / "benches" / "gates" / "counts.json").read_text(encoding="utf-8"))
    assert len(recorded["cases"]) >= 12
    assert all(one["instructions"] > 100_000 and one["count"] > 0 for one in recorded["cases"].values())


def test_check_runs_it() -> None:
    assert "$(MAKE) gates" in (ROOT / "Makefile").read_text(encoding="utf-8")
