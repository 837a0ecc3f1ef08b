"""Rules that change while others match: what a put costs, and what it costs the readers.

`python benches/live.py [--rules 1000000] [--mix full] [--puts 20000] [--rate 0]` prints a table. For each kind of
reader (none; one thread in `match_lines`, which runs without the interpreter; busy Python threads in `match`; as a
control as many that never touch the matcher) it measures the readers alone, then puts rules and removes old ones beside them. Times of puts are those of the
calls; beside busy Python threads they hold waits for the interpreter lock that no library can avoid: the
column `own` is the processor time of the changing thread. What readers lose is told twice: in events a second, which
on a busy machine is also the loss of a processor, and in processor time an event. Relies on the generators of the package. Must never
change its answers: the matches of the unchanged rules are checked at the end.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from rulebus import Matcher
from rulebus.workload import envelopes, rules

EVENTS = 2_000
SECONDS = 3.0


@dataclass
class Readers:
    """Threads that match until they are told to stop; counts the events."""

    work: Callable[[], int]
    count: int
    stop: threading.Event = field(default_factory=threading.Event)
    events: list[int] = field(default_factory=list)
    own: list[float] = field(default_factory=list)
    threads: list[threading.Thread] = field(default_factory=list)

    def start(self) -> None:
        self.events, self.own = [0] * self.count, [0.0] * self.count
        for at in range(self.count):
            self.threads.append(threading.Thread(target=self._run, args=(at,)))
            self.threads[-1].start()

    def _run(self, at: int) -> None:
        while not self.stop.is_set():
            self.events[at] += self.work()
            self.own[at] = time.thread_time()

    def now(self) -> tuple[int, float, float]:
        return sum(self.events), time.perf_counter(), sum(self.own)

    def end(self) -> None:
        self.stop.set()
        for thread in self.threads:
            thread.join()


def change(matcher: Matcher, patterns: list[str], puts: int, rate: float) -> tuple[list[float], float]:
    """Put rules, and remove each tenth again; the seconds of each put and the processor time of all."""
    times = []
    begin, own = time.perf_counter(), time.thread_time()
    for number in range(puts):
        if rate:
            wait = begin + number / rate - time.perf_counter()
            if wait > 0:
                time.sleep(wait)
        start = time.perf_counter()
        matcher.put(("live", number), patterns[number % len(patterns)])
        times.append(time.perf_counter() - start)
        if number % 10 == 9:
            matcher.remove(("live", number - 5))
    return times, (time.thread_time() - own) / puts


def percentile(times: list[float], share: float) -> float:
    return sorted(times)[min(len(times) - 1, int(len(times) * share))]


Moment = tuple[int, float, float]


def lost(begin: Moment, middle: Moment, end: Moment) -> list[str]:
    """Events a second alone, beside changes, and the loss; the same for the processor time of an event in ns."""
    (alone, own), (beside, more) = (
        ((b[0] - a[0]) / (b[1] - a[1]), 1e9 * (b[2] - a[2]) / (b[0] - a[0]))
        for a, b in ((begin, middle), (middle, end))
    )
    rates = [f"{alone:.0f}", f"{beside:.0f}", f"{100 * (1 - beside / alone):.0f} %"]
    return [*rates, f"{own:.0f}", f"{more:.0f}", f"{100 * (more / own - 1):.0f} %"]


def measure(matcher: Matcher, kind: str, count: int, given: argparse.Namespace, lines: bytes) -> None:
    events = lines.splitlines()
    patterns = [
        json.dumps(pattern) for _, pattern in rules(given.mix, 4_096, seed=99, entities=given.rules * 2)
    ][10:]

    def many() -> int:
        return len(matcher.match_lines(lines))

    turn = 0

    def single() -> int:
        nonlocal turn
        turn += 1
        match = matcher.match
        for event in events[turn % 50 :: 50]:
            match(event)
        return len(events) // 50

    def python() -> int:
        return sum(1 for _ in range(2_000))

    readers = Readers({"match_lines": many, "python only": python}.get(kind, single), count)
    readers.start()
    begin = readers.now()
    time.sleep(SECONDS if count else 0.0)
    middle = readers.now()
    times, own = change(matcher, patterns, given.puts, given.rate)
    end = readers.now()
    readers.end()
    took = end[1] - middle[1]
    row = [
        f"{count} {kind}" if count else "none",
        *(f"{1e6 * percentile(times, share):.0f}" for share in (0.5, 0.99, 0.999)),
        f"{1e6 * max(times):.0f}",
        f"{1e6 * own:.0f}",
        f"{len(times) / took:.0f}",
        *(lost(begin, middle, end) if count and kind != "python only" else [""] * 6),
        str(matcher.stats().segments),
    ]
    print("| " + " | ".join(row) + " |", flush=True)
    for number in range(given.puts):
        matcher.discard(("live", number))


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rules", type=int, default=1_000_000)
    parser.add_argument("--mix", default="full")
    parser.add_argument("--puts", type=int, default=20_000)
    parser.add_argument("--rate", type=float, default=0.0, help="puts a second; 0 = as many as possible")
    parser.add_argument("--readers", type=int, default=4, help="busy Python threads")
    given = parser.parse_args(arguments)
    lines = b"\n".join(envelopes(EVENTS))
    base: dict[Any, str] = {}
    for name, pattern in rules(given.mix, given.rules):
        base[name] = json.dumps(pattern, separators=(",", ":"))
    start = time.perf_counter()
    matcher = Matcher(base)
    print(f"{len(matcher):,} rules of the mix {given.mix}, built in {time.perf_counter() - start:.2f} s")
    names = set(base)
    del base
    matches = len(matcher.match_lines(lines).rules)
    print("times of a put in microseconds, rates a second")
    heads = "readers,median,99 %,99.9 %,most,own,puts,events alone,beside,lost,ns alone,beside,more,segments"
    print("| " + " | ".join(heads.split(",")) + " |\n|---" + "|---:" * heads.count(",") + "|")
    kinds = (("none", 0), ("match_lines", 1), ("match", given.readers), ("python only", given.readers))
    for kind, count in kinds:
        measure(matcher, kind, count, given, lines)
    found = matcher.match_lines(lines)
    assert statistics.fsum(found.count()[name] for name in found.names if name in names) == matches
    assert len(matcher) == len(names)
    return 0


if __name__ == "__main__":
    sys.exit(main())
