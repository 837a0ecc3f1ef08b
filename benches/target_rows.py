"""The targets, row by row: what is wanted (targets.toml), what was found, whether it is reached.

Relies on `target_measure`; every row names the workload that reproduces it. Must never leave out a row because it was
not reached.
"""

from __future__ import annotations

import time
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import Any

from benches.measure import call_overhead_ns
from benches.real import real_data
from benches.target_measure import Bench
from benches.worst_cases import CASES
from benches.worst_cases import measure as measure_worst
from rulebus import Matcher
from rulebus.matcher import Validation

__all__ = ["Row", "rows"]

WANTED: dict[str, Any] = tomllib.loads(Path(__file__).with_name("targets.toml").read_text(encoding="utf-8"))
BOUNDS: dict[str, float] = WANTED["bounds"]


@dataclass(frozen=True, slots=True)
class Row:
    """One target."""

    key: str
    """What -w chooses; rows of one key belong together."""
    what: str
    found: float | None
    """None when it could not be measured here; the note says why."""
    unit: str
    wanted: float | None = None
    """None: only told."""
    at_least: bool = False
    note: str = ""

    @property
    def reached(self) -> bool | None:
        """Whether it is."""
        if self.found is None or self.wanted is None:
            return None
        return self.found >= self.wanted if self.at_least else self.found <= self.wanted

    @property
    def times(self) -> float | None:
        """Found as a multiple of wanted; more than 1 is better than wanted, whichever way."""
        if self.found is None or not self.wanted:
            return None
        return self.found / self.wanted if self.at_least else self.wanted / max(self.found, 1e-12)


def rows(bench: Bench, globs: list[str]) -> Iterator[Row]:
    """Measure what fits the globs, row after row."""
    for key, make in _plan(bench):
        if not globs or any(fnmatchcase(key, glob) for glob in globs):
            yield from make()


def _plan(bench: Bench) -> Iterator[tuple[str, Callable[[], Iterator[Row]]]]:
    for group in WANTED["lots"]:
        for name in group["sets"]:
            yield f"lots/{name}", partial(_lots, bench, f"lots/{name}", group)
    for name, most in WANTED["envelopes"].items():
        yield f"envelopes/{name}", partial(_envelopes, bench, f"envelopes/{name}", most)
    for size in (100_000, 1_000_000):
        yield f"growth/{size}", partial(_growth, bench, size)
        yield f"memory/{size}", partial(_memory, bench, size)
    yield "build/100000", partial(_bulk, bench)
    yield "build/1000000", partial(_million, bench)
    yield "put/1000000", partial(_puts, bench)
    yield "python/full-1000", partial(_python, bench)
    for size in (10, 1_000, 100_000):
        yield f"strict/full-{size}", partial(_strict, bench, size)
    yield "threads/full-1000", partial(_threads, bench)
    for size in (100, 789, 4_432, 20_000):
        yield f"needles/{size}", partial(_needles, bench, size)
    for size in (1_000, 10_000):
        yield f"clones/{size}", partial(_clones, bench, size)
    yield "killers/sibling-arrays", partial(_sibling_arrays, bench)
    yield "killers/or-product", partial(_or_product, bench)
    for name in CASES:
        yield f"worst/{name}", partial(_worst, bench, name)
    yield "real", partial(_real, bench)


def _lots(bench: Bench, key: str, group: dict[str, Any]) -> Iterator[Row]:
    speeds, rival = bench.speeds(key), bench.rival_run(key)
    best, whose = float(group["best_peer"]), "its recorded figure"
    if rival and rival[1]:
        best, whose = 1e9 / rival[0].ns_per_event, "the crate quamina in this run"
    levels: dict[Validation, list[float]] = {"checked": group["wanted"], "trusted": group.get("trusted", [])}
    for level, wanted in levels.items():
        peers = (
            ("event-ruler", float(group["event_ruler"]), ""),
            (f"the best peer ({whose})", best, _rival_note(bench, key)),
        )
        for ratio, (name, peer, more) in zip(wanted, peers, strict=False):
            if ratio and peer:
                note = _speed_note(bench, key, level) + more
                yield Row(key, f"{level}, times {name}", speeds[level].per_s / peer, "×", ratio, True, note)


