"""The dispatcher without drivers: tries, retries, dead letters, limits, order, time. Relies on `delivery_kit`."""

from __future__ import annotations

from typing import Any

import pytest

from delivery_kit import NEVER, Kit
from rulebus.attempt import Failure
from rulebus.errors import BusError, PermanentError, RetryAfter
from rulebus.event import AcceptedEvent
from rulebus.retry import RetryPolicy
from rulebus.targets.protocol import Origin
from rulebus.testing import BrokenTarget, FlakyTarget, RecordingTarget
from rulebus.transform.protocol import TransformError

UNAVAILABLE = Failure("retryable", "HTTP_503", "unavailable", status="503", answer=b"x" * 2000)


def test_every_event_goes_to_every_subscription_with_the_same_id_and_bytes() -> None:
    kit = Kit()
    targets = [RecordingTarget() for _ in range(3)]
    states = [kit.subscribe(target, f"r{n}") for n, target in enumerate(targets)]
    events = [kit.event(n=n) for n in range(5)]
    kit.put(states, *events)
    assert kit.run() == 15
    for n, target in enumerate(targets):
        assert target.event_ids == [event.id for event in events]
        delivery = target.deliveries[0]
        assert delivery.input is events[0].body
        assert (delivery.attempt, delivery.deadline, delivery.letter) == (1, None, None)
        assert (delivery.origin.rule, delivery.origin.rule_arn) == (f"r{n}", f"arn:r{n}")
    assert kit.dispatcher.pending == 0


def test_a_batch_takes_what_is_there_up_to_its_size() -> None:
    kit = Kit()
    target = RecordingTarget()
    kit.put_many(kit.subscribe(target, batch_size=4), 10)
    assert kit.run() == 3
    assert len(target.deliveries) == 10


def test_concurrency_bounds_the_calls_and_offers_reach_it() -> None:
    kit = Kit()
    state = kit.subscribe(RecordingTarget(), concurrency=2)
    kit.put_many(state, 5)
    first, second = kit.take(), kit.take()
    assert kit.idle()
    kit.finish(first)
    third = kit.take()
    for job in (second, third):
        kit.finish(job)
    assert kit.run() == 2
    assert kit.stats(state).successes == 5


def test_a_retry_waits_as_its_policy_says_on_the_monotonic_clock() -> None:
    kit = Kit()
    target = FlakyTarget(failures=3, failure=UNAVAILABLE)
    state = kit.subscribe(target)
    kit.put_many(state, 1)
    assert kit.run() == 1
    for wait in (1.0, 2.0, 4.0):
        kit.clock.jump(86_400)  # What waits in the process does not notice.
        kit.advance(wait - 0.01)
        assert kit.run() == 0
        kit.advance(0.01)
        assert kit.run() == 1
    assert [delivery.attempt for delivery in target.tried] == [1, 2, 3, 4]
    counted = kit.stats(state)
    assert (counted.attempts, counted.failures, counted.retries, counted.successes) == (4, 3, 3, 1)


@pytest.mark.parametrize(
    ("answer", "wait"),
    [
        (RetryAfter(30), 30.0),
        (RetryAfter(0.5), 1.0),
        ([Failure("throttled", "HTTP_429", "slowly", retry_after_s=9.0)], 9.0),
        (ValueError("no"), 1.0),
        (SystemExit(1), 1.0),
        (KeyboardInterrupt(), 1.0),
        ("rubbish", 1.0),
        ([], 1.0),
        ([None, None], 1.0),
        ([object()], 1.0),
        (42, 1.0),
    ],
    ids=lambda value: type(value).__name__,
)
def test_whatever_a_target_does_is_a_failure_with_a_wait(answer: object, wait: float) -> None:
    kit = Kit()
    target = BrokenTarget([answer])
    state = kit.subscribe(target)
    kit.put_many(state, 1)
    kit.run()
    assert kit.stats(state).failures == 1
    kit.advance(wait - 0.01)
    assert kit.run() == 0
    kit.advance(0.01)
    assert kit.run() == 1
    assert kit.stats(state).successes == 1


