"""Rules going in and out: bulk, one by one into a large set, removal; and what they cost in memory.

Relies on the catalogue; memory is measured in a process of its own. The rules must match as recorded
afterwards."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from benches.memory import measure
from pytest_benchmark.fixture import BenchmarkFixture

from rulebus import Matcher

LARGE = "envelopes/full-100000"


@pytest.mark.parametrize(
    "name", ["envelopes/full-1000", LARGE, "envelopes/hard-100000", "needles/4432", "clones/10000"]
)
def test_build(benchmark: BenchmarkFixture, named: Any, name: str) -> None:
    workload = named(name)
    rules = dict(workload.rules())
    benchmark.group = "build"
    benchmark.extra_info["rules"] = len(rules)
    matcher = benchmark.pedantic(Matcher, args=(rules,), rounds=2, iterations=1)
    assert len(matcher.match_lines(b"\n".join(workload.lines())).rules) == workload.matches


def test_put_and_remove_in_a_large_set(benchmark: BenchmarkFixture, named: Any) -> None:
    """One round puts a new rule into 100,000 and removes it again."""
    workload = named(LARGE)
    matcher = Matcher(workload.rules())
    pattern = '{"source": ["aws.ec2"], "detail": {"instance-id": ["i-00000000000000000"]}}'
    numbers = itertools.count()

    def run() -> None:
        name = next(numbers)
        matcher.put(name, pattern)
        matcher.remove(name)

    benchmark.group = "change"
    benchmark(run)
    assert len(matcher) == workload.rule_count
    assert len(matcher.match_lines(b"\n".join(workload.lines())).rules) == workload.matches


@pytest.mark.parametrize("name", ["envelopes/simple-100000", LARGE, "envelopes/hard-100000"])
def test_memory(benchmark: BenchmarkFixture, named: Any, name: str) -> None:
    """The time is that of the measuring process; the figures stand in the extra columns."""
    workload = named(name)
    benchmark.group = "memory"
    found = benchmark.pedantic(measure, args=(name,), rounds=1, iterations=1)
    benchmark.extra_info.update(found)
    assert found["rules"] == workload.rule_count
    assert found["matches"] == workload.matches
    assert 0 < found["index_bytes_per_rule"] < 4_096
