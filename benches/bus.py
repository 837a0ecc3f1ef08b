"""How fast the bus is, put to handled: rules, events and targets of the goals, every count checked in the run.

`python benches/bus.py --help` lists the cases. Each is timed from the first put to the last delivery handled, several
times; the best run counts, since on a shared machine only the others' work makes a run slower. Events are the
workload's envelopes (0.3 to 4 KB), each put as an entry whose detail is text, and matched by two of 1,000 rules.
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


def rules_and_entries(events: int) -> tuple[dict[str, dict[str, Any]], list[dict[str, Any]]]:
    """1,000 rules, and entries that match exactly two of them each.

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
        tenant = f'{{"tenant":"tenant-{number * 7 % (RULES // 2)}","weight":{number % 100},'
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


def batches(events: int, call: int) -> tuple[int, float]:
    """Functions of lists, puts of many entries."""
    rules, entries = rules_and_entries(events)
    count = Count(2 * events)
    with rulebus.EventBus() as bus:
        prepared(bus, rules, lambda got: count.add(len(got)), batch=True, batch_size=256)
        calls = list(chunks(entries, call))
        begun = time.perf_counter()
        for part in calls:
            bus.put_events(part)
        count.check()
        took = time.perf_counter() - begun
        check(bus, events)
    return events, took


def check(bus: Any, events: int) -> None:
    bus._hub.dispatcher.wait_idle(10)
    stats = bus.statistics()
    if stats.events != events or stats.matched != 2 * events or stats.total.successes != 2 * events:
        raise SystemExit(f"the statistics say {stats.events} events and {stats.total.successes} successes")


def one_by_one(events: int, call: int) -> tuple[int, float]:
    """Functions of one event, puts of one entry unless told otherwise."""
    rules, entries = rules_and_entries(events)
    seen = [0]
    with rulebus.EventBus() as bus:
        count = Count(2 * events)

        def handle(event: Any) -> None:
            count.add(1)

        prepared(bus, rules, handle)
        calls = list(chunks(entries, call))
        begun = time.perf_counter()
        for part in calls:
            bus.put_events(part)
        count.check()
        took = time.perf_counter() - begun
        check(bus, events)
    del seen
    return events, took


def asynchronous(events: int, call: int) -> tuple[int, float]:
    """`async def` functions of one event, on the publisher's loop."""
    rules, entries = rules_and_entries(events)

    async def main() -> float:
        count = Count(2 * events)

        async def handle(event: Any) -> None:
            count.add(1)

        async with rulebus.AsyncEventBus() as bus:
            prepared(bus, rules, handle)
            calls = list(chunks(entries, call))
            begun = time.perf_counter()
            for part in calls:
                await bus.put_events(part)
            await bus.wait_idle(60)
            took = time.perf_counter() - begun
            count.check()
            check(bus, events)
        return took

    return events, asyncio.run(main())


def latency(events: int, _call: int) -> dict[str, float]:
    """Put to handled at 1,000 events a second, one entry a call."""
    rules, entries = rules_and_entries(events)
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


def sqlite(events: int, call: int) -> tuple[int, float]:
    """SQLite store, from the first put to the last acknowledged; deliveries go on beside it."""
    rules, entries = rules_and_entries(events)
    with tempfile.TemporaryDirectory() as folder:
        count = Count(2 * events)
        with rulebus.EventBus(store=rulebus.SqliteStore(Path(folder) / "bus.db")) as bus:
            prepared(bus, rules, lambda got: count.add(len(got)), batch=True, batch_size=256)
            calls = list(chunks(entries, call))
            begun = time.perf_counter()
            for part in calls:
                bus.put_events(part)
            took = time.perf_counter() - begun
            count.check()
            check(bus, events)
    return events, took


def sqlite_threads(events: int, _call: int) -> tuple[int, float]:
    """SQLite store, single entries from 32 threads."""
    rules, entries = rules_and_entries(events)
    with tempfile.TemporaryDirectory() as folder:
        count = Count(2 * events)
        with rulebus.EventBus(store=rulebus.SqliteStore(Path(folder) / "bus.db")) as bus:
            prepared(bus, rules, lambda got: count.add(len(got)), batch=True, batch_size=256)

            def work(part: list[dict[str, Any]]) -> None:
                for entry in part:
                    bus.put_events([entry])

            threads = [threading.Thread(target=work, args=(entries[at::32],)) for at in range(32)]
            begun = time.perf_counter()
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            took = time.perf_counter() - begun
            count.check()
            check(bus, events)
    return events, took


CASES: dict[str, tuple[Callable[[int, int], Any], int, int, float]] = {
    # Name: function, events, entries a call, goal in events a second.
    "memory/batches": (batches, 60_000, 100, 150_000),
    "memory/one-by-one": (one_by_one, 30_000, 1, 40_000),
    "memory/asyncio": (asynchronous, 30_000, 1, 60_000),
    "memory/latency": (latency, 3_000, 1, 0),
    "sqlite/calls-of-100": (sqlite, 60_000, 100, 50_000),
    "sqlite/threads-32": (sqlite_threads, 10_000, 1, 3_000),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--case", action="append", choices=list(CASES), help="only this (may be repeated)")
    parser.add_argument("--events", type=int, help="events a run")
    parser.add_argument("--call", type=int, help="entries a call")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--json", action="store_true", help="one JSON object a case")
    options = parser.parse_args()
    _, entries = rules_and_entries(1_000)
    if not options.json:
        print(f"{RULES} rules, 2 targets an event, {sizes(entries)}")
    for name in options.case or CASES:
        function, events, call, goal = CASES[name]
        runs = []
        for _ in range(options.runs):
            answer = function(options.events or events, options.call or call)
            if isinstance(answer, dict):
                runs.append(answer)
                continue
            done, took = answer
            runs.append({"events_per_s": done / took})
        key = next(iter(runs[0]))
        best = min(runs, key=lambda run: run[key]) if key.endswith("ms") else max(runs, key=lambda run: run[key])
        if options.json:
            print(json.dumps({"case": name, **best, "goal": goal, "runs": runs}))
        else:
            shown = ", ".join(f"{what} {value:,.2f}" if what.endswith("ms") else f"{value:,.0f} events/s" for what, value in best.items())
            print(f"{name:24} {shown}" + (f"  (goal {goal:,.0f})" if goal else ""), flush=True)


if __name__ == "__main__":
    main()