def test_a_dead_letter_tells_everything() -> None:
    kit = Kit()
    state = kit.subscribe(
        BrokenTarget([[UNAVAILABLE], [UNAVAILABLE]]), retry=RetryPolicy(maximum_retry_attempts=1)
    )
    event = kit.event(total=3)
    kit.put(state, event)
    kit.run()
    kit.advance(1.0)
    kit.run()
    (letter,) = kit.store.dead_letters()
    assert (letter.rule, letter.target, letter.event.body, letter.input) == ("r", "t", event.body, None)
    assert (letter.reason, letter.message, letter.exhausted) == (
        "HTTP_503",
        "unavailable",
        "MaximumRetryAttempts",
    )
    assert [attempt.failure.answer for attempt in letter.attempts] == [b"x" * 512] * 2
    assert letter.attempts[1].started_at == letter.attempts[0].started_at + 1.0
    assert letter.dead_at == kit.clock.now()
    assert kit.stats(state).dead_letters == 1
    assert kit.dispatcher.wait_idle(0)


def test_permanent_failures_and_overrides_by_code() -> None:
    kit = Kit()
    at_once = kit.subscribe(BrokenTarget([PermanentError("no such customer")]), "a")
    mild = kit.subscribe(
        BrokenTarget([PermanentError("no")]), "b", failure_kinds={"HANDLER_ERROR": "retryable"}
    )
    strict = kit.subscribe(BrokenTarget([[UNAVAILABLE]]), "c", failure_kinds={"HTTP_503": "permanent"})
    kit.put_many([at_once, mild, strict], 1)
    kit.run()
    assert [kit.stats(state).dead_letters for state in (at_once, mild, strict)] == [1, 0, 1]
    letter = kit.store.dead_letters()[0]
    assert (letter.reason, letter.exhausted) == ("HANDLER_ERROR", None)
    assert "no such customer" in letter.message


def test_age_ends_a_delivery_when_the_next_try_would_come_too_late() -> None:
    kit = Kit()
    policy = RetryPolicy(maximum_event_age_in_seconds=60, waits_s=(30.0, 29.0, 2.0))
    state = kit.subscribe(FlakyTarget(failures=9), retry=policy)
    kit.put_many(state, 1)
    kit.run()
    for wait in (30.0, 29.0):
        kit.advance(wait)
        assert kit.run() == 1
    (letter,) = kit.store.dead_letters()
    assert letter.exhausted == "MaximumEventAgeInSeconds"
    assert len(letter.attempts) == 3


class Wrapping:
    warnings = ()

    def apply(self, event: AcceptedEvent, origin: Origin) -> bytes:
        if b"bad" in event.body:
            raise TransformError("INVALID_JSON", "the template made no JSON", b"{")
        if b"worse" in event.body:
            raise ZeroDivisionError("a fault in a transform")
        return b"[" + event.body + b"]"


def test_inputs_are_made_once_the_delivery_begins_and_a_failure_needs_no_try() -> None:
    kit = Kit()
    target = RecordingTarget()
    state = kit.subscribe(target, transform=Wrapping(), batch_size=10)
    kit.put(state, kit.event(a=1), kit.event(bad=1), kit.event(worse=1), kit.event(a=2))
    kit.run()
    assert target.inputs == [b'[{"id":"e1","detail":{"a":1}}]', b'[{"id":"e4","detail":{"a":2}}]']
    letters = kit.store.dead_letters()
    assert [(letter.reason, letter.input, letter.attempts) for letter in letters] == [
        ("INVALID_JSON", b"{", ()),
        ("TRANSFORM_ERROR", None, ()),
    ]
    assert kit.stats(state).attempts == 2


def test_the_input_of_a_transformed_delivery_is_in_its_dead_letter() -> None:
    kit = Kit()
    kit.put_many(kit.subscribe(FlakyTarget(), transform=Wrapping(), retry=NEVER), 1)
    kit.run()
    assert kit.store.dead_letters()[0].input == b'[{"id":"e1","detail":{}}]'


def test_a_failing_delivery_holds_only_its_key() -> None:
    kit = Kit()
    target = FlakyTarget(failures=1, failing=lambda delivery: delivery.event.id == "a1")
    state = kit.subscribe(target, order_by="$.detail.k", batch_size=10)
    kit.put(state, *(kit.event(f"{k}{n}", k=k) for n in (1, 2, 3) for k in "ab"))
    kit.run()
    assert [id for id in target.event_ids if id[0] == "b"] == ["b1", "b2", "b3"]
    assert not [id for id in target.event_ids if id[0] == "a"]
    counted = kit.stats(state)
    assert (counted.pending, counted.waiting) == (3, 1)
    kit.advance(1.0)
    kit.run()
    assert [id for id in target.event_ids if id[0] == "a"] == ["a1", "a2", "a3"]


