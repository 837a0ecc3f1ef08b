"""`rulebus explain` and what the command line says about itself.

Relies on the installed package. Must never pin the explanation's layout, which `test_explanation` judges."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import rulebus
from unit.cli_runner import Run, runner

RULES = '{"big": {"detail": {"total": [{"numeric": [">", 100]}]}}, "other": {"x": [1]}}'
EVENT = '{"detail": {"total": 99}}'


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    file = tmp_path / "rules.json"
    file.write_text(RULES)
    return file


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]) -> Run:
    return runner(monkeypatch, capsysbinary)


def test_the_exit_status_is_the_verdict(run: Run, rules: Path, tmp_path: Path) -> None:
    missed = run("explain", "--rules", rules, "--rule", "big", EVENT)
    assert missed.status == 1
    assert missed.out.strip() == str(rulebus.Matcher(json.loads(RULES)).explain("big", EVENT)).strip()
    (tmp_path / "event.json").write_text(EVENT.replace("99", "101"))
    assert run("explain", "-r", rules, "-n", "big", tmp_path / "event.json").status == 0
    assert run("explain", "-r", rules, "-n", "big", "-", stdin=b'{"detail":{"total":1e9}}').status == 0


def test_json(run: Run, rules: Path) -> None:
    explained = json.loads(run("explain", "-r", rules, "-n", "big", "--json", EVENT).out)
    assert (explained["rule"], explained["matched"]) == ("big", False)
    assert explained["conditions"][0]["path"] == "detail.total"


def test_bad_use(run: Run, rules: Path) -> None:
    for arguments, word in (
        (["-n", "bgi", EVENT], 'has no rule "bgi"; did you mean "big"?'),
        (["-n", "big", "absent.json"], "cannot read absent.json"),
        (["-n", "big", "{}}"], "the command line"),
        (["-n", "big"], "EVENT"),
    ):
        outcome = run("explain", "-r", rules, *arguments)
        assert outcome.status == 2
        assert word in outcome.err


@pytest.mark.parametrize("command", [(), ("match",), ("check",), ("explain",), ("demo",)])
def test_help_has_an_example(run: Run, command: tuple[str, ...]) -> None:
    outcome = run(*command, "--help")
    assert outcome.status == 0
    assert "Examples:\n" in outcome.out
    assert max(map(len, outcome.out.splitlines())) <= 100


def test_version(run: Run) -> None:
    assert run("--version").out == f"rulebus {rulebus.__version__}\n"