def _rival_note(bench: Bench, key: str) -> str:
    rival, rules = bench.rival_run(key), bench.workload(key).rule_count
    if rival is None:
        return "; the crate quamina: no answer" if rules <= 1_000 else ""
    run, right = rival
    if right:
        return f"; the crate quamina {run.ns_per_event:,.0f} ns"
    if run.taken < rules:
        return f"; the crate quamina takes {run.taken:,} of {rules:,} rules"
    return f"; the crate quamina {run.ns_per_event:,.0f} ns, but finds {run.matches:,} matches in {run.events:,} events, which is wrong"


def _speed_note(bench: Bench, key: str, level: Validation = "checked") -> str:
    speed = bench.speeds(key)[level]
    counted = bench.instructions(key) if level == "checked" else None
    return f"{speed.ns:,.0f} ns cpu, {speed.wall_ns:,.0f} ns wall" + (
        f", {counted:,.0f} instructions" if counted else ""
    )


def _envelopes(bench: Bench, key: str, most: float) -> Iterator[Row]:
    note = _speed_note(bench, key) + _rival_note(bench, key)
    yield Row(key, "time for an event", bench.speeds(key)["checked"].ns, "ns", most, note=note)


def _growth(bench: Bench, size: int) -> Iterator[Row]:
    few, many = (bench.speeds(f"envelopes/full-{n}")["checked"] for n in (10, size))
    yield Row(f"growth/{size}", f"10 to {size:,} rules", many.ns / few.ns, "×", BOUNDS[f"growth-{size}"])


def _memory(bench: Bench, size: int) -> Iterator[Row]:
    found = bench.memory(f"envelopes/full-{size}")
    note = f"allocated {found['allocated_bytes_per_rule']}, index {found['index_bytes_per_rule']}, text {found['pattern_bytes_per_rule']}"
    wanted = BOUNDS["bytes-per-rule"]
    yield Row(
        f"memory/{size}",
        "resident memory a rule",
        found["process_bytes_per_rule"],
        "bytes",
        wanted,
        note=note,
    )


def _bulk(bench: Bench) -> Iterator[Row]:
    wall, cpu = bench.build_s("envelopes/full-100000")
    note = f"{1e3 * wall:,.0f} ms, {1e3 * cpu:,.0f} ms cpu"
    yield Row(
        "build/100000", "rules put in bulk", 100_000 / wall, "rules/s", BOUNDS["bulk-rules-per-s"], True, note
    )


def _million(bench: Bench) -> Iterator[Row]:
    wall, cpu = bench.build_s("envelopes/full-1000000", rounds=1)
    yield Row(
        "build/1000000",
        "a million rules built",
        wall,
        "s",
        BOUNDS["build-1000000-s"],
        note=f"{cpu:.1f} s cpu",
    )


def _puts(bench: Bench) -> Iterator[Row]:
    found = bench.puts("envelopes/full-1000000")
    yield Row("put/1000000", "one put, median", found.median_us, "µs", BOUNDS["put-median-us"])
    yield Row("put/1000000", "one put, 99.9th percentile", found.p999_ms, "ms", BOUNDS["put-p999-ms"])
    yield Row(
        "put/1000000", "matching beside puts costs more", found.loss_percent, "%", BOUNDS["put-loss-percent"]
    )


def _python(bench: Bench) -> Iterator[Row]:
    name = "envelopes/full-1000"
    calls, lines = bench.calls_per_s(name), bench.speeds(name)["checked"].per_s
    overhead = call_overhead_ns(bench.workload(name))
    yield Row("python/full-1000", "match(bytes) calls", calls, "calls/s", BOUNDS["calls-per-s"], True)
    yield Row("python/full-1000", "match_lines", lines, "events/s", BOUNDS["batched-per-s"], True)
    yield Row("python/full-1000", "a call over match_lines", overhead, "ns", BOUNDS["call-overhead-ns"])