@pytest.mark.parametrize("order_by", ["$.detail.k[0]", lambda event: event.detail["k"]])
def test_order_by_a_path_or_a_function_and_what_cannot_be_a_key(order_by: Any) -> None:
    kit = Kit()
    target = RecordingTarget()
    state = kit.subscribe(target, order_by=order_by, concurrency=9)
    kit.put(state, kit.event("1", k=["x"]), kit.event("2", k=["x"]), kit.event("3", k=["y"]), kit.event("4"))
    jobs = [kit.take(), kit.take()]
    assert [job.deliveries[0].event.id for job in jobs][:2] != ["1", "2"]
    for job in jobs:
        kit.finish(job)
    kit.run()
    if callable(order_by):
        (letter,) = kit.store.dead_letters()
        assert (letter.event.id, letter.reason) == ("4", "ORDER_KEY")
        assert kit.stats(state).dead_letters == 1
    else:
        assert kit.stats(state).successes == 4


def test_a_path_that_is_none_is_refused_when_it_is_put() -> None:
    with pytest.raises(BusError, match=r"order_by 'detail\.k' is not a path") as caught:
        Kit().subscribe(RecordingTarget(), order_by="detail.k")
    assert caught.value.code == "order-by"


def test_an_event_delivered_within_the_window_is_skipped() -> None:
    kit = Kit()
    target = RecordingTarget()
    state = kit.subscribe(target, deduplicate_s=60.0)
    kit.put(state, kit.event("x"), kit.event("x"), kit.event("y"))
    kit.run()
    assert target.event_ids == ["x", "y"]
    kit.advance(59.0)
    kit.put(state, kit.event("x"))
    kit.run()
    kit.advance(1.0)
    kit.put(state, kit.event("x"))
    kit.run()
    assert target.event_ids == ["x", "y", "x"]
    assert kit.stats(state).deduplicated == 2


def test_a_second_delivery_of_an_event_waits_for_what_becomes_of_the_first() -> None:
    kit = Kit()
    target = FlakyTarget(failures=1, failing=lambda delivery: delivery.attempt == 1)
    state = kit.subscribe(target, deduplicate_s=60.0, concurrency=3)
    kit.put(state, kit.event("x"), kit.event("x"))
    kit.run()
    assert target.event_ids == []
    kit.advance(1.0)
    kit.run()
    assert target.event_ids == ["x"]
    assert kit.stats(state).deduplicated == 1


def test_a_rate_delays_and_drops_nothing() -> None:
    kit = Kit()
    target = RecordingTarget()
    state = kit.subscribe(target, rate_per_s=2.0)
    kit.put_many(state, 5)
    counts = []
    for _ in range(5):
        kit.run()
        counts.append(len(target.deliveries))
        due = kit.dispatcher.next_due()
        kit.advance(0.5 if due is None else due - kit.clock.monotonic())
    assert counts == [1, 2, 3, 4, 5]
    assert kit.clock.monotonic() == pytest.approx(2.5, abs=0.01)


def test_a_batch_waits_for_its_window_or_its_size() -> None:
    kit = Kit()
    target = RecordingTarget()
    state = kit.subscribe(target, batch_size=3, batch_window_s=5.0)
    kit.put_many(state, 1)
    assert kit.run() == 0
    kit.advance(3.0)
    kit.put_many(state, 1)
    assert kit.run() == 0
    kit.put_many(state, 1)
    assert kit.run() == 1
    kit.put_many(state, 2)
    assert kit.run() == 0
    kit.advance(4.9)
    assert kit.run() == 0
    kit.advance(0.1)
    assert kit.run() == 1
    assert len(target.deliveries) == 5


def test_a_try_that_takes_too_long_is_a_timeout_and_its_late_answer_is_ignored() -> None:
    kit = Kit()
    state = kit.subscribe(RecordingTarget(), timeout_s=2.0)
    kit.put_many(state, 1)
    job = kit.take()
    assert job.deliveries[0].deadline == job.deadline == 2.0
    expired: list[object] = []
    job.on_expire = expired.append
    kit.advance(2.0)
    assert expired == [job]
    counted = kit.stats(state)
    assert (counted.timeouts, counted.failures, counted.abandoned, counted.in_flight) == (1, 1, 1, 0)
    kit.advance(1.0)
    second = kit.take()
    kit.finish(job)
    counted = kit.stats(state)
    assert (counted.successes, counted.abandoned) == (0, 0)
    kit.finish(second)
    assert kit.stats(state).successes == 1
    assert kit.dispatcher.pending == 0


