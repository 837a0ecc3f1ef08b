"""Many events in one call: `match_lines` on every workload, `count_lines` and `match_many` beside it.

Relies on the catalogue. The matches of all events are the recorded ones, in every round."""

from __future__ import annotations

from typing import Any

import pytest
from benches.catalogue import Workload, load
from pytest_benchmark.fixture import BenchmarkFixture

# Larger sets take half a minute each to make; `run.py --targets` measures them.
UP_TO_100_000 = [workload for workload in load() if workload.rule_count <= 100_000]


@pytest.mark.parametrize("workload", UP_TO_100_000, ids=lambda workload: workload.name)
def test_match_lines(benchmark: BenchmarkFixture, ready: Any, workload: Workload) -> None:
    _, matcher = ready(workload.name)
    buffer = b"\n".join(workload.lines())
    benchmark.group = "match_lines"
    benchmark.extra_info.update(events=workload.events, size_bytes=len(buffer))

    def run() -> int:
        return len(matcher.match_lines(buffer).rules)

    assert benchmark.pedantic(run, rounds=3, iterations=1) == workload.matches


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("name", ["envelopes/full-1000", "envelopes/full-100000"])
def test_count_lines(benchmark: BenchmarkFixture, ready: Any, name: str, threads: int) -> None:
    workload, matcher = ready(name)
    buffer = b"\n".join(workload.lines())
    benchmark.group = f"count_lines/{name}"

    def run() -> int:
        return sum(matcher.count_lines(buffer, threads=threads).counts.values())

    assert benchmark.pedantic(run, rounds=3, iterations=1) == workload.matches


def test_match_many(benchmark: BenchmarkFixture, ready: Any) -> None:
    workload, matcher = ready("envelopes/full-1000")
    lines = workload.lines()
    benchmark.group = "match_many/envelopes/full-1000"

    def run() -> int:
        return sum(map(len, matcher.match_many(lines)))

    assert benchmark.pedantic(run, rounds=3, iterations=1) == workload.matches
