"""What becomes of a delivery after a try: done, tried again, or given up, and how each is counted and recorded.

Every function here is called under the dispatcher's lock and does no I/O: it changes the subscription's state and
collects for the ledger. Relies on `state`, `ledger`, `outcome`. Must never end a delivery without a record of it.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable

from rulebus.attempt import Attempt, Failure
from rulebus.dead_letter import DeadLetter
from rulebus.delivery.claims import Claims
from rulebus.delivery.ledger import Ledger
from rulebus.delivery.ordering import NO_KEY
from rulebus.delivery.outcome import classed
from rulebus.delivery.state import Job, SubscriptionState, Waiting
from rulebus.event import AcceptedEvent
from rulebus.retry import Exhausted
from rulebus.stores.protocol import Retry
from rulebus.targets.protocol import Delivery

__all__ = ["RETRIES_IN_MEMORY", "Settler"]

RETRIES_IN_MEMORY = 1_000
"""Of a subscription: how many deliveries that wait for another try keep their event in memory, if a store has it."""


class Settler:
    """Ends deliveries. `pending` is how many there are in all: of every subscription, dead letters on their way too."""

    __slots__ = ("_chance", "_claims", "_durable", "_ledger", "pending")

    def __init__(self, ledger: Ledger, claims: Claims, chance: Callable[[], float]) -> None:
        self._ledger = ledger
        self._claims = claims
        self._durable = ledger.durable
        self._chance = chance
        self.pending = 0

    def settle(self, job: Job, failures: list[Failure | None] | None, mono: float, wall: float) -> None:
        """A call ended; `failures` None: everything was taken."""
        state = job.state
        count = len(job.deliveries)
        state.calls -= 1
        state.in_flight -= count
        state.tries += count
        state.slow = mono - job.started > 0.001
        first, success = state.first_attempt, state.success
        if state.jobs:
            state.jobs.pop(job, None)
        if failures is None and job.items is None and state.window is None:
            if job.ages is None:
                accepted_at = job.deliveries[0].event.accepted_at
                first.add(job.started_at - accepted_at)
                success.add(wall - accepted_at)
            else:
                for accepted_at, many in job.ages:
                    first.add(job.started_at - accepted_at, many)
                    success.add(wall - accepted_at, many)
            state.succeeded += count
            state.pending -= count
            self.pending -= count
            if state.letter_of is not None:
                self._bury(job)
            elif self._durable:
                number = state.number
                self._ledger.changes.done.extend(
                    [(delivery.event.seq, number) for delivery in job.deliveries]
                )
                self._ledger.waiting = True
            return
        ages = [(job.deliveries[0].event.accepted_at, 1)] if job.ages is None else job.ages
        for accepted_at, many in ages:
            first.add(job.started_at - accepted_at, many)
        for place, delivery in enumerate(job.deliveries):
            failure = None if failures is None else failures[place]
            item = None if job.items is None else job.items[place]
            if failure is not None:
                self._failed(job, delivery, item, failure, mono, wall)
            else:
                success.add(wall - delivery.event.accepted_at)
                self._taken(state, delivery, NO_KEY if item is None else item.key, mono)

    def _bury(self, job: Job) -> None:
        for delivery in job.deliveries:
            if delivery.letter is not None:
                self._ledger.changes.buried.append(delivery.letter.id)
        self._ledger.waiting = True

    def _taken(self, state: SubscriptionState, delivery: Delivery, key: Hashable, mono: float) -> None:
        state.succeeded += 1
        if delivery.letter is not None:
            self._ledger.changes.buried.append(delivery.letter.id)
            self._ledger.waiting = True
        else:
            self._done(state, delivery.event.seq)
        if state.window is not None:
            state.window.add(delivery.event.id, mono)
        self._end(state, key)

    def _done(self, state: SubscriptionState, seq: int) -> None:
        if self._durable:
            self._ledger.changes.done.append((seq, state.number))
            self._ledger.waiting = True

    def _end(self, state: SubscriptionState, key: Hashable) -> None:
        state.pending -= 1
        self.pending -= 1
        if key is not NO_KEY:
            state.release(key)

    def leave(self, state: SubscriptionState) -> None:
        """A dead letter that was to be carried is a redrive's now. (It was in flight.)"""
        state.in_flight -= 1
        self._end(state, NO_KEY)

    def skip(self, state: SubscriptionState, seq: int, key: Hashable) -> None:
        """The event was delivered within the window: not again. (It was in flight.)"""
        state.in_flight -= 1
        state.deduplicated += 1
        self._done(state, seq)
        self._end(state, key)

    def _failed(
        self, job: Job, delivery: Delivery, item: Waiting | None, failure: Failure, mono: float, wall: float
    ) -> None:
        state = job.state
        event = delivery.event
        state.failed += 1
        failure = classed(failure, state.failure_kinds)
        if failure == state.last_failure:
            failure = state.last_failure  # One object for all that fail alike: a million may wait.
        else:
            state.last_failure = failure
        if failure.code == "TIMEOUT":
            state.timed_out += 1
        if state.letter_of is not None:
            # The letter stays in the store, and is not tried again before the next start.
            state.letter_of.dead_letter_failures += 1
            if delivery.letter is not None:
                self._claims.give_back([delivery.letter.id])
            self._end(state, NO_KEY)
            return
        attempts = (*(() if item is None else item.attempts), self._attempt(job, failure, mono))
        key = NO_KEY if item is None else item.key
        born = None if item is None else item.born
        if born is None:
            born = job.started - max(0.0, job.started_at - event.accepted_at)
        input = None if delivery.input is event.body else delivery.input
        if failure.kind == "permanent" or state.closing == "dead_letter":
            self.give_up(state, event, attempts, failure.code, failure.message, None, wall, key, input)
            return
        wait = state.retry.wait_s(len(attempts), chance=self._chance(), asked_s=failure.retry_after_s)
        # A try that could only begin beyond the age is none: no use in waiting for it.
        exhausted = state.retry.exhausted(retries=len(attempts) - 1, age_s=mono - born + wait)
        if exhausted is not None:
            self.give_up(state, event, attempts, failure.code, failure.message, exhausted, wall, key, input)
            return
        state.retried += 1
        kept: AcceptedEvent | None = event
        if self._durable:
            self._ledger.changes.retries.append(Retry(event.seq, state.number, wall + wait, attempts))
            self._ledger.waiting = True
            if len(state.retries) >= RETRIES_IN_MEMORY:
                kept = None
        state.arrange(Waiting(event.seq, kept, key, attempts, mono + wait, born))

    def _attempt(self, job: Job, failure: Failure, mono: float) -> Attempt:
        return Attempt(job.started_at, max(0.0, mono - job.started), failure)

    def drop(
        self,
        state: SubscriptionState,
        event: AcceptedEvent,
        item: Waiting | None,
        reason: str,
        message: str,
        exhausted: Exhausted | None,
        wall: float,
        input: bytes | None = None,
    ) -> None:
        """Gives up a delivery that was in flight, without another try."""
        state.in_flight -= 1
        attempts = () if item is None else item.attempts
        key = NO_KEY if item is None else item.key
        self.give_up(state, event, attempts, reason, message, exhausted, wall, key, input)

    def give_up(
        self,
        state: SubscriptionState,
        event: AcceptedEvent,
        attempts: tuple[Attempt, ...],
        reason: str,
        message: str,
        exhausted: Exhausted | None,
        wall: float,
        key: Hashable,
        input: bytes | None = None,
    ) -> None:
        """Makes a dead letter of a delivery."""
        _, rule, target = state.key
        letter = DeadLetter(event, rule, target, input, reason, message, exhausted, attempts, wall)
        self._ledger.changes.dead.append((event.seq, state.number, letter))
        self._ledger.waiting = True
        state.dead += 1
        self._end(state, key)