def test_calls_that_never_come_back_are_bounded_and_their_deliveries_end_all_the_same() -> None:
    kit = Kit()
    state = kit.subscribe(RecordingTarget(), timeout_s=1.0, retry=RetryPolicy(waits_s=(0.0,) * 20))
    kit.put_many(state, 1)
    hung = 0
    for _ in range(200):
        while kit.offered:
            hung += kit.dispatcher.take(kit.offered.pop()) is not None
        kit.advance(1.0)
    assert hung == 9  # The concurrency and eight more.
    (letter,) = kit.store.dead_letters()
    assert len(letter.attempts) == 21
    assert {attempt.failure.code for attempt in letter.attempts} == {"TIMEOUT"}
    assert "was not called" in letter.message
    assert kit.dispatcher.pending == 0


def test_a_full_queue_refuses_exactly_what_does_not_fit() -> None:
    kit = Kit()
    narrow = kit.subscribe(RecordingTarget(), "narrow", max_pending=2)
    wide = kit.subscribe(RecordingTarget(), "wide")
    assert kit.put_many([narrow, wide], 5) == [2, 3, 4]
    assert (narrow.pending, wide.pending) == (2, 2)
    assert kit.stats(narrow).refused == 3
    jobs = [kit.take(), kit.take()]
    assert kit.put_many(narrow, 1) == [0]  # In flight counts.
    for job in jobs:
        kit.finish(job)
    assert kit.put_many(narrow, 2) == [1]


def test_callers_wait_for_room() -> None:
    kit = Kit(max_pending=1)
    state = kit.subscribe(RecordingTarget())
    kit.put_many(state, 1)
    called: list[int] = []
    end = kit.dispatcher.when_room([state], lambda: called.append(1))
    kit.dispatcher.when_room([state], lambda: called.append(2))
    end()
    assert not kit.dispatcher.wait_for_room([state], 0)
    assert not called
    kit.run()
    assert called == [2]
    assert kit.dispatcher.wait_for_room([state], 0)


def test_places_of_events_that_were_not_stored_are_given_back() -> None:
    kit = Kit(max_pending=1)
    state = kit.subscribe(RecordingTarget())
    assert kit.dispatcher.reserve([[state]]) is None
    assert kit.dispatcher.reserve([[state]]) == [0]
    assert not kit.dispatcher.wait_idle(0)
    kit.dispatcher.release([[state]])
    assert kit.dispatcher.wait_idle(0)
    assert kit.put_many(state, 1) == []


def test_new_options_keep_queue_and_counters() -> None:
    kit = Kit()
    state = kit.subscribe(RecordingTarget())
    kit.put_many(state, 3)
    kit.finish(kit.take())
    target = RecordingTarget()
    assert kit.subscribe(target, batch_size=5) is state
    kit.run()
    assert len(target.deliveries) == 2
    assert target.calls == 1
    assert kit.stats(state).successes == 3


def test_a_subscription_that_ends_delivers_first_and_leaves_its_counters() -> None:
    kit = Kit()
    target = FlakyTarget(failures=1)
    state = kit.subscribe(target)
    kit.put_many(state, 2)
    assert kit.dispatcher.unsubscribe(state.key) is state
    kit.run()
    assert kit.dispatcher.state(state.key) is state
    kit.advance(1.0)
    kit.run()
    assert kit.dispatcher.state(state.key) is None
    assert kit.dispatcher.statistics() == ()
    gone = kit.dispatcher.retired()
    assert (gone.created, gone.successes, gone.balanced) == (2, 2, True)
    assert kit.dispatcher.unsubscribe(state.key) is None


