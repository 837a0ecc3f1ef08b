"""The end of a bus: what is delivered, what is kept, what is said to be lost. Relies on the installed package."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import rulebus
from rulebus.stores.memory import MemoryStore
from rulebus.stores.protocol import Changes
from rulebus.testing.clock import FakeClock
from unit.gate import ENTRY, SHOP, Gate, sub

# The end.


def test_close_delivers_what_is_pending() -> None:
    got: list[str] = []
    bus = rulebus.EventBus()
    bus.put_rule("a", SHOP, lambda event: got.append(event.id))
    sent = bus.put_events([ENTRY] * 500).event_ids
    report = bus.close()
    assert got == sent
    assert (report.pending, report.lost, report.running, report.durable) == (0, 0, 0, False)
    assert bus.close() is report
    assert bus.is_closed


def test_a_handler_may_publish_while_the_bus_closes() -> None:
    got: list[str] = []
    gate = threading.Event()
    bus = rulebus.EventBus()

    @bus.on({"detail-type": ["first"]})
    def first(event: rulebus.Event) -> None:
        assert gate.wait(10)
        bus.publish(source="shop", detail_type="second", detail={})

    @bus.on({"detail-type": ["second"]})
    def second(event: rulebus.Event) -> None:
        got.append(event.detail_type)

    bus.publish(source="shop", detail_type="first", detail={})
    closing = threading.Thread(target=bus.close)
    closing.start()
    while not bus._hub.is_draining:
        closing.join(0.001)
    with pytest.raises(rulebus.BusError, match="bus-closed"):
        bus.publish(source="shop", detail_type="first", detail={})
    gate.set()
    closing.join(10)
    assert got == ["second"]


def test_what_a_memory_loses_is_said() -> None:
    def handler(event: rulebus.Event) -> None:
        raise OSError("down")

    bus = rulebus.EventBus(clock=FakeClock())
    bus.on(SHOP, name="r", target_id="t")(handler)
    bus.put_events([ENTRY, ENTRY])
    with pytest.warns(rulebus.RulebusWarning, match=r"2 deliveries that had not ended: r/t \(2\)"):
        report = bus.close()
    assert (report.lost, [one.target for one in report.targets]) == (2, ["t"])


def test_close_in_time_though_a_handler_hangs() -> None:
    gate = Gate()
    bus = rulebus.EventBus()
    bus.put_rule("slow", SHOP, sub(gate))
    bus.put_events([ENTRY])
    assert gate.entered.wait(10)
    with pytest.warns(rulebus.RulebusWarning, match="1 delivery that had not ended"):
        report = bus.close(timeout_s=0.05)
    assert (report.running, report.pending) == (1, 1)
    gate.open.set()


def test_several_threads_close_at_once() -> None:
    gate = Gate()
    bus = rulebus.EventBus()
    bus.put_rule("slow", SHOP, sub(gate))
    bus.put_events([ENTRY])
    assert gate.entered.wait(10)
    reports: list[rulebus.CloseReport] = []
    closing = [threading.Thread(target=lambda: reports.append(bus.close())) for _ in range(3)]
    for thread in closing:
        thread.start()
    gate.open.set()
    for thread in closing:
        thread.join(10)
    assert len(reports) == 3
    assert len({id(report) for report in reports}) == 1


def test_a_close_that_was_interrupted_may_be_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    bus = rulebus.EventBus()
    bus.put_rule("r", SHOP, lambda event: None)
    with monkeypatch.context() as patched:

        def interrupted(*arguments: Any, **options: Any) -> None:
            raise KeyboardInterrupt

        patched.setattr(bus._hub.dispatcher, "when_idle", interrupted)
        with pytest.raises(KeyboardInterrupt):
            bus.close()
    assert not bus.is_closed
    assert bus.close().pending == 0
    assert bus.is_closed


class Failing(MemoryStore):
    """A durable store whose disk is full for all but new events."""

    durable = True
    full = False

    def write(self, changes: Changes) -> None:
        if self.full and not changes.appended:
            raise rulebus.StoreError("disk-full", "no space left on the disk")
        super().write(changes)


def test_a_store_that_fails_does_not_hold_the_end(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("rulebus.bus.closing._LOOK_S", 0.02)
    monkeypatch.setattr("rulebus.bus.closing._STORE_FAILS", 1)
    monkeypatch.setattr("rulebus.bus.closing._FLUSH_S", 0.02)
    store = Failing()
    store.full = True
    got: list[str] = []
    bus = rulebus.EventBus(store=store)
    bus.put_rule("r", SHOP, lambda event: got.append(event.id))
    bus.put_events([ENTRY] * 3)
    report = bus.close()
    assert len(got) == 3
    assert report.durable
    assert "no space left" in caplog.text


def test_a_handler_may_close_the_bus() -> None:
    closed = threading.Event()
    bus = rulebus.EventBus()

    @bus.on(SHOP)
    def last(event: rulebus.Event) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", rulebus.RulebusWarning)
            bus.close(timeout_s=5)
        closed.set()

    bus.put_events([ENTRY])
    assert closed.wait(10)
    assert bus.is_closed


def test_a_durable_store_keeps_what_is_pending(tmp_path: Path) -> None:
    path = tmp_path / "bus.db"
    up = False
    got: list[str] = []

    def handler(event: rulebus.Event) -> None:
        if not up:
            raise OSError("down")
        got.append(event.id)

    def opened(clock: FakeClock) -> rulebus.EventBus:
        bus = rulebus.EventBus("orders", store=rulebus.SqliteStore(path), clock=clock)
        bus.on(SHOP, name="bill", target_id="bill")(handler)
        return bus

    with opened(FakeClock()) as bus:
        sent = bus.put_events([ENTRY] * 20).event_ids
        bus._hub.dispatcher.wait_idle(10, retries=False)
    report = bus.close()
    assert (report.pending, report.lost, report.durable) == (20, 0, True)
    up = True
    clock = FakeClock()
    with opened(clock) as bus:
        clock.advance(600)
        assert bus.wait_idle(10)
        assert bus.statistics().targets[0].successes == 20
    assert sorted(got) == sorted(str(id) for id in sent)


def test_what_is_pending_for_a_target_that_is_not_there(tmp_path: Path) -> None:
    def opened() -> rulebus.EventBus:
        return rulebus.EventBus(store=rulebus.SqliteStore(tmp_path / "bus.db"), clock=FakeClock())

    def down(event: rulebus.Event) -> None:
        raise OSError("down")

    got: list[str] = []
    with opened() as bus:
        bus.on(SHOP, name="bill")(down)
        sent = bus.put_events([ENTRY] * 3).event_ids
        assert bus.orphans() == {}
    with opened() as bus:
        assert bus.orphans() == {("default", "bill", "bill"): 3}
        bus.put_rule("bill", SHOP, lambda event: None)
        assert bus.orphans() == {("default", "bill", "bill"): 3}, (
            "another target of the same rule gets none of it"
        )
        bus.on(SHOP, name="bill", target_id="bill")(lambda event: got.append(event.id))
        assert bus.orphans() == {}
        bus._hub.clock.advance(600)  # type: ignore[attr-defined]
        assert bus.wait_idle(10)
    assert sorted(got) == sorted(map(str, sent))


def test_events_are_durable_when_put_returns(tmp_path: Path) -> None:
    path = tmp_path / "bus.db"
    bus = rulebus.EventBus(store=rulebus.SqliteStore(path))
    gate = Gate()
    bus.put_rule("slow", SHOP, sub(gate))
    bus.put_events([ENTRY] * 3)
    other: Sequence[Any] = [bus.put_events([ENTRY])[0]]
    assert other[0].event_id
    gate.open.set()
    bus.close()
    assert len(gate.got) == 4
