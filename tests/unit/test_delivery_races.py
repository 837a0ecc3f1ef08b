"""What threads may do to delivery at awkward moments: places that do not rise, targets exchanged, keys that bite,
letters that several want. Relies on the installed package, `delivery_kit` and `durable_fake`."""

from __future__ import annotations

import sys
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import rulebus
import rulebus.delivery
from delivery_kit import Kit, wait_until
from durable_fake import Disk, DurableFake
from rulebus.delivery import door
from rulebus.delivery.state import SubscriptionState
from rulebus.event import AcceptedEvent
from rulebus.rule import Subscription
from rulebus.stores.protocol import Changes
from rulebus.stores.sqlite import SqliteStore
from rulebus.targets.function import FunctionTarget
from rulebus.targets.protocol import Origin
from rulebus.testing import RecordingTarget

ENTRY = {"Source": "a", "DetailType": "t", "Detail": "{}"}
PATTERN = {"source": ["a"]}


def sub(function: Any, id: str = "x", **options: Any) -> Subscription:
    return Subscription(target=FunctionTarget(function), id=id, **options)


@pytest.fixture
def hasty() -> Iterator[None]:
    """Threads take turns so often that whatever can happen between two steps does."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


# Places.


def test_events_accepted_in_another_order_than_stored_are_delivered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "_WINDOW", 1)
    kit = Kit(store=DurableFake(Disk(), prompt=True))
    target = RecordingTarget()
    state = kit.subscribe(target)
    events = [kit.event() for _ in range(8)]
    kit.dispatcher.reserve([(state,)] * 8)
    kit.store.write(Changes(appended=[(event, (state.number,)) for event in events]))
    for place in (0, 3, 1, 7, 2, 6, 5, 4):
        kit.dispatcher.accept([(events[place], (state,))])
    kit.run()
    assert not kit.errors
    assert sorted(target.event_ids) == [event.id for event in events]
    assert kit.stats(state).successes == 8


def test_a_redrive_beside_puts_leaves_no_subscription_behind(tmp_path: Path, hasty: None) -> None:
    failing, gate = threading.Event(), threading.Event()
    failing.set()
    got: list[str] = []

    def handle(event: rulebus.Event) -> None:
        if failing.is_set():
            raise rulebus.PermanentError("not now")
        gate.wait()
        got.append(event.id)

    with rulebus.EventBus(store=SqliteStore(tmp_path / "bus.db")) as bus:
        bus.put_rule("r", PATTERN, targets=[sub(handle)])
        bus.put_events([ENTRY] * 600)
        assert bus.wait_idle(60)
        failing.clear()
        bus.put_events([ENTRY] * (door._WINDOW + 100))  # What comes now is left to the store.

        def put() -> None:
            for _ in range(60):
                bus.put_events([ENTRY] * 3)

        threads = [threading.Thread(target=put) for _ in range(4)]
        threads.append(threading.Thread(target=lambda: bus.redrive(rate_per_s=3000)))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        gate.set()
        assert bus.wait_idle(60)
        assert bus._hub.store_error is None
        assert len(got) == len(set(got)) == 600 + door._WINDOW + 100 + 4 * 60 * 3
        assert not bus.dead_letters()


# Offers.


def test_an_offer_is_not_lost_when_the_target_is_exchanged_in_the_midst_of_it() -> None:
    """Whatever the kind of the target is when it is asked for, the offer reaches one driver."""
    kit = Kit()
    state = kit.subscribe(RecordingTarget())
    reached: list[tuple[int, SubscriptionState]] = []
    dispatcher = kit.dispatcher
    for kind in (False, True):
        dispatcher.connect(kind, lambda states, kind=kind: reached.extend((kind, s) for s in states), int)

    class Changing:
        """Stands for a state whose target another thread exchanges each time somebody looks."""

        def __init__(self) -> None:
            self.asked = 0

        @property
        def is_async(self) -> bool:
            self.asked += 1
            return self.asked % 2 == 0

    changing: Any = Changing()
    for _ in range(4):
        reached.clear()
        dispatcher._offer([state, changing])
        assert Counter(id(one) for _, one in reached) == {id(state): 1, id(changing): 1}


def test_targets_are_exchanged_while_events_come(hasty: None) -> None:
    got: list[str] = []

    def handle(event: rulebus.Event) -> None:
        got.append(event.id)

    async def handle_async(event: rulebus.Event) -> None:
        got.append(event.id)

    with rulebus.EventBus() as bus:
        bus.put_rule("r", PATTERN, targets=[sub(handle)])
        done = threading.Event()

        def exchange() -> None:
            while not done.is_set():
                bus.put_targets("r", [sub(handle_async)])
                bus.put_targets("r", [sub(handle)])

        thread = threading.Thread(target=exchange)
        thread.start()
        for _ in range(400):
            bus.put_events([ENTRY])
        done.set()
        thread.join()
        assert bus.wait_idle(30)
        assert len(got) == len(set(got)) == 400


class Fixed:
    """A transform whose input shows that it was used."""

    warnings = ()

    def apply(self, event: AcceptedEvent, origin: Origin) -> bytes:
        return b'"fixed"'


@pytest.mark.parametrize("transformed", [False, True])
def test_a_call_goes_to_the_target_that_it_was_taken_for(
    monkeypatch: pytest.MonkeyPatch, transformed: bool
) -> None:
    """The driver was chosen by the kind of that target: another one in its place might be none for its thread."""

    async def handle_async(event: rulebus.Event) -> None:
        raise AssertionError("no loop runs here")

    kit = Kit()
    first = RecordingTarget()
    state = kit.subscribe(first, transform=Fixed() if transformed else None)
    kit.put(state, kit.event())
    wall = kit.dispatcher._wall

    def exchange() -> float:
        monkeypatch.undo()
        kit.subscribe(FunctionTarget(handle_async))
        assert state.is_async
        return wall()

    monkeypatch.setattr(kit.dispatcher, "_wall", exchange)
    job = kit.dispatcher.take(state, False)
    assert job is not None
    assert job.target is first
    assert state.target is not first
    expected = b'"fixed"' if transformed else job.deliveries[0].event.body
    assert job.deliveries[0].input == expected


# Keys.


class Biting:
    """A key whose comparison fails."""

    def __hash__(self) -> int:
        return 1

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("no comparison")


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise ValueError("no words")


@pytest.mark.parametrize("durable", [False, True])
def test_a_key_that_cannot_be_used_is_the_failure_of_its_delivery(tmp_path: Path, durable: bool) -> None:
    got: list[int] = []

    def key(event: rulebus.Event) -> Any:
        number = event.detail["n"]
        if number == 1:
            return Biting()
        if number == 2:
            raise SystemExit(3)
        if number == 3:
            raise Unspeakable
        if number == 4:
            raise ValueError("half a character: \ud800")
        return number % 2

    store = SqliteStore(tmp_path / "bus.db") if durable else None
    with rulebus.EventBus(store=store) as bus:
        bus.put_rule("r", PATTERN, targets=[sub(lambda event: got.append(event.detail["n"]), order_by=key)])
        bus.put_events([{**ENTRY, "Detail": f'{{"n":{number}}}'} for number in range(10)])
        assert bus.wait_idle(30)
        assert sorted(got) == [0, 5, 6, 7, 8, 9]
        letters = bus.dead_letters()
        assert [letter.reason for letter in letters] == ["ORDER_KEY"] * 4
        assert [letter.event.body.count(b'"n":%d' % number) for number, letter in enumerate(letters, 1)] == [
            1
        ] * 4
        (counted,) = bus.statistics().targets
        assert counted.balanced
        assert (counted.created, counted.successes, counted.dead_letters) == (10, 6, 4)
        assert (counted.pending, counted.in_flight) == (0, 0)
        assert bus._hub.store_error is None


# Letters.


def failing_bus(
    tmp_path: Path, durable: bool, **options: Any
) -> tuple[rulebus.EventBus, threading.Event, list[str]]:
    """A bus whose target refuses everything until the event is set."""
    better = threading.Event()
    got: list[str] = []

    def handle(event: rulebus.Event) -> None:
        if not better.is_set():
            raise rulebus.PermanentError("not now")
        got.append(event.id)

    bus = rulebus.EventBus(store=SqliteStore(tmp_path / "bus.db") if durable else None)
    bus.put_rule("r", PATTERN, targets=[sub(handle, **options)])
    return bus, better, got


@pytest.mark.parametrize("durable", [False, True])
def test_redrives_at_once_send_every_letter_once(tmp_path: Path, durable: bool) -> None:
    bus, better, got = failing_bus(tmp_path, durable)
    with bus:
        bus.put_events([ENTRY] * 700)
        assert bus.wait_idle(60)
        better.set()
        together = threading.Barrier(3)
        results: list[rulebus.RedriveResult] = []

        def redrive() -> None:
            first = [True]

            def where(letter: object) -> bool:
                if first.pop() if first else False:
                    together.wait(30)  # Each has read its first page.
                return True

            results.append(bus.redrive(where=where))

        threads = [threading.Thread(target=redrive) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert bus.wait_idle(60)
        assert len(got) == len(set(got)) == 700
        assert sum(result.sent for result in results) == 700
        assert all(result.matched == result.sent + result.taken for result in results)
        assert sum(result.taken for result in results) > 0
        assert bus.dead_letters() == []
        assert bus.statistics().targets[0].redriven == 700
        assert not bus._hub.dispatcher._claims._held


def test_letters_of_a_redrive_that_failed_can_be_sent_again() -> None:
    kit = Kit(store=DurableFake(disk := Disk(), prompt=True))
    target = RecordingTarget()
    state = kit.subscribe(target)
    kit.put_many(state, 3)
    kit.finish(kit.take(), rulebus.PermanentError("no"))
    while state.pending:
        kit.finish(kit.take(), rulebus.PermanentError("no"))
    assert len(disk.letters) == 3
    kit.store.failing = 1  # type: ignore[attr-defined]
    with pytest.raises(rulebus.RulebusError, match="disk"):
        kit.dispatcher.redrive()
    assert len(disk.letters) == 3
    assert kit.dispatcher.redrive().sent == 3
    kit.run()
    assert len(target.event_ids) == 3
    assert not disk.letters


def test_a_redrive_that_is_interrupted_leaves_nothing_in_between(monkeypatch: pytest.MonkeyPatch) -> None:
    kit = Kit(store=DurableFake(disk := Disk()))
    target = RecordingTarget()
    state = kit.subscribe(target)
    store: Any = kit.store
    event = kit.event()
    kit.dispatcher.reserve([(state,)])
    store.write(Changes(appended=[(event, (state.number,))]))
    store.commit()
    kit.dispatcher.accept([(event, (state,))])
    kit.finish(kit.take(), rulebus.PermanentError("no"))
    store.commit()
    assert len(disk.letters) == 1

    class Interrupted(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(threading, "Event", Interrupted)
        with pytest.raises(KeyboardInterrupt):
            kit.dispatcher.redrive()
    store.commit()  # The write comes to its end all the same.
    kit.run()
    store.commit()
    assert target.event_ids == ["e1"]
    assert not disk.letters
    assert not disk.pending
    assert kit.dispatcher.pending == 0
    assert kit.dispatcher.redrive().sent == 0


def letters_kit() -> tuple[Kit, Disk, SubscriptionState, RecordingTarget]:
    """Three dead letters, queued for a target of their own."""
    kit = Kit(store=DurableFake(disk := Disk(), prompt=True))
    letters = RecordingTarget()
    state = kit.subscribe(RecordingTarget(), dead_letter=letters)
    kit.put_many(state, 3)
    while state.pending:
        kit.finish(kit.take(), rulebus.PermanentError("no"))
    kit.dispatcher.tick()
    assert state.letters is not None
    assert (len(disk.letters), state.letters.pending) == (3, 3)
    return kit, disk, state, letters


def test_a_letter_that_is_sent_again_does_not_go_to_its_own_target_too() -> None:
    kit, disk, state, letters = letters_kit()
    assert kit.dispatcher.redrive(lambda letter: letter.event.id != "e2").sent == 2
    kit.run()
    assert letters.event_ids == ["e2"]
    assert isinstance(state.target, RecordingTarget)
    assert state.target.event_ids == ["e1", "e3"]
    assert not disk.letters
    assert kit.dispatcher.pending == 0


def test_a_letter_that_its_own_target_is_being_given_is_not_sent_again() -> None:
    kit, disk, state, _ = letters_kit()
    job = kit.take()
    assert job.state is state.letters
    assert (result := kit.dispatcher.redrive()).sent == 0
    assert result.taken == result.matched == 3
    # It does not take them: they are in the store, for who wants them.
    kit.finish(job, ValueError("no letters today"))
    assert len(disk.letters) == 3
    assert kit.dispatcher.redrive().sent == 3
    kit.run()
    assert isinstance(state.target, RecordingTarget)
    assert state.target.event_ids == ["e1", "e2", "e3"]
    assert kit.dispatcher.pending == 0


def test_a_letter_that_was_read_before_its_own_target_took_it_is_not_sent_again() -> None:
    kit, disk, state, letters = letters_kit()

    def where(letter: object) -> bool:
        kit.run()  # While this redrive looks, the letters are carried away and deleted.
        return True

    result = kit.dispatcher.redrive(where)
    assert (result.matched, result.sent, result.taken) == (3, 0, 3)
    assert letters.event_ids == ["e1", "e2", "e3"]
    assert not disk.letters
    kit.run()
    assert isinstance(state.target, RecordingTarget)
    assert state.target.event_ids == []
    assert not kit.dispatcher._claims._held


def test_letters_are_claimed_while_threads_want_them_all(tmp_path: Path, hasty: None) -> None:
    carried: list[str] = []
    bus, better, got = failing_bus(
        tmp_path, True, dead_letter=FunctionTarget(lambda letter: carried.append(letter["event"]))
    )
    with bus:
        done = threading.Event()

        def redrive() -> None:
            while not done.is_set():
                bus.redrive()

        threads = [threading.Thread(target=redrive) for _ in range(2)]
        for thread in threads:
            thread.start()
        put = 0
        for _ in range(40):
            put += 10
            bus.put_events([ENTRY] * 10)
        better.set()
        assert bus.wait_idle(60)
        done.set()
        for thread in threads:
            thread.join()
        assert bus.wait_idle(60)
        ids = [text.partition('"id":"')[2].partition('"')[0] for text in carried]
        assert bus.dead_letters() == []
        assert len(set(got) | set(ids)) == put
        assert len(got) + len(ids) == put  # Each went one way, once.


# Order.


@pytest.mark.parametrize("count", [1, 2])
def test_an_event_that_waits_for_room_is_not_overtaken_in_an_order(count: int) -> None:
    """Another target of the earlier event is full: the later events of one call wait with it."""
    got: list[int] = []
    gate = threading.Event()
    with rulebus.EventBus() as bus:
        bus.put_rule(
            "slow", {"detail": {"slow": [True]}}, targets=[sub(lambda event: gate.wait(30), max_pending=1)]
        )
        bus.put_rule(
            "ordered",
            PATTERN,
            targets=[sub(lambda event: got.append(event.detail["n"]), order_by="$.source", batch_size=count)],
        )
        slow = {**ENTRY, "Detail": '{"n":0,"slow":true}'}
        bus.put_events([slow])
        bus.put_rule("free", {"source": ["free"]}, targets=[sub(lambda event: got.append(-1))])
        batch = [
            {**slow, "Detail": '{"n":1,"slow":true}'},
            *({**ENTRY, "Detail": f'{{"n":{n}}}'} for n in (2, 3)),
        ]
        free = {**ENTRY, "Source": "free"}
        thread = threading.Thread(target=lambda: bus.put_events([*batch, free]))
        thread.start()
        assert wait_until(lambda: -1 in got)  # What has nothing to do with it does not wait.
        gate.set()
        thread.join()
        assert bus.wait_idle(30)
        assert [n for n in got if n >= 0] == [0, 1, 2, 3]


def test_a_refused_event_holds_up_nobody() -> None:
    got: list[int] = []
    gate = threading.Event()
    with rulebus.EventBus(when_full="refuse") as bus:
        bus.put_rule(
            "slow", {"detail": {"slow": [True]}}, targets=[sub(lambda event: gate.wait(30), max_pending=1)]
        )
        bus.put_rule(
            "o", PATTERN, targets=[sub(lambda event: got.append(event.detail["n"]), order_by="$.source")]
        )
        slow = {**ENTRY, "Detail": '{"n":0,"slow":true}'}
        bus.put_events([slow])
        result = bus.put_events([slow, {**ENTRY, "Detail": '{"n":1}'}])
        assert [entry.error_code for entry in result] == ["QueueFull", None]
        gate.set()
        assert bus.wait_idle(30)
        assert got == [0, 1]


def test_a_batch_that_cannot_become_fuller_does_not_wait_for_the_window() -> None:
    kit = Kit()
    state = kit.subscribe(RecordingTarget(), order_by="$.detail.k", batch_size=4, batch_window_s=10.0)
    kit.put(state, *(kit.event(k=n % 2) for n in range(6)))
    for left in (4, 2):
        job = kit.take()
        assert len(job.deliveries) == 2  # One of each key.
        kit.finish(job)
        assert state.pending == left
    assert kit.idle()  # Two keys of one each: more may come within the window.
    kit.advance(10.0)
    assert len(kit.take().deliveries) == 2


def test_a_key_that_is_tried_again_does_not_cut_the_windows_of_others_short() -> None:
    kit = Kit()
    state = kit.subscribe(RecordingTarget(), order_by="$.detail.k", batch_size=4, batch_window_s=10.0)
    kit.put(state, *(kit.event(k="bad") for _ in range(8)))
    job = kit.take()
    kit.finish(job, rulebus.RetryAfter(500))
    assert state.held == 7
    kit.put(state, kit.event(k="good"))
    assert kit.idle()
    kit.advance(10.0)
    assert [delivery.event.id for delivery in kit.take().deliveries] == ["e9"]


# Numbers.


def test_what_waits_for_rules_that_were_not_put_again_is_seen(tmp_path: Path) -> None:
    def refuse(event: rulebus.Event) -> None:
        raise rulebus.RetryAfter(3600)

    path = tmp_path / "bus.db"
    with rulebus.EventBus(store=SqliteStore(path)) as bus:
        bus.put_rule("r", PATTERN, targets=[sub(refuse)])
        bus.put_events([ENTRY] * 5)
        assert bus.wait_idle(0.0) is False
    bus = rulebus.EventBus(store=SqliteStore(path))
    (counted,) = bus.statistics().targets
    assert (counted.rule, counted.target, counted.created, counted.pending) == ("r", "x", 5, 5)
    assert counted.balanced
    report = bus.close()
    assert report.pending == 5
    assert [(one.rule, one.pending) for one in report.targets] == [("r", 5)]
    got: list[str] = []
    with rulebus.EventBus(store=SqliteStore(path)) as bus:
        before = bus.statistics().total
        bus.put_rule("r", PATTERN, targets=[sub(lambda event: got.append(event.id))])
        after = bus.statistics().total
        assert (before.created, before.pending) == (after.created, after.pending + after.in_flight + len(got))


def test_the_sums_of_a_bus_are_exact_while_targets_are_removed(hasty: None) -> None:
    with rulebus.EventBus() as bus:
        done = threading.Event()
        sums: list[int] = []

        def look() -> None:
            while not done.is_set():
                sums.append(bus.statistics().total.created)

        thread = threading.Thread(target=look)
        thread.start()
        for round in range(150):
            bus.put_rule("r", PATTERN, targets=[sub(lambda event: None, id=f"t{round % 3}")])
            bus.put_events([ENTRY] * 2)
            bus.delete_rule("r", with_targets=True)
        assert bus.wait_idle(30)
        done.set()
        thread.join()
        assert sums == sorted(sums)
        assert bus.statistics().total.created == 300
