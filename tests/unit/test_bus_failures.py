"""A bus when something fails: the store, an option, a schedule. Nothing is half done, nothing is counted that did not
come to be, and what was due comes later. Relies on the installed package."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import pytest

import rulebus
from delivery_kit import wait_until
from rulebus.bus.ticker import TickerThread
from rulebus.clock import SystemClock
from rulebus.errors import StoreError
from rulebus.rule import Subscription
from rulebus.stores.memory import MemoryStore
from rulebus.stores.protocol import Changes
from rulebus.targets.function import FunctionTarget
from rulebus.testing import FakeClock

ENTRY = {"Source": "a", "DetailType": "t", "Detail": '{"k":1}'}
PATTERN = {"source": ["a"]}


def nothing(event: object) -> None:
    pass


def sub(function: Callable[..., Any] = nothing, id: str = "x", **options: Any) -> Subscription:
    return Subscription(target=FunctionTarget(function), id=id, **options)


class Failing(MemoryStore):
    """Refuses events while `bad`: at once, or later; and documents, and numbers, where that is asked for."""

    def __init__(self, later: bool = False) -> None:
        super().__init__()
        self.bad = self.bad_documents = self.bad_numbers = False
        self.later = later
        self.waiting: list[Future[None]] = []

    def write(self, changes: Changes) -> Future[None] | None:  # type: ignore[override]
        if self.later and changes.appended:
            future: Future[None] = Future()
            if self.bad:
                future.set_exception(StoreError("store-full", "no room, as the test says"))
            else:
                super().write(changes)
                self.waiting.append(future)
                threading.Timer(0.0, future.set_result, (None,)).start()
            return future
        if self.bad and changes.appended:
            raise StoreError("store-full", "no room, as the test says")
        super().write(changes)
        return None

    def put_document(self, kind: str, name: str, document: bytes | None) -> None:
        if self.bad_documents:
            raise StoreError("store-full", "no room, as the test says")
        super().put_document(kind, name, document)

    def number(self, key: tuple[str, str, str]) -> int:
        if self.bad_numbers:
            raise StoreError("store-full", "no room, as the test says")
        return super().number(key)


# Counters.


@pytest.mark.parametrize("later", [False, True])
@pytest.mark.parametrize("count", [1, 5])
def test_events_that_were_not_stored_are_not_counted(later: bool, count: int) -> None:
    store = Failing(later)
    with rulebus.EventBus(store=store) as bus:
        bus.put_rule("r", PATTERN, targets=[nothing])
        for round in range(1, 20):
            store.bad = False
            bus.put_events([ENTRY] * 3)
            counted = bus.statistics()  # Exact when the call is over, whoever counted.
            assert (counted.events, counted.matched) == (3 * round, 3 * round)
            store.bad = True
            with pytest.raises(StoreError):
                bus.put_events([ENTRY] * count)
            counted = bus.statistics()
            assert (counted.events, counted.matched, counted.unmatched) == (3 * round, 3 * round, 0)
        assert bus.wait_idle(10)
        assert bus.statistics().total.created == 3 * 19


# Schedules.


@pytest.mark.parametrize("later", [False, True])
@pytest.mark.parametrize("missed", ["skip", "catch_up"])
def test_a_tick_that_the_store_refused_is_made_later(later: bool, missed: Any) -> None:
    store, clock = Failing(later), FakeClock()
    got: list[str] = []
    with rulebus.EventBus(store=store, clock=clock) as bus:
        bus.put_rule(
            "t",
            schedule="rate(1 minute)",
            targets=[sub(lambda event: got.append(event.time))],
            missed_ticks=missed,
        )
        clock.advance(60)
        store.bad = True
        clock.advance(60)
        clock.advance(1)
        assert isinstance(bus._hub.store_error, StoreError)
        store.bad = False
        clock.advance(1)
        assert bus.wait_idle(10)
        assert len(got) == 2
        store.bad = True
        clock.advance(180)
        store.bad = False
        clock.advance(1)
        assert bus.wait_idle(10)
        assert len(got) == (3 if missed == "skip" else 5)
        assert len(set(got)) == len(got)
        assert bus.statistics().events == len(got)


def test_a_rule_whose_ticks_fail_holds_up_no_other() -> None:
    clock = FakeClock()
    got: list[str] = []
    with rulebus.EventBus(clock=clock) as bus:
        for name in ("a", "b"):
            bus.put_rule(
                name, schedule="rate(1 minute)", targets=[sub(lambda event: got.append(event.resources[0]))]
            )
        fire = bus._hub.ticker._fire

        def refuse_a(name: str, rule: str, at: float) -> None:
            if rule == "a":
                raise StoreError("store-full", "no room, as the test says")
            fire(name, rule, at)

        bus._hub.ticker._fire = refuse_a
        clock.advance(60)
        assert bus.wait_idle(10)
        assert [one.rpartition("/")[2] for one in got] == ["b"]
        bus._hub.ticker._fire = fire
        clock.advance(0.5)
        assert bus.wait_idle(10)
        assert sorted(one.rpartition("/")[2] for one in got) == ["a", "b"]


def test_what_is_kept_of_a_tick_is_written_when_the_store_can_again() -> None:
    store, clock = Failing(), FakeClock()
    with rulebus.EventBus(store=store, clock=clock) as bus:
        bus.put_rule("t", schedule="rate(1 minute)", targets=[nothing], missed_ticks="catch_up")
        before = store.documents("tick")
        store.bad_documents = True
        clock.advance(60)
        assert store.documents("tick") == before
        assert bus._hub.ticker.failing
        store.bad_documents = False
        clock.advance(1)
        assert store.documents("tick") != before
        assert not bus._hub.ticker.failing
        store.bad_documents = True
        bus.delete_rule("t", with_targets=True)
        assert bus.rules() == []
        store.bad_documents = False
        clock.advance(1)
        assert store.documents("tick") == {}


def test_the_thread_of_schedules_outlives_the_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rulebus.bus.ticker._PAUSE_S", 0.01)

    class Ahead(SystemClock):
        ahead = 0.0

        def now(self) -> float:
            return super().now() + self.ahead

    store, clock = Failing(), Ahead()
    got: list[str] = []
    with rulebus.EventBus(store=store, clock=clock) as bus:
        bus.put_rule(
            "t",
            schedule="rate(1 minute)",
            targets=[sub(lambda event: got.append(event.id))],
            missed_ticks="catch_up",
        )
        thread: TickerThread = bus._hub.ticking
        store.bad = True
        clock.ahead = 61.0
        thread.wake()
        assert wait_until(lambda: bus._hub.store_error is not None)
        store.bad = False
        assert wait_until(lambda: len(got) == 1)
        clock.ahead = 121.0
        thread.wake()
        assert wait_until(lambda: len(got) == 2)


# Options.

BAD_OPTIONS: list[dict[str, Any]] = [
    {"order_by": "detail.x"},
    {"order_by": 17},
    {"retry": "classic"},
    {"retry": None},
    {"failure_kinds": None},
    {"failure_kinds": {"HTTP_404": "never"}},
    {"rate_per_s": True},
    {"rate_per_s": "fast"},
    {"timeout_s": True},
    {"timeout_s": float("nan")},
    {"batch_window_s": True},
    {"deduplicate_s": "long"},
    {"concurrency": True},
    {"dead_letter": 17},
    {"input_path": "$.["},
]


@pytest.mark.parametrize("options", BAD_OPTIONS, ids=str)
def test_a_bad_option_leaves_everything_as_it_was(options: dict[str, Any]) -> None:
    got: list[str] = []
    with rulebus.EventBus() as bus:
        bus.put_rule("old", PATTERN, targets=[sub(lambda event: got.append(event.id), order_by="$.detail.k")])
        before = bus.rules()
        state = bus._hub.dispatcher.state(("default", "old", "x"))
        assert state is not None
        key_of = state.key_of
        changes: list[Callable[[], object]] = [
            lambda: bus.put_rule("new", PATTERN, targets=[sub(id="ok"), sub(id="bad", **options)]),
            lambda: bus.put_rule("old", {"source": ["b"]}, targets=[sub(id="ok"), sub(**options)]),
            lambda: bus.put_targets("old", [sub(id="ok"), sub(**options)]),
        ]
        for change in changes:
            with pytest.raises(rulebus.RulebusError):
                change()
            assert bus.rules() == before
            assert [one.target for one in bus._hub.dispatcher.statistics()] == ["x"]
            assert state.key_of is key_of
            assert bus.put_events([ENTRY]).failed_entry_count == 0
        assert bus.wait_idle(10)
        assert len(got) == bus.statistics().matched == 3


@pytest.mark.parametrize("what", ["bad_documents", "bad_numbers"])
def test_a_store_that_fails_leaves_no_rule_half_done(what: str) -> None:
    store, clock = Failing(), FakeClock()
    with rulebus.EventBus(store=store, clock=clock) as bus:
        bus.put_rule("old", PATTERN, targets=[nothing])
        before = bus.rules()
        setattr(store, what, True)
        for name in ("new", "old"):
            with pytest.raises(StoreError):
                bus.put_rule(
                    name,
                    {"source": ["b"]},
                    schedule="rate(1 minute)",
                    missed_ticks="catch_up",
                    targets=[sub(id="another")],
                )
            assert bus.rules() == before
        assert bus.put_events([ENTRY, {**ENTRY, "Source": "b"}]).failed_entry_count == 0
        assert (bus.statistics().matched, bus.statistics().unmatched) == (1, 1)
        setattr(store, what, False)
        clock.advance(120)
        assert bus.wait_idle(10)
        assert bus.statistics().events == 2
