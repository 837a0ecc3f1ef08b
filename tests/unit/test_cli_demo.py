"""`rulebus demo`: its figures are of this run, its tables fit into 100 columns, with rich and without.

Relies on the installed package. Must never run more than a few thousand events."""

from __future__ import annotations

import importlib.util
import json
from importlib.machinery import ModuleSpec

import pytest

import rulebus
from rulebus import workload
from unit.cli_runner import Run, runner


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]) -> Run:
    return runner(monkeypatch, capsysbinary)


def test_the_figures_are_those_of_the_run(run: Run) -> None:
    shown = json.loads(
        run("demo", "--part", "engine", "--rules", "300", "--events", "4000", "--seed", "3", "--json").out
    )["engine"]
    matcher = rulebus.Matcher(workload.rules("full", 300, 3, entities=10_000))
    events = list(workload.envelopes(4_000, 3, entities=10_000))
    counts = matcher.count_lines(b"\n".join(events))
    assert shown["matches"] == sum(counts.counts.values()) > 3_000
    assert shown["top_rules"] == {name: counts.counts[name] for name in shown["top_rules"]}
    assert (shown["events"], shown["events_bytes"]) == (4_000, sum(map(len, events)) + 3_999)
    assert shown["events_per_s"] == pytest.approx(4_000 / shown["match_s"], rel=0.2)


def test_the_near_miss_misses_nearly(run: Run) -> None:
    miss = json.loads(run("demo", "--part", "engine", "--rules", "3000", "--events", "20000", "--json").out)[
        "engine"
    ]["near_miss"]
    explanation = rulebus.Pattern(miss["pattern"]).explain(miss["event"])
    assert not explanation.matched
    failed = [condition for condition in explanation.conditions if not condition.matched]
    assert len(failed) == 1 < len(explanation.conditions) - 2


@pytest.mark.parametrize("rich", [True, False])
def test_the_tables_fit_into_100_columns(run: Run, monkeypatch: pytest.MonkeyPatch, rich: bool) -> None:
    find = importlib.util.find_spec
    if rich and find("rich") is None:
        pytest.skip("rich is not installed")

    def found(name: str, package: str | None = None) -> ModuleSpec | None:
        return None if name == "rich" and not rich else find(name, package)

    monkeypatch.setattr("importlib.util.find_spec", found)
    outcome = run("demo", "--orders", "20", "--rules", "50", "--events", "3000")
    assert outcome.status == 0
    assert outcome.err == ""
    tables = outcome.out.split("Why did", 1)[0]
    assert max(map(len, tables.splitlines())) <= 100
    for word in (
        "billing",
        "Does it add up?",
        "events a second",
        "ns",
        "MB/s",
        "matches",
        "memory",
        "us-shop-and-storage",
    ):
        assert word in tables


def test_the_shop_adds_up(run: Run) -> None:
    outcome = run("demo", "--part", "shop", "--orders", "40", "--seed", "5", "--json")
    assert outcome.status == 0
    shop = json.loads(outcome.out)["shop"]
    assert shop["adds_up"]
    assert all(claim["holds"] for claim in shop["claims"])
    assert shop["bus"]["events"] == 120
    assert shop["bus"]["billing_calls_failed"] > 0 < shop["synchronous"]["failed_checkouts"]
    counters = shop["counters"]
    # Three events an order for warehouse and analytics, one for billing, at most one letter; and the replay's.
    assert 3 * 120 + 40 < counters["deliveries"] - counters["redriven"] <= 3 * 120 + 80


def test_the_shop_says_when_it_does_not_add_up(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rulebus.cli.demo.services.Email.thank", lambda self, order: None)
    outcome = run("demo", "--part", "shop", "--orders", "10")
    assert outcome.status == 1
    assert "NO" in outcome.out
