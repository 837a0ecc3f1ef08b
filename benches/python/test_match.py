"""One event at a time, as bytes, str and dict, and the rivals beside us. Times are for all events of a group.

Relies on the catalogue. Must never compare engines on different events: all take the sample that the
reference judged."""

from __future__ import annotations

import json
from typing import Any

import pytest
from benches.catalogue import Workload
from benches.engines import ENGINES, missing, open_engine
from pytest_benchmark.fixture import BenchmarkFixture

WORKLOADS = ("envelopes/simple-1000", "envelopes/full-1000", "envelopes/full-100000", "lots/COMMON_COMBO")
RIVALRY = ("envelopes/full-10", "envelopes/full-1000", "lots/EXACT", "lots/COMMON_COMBO")
# Answers that a rival is known to give wrong on our data; its time is shown, its count is not ours.
WRONG = {"event-ruler", "moto"}


def parsed(lines: list[bytes]) -> list[Any]:
    return [json.loads(line) for line in lines]


@pytest.mark.parametrize("form", ["bytes", "str", "dict"])
@pytest.mark.parametrize("name", WORKLOADS)
def test_match(benchmark: BenchmarkFixture, ready: Any, name: str, form: str) -> None:
    workload, matcher = ready(name)
    lines = workload.lines()[:5_000]
    expected = len(matcher.match_lines(b"\n".join(lines)).rules)
    forms = {"bytes": list, "str": lambda all_: [line.decode() for line in all_], "dict": parsed}
    events = forms[form](lines)
    match = matcher.match

    def run() -> int:
        return sum([len(match(event)) for event in events])

    benchmark.group = f"match/{name}"
    benchmark.extra_info["events"] = len(events)
    assert benchmark(run) == expected > 0


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", RIVALRY)
def test_rivals(benchmark: BenchmarkFixture, named: Any, name: str, engine: str) -> None:
    if reason := missing(engine):
        pytest.skip(reason)
    workload: Workload = named(name)
    adapter = open_engine(engine)
    adapter.build(workload.rules())
    lines = workload.sample_lines()

    def run() -> int:
        return sum([adapter.match(line) for line in lines])

    benchmark.group = f"rivals/{name}"
    benchmark.extra_info["events"] = len(lines)
    found = benchmark.pedantic(run, rounds=1 if engine != "rulebus" else 20, iterations=1)
    if engine in WRONG and found != workload.sample_matches:
        benchmark.extra_info["wrong"] = f"{found} matches instead of {workload.sample_matches}"
        pytest.xfail(f"{engine} finds {found} matches where there are {workload.sample_matches}")
    assert found == workload.sample_matches
