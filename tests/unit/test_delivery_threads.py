"""The driver for threads: slow, hanging and broken targets beside good ones, time, the end. Relies on `delivery_kit`.

Nothing sleeps: targets are held and let go, the clock is moved where time matters."""

from __future__ import annotations

import ctypes
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from delivery_kit import NEVER, Kit, wait_until
from durable_fake import Disk, DurableFake
from rulebus.clock import SystemClock
from rulebus.delivery import ThreadDriver, in_handler
from rulebus.retry import RetryPolicy
from rulebus.targets.protocol import Delivery, Outcomes
from rulebus.testing import BrokenTarget, FlakyTarget, RecordingTarget, SlowTarget

QUICKLY = RetryPolicy(waits_s=(0.0,) * 20)


@contextmanager
def driven(max_workers: int = 64, **options: Any) -> Iterator[tuple[Kit, ThreadDriver]]:
    kit = Kit(**options)
    driver = ThreadDriver(kit.dispatcher, kit.clock, max_workers=max_workers)
    try:
        yield kit, driver
    finally:
        driver.stop(10.0)


def test_deliveries_are_made_by_workers_that_start_when_needed() -> None:
    with driven() as (kit, driver):
        assert driver.workers == 0
        seen: list[tuple[bool, str]] = []

        class Seeing(RecordingTarget):
            def deliver(self, deliveries: Sequence[Delivery], /) -> Outcomes:
                seen.append((in_handler(), threading.current_thread().name))
                return super().deliver(deliveries)

        kit.put_many(kit.subscribe(Seeing()), 1)
        assert kit.dispatcher.wait_idle(10)
        assert seen == [(True, "rulebus-worker")]
        assert not in_handler()


def test_held_targets_delay_nobody() -> None:
    with driven() as (kit, _):
        slow = [SlowTarget() for _ in range(5)]
        states = [kit.subscribe(target, f"slow{n}") for n, target in enumerate(slow)]
        fast = RecordingTarget()
        states.append(kit.subscribe(fast, "fast"))
        for _ in range(20):
            kit.put_many(states, 1)
        assert fast.wait_for(20)
        assert all(target.wait_until_held(1) for target in slow)
        assert [target.held for target in slow] == [1] * 5  # Each to its concurrency.
        for target in slow:
            target.release()
        assert kit.dispatcher.wait_idle(10)
        assert [len(target.deliveries) for target in slow] == [20] * 5


def test_calls_of_one_target_run_side_by_side_up_to_its_concurrency() -> None:
    with driven() as (kit, _):
        slow = SlowTarget()
        kit.put_many(kit.subscribe(slow, concurrency=3), 9)
        assert slow.wait_until_held(3)
        slow.release(4)
        assert slow.wait_for(4)
        assert slow.wait_until_held(3)
        slow.release()
        assert kit.dispatcher.wait_idle(10)


def test_retries_happen_when_the_clock_gets_there() -> None:
    with driven() as (kit, _):
        target = FlakyTarget(failures=2)
        state = kit.subscribe(target)
        kit.put_many(state, 1)
        assert target.wait_for_tries(1)
        assert kit.dispatcher.wait_idle(10, retries=False)
        kit.clock.advance(1.0)
        assert target.wait_for_tries(2)
        assert kit.dispatcher.wait_idle(10, retries=False)
        kit.clock.advance(2.0)
        assert target.wait_for(1)
        assert kit.dispatcher.wait_idle(10)


def test_retries_happen_in_real_time() -> None:
    with driven(clock=SystemClock()) as (kit, _):
        target = FlakyTarget(failures=3)
        kit.put_many(kit.subscribe(target, retry=RetryPolicy(waits_s=(0.0, 0.01, 0.02))), 50)
        assert kit.dispatcher.wait_idle(20)
        assert len(target.deliveries) == 50
        assert len(target.tried) == 200


class Odd(BaseException):
    """Derived from neither Exception nor anything that a handler should raise."""


@pytest.mark.parametrize(
    "error", [SystemExit(3), KeyboardInterrupt(), GeneratorExit(), Odd(), MemoryError()], ids=repr
)
def test_no_exception_ends_a_worker_or_loses_its_delivery(error: BaseException) -> None:
    with driven(max_workers=1) as (kit, driver):
        target = BrokenTarget([error])
        state = kit.subscribe(target, retry=QUICKLY)
        kit.put_many(state, 3)
        assert kit.dispatcher.wait_idle(10)
        counted = kit.stats(state)
        assert (counted.successes, counted.failures) == (3, 1)
        assert driver.workers == 1


