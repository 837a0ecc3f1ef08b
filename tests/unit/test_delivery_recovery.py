"""Delivery over a durable store: what goes on after a restart, what waits in the store, what a store's faults do.

Relies on `durable_fake` and `delivery_kit`."""

from __future__ import annotations

import tracemalloc
from array import array
from collections.abc import Sequence

import pytest

from delivery_kit import NEVER, Kit
from durable_fake import Disk, DurableFake
from rulebus.attempt import Failure
from rulebus.event import AcceptedEvent
from rulebus.retry import RetryPolicy
from rulebus.stores.protocol import Changes, Recovered
from rulebus.testing import FakeClock, FlakyTarget, RecordingTarget


def restarted(disk: Disk, clock: FakeClock | None = None, prompt: bool = True) -> Kit:
    kit = Kit(store=DurableFake(disk, prompt), clock=clock)
    kit.dispatcher.recover(kit.store.recover())
    return kit


def test_what_was_pending_goes_on_once_its_subscription_is_there_again() -> None:
    disk = Disk()
    first = restarted(disk)
    states = [first.subscribe(RecordingTarget(), rule) for rule in ("a", "b")]
    first.put_many(states, 4)
    first.finish(first.dispatcher.take(states[0]) or first.take())

    second = restarted(disk)
    assert second.dispatcher.orphans() == {("bus", "a", "t"): 3, ("bus", "b", "t"): 4}
    assert second.dispatcher.pending == 0
    target = RecordingTarget()
    state = second.subscribe(target, "a")
    second.run()
    assert target.event_ids == ["e2", "e3", "e4"]
    counted = second.stats(state)
    assert (counted.created, counted.successes) == (3, 3)
    assert second.dispatcher.orphans() == {("bus", "b", "t"): 4}
    second.subscribe(target, "b")
    second.run()
    assert not disk.pending


def test_retries_outlive_the_process_with_their_due_time_and_attempts() -> None:
    disk = Disk()
    clock = FakeClock()
    first = restarted(disk, clock)
    policy = RetryPolicy(waits_s=(100.0, 50.0), maximum_event_age_in_seconds=3600)
    first.put_many(first.subscribe(FlakyTarget(failures=9), retry=policy), 1)
    first.run()
    clock.advance(40.0)

    second = restarted(disk, clock)
    target = FlakyTarget(failures=9)
    state = second.subscribe(target, retry=policy)
    assert second.stats(state).waiting == 1
    second.advance(59.0)
    assert second.run() == 0
    second.advance(1.0)
    assert second.run() == 1
    assert target.tried[0].attempt == 2
    second.advance(50.0)
    second.run()
    (letter,) = second.store.dead_letters()
    assert [round(attempt.started_at - clock.now()) for attempt in letter.attempts] == [-150, -50, 0]
    assert letter.exhausted == "MaximumRetryAttempts"


@pytest.mark.parametrize("jump", [-10 * 86_400.0, 10 * 86_400.0])
def test_a_clock_that_was_set_while_nobody_looked_neither_loses_nor_holds_for_ever(jump: float) -> None:
    disk = Disk()
    clock = FakeClock()
    first = restarted(disk, clock)
    policy = RetryPolicy(waits_s=(100.0,), maximum_event_age_in_seconds=3600)
    first.put_many(first.subscribe(FlakyTarget(), retry=policy), 1)
    first.run()
    clock.jump(jump)
    second = restarted(disk, clock)
    target = RecordingTarget()
    second.subscribe(target, retry=policy)
    second.advance(3600.0)
    second.run()
    # Set forward, the event is too old for another try; set back, it is tried after its longest wait.
    assert (len(target.deliveries), second.store.count_dead_letters()) == ((0, 1) if jump > 0 else (1, 0))
    assert second.dispatcher.wait_idle(0)


def test_order_by_key_holds_over_a_restart() -> None:
    disk = Disk()
    first = restarted(disk)
    state = first.subscribe(FlakyTarget(failing=lambda d: d.event.id == "a1"), order_by="$.detail.k")
    first.put(state, *(first.event(f"{k}{n}", k=k) for n in (1, 2) for k in "ab"))
    first.finish(first.take(), ValueError("no"))  # a1 waits; all else is pending in the store.

    second = restarted(disk)
    target = RecordingTarget()
    second.subscribe(target, order_by="$.detail.k")
    second.run()
    assert target.event_ids == ["b1", "b2"]
    second.advance(1.0)
    second.run()
    assert target.event_ids == ["b1", "b2", "a1", "a2"]


