"""The bus beside what Python programs use in its place, on the same handlers: two of them get each event and count it.

blinker and pyee call functions by name of a signal, in the caller's thread; bubus has typed events, a queue and history;
moto answers `put_events` in process as AWS would. None of them keeps what fails, and only moto looks into an event: for the
others the publisher names the right one of 500 signals itself, so they are spared the work of matching. A peer that
is not installed is named and left out. Counts are checked in the run. Relies on the installed package and `benches.bus`.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benches.bus import BUSY, RULES, batches, chunks, one_by_one, rules_and_entries

Run = Callable[[int], dict[str, float]]


def tenant_of(entry: dict[str, Any]) -> str:
    """What the publisher names a signal by."""
    return str(json.loads(entry["Detail"])["tenant"])


def measured(work: Callable[[], None], seen: list[int], expected: int) -> dict[str, float]:
    """How long the work takes, if every handler was called."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    took = {"wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu}
    if seen[0] != expected:
        raise SystemExit(f"{seen[0]} deliveries were handled, {expected} were expected")
    return took


def blinker(events: int) -> dict[str, float]:
    """A signal for each tenant."""
    from blinker import Namespace

    _, entries = rules_and_entries(events, BUSY)
    space, seen = Namespace(), [0]

    def first(sender: Any, **event: Any) -> None:
        seen[0] += 1

    def second(sender: Any, **event: Any) -> None:
        seen[0] += 1

    signals = {f"tenant-{number}": space.signal(f"tenant-{number}") for number in range(RULES // 2)}
    for signal in signals.values():
        signal.connect(first)
        signal.connect(second)
    addressed = [(signals[tenant_of(entry)], entry) for entry in entries]

    def work() -> None:
        for signal, entry in addressed:
            signal.send("bench", event=entry)

    return measured(work, seen, 2 * events)


def pyee(events: int) -> dict[str, float]:
    """A name for each tenant."""
    from pyee.base import EventEmitter

    _, entries = rules_and_entries(events, BUSY)
    emitter, seen = EventEmitter(), [0]

    def first(event: Any) -> None:
        seen[0] += 1

    def second(event: Any) -> None:
        seen[0] += 1

    for number in range(RULES // 2):
        emitter.on(f"tenant-{number}", first)
        emitter.on(f"tenant-{number}", second)
    addressed = [(tenant_of(entry), entry) for entry in entries]

    def work() -> None:
        for name, entry in addressed:
            emitter.emit(name, entry)

    return measured(work, seen, 2 * events)


def bubus(events: int) -> dict[str, float]:
    """A type of event for each busy tenant; awaited in groups, as its history is bounded."""
    from bubus import BaseEvent, EventBus

    _, entries = rules_and_entries(events, BUSY)
    seen = [0]

    def first(event: Any) -> None:
        seen[0] += 1

    def second(event: Any) -> None:
        seen[0] += 1

    kinds = {
        f"tenant-{number}": type(f"Tenant{number}", (BaseEvent,), {"__annotations__": {"detail": str}})
        for number in range(BUSY)
    }
    addressed = [(kinds[tenant_of(entry)], entry["Detail"]) for entry in entries]

    async def main() -> dict[str, float]:
        bus = EventBus(name="bench", max_history_size=50)
        for kind in kinds.values():
            bus.on(kind, first)
            bus.on(kind, second)
        wall, cpu = time.perf_counter(), time.process_time()
        for group in range(0, len(addressed), 50):
            sent = [bus.dispatch(kind(detail=detail)) for kind, detail in addressed[group : group + 50]]
            for event in sent:
                await event
        took = {"wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu}
        await bus.stop(clear=True)
        return took

    took = asyncio.run(main())
    if seen[0] != 2 * events:
        raise SystemExit(f"{seen[0]} deliveries were handled, {2 * events} were expected")
    return took


def moto(events: int) -> dict[str, float]:
    """`put_events` of moto's in-process EventBridge, called as its responses call it, with the same 1,000 rules.

    It has no functions as targets, so the rules have none: what is measured is the matching alone.
    """
    from moto.core import DEFAULT_ACCOUNT_ID
    from moto.events.models import events_backends

    rules, entries = rules_and_entries(events, BUSY)
    backend = events_backends[DEFAULT_ACCOUNT_ID]["us-east-1"]
    backend.reset()
    for name, pattern in rules.items():
        backend.put_rule(name, event_pattern=json.dumps(pattern))
    calls = list(chunks(entries, 10))
    wall, cpu = time.perf_counter(), time.process_time()
    for part in calls:
        answers = backend.put_events([dict(entry) for entry in part])
        if any("ErrorCode" in answer for answer in answers):
            raise SystemExit(f"moto refused an entry: {answers}")
    return {"wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu}


PEERS: dict[str, tuple[Run, int, str, str]] = {
    # Name: run, events, the module it needs, what it does beside calling the handlers.
    "rulebus, batches": (
        lambda events: batches(events, 100, BUSY),
        60_000,
        "rulebus",
        "matches 1,000 rules, queues, counts, keeps what fails",
    ),
    "rulebus, one by one": (
        lambda events: one_by_one(events, 1, BUSY),
        20_000,
        "rulebus",
        "matches 1,000 rules, queues, counts, keeps what fails",
    ),
    "blinker": (blinker, 60_000, "blinker", "nothing"),
    "pyee": (pyee, 60_000, "pyee", "nothing"),
    "bubus": (bubus, 1_000, "bubus", "typed events, queue, history"),
    "moto put_events": (moto, 200, "moto.events", "matches 1,000 rules; has no functions to call"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--json", action="store_true", help="one JSON object a peer")
    options = parser.parse_args()
    for name, (run, events, needed, beside) in PEERS.items():
        if importlib.util.find_spec(needed.split(".")[0]) is None:
            print(f"{name}: {needed} is not installed")
            continue
        runs = [run(events) for _ in range(options.runs)]
        wall = max(events / one["wall_s"] for one in runs)
        cpu = max(events / one["cpu_s"] for one in runs)
        if options.json:
            figures = {"events_per_s": round(wall), "events_per_cpu_s": round(cpu)}
            print(json.dumps({"peer": name, **figures, "beside": beside}), flush=True)
        else:
            print(f"{name:22} {wall:>10,.0f} {cpu:>10,.0f}  {beside}", flush=True)


if __name__ == "__main__":
    main()