def test_a_worker_that_is_ended_from_outside_loses_nothing() -> None:
    with driven(max_workers=1) as (kit, driver):
        slow = SlowTarget()
        other = RecordingTarget()
        state = kit.subscribe(slow, "slow", retry=QUICKLY)
        kit.put_many(state, 1)
        assert slow.wait_until_held(1)
        (worker,) = [t for t in threading.enumerate() if t.name == "rulebus-worker"]
        ctypes.pythonapi.PyThreadState_SetAsyncExc(
            ctypes.c_ulong(worker.ident or 0), ctypes.py_object(SystemExit)
        )
        slow.release()
        kit.put_many(kit.subscribe(other, "other"), 3)
        assert kit.dispatcher.wait_idle(10)
        assert kit.stats(state).successes == 1
        assert len(other.deliveries) == 3
        assert driver.running == 0


def test_a_call_whose_time_is_up_frees_its_place_even_if_it_never_returns() -> None:
    with driven(max_workers=1) as (kit, driver):
        slow, fast = SlowTarget(), RecordingTarget()
        hanging = kit.subscribe(slow, "slow", timeout_s=5.0, retry=NEVER)
        kit.put_many(hanging, 1)
        assert slow.wait_until_held(1)
        kit.clock.advance(5.0)
        assert wait_until(lambda: kit.stats(hanging).timeouts == 1)
        kit.put_many(kit.subscribe(fast, "fast"), 2)
        assert fast.wait_for(2)  # By another worker, though one is the most.
        assert driver.workers == 2
        assert driver.stop(5.0) == 1
        slow.release()
        assert wait_until(lambda: kit.stats(hanging).abandoned == 0)
        (letter,) = kit.store.dead_letters()
        assert letter.reason == "TIMEOUT"


def test_the_end_does_not_wait_for_a_call_that_hangs_beyond_its_deadline() -> None:
    with driven() as (kit, driver):
        slow = SlowTarget()
        state = kit.subscribe(slow)
        kit.put_many(state, 3)
        assert slow.wait_until_held(1)
        assert driver.stop(0.05) == 1
        counted = kit.stats(state)
        assert (counted.in_flight, counted.pending) == (1, 2)
        slow.release()
        assert wait_until(lambda: driver.workers == 0)
        assert kit.stats(state).successes == 1  # No further call was begun.


def test_a_target_may_stop_the_driver_it_is_called_by() -> None:
    with driven() as (kit, driver):
        done = threading.Event()

        class Stopping(RecordingTarget):
            def deliver(self, deliveries: Sequence[Delivery], /) -> Outcomes:
                driver.stop(10.0)
                done.set()
                return None

        kit.put_many(kit.subscribe(Stopping()), 1)
        assert done.wait(10)
        assert wait_until(lambda: driver.workers == 0)


def test_a_target_may_put_further_events() -> None:
    with driven() as (kit, _):
        end = RecordingTarget()
        following = kit.subscribe(end, "b")

        class Passing(RecordingTarget):
            def deliver(self, deliveries: Sequence[Delivery], /) -> Outcomes:
                kit.put(following, *(delivery.event for delivery in deliveries))
                return None

        kit.put_many(kit.subscribe(Passing(), "a", batch_size=10), 100)
        assert kit.dispatcher.wait_idle(10)
        assert len(end.deliveries) == 100


def test_the_store_is_told_and_asked_by_the_one_who_keeps_the_time() -> None:
    disk = Disk()
    with driven(store=DurableFake(disk, prompt=True)) as (kit, _):
        letters = RecordingTarget()
        state = kit.subscribe(
            FlakyTarget(failures=9), retry=NEVER, dead_letter=letters, concurrency=2, batch_size=3
        )
        kit.put_many(state, 20)
        assert letters.wait_for(20)
        assert kit.dispatcher.wait_idle(10)
        assert not disk.pending
        assert not disk.letters


