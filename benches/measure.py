"""How an engine is timed on a workload, and what comes out.

A buffer is cut into chunks and every chunk's fastest round counts, which takes the neighbours' load out of
the figure while the data stay larger than the caches. Must never report a time whose count of matches was
not looked at.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from benches.catalogue import Workload
from benches.engines import Engine, open_engine
from benches.engines.rulebus_engine import Adapter as Rulebus
from rulebus import Matcher

__all__ = ["Figure", "call_overhead_ns", "measure_calls", "measure_lines"]

_CHUNK_EVENTS = 2_500


@dataclass(frozen=True, slots=True)
class Figure:
    """One engine on one workload."""

    workload: str
    engine: str
    mode: str
    """`lines`: many events in one call; `calls`: one call an event, as bytes."""
    rules: int
    taken: int
    """Rules that went in: engines may refuse some."""
    events: int
    build_s: float
    ns_per_event: float
    mb_per_s: float
    matches: int
    expected: int

    @property
    def right(self) -> bool:
        """Whether the matches are those that they must be."""
        return self.matches == self.expected

    @property
    def events_per_s(self) -> float:
        """Events in a second."""
        return 1e9 / self.ns_per_event


def measure_lines(workload: Workload, rounds: int) -> Figure:
    """rulebus, all events of a workload through `match_lines`; the count is the recorded one or the figure
    is wrong.
    """
    engine, taken, build_s = _built("rulebus", workload)
    assert isinstance(engine, Rulebus)
    judged = engine.count_lines(b"\n".join(workload.sample_lines()))
    if judged != workload.sample_matches:
        raise RuntimeError(f"{workload.name}: {judged} matches in the sample, not {workload.sample_matches}")
    lines = workload.lines()
    chunks = [b"\n".join(lines[at : at + _CHUNK_EVENTS]) for at in range(0, len(lines), _CHUNK_EVENTS)]
    best = [float("inf")] * len(chunks)
    matches = 0
    for _ in range(rounds):
        matches = 0
        for number, chunk in enumerate(chunks):
            begin = time.perf_counter()
            matches += engine.count_lines(chunk)
            best[number] = min(best[number], time.perf_counter() - begin)
    return _figure(workload, "rulebus", "lines", taken, lines, build_s, sum(best), matches, workload.matches)


def measure_calls(workload: Workload, name: str, budget_s: float) -> Figure:
    """One call an event, over the sample that the reference judged; slow engines see as much of it as time
    allows. What they saw is counted anew by rulebus, whose count of the sample `measure_lines` checks.
    """
    engine, taken, build_s = _built(name, workload)
    # A handful of events would measure the first cache only: rulebus is fast enough for more.
    lines = workload.lines()[:5_000] if name == "rulebus" else workload.sample_lines() or workload.lines()
    seen, matches, begin, spent = 0, 0, time.perf_counter(), 0.0
    for line in lines:
        matches += engine.match(line)
        seen += 1
        spent = time.perf_counter() - begin
        if spent > budget_s:
            break
    if seen == len(lines) and spent < budget_s / 4:
        for _ in range(int(min(50, budget_s / spent / 2))):
            begin = time.perf_counter()
            for line in lines:
                engine.match(line)
            spent = min(spent, time.perf_counter() - begin)
    judge = Matcher(workload.texts())
    expected = len(judge.match_lines(b"\n".join(lines[:seen])).rules)
    return _figure(workload, name, "calls", taken, lines[:seen], build_s, spent, matches, expected)


def call_overhead_ns(workload: Workload, events: int = 2_000, rounds: int = 30) -> float:
    """What one `match(bytes)` costs above the same event in `match_lines`; the fastest rounds of both, in
    processor time."""
    matcher = Matcher(workload.texts(), validation="checked")
    lines = workload.lines()[:events]
    buffer = b"\n".join(lines)
    match, calls_s, lines_s = matcher.match, float("inf"), float("inf")
    for _ in range(rounds):
        begin = time.thread_time()
        for line in lines:
            match(line)
        calls_s = min(calls_s, time.thread_time() - begin)
        begin = time.thread_time()
        matcher.match_lines(buffer)
        lines_s = min(lines_s, time.thread_time() - begin)
    return 1e9 * (calls_s - lines_s) / len(lines)


def _built(name: str, workload: Workload) -> tuple[Engine, int, float]:
    # A million rules as dicts would take gigabytes; rulebus takes texts.
    engine, rules = open_engine(name), list(workload.texts()) if name == "rulebus" else workload.rules()
    begin = time.perf_counter()
    taken = engine.build(rules)
    return engine, taken, time.perf_counter() - begin


def _figure(
    workload: Workload,
    engine: str,
    mode: str,
    taken: int,
    lines: list[bytes],
    build_s: float,
    spent_s: float,
    matches: int,
    expected: int,
) -> Figure:
    return Figure(
        workload.name, engine, mode, workload.rule_count, taken, len(lines), build_s,
        1e9 * spent_s / len(lines), sum(map(len, lines)) / spent_s / 1e6, matches, expected,
    )  # fmt: skip