def test_a_subscription_that_ends_can_make_dead_letters_of_what_is_pending() -> None:
    kit = Kit()
    state = kit.subscribe(FlakyTarget(failures=9), concurrency=2, order_by="$.detail.k")
    kit.put(state, *(kit.event(k=n % 2) for n in range(6)))
    flying = kit.take()
    kit.finish(kit.take(), ValueError("no"))  # One waits for another try, with others behind it.
    kit.dispatcher.unsubscribe(state.key, "dead_letter")
    kit.run()
    kit.finish(flying, ValueError("no"))
    kit.run()
    reasons = sorted(letter.reason for letter in kit.store.dead_letters())
    assert reasons == ["HANDLER_ERROR"] + ["UNSUBSCRIBED"] * 5
    assert kit.dispatcher.pending == 0
    assert kit.dispatcher.state(state.key) is None


def test_latencies_are_counted_for_each_delivery() -> None:
    kit = Kit()
    state = kit.subscribe(FlakyTarget(failures=1), batch_size=10)
    kit.put_many(state, 3)
    kit.clock.advance(0.5)
    kit.run()
    kit.advance(1.0)
    kit.run()
    counted = kit.stats(state)
    assert (counted.first_attempt.count, counted.success.count) == (3, 3)
    assert counted.first_attempt.sum_s == pytest.approx(1.5)
    assert counted.success.sum_s == pytest.approx(4.5)
    assert 1.5 <= counted.success.quantile_s(0.5) <= 1.5 * 1.13


def test_the_oldest_that_waits_is_told() -> None:
    kit = Kit()
    state = kit.subscribe(RecordingTarget())
    kit.put_many(state, 1)
    kit.clock.advance(7)
    kit.put_many(state, 1)
    assert kit.stats(state).oldest_pending_s == pytest.approx(7.0)


def test_a_call_that_is_put_back_is_no_try() -> None:
    kit = Kit()
    target = RecordingTarget()
    state = kit.subscribe(target, batch_size=2)
    kit.put_many(state, 3)
    job = kit.take()
    kit.dispatcher.put_back(job)
    kit.dispatcher.reoffer(state)
    assert kit.stats(state).pending == 3
    kit.run()
    assert target.event_ids == ["e1", "e2", "e3"]
    assert kit.stats(state).attempts == 3


def test_idle_without_retries_does_not_wait_for_them() -> None:
    kit = Kit()
    state = kit.subscribe(FlakyTarget(failures=9), order_by="$.detail.k")
    kit.put(state, kit.event(k=1), kit.event(k=1))
    assert not kit.dispatcher.wait_idle(0, retries=False)
    kit.run()
    assert kit.dispatcher.wait_idle(0, retries=False)
    assert not kit.dispatcher.wait_idle(0)


class Ending:
    """A transform that ends its thread, once."""

    warnings = ()

    def __init__(self) -> None:
        self.calls = 0

    def apply(self, event: AcceptedEvent, origin: Origin) -> bytes:
        self.calls += 1
        if self.calls == 2:
            raise SystemExit(1)
        return event.body


def test_a_transform_that_ends_its_thread_loses_nothing() -> None:
    kit = Kit()
    target = RecordingTarget()
    state = kit.subscribe(target, transform=Ending(), batch_size=3)
    kit.put_many(state, 3)
    with pytest.raises(SystemExit):
        kit.take()
    kit.dispatcher.stumbled(state, SystemExit(1))
    counted = kit.stats(state)
    assert (counted.pending, counted.in_flight, counted.attempts) == (3, 0, 0)
    kit.advance(1.0)
    kit.run()
    assert target.event_ids == ["e1", "e2", "e3"]
    assert len(kit.errors) == 1


def test_a_callback_that_fails_ends_nobody() -> None:
    kit = Kit()
    state = kit.subscribe(RecordingTarget())
    kit.put_many(state, 1)

    def failing() -> None:
        raise RuntimeError("the loop is closed")

    kit.dispatcher.when_idle(failing)
    kit.run()
    assert [str(error) for error in kit.errors] == ["the loop is closed"]
    assert kit.dispatcher.wait_idle(0)


def test_a_fast_rate_needs_no_timer_for_each_delivery() -> None:
    kit = Kit()
    target = RecordingTarget()
    state = kit.subscribe(target, rate_per_s=100_000.0, batch_size=50)
    kit.put_many(state, 2_000)
    ticks = 0
    while kit.dispatcher.pending:
        kit.run()
        due = kit.dispatcher.next_due()
        kit.advance(0.0 if due is None else max(0.0, due - kit.clock.monotonic()))
        ticks += 1
    assert ticks < 40
    assert kit.clock.monotonic() > 0.017
