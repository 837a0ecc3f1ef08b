"""The measurements behind the targets: speeds by validation level with processor time and instructions, rivals in the
same run, building, putting, memory.

Speeds are quiet rates: the events are cut into chunks and each chunk's fastest round counts, in processor time, which a
busy machine disturbs least; the time on the wall is told beside it. Relies on the catalogue. Must never return a speed whose matches are not the recorded ones.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

from benches import gates
from benches.catalogue import Workload, load
from benches.memory import measure as measure_memory
from benches.peers import Rival, Run
from rulebus import Matcher
from rulebus import workload as generators
from rulebus.matcher import Validation
from rulebus.measure.rounds import quantile

__all__ = ["Bench", "Puts", "Speed"]

ROOT = Path(__file__).resolve().parent.parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
_CHUNK_EVENTS = 2_500
_SEVERAL_LEVELS = 100_000
_COUNTED_RULES = 10_000
_COUNTED_EVENTS = 200
_RIVAL_S = 4.0
_RIVAL_RULES = 1_000
_PUTS = 3_000
Found = TypeVar("Found")
Fresh = Iterator[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Speed:
    """Nanoseconds an event."""

    ns: float
    """Of processor time: on one thread it is the time on the wall of a quiet machine, also on a busy one."""
    wall_ns: float

    @property
    def per_s(self) -> float:
        """Events a second."""
        return 1e9 / self.ns


@dataclass(slots=True)
class Puts:
    """Rules put one by one into a large set, and what that does to matching beside it."""

    median_us: float
    p999_ms: float
    loss_percent: float
    """Processor time that matching takes more while rules are put."""


Measure = Callable[["Bench", str], Found]


def remembered(measure: Measure[Found]) -> Measure[Found]:
    """Measures once for each workload; a bench remembers for as long as it lives."""

    @wraps(measure)
    def once(bench: Bench, name: str) -> Found:
        key = (measure.__name__, name)
        if key not in bench.answers:
            bench.answers[key] = measure(bench, name)
        found: Found = bench.answers[key]
        return found

    return once


@dataclass
class Bench:
    """Measures once what several rows need."""

    rounds: int
    count: bool
    """Whether to count instructions where it is cheap."""
    rival: Rival
    answers: dict[tuple[str, str], Any] = field(default_factory=dict)

    def workload(self, name: str) -> Workload:
        """The workload of a name."""
        (found,) = load(name)
        return found

    @remembered
    def speeds(self, name: str) -> dict[Validation, Speed]:
        """Speed of `match_lines` on one thread, by level; very large sets at `checked` only."""
        workload = self.workload(name)
        texts = dict(workload.texts())
        levels: tuple[Validation, ...] = ("checked", "trusted", "strict")
        matchers: dict[Validation, Matcher] = {}
        for level in levels if len(texts) <= _SEVERAL_LEVELS else levels[:1]:
            matchers[level] = Matcher(texts, validation=level)
        _judged(workload, matchers["checked"])
        lines = workload.lines()
        chunks = [b"\n".join(lines[at : at + _CHUNK_EVENTS]) for at in range(0, len(lines), _CHUNK_EVENTS)]
        wall = {level: [1e9] * len(chunks) for level in matchers}
        cpu = {level: [1e9] * len(chunks) for level in matchers}
        for round_ in range(self.rounds):
            found = dict.fromkeys(matchers, 0)
            # A level at a time over all chunks, in turn: in use there is one index, and it has the caches to itself.
            for level in list(matchers)[:: 1 if round_ % 2 else -1]:
                for number, chunk in enumerate(chunks):
                    begin, cpu_begin = time.perf_counter(), time.thread_time()
                    result = matchers[level].match_lines(chunk)
                    spent, cpu_spent = time.perf_counter() - begin, time.thread_time() - cpu_begin
                    found[level] += len(result.rules)
                    wall[level][number] = min(wall[level][number], spent)
                    cpu[level][number] = min(cpu[level][number], cpu_spent)
            for level, matches in found.items():
                if matches != workload.matches:
                    raise RuntimeError(f"{name}, {level}: {matches} matches, not {workload.matches}")
        scale = 1e9 / len(lines)
        return {level: Speed(scale * sum(cpu[level]), scale * sum(wall[level])) for level in matchers}

    @remembered
    def rival_run(self, name: str) -> tuple[Run, bool] | None:
        """The rival on a workload, and whether its matches are right; None when it has no answer."""
        workload = self.workload(name)
        if workload.rule_count > _RIVAL_RULES:
            return None
        lines = workload.lines()
        run = self.rival.run(
            (text for _, text in workload.texts()), lines, rounds=self.rounds, seconds=_RIVAL_S
        )
        if run is None:
            return None
        expected = workload.matches
        if run.events < len(lines):
            expected = len(Matcher(workload.texts()).match_lines(b"\n".join(lines[: run.events])).rules)
        return run, run.matches == expected and run.taken == workload.rule_count

    @remembered
    def instructions(self, name: str) -> float | None:
        """Instructions an event, counted by callgrind on a few; None where that is not cheap or not possible."""
        workload = self.workload(name)
        if not self.count or workload.rule_count > _COUNTED_RULES:
            return None
        lines = workload.lines()
        step = max(1, len(lines) // _COUNTED_EVENTS)
        events = lines[::step][:_COUNTED_EVENTS]
        found = gates.instructions_of((text for _, text in workload.texts()), events)
        return found / len(events) if found else None

    @remembered
    def memory(self, name: str) -> dict[str, float]:
        """Bytes a rule, by kind, in a process of its own."""
        found = measure_memory(name)
        if found["matches"] != self.workload(name).matches:
            raise RuntimeError(f"{name}: {found['matches']} matches, not {self.workload(name).matches}")
        return found

    @remembered
    def puts(self, name: str) -> Puts:
        """New rules put one by one, each timed; then matching with and without puts beside it."""
        workload = self.workload(name)
        matcher = Matcher(workload.texts(), validation="checked")
        fresh = _fresh(workload)
        taken = []
        for _ in range(_PUTS):
            rule, pattern = next(fresh)
            begin = time.perf_counter()
            matcher.put(rule, pattern)
            taken.append(time.perf_counter() - begin)
        if len(matcher) != workload.rule_count + _PUTS:
            raise RuntimeError(f"{name}: {len(matcher)} rules after {_PUTS} puts")
        taken.sort()
        loss = _loss(matcher, workload, fresh)
        # A merge of a million rules goes on for seconds, and would take a processor from the rows that follow.
        matcher._wait_for_merges()
        return Puts(1e6 * quantile(taken, 0.5), 1e3 * quantile(taken, 0.999), loss)

    @remembered
    def calls_per_s(self, name: str) -> float:
        """`match(bytes)` calls a second, the fastest round."""
        workload = self.workload(name)
        matcher, lines = Matcher(workload.texts(), validation="checked"), workload.lines()[:5_000]
        expected = len(matcher.match_lines(b"\n".join(lines)).rules)
        match, best = matcher.match, 1e9
        for _ in range(4 * self.rounds):
            begin = time.thread_time()
            found = sum([len(match(line)) for line in lines])
            best = min(best, time.thread_time() - begin)
            if found != expected:
                raise RuntimeError(f"{name}: {found} matches one by one, not {expected}")
        return len(lines) / best

    @remembered
    def two_threads(self, name: str) -> tuple[float, float] | None:
        """How much faster two threads match than one, and their events a second; None with a single processor."""
        if len(os.sched_getaffinity(0)) < 2:
            return None
        workload = self.workload(name)
        matcher, buffer = Matcher(workload.texts(), validation="checked"), b"\n".join(workload.lines())
        best = {1: 1e9, 2: 1e9}
        for _ in range(2 * self.rounds):
            for threads in best:
                begin = time.perf_counter()
                found = len(matcher.match_lines(buffer, threads=threads).rules)
                best[threads] = min(best[threads], time.perf_counter() - begin)
                if found != workload.matches:
                    raise RuntimeError(
                        f"{name}: {found} matches on {threads} threads, not {workload.matches}"
                    )
        return best[1] / best[2], len(workload.lines()) / best[2]

    def build_s(self, name: str, rounds: int = 3) -> tuple[float, float]:
        """Seconds of the fastest of some builds, and the least processor time, of all threads."""
        workload = self.workload(name)
        texts = dict(workload.texts())
        best, cpu = 1e9, 1e9
        for _ in range(rounds):
            begin, cpu_begin = time.perf_counter(), time.process_time()
            matcher = Matcher(texts)
            best = min(best, time.perf_counter() - begin)
            cpu = min(cpu, time.process_time() - cpu_begin)
        if len(matcher.match_lines(b"\n".join(workload.lines())).rules) != workload.matches:
            raise RuntimeError(f"{name}: another number of matches than recorded")
        return best, cpu


def _judged(workload: Workload, matcher: Matcher) -> None:
    sample = workload.sample_lines()
    found = len(matcher.match_lines(b"\n".join(sample)).rules) if sample else 0
    if found != workload.sample_matches:
        raise RuntimeError(f"{workload.name}: {found} matches in the sample, not {workload.sample_matches}")


def _fresh(workload: Workload) -> Fresh:
    """Rules of the same mix that the set does not hold, under names of their own."""
    for name, pattern in generators.rules(n=100_000, seed=99, **workload.arguments):
        yield f"fresh-{name}", json.dumps(pattern)


def _loss(matcher: Matcher, workload: Workload, fresh: Fresh) -> float:
    """Percent of processor time that an event costs more while another thread puts rules as fast as it can."""
    buffer = b"\n".join(workload.lines()[:10_000])

    def event_s() -> float:
        taken = []
        end = time.perf_counter() + 2.0
        while time.perf_counter() < end:
            begin = time.thread_time()
            matcher.match_lines(buffer)
            taken.append(time.thread_time() - begin)
        return quantile(sorted(taken), 0.5)

    alone = event_s()
    stop = threading.Event()

    def put() -> None:
        for rule, pattern in fresh:
            matcher.put(rule, pattern)
            if stop.is_set():
                return

    writer = threading.Thread(target=put)
    writer.start()
    beside = event_s()
    stop.set()
    writer.join()
    return 100 * (beside / alone - 1)
