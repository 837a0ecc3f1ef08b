"""Archives and replays at the bus. Relies on the installed package; the logic has tests of its own."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

import rulebus
from rulebus.rule import Subscription
from rulebus.stores.memory import MemoryStore
from rulebus.targets.function import FunctionTarget
from rulebus.testing.clock import FakeClock

SHOP = {"source": ["shop"]}
DAY = 86_400.0


def entry(n: int, source: str = "shop") -> dict[str, Any]:
    return {"Source": source, "DetailType": "Order", "Detail": f'{{"n":{n}}}'}


def stores(tmp_path: Path) -> list[Any]:
    return [MemoryStore(), rulebus.SqliteStore(tmp_path / "bus.db")]


@pytest.mark.parametrize("kind", [0, 1], ids=["memory", "sqlite"])
def test_a_consumer_that_came_later_gets_what_was(tmp_path: Path, kind: int) -> None:
    clock = FakeClock()
    got: list[tuple[int, str | None]] = []
    with rulebus.EventBus("orders", store=stores(tmp_path)[kind], clock=clock) as bus:
        bus.create_archive("shop", SHOP)
        early: list[int] = []
        bus.put_rule("early", SHOP, lambda event: early.append(event.detail["n"]))
        for n in range(30):
            bus.put_events([entry(n), entry(n, "other")])
            clock.advance(1)
        middle = clock.now() - 15
        bus.put_rule("late", SHOP, lambda event: got.append((event.detail["n"], event.get("replay-name"))))
        preview = bus.preview_replay("shop", middle, clock.now() + 1, rules=["late"])
        assert (preview.events, preview.matched, preview.rules) == (15, 15, {"late": 15})
        replay = bus.replay("shop", middle, clock.now() + 1, rules=["late"], name="catch-up")
        assert replay.wait(10).state == "COMPLETED"
        assert bus.wait_idle(10)
        assert got == [(n, "catch-up") for n in range(15, 30)]
        assert len(early) == 30
        # Replayed events are not archived again.
        assert bus.preview_replay("shop", 0, 1e12).events == 30
        assert bus.find_replay("catch-up").status.events == 15


@pytest.mark.parametrize("kind", [0, 1], ids=["memory", "sqlite"])
def test_to_any_bus_with_the_same_ids(tmp_path: Path, kind: int) -> None:
    """Also events that no rule matched when they were put."""
    got: list[str] = []
    with rulebus.EventBus(store=stores(tmp_path)[kind], clock=FakeClock()) as bus:
        other = bus.create_bus("other")
        other.put_rule("r", SHOP, lambda event: got.append(event.id))
        bus.create_archive("all")
        ids = bus.put_events([entry(n) for n in range(700)]).event_ids
        assert bus.replay("all", 0, 1e12, to="other").wait(10).events == 700
        assert bus.wait_idle(10)
        assert other.statistics().events == 700
    assert got == ids


def test_a_replay_waits_for_room() -> None:
    gate = threading.Event()
    got: list[int] = []

    def slow(event: rulebus.Event) -> None:
        assert gate.wait(10)
        got.append(event.detail["n"])

    with rulebus.EventBus(clock=FakeClock()) as bus:
        other = bus.create_bus("other")
        bus.create_archive("all")
        bus.put_events([entry(n) for n in range(1200)])
        other.put_rule("slow", SHOP, Subscription(target=FunctionTarget(slow), id="t", max_pending=10))
        replay = bus.replay("all", 0, 1e12, to="other")
        assert replay.wait(0.05).state in ("STARTING", "RUNNING")
        gate.set()
        assert replay.wait(20).state == "COMPLETED"
        assert bus.wait_idle(20)
    assert got == list(range(1200))


def test_a_replay_that_a_close_cut_short_goes_on(tmp_path: Path) -> None:
    gate = threading.Event()
    got: list[int] = []

    def opened() -> rulebus.EventBus:
        bus = rulebus.EventBus(store=rulebus.SqliteStore(tmp_path / "bus.db"), clock=FakeClock())
        other = bus.create_bus("other")
        other.put_rule(
            "r",
            SHOP,
            Subscription(
                target=FunctionTarget(lambda e: (gate.wait(10), got.append(e.detail["n"]))),
                id="t",
                max_pending=600,
            ),
        )
        return bus

    bus = opened()
    bus.create_archive("all")
    bus.put_events([entry(n) for n in range(3000)])
    replay = bus.replay("all", 0, 1e12, to="other", name="again")
    replay.wait(0.1)
    closing = threading.Thread(target=bus.close)
    closing.start()
    assert bus._hub.keeping._closing.wait(10)
    gate.set()
    closing.join(20)
    first = len(got)
    assert first < 3000
    with opened() as bus:
        assert [archive.name for archive in bus.archives()] == ["all"]
        (going_on,) = bus.resume_replays()
        assert going_on.wait(20).state == "COMPLETED"
        assert bus.wait_idle(20)
    assert got == list(range(3000)), "exactly where it was"


def test_archived_events_grow_too_old() -> None:
    clock = FakeClock()
    with rulebus.EventBus(clock=clock) as bus:
        bus.create_archive("short", retention_days=1)
        bus.create_archive("long")
        bus.put_events([entry(1)])
        clock.advance(DAY / 2)
        bus.put_events([entry(2)])
        clock.advance(DAY * 0.6)
        assert bus.preview_replay("short", 0, 1e12).events == 1
        assert bus.preview_replay("long", 0, 1e12).events == 2
        assert bus.delete_archive("long") == 2


def test_refused_events_are_not_archived() -> None:
    gate = threading.Event()
    with rulebus.EventBus(clock=FakeClock(), when_full="refuse") as bus:
        bus.create_archive("all")
        bus.put_rule(
            "slow", SHOP, Subscription(target=FunctionTarget(lambda e: gate.wait(10)), id="t", max_pending=1)
        )
        result = bus.put_events([entry(1), entry(2), entry(3, "other"), {}])
        assert [e.error_code for e in result] == [None, "QueueFull", None, "InvalidArgument"]
        assert bus.preview_replay("all", 0, 1e12).events == 2
        stats = bus.statistics()
        assert (stats.events, stats.matched, stats.unmatched, stats.refused) == (2, 1, 1, 2)
        gate.set()


def test_archives_of_other_buses_and_of_none() -> None:
    with rulebus.EventBus() as bus:
        other = bus.create_bus("other")
        other.create_archive("theirs")
        assert bus.archives() == ()
        assert [archive.bus for archive in other.archives()] == ["other"]
        with pytest.raises(rulebus.BusError, match="unknown-archive"):
            bus.replay("nothing", 0, 1)
        with pytest.raises(rulebus.BusError, match="archive-exists"):
            bus.create_archive("theirs")
        other.delete_archive("theirs")
        bus.delete_bus("other")
