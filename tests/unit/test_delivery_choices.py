"""What the dispatcher chose under its lock still holds where it is used: when targets are exchanged, subscriptions end or
events come in between. Relies on `delivery_kit` and `durable_fake`; the moment in between is made by a patch."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

import rulebus
import rulebus.delivery
from delivery_kit import Kit
from durable_fake import Disk, DurableFake
from rulebus.clock import SystemClock
from rulebus.delivery import door, settling
from rulebus.delivery.state import SubscriptionState
from rulebus.event import AcceptedEvent
from rulebus.rule import Subscription
from rulebus.stores.memory import MemoryStore
from rulebus.targets.function import FunctionTarget
from rulebus.testing import RecordingTarget


@pytest.mark.parametrize("exchanged_first", [False, True])
def test_an_offer_kept_for_a_driver_goes_to_the_one_of_the_new_target(exchanged_first: bool) -> None:
    """Nobody calls coroutines yet; when the target becomes a function, those who call functions must hear of it."""

    async def handle(event: rulebus.Event) -> None:
        raise AssertionError("nobody calls coroutines here")

    dispatcher = rulebus.delivery.Dispatcher(MemoryStore(), SystemClock())
    key, target = ("bus", "r", "t"), RecordingTarget()
    state = dispatcher.subscribe(key, Subscription(target=FunctionTarget(handle), id="t"))
    event = AcceptedEvent("bus", "e", b"{}", 0.0)
    dispatcher.reserve([(state,)])
    dispatcher.accept([(event, (state,))])
    if exchanged_first:
        dispatcher.subscribe(key, Subscription(target=target, id="t"))
    driver = rulebus.delivery.ThreadDriver(dispatcher, SystemClock())
    if not exchanged_first:
        dispatcher.subscribe(key, Subscription(target=target, id="t"))
    assert target.wait_for(1)
    assert dispatcher.wait_idle(10)
    driver.stop(10)


def test_an_offer_kept_for_a_driver_survives_that_another_one_comes() -> None:
    dispatcher = rulebus.delivery.Dispatcher(MemoryStore(), SystemClock())
    state = dispatcher.subscribe(("bus", "r", "t"), Subscription(target=RecordingTarget(), id="t"))
    dispatcher.reserve([(state,)])
    dispatcher.accept([(AcceptedEvent("bus", "e", b"{}", 0.0), (state,))])
    reached: list[SubscriptionState] = []
    dispatcher.connect(True, reached.extend, int)
    assert reached == []
    dispatcher.connect(False, reached.extend, int)
    assert reached == [state]


def test_what_is_put_while_the_store_is_read_is_counted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond a number of events in memory every subscription keeps few: counted twice, it would soon be reached."""
    monkeypatch.setattr(door, "_WINDOW", 1)
    kit = Kit(store=DurableFake(Disk(), prompt=True))
    target = RecordingTarget()
    state = kit.subscribe(target)
    kit.put_many(state, 3)
    store: Any = kit.store
    fetch = store.fetch

    def fetch_slowly(places: Any) -> list[AcceptedEvent]:
        events: list[AcceptedEvent] = fetch(places)
        if target.calls == 1:
            kit.put_many(state, 1)
        return events

    monkeypatch.setattr(store, "fetch", fetch_slowly)
    kit.run()
    assert target.event_ids == ["e1", "e2", "e3", "e4"]
    assert kit.dispatcher._resident == len(state.queue) == 0


def test_a_redrive_never_sends_to_what_was_taken_off_the_books(monkeypatch: pytest.MonkeyPatch) -> None:
    kit = Kit(store=DurableFake(Disk(), prompt=True))
    target = RecordingTarget()
    state = kit.subscribe(target)
    kit.put_many(state, 1)
    kit.finish(kit.take(), rulebus.PermanentError("no"))
    looked_up = kit.dispatcher.state

    def state_of(key: Any) -> SubscriptionState | None:
        found = looked_up(key)
        kit.dispatcher.unsubscribe(key)
        return found

    monkeypatch.setattr(kit.dispatcher, "state", state_of)
    sent = kit.dispatcher.redrive().sent
    kit.run()
    counted = [kit.dispatcher.retired(), *kit.dispatcher.statistics()]
    assert sum(one.created for one in counted) == 1 + sent
    assert sum(one.successes for one in counted) == len(target.event_ids) == sent


def test_places_for_a_redrive_are_taken_where_there_are_any() -> None:
    kit = Kit()
    one = kit.subscribe(RecordingTarget(), "one", max_pending=2)
    found = kit.dispatcher.reserve_for([one.key, ("bus", "none", "t"), one.key, one.key])
    assert found == [one, False, one, True]
    assert (one.pending, kit.dispatcher.pending, one.refused) == (2, 2, 1)


def test_a_call_has_the_time_that_it_was_taken_with(monkeypatch: pytest.MonkeyPatch) -> None:
    kit = Kit()
    target = RecordingTarget()
    state = kit.subscribe(target, timeout_s=5.0)
    kit.put(state, kit.event())
    wall = kit.dispatcher._wall

    def change() -> float:
        monkeypatch.undo()
        kit.subscribe(target)
        return wall()

    monkeypatch.setattr(kit.dispatcher, "_wall", change)
    job = kit.take()
    assert state.timeout_s is None
    assert job.deadline == kit.clock.monotonic() + 5.0


def test_a_retry_whose_event_is_in_the_store_is_not_read_on_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settling, "RETRIES_IN_MEMORY", 0)
    readers: list[bool] = []

    async def main() -> None:
        here = threading.current_thread()
        kit = Kit(store=DurableFake(Disk(), prompt=True), clock=SystemClock())
        store: Any = kit.store
        fetch = store.fetch

        def noting(places: Any) -> list[AcceptedEvent]:
            readers.append(threading.current_thread() is here)
            found: list[AcceptedEvent] = fetch(places)
            return found

        monkeypatch.setattr(store, "fetch", noting)
        driver = rulebus.delivery.LoopDriver(kit.dispatcher, kit.clock, asyncio.get_running_loop())
        tries: list[str] = []

        async def handle(event: rulebus.Event) -> None:
            tries.append(event["id"])
            if len(tries) == 1:
                raise ValueError("not yet")

        policy = rulebus.RetryPolicy(waits_s=(0.0,) * 3)
        kit.put_many(kit.subscribe(FunctionTarget(handle), retry=policy), 1)
        assert await asyncio.to_thread(kit.dispatcher.wait_idle, 10)
        assert tries == ["e1", "e1"]
        await driver.stop_async(5.0)

    asyncio.run(main())
    assert readers == [False]