def _strict(bench: Bench, size: int) -> Iterator[Row]:
    found = bench.speeds(f"envelopes/full-{size}")
    ratio = found["strict"].ns / found["checked"].ns
    note = f"{found['strict'].ns:,.0f} ns to {found['checked'].ns:,.0f} ns; trusted {found['trusted'].ns:,.0f} ns"
    yield Row(f"strict/full-{size}", "strict to checked", ratio, "×", BOUNDS["strict-times"], note=note)


def _threads(bench: Bench) -> Iterator[Row]:
    found = bench.two_threads("envelopes/full-1000")
    note = "" if found else "one processor only"
    times, per_s = found or (None, None)
    yield Row("threads/full-1000", "two threads to one", times, "×", BOUNDS["threads-times"], True, note)
    yield Row("threads/full-1000", "match_lines on two threads", per_s, "events/s", note=note)


def _needles(bench: Bench, size: int) -> Iterator[Row]:
    key = f"needles/{size}"
    if wanted := BOUNDS.get(f"needles-{size}-ms"):
        wall, cpu = bench.build_s(key, rounds=5)
        what = f"{size:,} *literal* on one field, built"
        yield Row(key, what, 1e3 * wall, "ms", wanted, note=f"{1e3 * cpu:.1f} ms cpu")
    note = _speed_note(bench, key) + _rival_note(bench, key)
    yield Row(key, "time for an event", bench.speeds(key)["checked"].ns, "ns", note=note)


def _clones(bench: Bench, size: int) -> Iterator[Row]:
    key = f"clones/{size}"
    yield Row(key, "time for an event", bench.speeds(key)["checked"].ns, "ns", note=_speed_note(bench, key))


def _sibling_arrays(bench: Bench) -> Iterator[Row]:
    key = "killers/sibling-arrays"
    found = bench.speeds(key)["checked"].ns / 1e3
    yield Row(
        key, "time for the event", found, "µs", BOUNDS["sibling-arrays-us"], note=_speed_note(bench, key)
    )


def _or_product(bench: Bench) -> Iterator[Row]:
    key = "killers/or-product"
    wall, cpu = bench.build_s(key, rounds=9)
    note = f"{1e3 * cpu:.3f} ms cpu"
    yield Row(key, "seven $or of four added", 1e3 * wall, "ms", BOUNDS["or-product-ms"], note=note)


def _worst(bench: Bench, name: str) -> Iterator[Row]:
    key, bounds, before = f"worst/{name}", WANTED["worst"][name], None
    for found in measure_worst(name, bench.rounds):
        size, note = found.size, f"{found.matches:,} matches"
        if f"event-us-{size}" in bounds or len(CASES[name][1]) > 2:
            yield Row(
                key,
                f"time for an event at {size:,}",
                found.event_us,
                "µs",
                bounds.get(f"event-us-{size}"),
                note=note,
            )
        if before and size == 2 * before.size:
            yield Row(
                key,
                f"the same, to {before.size:,}",
                found.event_us / before.event_us,
                "×",
                WANTED["worst"]["doubled"],
            )
        if wanted := bounds.get(f"build-ms-{size}"):
            yield Row(key, f"build of {size:,}", found.build_ms, "ms", wanted)
        if wanted := bounds.get(f"bytes-{size}"):
            yield Row(key, f"allocated a rule at {size:,}", found.bytes_per_rule, "bytes", wanted)
        before = found


def _real(bench: Bench) -> Iterator[Row]:
    data = real_data()
    if isinstance(data, str):
        yield Row("real", "time for an event", None, "ns", note=data)
        return
    texts, lines, expected = data
    matcher, buffer = Matcher(texts, validation="checked"), b"\n".join(lines)
    best = 1e9
    for _ in range(4 * bench.rounds):
        begin = time.thread_time()
        result = matcher.match_lines(buffer)
        best = min(best, time.thread_time() - begin)
        if len(result.rules) != expected:
            raise RuntimeError(f"real: {len(result.rules)} matches, not {expected}")
    note = f"{len(texts):,} rules, {len(lines):,} events, {expected:,} matches as recorded"
    yield Row("real", "time for an event", 1e9 * best / len(lines), "ns", note=note)