def test_what_ended_is_recorded_while_the_store_works_on_the_write_before() -> None:
    disk = Disk()
    store = DurableFake(disk)
    kit = Kit(store=store)
    state = kit.subscribe(RecordingTarget())
    events = [kit.event() for _ in range(10)]
    kit.dispatcher.reserve([[state]] * 10)
    store.write(Changes(appended=[(event, (state.number,)) for event in events]))
    store.commit()
    kit.dispatcher.accept([(event, [state]) for event in events])
    kit.run()
    assert [len(changes.done) for changes, _ in store.queue] == [1]
    assert not kit.dispatcher.wait_idle(0)
    store.commit()
    kit.dispatcher.tick()
    assert [len(changes.done) for changes, _ in store.queue] == [9]
    store.commit()
    assert kit.dispatcher.wait_idle(0)
    assert not disk.pending


@pytest.mark.parametrize("prompt", [True, False])
def test_what_the_store_refused_is_written_again(prompt: bool) -> None:
    disk = Disk()
    store = DurableFake(disk, prompt)
    kit = Kit(store=store)
    state = kit.subscribe(FlakyTarget(failures=1), retry=RetryPolicy(waits_s=(5.0,)))
    kit.dispatcher.reserve([[state]])
    event = kit.event()
    store.write(Changes(appended=[(event, (state.number,))]))
    store.commit()
    kit.dispatcher.accept([(event, [state])])
    store.failing = 3
    kit.run()
    store.commit()
    for _ in range(10):
        kit.advance(1.0)
        kit.run()
        store.commit()
    assert len(kit.errors) == 3
    assert kit.dispatcher.store_errors == 3
    assert not disk.pending
    assert not disk.letters
    assert kit.dispatcher.flush(0)


def test_events_that_cannot_be_read_are_read_again_later() -> None:
    disk = Disk()
    first = restarted(disk)
    first.put_many(first.subscribe(RecordingTarget()), 5)
    second = restarted(disk)
    assert isinstance(second.store, DurableFake)
    second.store.fetch_failing = 2
    target = RecordingTarget()
    state = second.subscribe(target)
    second.run()
    assert second.stats(state).pending == 5
    for _ in range(2):
        second.advance(1.0)
        second.run()
    assert len(second.errors) == 2
    assert target.event_ids == [f"e{n}" for n in range(1, 6)]


def test_dead_letters_go_to_their_target_and_leave_the_store() -> None:
    disk = Disk()
    kit = restarted(disk)
    letters = RecordingTarget()
    state = kit.subscribe(
        FlakyTarget(failures=9, failure=Failure("permanent", "HTTP_400", "bad request", status="400")),
        dead_letter=letters,
    )
    other = kit.subscribe(FlakyTarget(failures=9), "other", retry=NEVER)
    event = kit.event(total=1)
    kit.put([state, other], event)
    kit.run()
    kit.dispatcher.tick()
    assert kit.run() == 1
    (delivery,) = letters.deliveries
    assert delivery.letter is not None
    assert delivery.letter.reason == "HTTP_400"
    assert delivery.event.body == event.body
    import json

    record = json.loads(delivery.input)
    assert {name: record[name] for name in record if name.isupper()} == {
        "RULE_ARN": "arn:r",
        "TARGET_ARN": "flaky",
        "ERROR_CODE": "HTTP_400",
        "ERROR_MESSAGE": "bad request",
        "RETRY_ATTEMPTS": 0,
    }
    assert json.loads(record["event"])["detail"] == {"total": 1}
    assert [letter.rule for letter in disk.letters.values()] == ["other"]
    assert kit.dispatcher.wait_idle(0)


def test_a_letter_that_its_target_does_not_take_stays_is_counted_and_is_offered_at_the_next_start() -> None:
    disk = Disk()
    kit = restarted(disk)
    refusing = FlakyTarget(failures=9)
    state = kit.subscribe(FlakyTarget(failures=9), retry=NEVER, dead_letter=refusing)
    kit.put_many(state, 2)
    kit.run()
    kit.dispatcher.tick()
    kit.run()
    assert len(refusing.tried) == 2
    assert kit.stats(state).dead_letter_failures == 2
    assert len(disk.letters) == 2
    assert kit.dispatcher.wait_idle(0)

    again = restarted(disk)
    taking = RecordingTarget()
    again.subscribe(RecordingTarget(), retry=NEVER, dead_letter=taking)
    again.dispatcher.tick()
    again.run()
    assert len(taking.deliveries) == 2
    assert not disk.letters


def test_letters_are_told_even_if_no_strict_json_can_hold_them() -> None:
    kit = restarted(Disk())
    letters = RecordingTarget()
    rule = "half a character \ud800"
    state = kit.subscribe(FlakyTarget(failures=9), rule, retry=NEVER, dead_letter=letters)
    kit.put_many(state, 1)
    kit.run()
    kit.dispatcher.tick()
    kit.run()
    assert b'half a character \\ud800"' in letters.inputs[0]


