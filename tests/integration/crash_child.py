"""A process that puts events and delivers them until it is killed: the victim of test_crash.

What it was about to put, what was acknowledged and what a handler took it writes to plain files, line by line, which
outlive it. Must never write a line late: an acknowledgement stands there before the next put, a delivery before the
handler returns.
"""

from __future__ import annotations

import os
import random
import sys
import threading
from pathlib import Path

from rulebus.bus.event_bus import EventBus
from rulebus.errors import PermanentError
from rulebus.event import Event
from rulebus.retry import RetryPolicy
from rulebus.rule import Subscription
from rulebus.stores.sqlite import SqliteStore
from rulebus.targets.function import FunctionTarget

RETRY = RetryPolicy(maximum_retry_attempts=3, waits_s=(0.0, 0.01, 0.02))
TARGETS = ("good", "many", "flaky")


class Lines:
    """A file of lines, each written whole and at once."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def add(self, *lines: str) -> None:
        os.write(self._file, "".join(f"{line}\n" for line in lines).encode())


def subscriptions(took: Lines, chance: random.Random) -> list[Subscription]:
    def good(event: Event) -> None:
        took.add(f"good {event.detail['n']}")

    def many(events: list[Event]) -> None:
        took.add(*[f"many {event.detail['n']}" for event in events])

    def flaky(event: Event) -> None:
        number = int(event.detail["n"].rsplit("-")[-1])
        if number % 13 == 0:
            raise PermanentError("never")
        if number % 11 == 0 or chance.random() < 0.3:
            raise ValueError("not now")
        took.add(f"flaky {event.detail['n']}")

    return [
        Subscription(target=FunctionTarget(good), id="good"),
        Subscription(target=FunctionTarget(many, batch=True), id="many", batch_size=20, concurrency=2),
        Subscription(target=FunctionTarget(flaky), id="flaky", concurrency=3, retry=RETRY),
    ]


def put(bus: EventBus, turn: str, who: int, chance: random.Random, meant: Lines, acked: Lines) -> None:
    """Puts events for ever."""
    number = 0
    while True:
        names = [f"{turn}-{who}-{number + k}" for k in range(chance.choice((1, 1, 3, 20)))]
        number += len(names)
        entries = [
            {
                "Source": "shop",
                "DetailType": "T",
                "Detail": {"n": name, "filler": "x" * chance.randrange(2000)},
            }
            for name in names
        ]
        meant.add(*names)
        result = bus.put_events(entries)
        assert result.failed_entry_count == 0
        acked.add(*names)


REPLAYED = 3000
"""Events of the archive that is replayed."""


def replay(folder: Path, turn: str) -> None:
    """Fills an archive, begins to replay it, or goes on with that; ends when it is replayed and delivered."""
    took = Lines(folder / f"replayed-{turn}")

    def later(events: list[Event]) -> None:
        took.add(*[f"{event['replay-name']} {event.detail['n']}" for event in events])

    bus = EventBus("orders", store=SqliteStore(folder / "replay.db"))
    consumer = Subscription(target=FunctionTarget(later, batch=True), id="later", batch_size=20)
    bus.create_bus("later").put_rule("all", {"source": ["shop"]}, targets=[consumer])
    if not bus.archives():
        bus.create_archive("all")
        bus.put_events([{"Source": "shop", "DetailType": "T", "Detail": {"n": n}} for n in range(REPLAYED)])
    print("ready", flush=True)
    running = bus.resume_replays()
    if not bus.replays():
        # A rate, so that there are moments to be killed at.
        running = (bus.replay("all", 0.0, 1e12, to="later", name="again", rate_per_s=2500.0),)
    for one in running:
        one.wait(120)
    assert bus.wait_idle(120)
    bus.close()


def main() -> None:
    folder, turn, mode = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    if mode == "replay":
        replay(folder, turn)
        return
    chance = random.Random(turn)
    meant, acked, took = (Lines(folder / name) for name in ("meant", "acked", f"took-{turn}"))
    bus = EventBus("orders", store=SqliteStore(folder / "bus.db"))
    bus.put_rule("all", {"source": ["shop"]}, targets=subscriptions(took, chance))
    print("ready", flush=True)
    if mode == "drain":
        assert bus.wait_idle(120)
        report = bus.close()
        assert report.pending == 0
        return
    for who in range(3):
        arguments = (bus, turn, who, random.Random(f"{turn}/{who}"), meant, acked)
        threading.Thread(target=put, args=arguments, daemon=True).start()
    threading.Event().wait()


if __name__ == "__main__":
    main()
