"""How fast the bus is, put to handled: rules, events and targets of the goals, every count checked in the run.

`python benches/bus.py --help` lists the cases. Each is timed from the first put to the last delivery handled, several
times; the best run counts, since on a shared machine only the others' work makes a run slower. Beside the rate by the clock
stands that by processor time, which others' work disturbs less: where the bus keeps one core busy, a quiet machine reaches it.
Events are the workload's (details of 0.1 to 3.4 KB), each put as an entry whose detail is text, and matched by two of 1,000
rules. `busy`: all events are for 10 of the 500 pairs of rules, so that queues fill and batches form; `even`: for all alike.
Relies on the installed package; must never count a delivery that a handler did not get.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import rulebus
from rulebus import workload

RULES = 1_000


class Timer:
    """Seconds by the clock and of all processors that this process used."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def stop(self) -> dict[str, float]:
        return {"wall_s": time.perf_counter() - self._wall, "cpu_s": time.process_time() - self._cpu}


def rules_and_entries(
    events: int, pairs: int = RULES // 2
) -> tuple[dict[str, dict[str, Any]], list[dict[str, Any]]]:
    """1,000 rules, and entries that match exactly two of them each, of so many pairs.

    Every rule asks for a detail type and one of 500 tenants, half of them with a second condition; the tenant is put into
    the detail of an event of the workload.
    """
    rules: dict[str, dict[str, Any]] = {}
    for number in range(RULES // 2):
        tenant = f"tenant-{number}"
        rules[f"{tenant}-all"] = {"source": ["bench"], "detail": {"tenant": [tenant]}}
        rules[f"{tenant}-big"] = {"detail": {"tenant": [tenant], "weight": [{"numeric": [">=", 0]}]}}
    entries = []
    for number, line in enumerate(workload.envelopes(events, seed=3)):
        detail = json.dumps(json.loads(line)["detail"], separators=(",", ":"))
        tenant = f'{{"tenant":"tenant-{number * 7 % pairs}","weight":{number % 100},'
        entries.append({"Source": "bench", "DetailType": "Bench", "Detail": tenant + detail[1:]})
    return rules, entries


class Count:
    """What handlers got; `done` is set at the number expected."""

    def __init__(self, expected: int) -> None:
        self.expected = expected
        self.seen = 0
        self.done = threading.Event()
        self.lock = threading.Lock()

    def add(self, count: int) -> None:
        with self.lock:
            self.seen += count
            if self.seen >= self.expected:
                self.done.set()

    def check(self) -> None:
        if not self.done.wait(60) or self.seen != self.expected:
            raise SystemExit(f"{self.seen} deliveries were handled, {self.expected} were expected")


def prepared(bus: Any, rules: dict[str, dict[str, Any]], target: Callable[..., Any], **options: Any) -> None:
    """Puts the rules, all with the same function."""
    from rulebus.rule import Subscription
    from rulebus.targets.function import FunctionTarget

    batch = options.pop("batch", False)
    one = FunctionTarget(target, batch=batch)
    for name, pattern in rules.items():
        bus.put_rule(name, pattern, [Subscription(target=one, id="bench", **options)])


def sizes(entries: list[dict[str, Any]]) -> str:
    lengths = [len(entry["Detail"]) for entry in entries]
    return f"details of {min(lengths)}-{max(lengths)} bytes, {sum(lengths) // len(lengths)} on average"


def chunks(entries: list[dict[str, Any]], size: int) -> Iterator[list[dict[str, Any]]]:
    for at in range(0, len(entries), size):
        yield entries[at : at + size]


def batches(events: int, call: int, pairs: int) -> dict[str, float]:
    """Functions of lists, puts of many entries."""
    rules, entries = rules_and_entries(events, pairs)
    count = Count(2 * events)
    with rulebus.EventBus() as bus:
        prepared(bus, rules, lambda got: count.add(len(got)), batch=True, batch_size=256)
        calls = list(chunks(entries, call))
        timer = Timer()
        for part in calls:
            bus.put_events(part)
        count.check()
        took = timer.stop()
        check(bus, events)
    return took


def check(bus: Any, events: int) -> None:
    """Whether the bus counted what the handlers got."""
    bus._hub.dispatcher.wait_idle(10)
    stats = bus.statistics()
    if stats.events != events or stats.matched != 2 * events or stats.total.successes != 2 * events:
        raise SystemExit(f"the statistics say {stats.events} events and {stats.total.successes} successes")


def one_by_one(events: int, call: int, pairs: int) -> dict[str, float]:
    """Functions of one event, puts of one entry unless told otherwise."""
    rules, entries = rules_and_entries(events, pairs)
    with rulebus.EventBus() as bus:
        count = Count(2 * events)
        prepared(bus, rules, lambda event: count.add(1))
        calls = list(chunks(entries, call))
        timer = Timer()
        for part in calls:
            bus.put_events(part)
        count.check()
        took = timer.stop()
        check(bus, events)
    return took


def asynchronous(events: int, call: int, pairs: int) -> dict[str, float]:
    """`async def` functions of one event, on the publisher's loop."""
    rules, entries = rules_and_entries(events, pairs)

    async def main() -> dict[str, float]:
        count = Count(2 * events)

        async def handle(event: Any) -> None:
            count.add(1)

        async with rulebus.AsyncEventBus() as bus:
            prepared(bus, rules, handle)
            calls = list(chunks(entries, call))
            timer = Timer()
            for part in calls:
                await bus.put_events(part)
            await bus.wait_idle(60)
            took = timer.stop()
            count.check()
            check(bus, events)
        return took

    return asyncio.run(main())


def latency(events: int, _call: int, pairs: int) -> dict[str, float]:
    """Put to handled at 1,000 events a second, one entry a call."""
    rules, entries = rules_and_entries(events, pairs)
    taken: list[float] = []
    with rulebus.EventBus() as bus:
        count = Count(2 * events)
        put_at = [0.0] * events

        def handle(event: Any) -> None:
            taken.append(time.perf_counter() - put_at[event.detail["at"]])
            count.add(1)

        prepared(bus, rules, handle)
        for number, entry in enumerate(entries):
            entry["Detail"] = f'{{"at":{number},' + entry["Detail"][1:]
        begun = time.perf_counter()
        for number, entry in enumerate(entries):
            due = begun + number / 1000
            while (left := due - time.perf_counter()) > 0:
                time.sleep(left)
            put_at[number] = time.perf_counter()
            bus.put_events([entry])
        count.check()
        check(bus, events)
    cuts = statistics.quantiles(taken, n=100)
    return {"median_ms": cuts[49] * 1e3, "p99_ms": cuts[98] * 1e3, "max_ms": max(taken) * 1e3}


def sqlite(events: int, call: int, pairs: int) -> dict[str, float]:
    """SQLite store, from the first put to the last acknowledged; deliveries go on beside it."""
    rules, entries = rules_and_entries(events, pairs)
    with tempfile.TemporaryDirectory() as folder:
        count = Count(2 * events)
        with rulebus.EventBus(store=rulebus.SqliteStore(Path(folder) / "bus.db")) as bus:
            prepared(bus, rules, lambda got: count.add(len(got)), batch=True, batch_size=256)
            calls = list(chunks(entries, call))
            timer = Timer()
            for part in calls:
                bus.put_events(part)
            took = timer.stop()
            count.check()
            check(bus, events)
    return took


def sqlite_threads(events: int, _call: int, pairs: int) -> dict[str, float]:
    """SQLite store, single entries from 32 threads."""
    rules, entries = rules_and_entries(events, pairs)
    with tempfile.TemporaryDirectory() as folder:
        count = Count(2 * events)
        with rulebus.EventBus(store=rulebus.SqliteStore(Path(folder) / "bus.db")) as bus:
            prepared(bus, rules, lambda got: count.add(len(got)), batch=True, batch_size=256)

            def work(part: list[dict[str, Any]]) -> None:
                for entry in part:
                    bus.put_events([entry])

            threads = [threading.Thread(target=work, args=(entries[at::32],)) for at in range(32)]
            timer = Timer()
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            took = timer.stop()
            count.check()
            check(bus, events)
    return took


BUSY, EVEN = 10, RULES // 2
CASES: dict[str, tuple[Callable[[int, int, int], dict[str, float]], int, int, int, float]] = {
    # Name: function, events, entries a call, pairs of rules that match, goal in events a second.
    "memory/batches/busy": (batches, 60_000, 100, BUSY, 150_000),
    "memory/batches/even": (batches, 60_000, 100, EVEN, 150_000),
    "memory/one-by-one/busy": (one_by_one, 30_000, 1, BUSY, 40_000),
    "memory/one-by-one/even": (one_by_one, 30_000, 1, EVEN, 40_000),
    "memory/one-by-one/calls-of-100": (one_by_one, 30_000, 100, BUSY, 0),
    "memory/asyncio/busy": (asynchronous, 30_000, 1, BUSY, 60_000),
    "memory/asyncio/calls-of-100": (asynchronous, 30_000, 100, BUSY, 60_000),
    "memory/latency": (latency, 3_000, 1, EVEN, 0),
    "sqlite/calls-of-100": (sqlite, 60_000, 100, BUSY, 50_000),
    "sqlite/threads-32": (sqlite_threads, 10_000, 1, BUSY, 3_000),
}


def shown(name: str, events: int, runs: list[dict[str, float]], goal: float) -> dict[str, Any]:
    """The best run as figures."""
    if "median_ms" in runs[0]:
        return {"case": name, **min(runs, key=lambda run: run["median_ms"]), "goal": "1 ms median, 5 ms p99"}
    wall = max(events / run["wall_s"] for run in runs)
    cpu = max(events / run["cpu_s"] for run in runs)
    return {"case": name, "events_per_s": round(wall), "events_per_cpu_s": round(cpu), "goal": goal}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--case", action="append", help=f"only this (may be repeated): {', '.join(CASES)}")
    parser.add_argument("--events", type=int, help="events a run")
    parser.add_argument("--call", type=int, help="entries a call")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--json", action="store_true", help="one JSON object a case")
    options = parser.parse_args()
    _, entries = rules_and_entries(1_000)
    if not options.json:
        print(f"{RULES} rules, 2 targets an event, {sizes(entries)}; by the clock, by processor time, goal")
    for name, (function, events, call, pairs, goal) in CASES.items():
        if options.case and not any(name.startswith(wanted) for wanted in options.case):
            continue
        count = options.events or events
        runs = [function(count, options.call or call, pairs) for _ in range(options.runs)]
        best = shown(name, count, runs, goal)
        if options.json:
            print(json.dumps({**best, "runs": runs}), flush=True)
        elif "median_ms" in best:
            times = ", ".join(f"{key} {best[key]:.3f}" for key in ("median_ms", "p99_ms", "max_ms"))
            print(f"{name:32} {times} (goal {best['goal']})", flush=True)
        else:
            rates = f"{best['events_per_s']:>9,} {best['events_per_cpu_s']:>9,}"
            print(f"{name:32} {rates} {goal:>9,.0f}", flush=True)


if __name__ == "__main__":
    main()