def test_many_letters_do_not_fill_the_memory() -> None:
    disk = Disk()
    kit = restarted(disk)
    state = kit.subscribe(FlakyTarget(failures=9), retry=NEVER, batch_size=500)
    kit.put_many(state, 6000)
    kit.run()
    assert len(disk.letters) == 6000
    again = restarted(disk)
    taking = RecordingTarget()
    state = again.subscribe(RecordingTarget(), dead_letter=taking)
    again.dispatcher.tick()
    assert state.letters is not None
    assert state.letters.pending <= 2500
    while again.run():
        again.dispatcher.tick()
    assert len(taking.deliveries) == 6000
    assert not disk.letters


def test_redrive_sends_chosen_letters_again_with_the_same_event() -> None:
    disk = Disk()
    kit = restarted(disk)
    target = FlakyTarget(failures=1)
    state = kit.subscribe(target, retry=NEVER)
    gone = kit.subscribe(FlakyTarget(failures=9), "gone", retry=NEVER)
    kit.put_many([state, gone], 3)
    kit.run()
    kit.dispatcher.unsubscribe(gone.key)
    dry = kit.dispatcher.redrive(lambda letter: letter.event.id != "e2", dry_run=True)
    assert (dry.examined, dry.matched, dry.sent, dry.without_target) == (6, 4, 2, 2)
    assert len(disk.letters) == 6
    done = kit.dispatcher.redrive(lambda letter: letter.event.id != "e2")
    assert (done.sent, done.without_target, done.without_room) == (2, 2, 0)
    kit.run()
    assert target.event_ids == ["e1", "e3"]
    assert sorted(letter.event.id for letter in disk.letters.values() if letter.rule == "r") == ["e2"]
    counted = kit.stats(state)
    assert (counted.created, counted.redriven, counted.successes, counted.dead_letters) == (5, 2, 2, 3)


def test_redrive_keeps_to_its_rate_and_to_the_room() -> None:
    kit = Kit(max_pending=4)
    state = kit.subscribe(FlakyTarget(failures=9), retry=NEVER)
    for _ in range(6):
        kit.put_many(state, 1)
        kit.run()
    waits: list[float] = []

    def pause(seconds: float) -> None:
        waits.append(seconds)
        kit.advance(seconds)

    done = kit.dispatcher.redrive(rate_per_s=2.0, pause=pause)
    assert (done.sent, done.without_room) == (4, 2)
    assert sum(waits) == pytest.approx(2.0)
    assert kit.store.count_dead_letters() == 2
    with pytest.raises(ValueError, match="rate_per_s"):
        kit.dispatcher.redrive(rate_per_s=0)


class Deep(DurableFake):
    """A store with a million pending deliveries whose events are made when they are fetched."""

    def recover(self) -> Recovered:
        number = self.number(("bus", "r", "t"))
        return Recovered({number: ("bus", "r", "t")}, {number: array("q", range(1, 1_000_001))}, [])

    def write(self, changes: Changes) -> None:
        self.ended = getattr(self, "ended", 0) + len(changes.done)

    def fetch(self, places: Sequence[int]) -> list[AcceptedEvent]:
        return [AcceptedEvent("bus", str(seq), b"x" * 1000, 0.0, seq=seq) for seq in places]


class Counting(RecordingTarget):
    def deliver(self, deliveries: Sequence[object], /) -> None:
        self.calls += len(deliveries)


@pytest.mark.slow
def test_a_million_pending_deliveries_take_bounded_memory() -> None:
    store = Deep(Disk())
    tracemalloc.start()
    kit = Kit(store=store)
    kit.dispatcher.recover(store.recover())
    target = Counting()
    state = kit.subscribe(target, batch_size=100)
    assert state.pending == 1_000_000
    # A thousand more are put while the queue is long: they wait as numbers, too.
    for seq in range(1_000_001, 1_001_001):
        kit.dispatcher.reserve([[state]])
        kit.dispatcher.accept([(AcceptedEvent("bus", str(seq), b"y" * 1000, 0.0, seq=seq), [state])])
    for _ in range(2000):
        kit.finish(kit.take())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 40_000_000  # Two copies of the numbers while they change hands, and a few thousand events.
    kit.run()
    assert target.calls == 1_001_000 - 200_000
    assert store.ended == 1_001_000
    assert kit.stats(state).successes == 1_001_000
    assert kit.dispatcher.wait_idle(0)


@pytest.mark.slow
def test_a_long_queue_leaves_its_events_to_the_store_while_they_are_put() -> None:
    disk = Disk()
    kit = restarted(disk)
    target = RecordingTarget()
    state = kit.subscribe(target, batch_size=1000)
    kit.put_many(state, 20_000)
    assert len(state.queue) < 5000
    assert len(state.tail) > 15_000
    kit.run()
    assert target.event_ids == [f"e{n}" for n in range(1, 20_001)]
    assert not disk.pending