@pytest.mark.slow
def test_many_threads_put_while_targets_fail_and_every_counter_adds_up() -> None:
    with driven(clock=SystemClock(), chance=lambda: 0.001, max_pending=10**6) as (kit, _):
        seen: Counter[str] = Counter()
        lock = threading.Lock()

        class Counting(RecordingTarget):
            def judge(self, delivery: Delivery) -> Any:
                with lock:
                    seen[delivery.event.id] += 1
                if delivery.attempt == 1 and hash(delivery.event.id) % 3 == 0:
                    raise ValueError("the first try of a third")
                return None

        targets = [Counting(), Counting(), RecordingTarget(), RecordingTarget()]
        states = [
            kit.subscribe(targets[0], "one by one", concurrency=2),
            kit.subscribe(targets[1], "in order", order_by="$.detail.k", concurrency=4, batch_size=7),
            kit.subscribe(targets[2], "batches", batch_size=100),
            kit.subscribe(targets[3], "windows", batch_size=50, batch_window_s=0.01),
        ]
        rounds, callers, size = 40, 6, 20

        def call(caller: int) -> None:
            for turn in range(rounds):
                kit.put(states, *(kit.event(f"{caller}-{turn}-{n}", k=caller) for n in range(size)))

        threads = [threading.Thread(target=call, args=(caller,)) for caller in range(callers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert kit.dispatcher.wait_idle(60)
        total = rounds * callers * size
        for state, target in zip(states, targets, strict=True):
            counted = kit.stats(state)
            assert (counted.created, counted.successes, counted.pending) == (total, total, 0)
            assert len(set(target.event_ids)) == len(target.event_ids) == total
        order = [id.split("-") for id in targets[1].event_ids]
        for caller in range(callers):
            mine = [(int(turn), int(n)) for who, turn, n in order if int(who) == caller]
            assert mine == sorted(mine)
        assert kit.dispatcher.pending == 0


class Suddenly(RecordingTarget):
    """Quick, until it is told to hang."""

    def __init__(self) -> None:
        super().__init__()
        self.hangs, self.gate, self.held = False, threading.Event(), threading.Event()

    def deliver(self, deliveries: Sequence[Delivery], /) -> Outcomes:
        if self.hangs:
            self.held.set()
            self.gate.wait(30)
        return super().deliver(deliveries)


def test_a_quick_target_that_hangs_keeps_nothing_that_was_taken_with_it() -> None:
    """Calls of several targets are taken at once: what ended before it counts, what stood behind it goes on."""
    with driven(clock=SystemClock()) as (kit, driver):
        targets = [Suddenly() for _ in range(8)]
        states = [kit.subscribe(target, f"r{n}") for n, target in enumerate(targets)]
        while any(state.slow for state in states):
            kit.put_many(states, 1)
            assert kit.dispatcher.wait_idle(10)
        before = [target.calls for target in targets]
        targets[3].hangs = True
        kit.put_many(states, 1)
        assert targets[3].held.wait(10)
        others = [state for n, state in enumerate(states) if n != 3]
        assert wait_until(lambda: all(kit.stats(state).in_flight == state.pending == 0 for state in others))
        after = [target.calls for n, target in enumerate(targets) if n != 3]
        assert after == [count + 1 for n, count in enumerate(before) if n != 3]
        assert kit.stats(states[3]).in_flight == 1
        targets[3].gate.set()
        assert kit.dispatcher.wait_idle(10)
        assert driver.running == 0


@pytest.mark.parametrize(("workers", "options"), [(1, {}), (64, {"timeout_s": 60.0})])
def test_a_quick_target_that_hangs_delays_neither_what_ended_before_it_nor_who_is_next(
    workers: int, options: dict[str, Any]
) -> None:
    with driven(max_workers=workers, clock=SystemClock()) as (kit, _):
        hanging, other = Suddenly(), Suddenly()
        # The one held up: what ended before it waits to be settled; what may not be taken with it waits to begin.
        first, last = (other, hanging) if workers == 1 else (hanging, other)
        states = [kit.subscribe(first, "r1"), kit.subscribe(last, "r2", **(options if last is other else {}))]
        while any(state.slow for state in states):
            kit.put_many(states, 1)
            assert kit.dispatcher.wait_idle(10)
        before, state = other.calls, states[first is not other]
        hanging.hangs = True
        kit.put_many(states, 1)
        assert hanging.held.wait(10)
        assert wait_until(lambda: kit.stats(state).in_flight == state.pending == 0, 5)
        assert other.calls == before + 1
        hanging.gate.set()
        assert kit.dispatcher.wait_idle(10)


def test_what_was_taken_and_not_begun_is_pending_when_the_driver_stops() -> None:
    kit = Kit(clock=SystemClock())
    driver = ThreadDriver(kit.dispatcher, kit.clock)
    targets = [Suddenly() for _ in range(6)]
    states = [kit.subscribe(target, f"r{n}") for n, target in enumerate(targets)]
    while any(state.slow for state in states):
        kit.put_many(states, 1)
        assert kit.dispatcher.wait_idle(10)
    targets[0].hangs = True
    driver._time.stop()  # Nobody looks after those behind it.
    kit.put_many(states, 1)
    assert targets[0].held.wait(10)
    assert driver.stop(0.0) == 1
    assert not driver._taken
    waiting = [state for state in states if kit.stats(state).pending]
    assert all(kit.stats(state).in_flight == 0 for state in waiting)
    targets[0].gate.set()
    assert wait_until(lambda: driver.workers == 0)
    assert kit.stats(states[0]).successes == targets[0].calls
    assert kit.dispatcher.pending == len(waiting)
