"""The way out: the next call for a subscription, and what its target made of it.

Relies on `door`, `staging`, `settling`. Must never hold the lock while it reads the store or calls a function of the
user (a transform, `order_by`); whatever it took from a queue is in a job, back in the queue, or ended.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Sequence
from typing import TypeAlias

from rulebus.delivery import outcome as outcomes
from rulebus.delivery.door import Door
from rulebus.delivery.ordering import NO_KEY
from rulebus.delivery.state import ABANDONED_MOST, Job, SubscriptionState, Waiting
from rulebus.event import AcceptedEvent
from rulebus.targets.protocol import Delivery, Origin, Target
from rulebus.transform.protocol import Transform, TransformError

__all__ = ["ELSEWHERE", "Calls", "Elsewhere", "Ended"]


class Elsewhere:
    """The type of `ELSEWHERE`."""


ELSEWHERE = Elsewhere()
"""The next call cannot be taken without waiting."""

Ended: TypeAlias = Sequence[tuple[Job, float, float]]
"""Calls whose deliveries were all taken, each with when it ended: on the monotonic clock, on the wall clock."""

_PAUSE_S = 1.0
"""How long a subscription waits after something but its target failed."""
_DISCARD = 500
"""Deliveries of a subscription that ended which become dead letters at once."""


class Calls(Door):
    """What drivers call."""

    def take(self, state: SubscriptionState, is_async: bool | None = None) -> Job | None:
        """The next call for a subscription that was offered, or None. May read the store and call the subscription's
        transform and `order_by`. Call ``job.target.deliver(job.deliveries)``, then `finish`. A driver says what kind
        of targets it calls: the target may have been exchanged since the offer."""
        job = self._take(state, is_async, True)
        assert not isinstance(job, Elsewhere)
        return job

    def take_here(self, state: SubscriptionState) -> Job | Elsewhere | None:
        """The same for a loop, which must not wait: `ELSEWHERE` where the store has to be read, and then `take` is for a
        thread."""
        return self._take(state, True, False)

    def _take(
        self, state: SubscriptionState, is_async: bool | None, may_read: bool
    ) -> Job | Elsewhere | None:
        while True:
            mono = self._monotonic()
            items: list[Waiting | AcceptedEvent] = []
            events: list[AcceptedEvent] | None = None
            stage = more = False
            with self._lock:
                if state.is_async is not is_async and is_async is not None:
                    break
                # What it calls and what is made for it belong together: both may be exchanged once the lock is let go.
                target, transform, origin = state.target, state.transform, state.origin
                timeout_s = state.timeout_s
                state.offered = False
                if state.calls >= state.concurrency or state.staging or mono < state.paused_until:
                    self._look(state, mono)
                    return None
                queue = state.queue
                if queue and state.plain and not state.ready and not state.retries and state.closing is None:
                    count = len(queue)
                    if count == 1:
                        events = [queue.popleft()]
                    elif count <= state.batch_size:
                        events = list(queue)
                        queue.clear()
                    else:
                        count = state.batch_size
                        events = [queue.popleft() for _ in range(count)]
                    state.left += count
                    if self._durable:
                        self._resident -= count
                else:
                    limit = self._limit(state, mono)
                    state.ripen(mono)
                    if not may_read and self._durable and self._stager.reads_store(state, limit):
                        state.offered = True
                        return ELSEWHERE
                    if limit and self._stager.wanted(state, limit):
                        stage = state.staging = True
                    else:
                        items = self._select(state, limit, mono)
                        count = len(items)
                        if not count:
                            self._look(state, mono)
                            return None
                if not stage:
                    state.calls += 1
                    state.in_flight += count
                    state.window_from = None
                    more = state.calls < state.concurrency and self._look(state, mono)
            if stage:
                self._stage(state)
                continue
            if more:
                self._offer([state])
            if events is None:
                job = self._mixed(state, items, mono, target, transform, origin, timeout_s)
            elif transform is None and state.letter_of is None:
                wall = self._wall()
                if count == 1:
                    event = events[0]
                    deliveries = [Delivery(event, event.body, origin)]
                    return Job(state, target, deliveries, None, [(event.accepted_at, 1)], mono, wall, None)
                deliveries = [Delivery(event, event.body, origin) for event in events]
                return Job(state, target, deliveries, None, _runs(events), mono, wall, None)
            else:
                items.extend(events)
                job = self._mixed(state, items, mono, target, transform, origin, timeout_s)
            if job is not None:
                return job
        self._offer([state])
        return None

    def _stage(self, state: SubscriptionState) -> None:
        grown = self._stager.run(state)
        if self._durable and grown:
            with self._lock:
                self._resident += grown

    def _limit(self, state: SubscriptionState, mono: float) -> int:
        if state.closing == "dead_letter":
            return _DISCARD
        limit = state.batch_size
        return limit if state.bucket is None else min(limit, state.bucket.available(mono))

    def _select(self, state: SubscriptionState, limit: int, mono: float) -> list[Waiting | AcceptedEvent]:
        items: list[Waiting | AcceptedEvent] = []
        ready, queue = state.ready, state.queue
        if (
            state.batch_window_s > 0.0
            and not state.retries
            and not state.fills(min(limit, state.batch_size))
            and state.window_from is not None
            and mono < state.window_from + state.batch_window_s
            and state.closing is None
            and not any(waiting.attempts for waiting in ready)
        ):
            return items
        while ready and len(items) < limit:
            items.append(ready.popleft())
        if state.key_of is None:
            count = min(limit - len(items), len(queue))
            items.extend([queue.popleft() for _ in range(count)])
            state.left += count
            if self._durable:
                self._resident -= count
        if state.bucket is not None and state.closing != "dead_letter":
            state.bucket.spend(len(items), mono)
        return items

    def _mixed(
        self,
        state: SubscriptionState,
        items: list[Waiting | AcceptedEvent],
        mono: float,
        target: Target,
        transform: Transform | None,
        origin: Origin,
        timeout_s: float | None,
    ) -> Job | None:
        """A call with retries, keys, or inputs that must be made; None if nothing of it can be delivered."""
        if not self._fetch(state, items):
            return None
        wall = self._wall()
        items = self._still_wanted(state, items, mono, wall)
        try:
            job = self._made(state, items, mono, wall, target, transform, origin, timeout_s)
        except BaseException:
            # Ctrl-C in the loop's thread, or a transform that ends its thread: nothing was begun.
            self._return(state, items, mono, 0.0)
            raise
        return job if job is None or job.deadline is None else self._with_deadline(job)

    def _made(
        self,
        state: SubscriptionState,
        items: list[Waiting | AcceptedEvent],
        mono: float,
        wall: float,
        target: Target,
        transform: Transform | None,
        origin: Origin,
        timeout_s: float | None,
    ) -> Job | None:
        deadline = None if timeout_s is None else mono + timeout_s
        deliveries: list[Delivery] = []
        kept: list[Waiting | None] = []
        fresh: list[AcceptedEvent] = []
        bad: list[tuple[AcceptedEvent, Waiting | None, TransformError]] = []
        for item in items:
            waiting = item if isinstance(item, Waiting) else None
            event = item.event if isinstance(item, Waiting) else item
            assert event is not None
            if state.letter_of is not None:
                deliveries.append(self._letters.delivery(state, event, deadline))
                kept.append(waiting)
                continue
            try:
                input = event.body if transform is None else transform.apply(event, origin)
            except Exception as error:
                bad.append((event, waiting, _why(error)))
                continue
            attempts = 0 if waiting is None else len(waiting.attempts)
            deliveries.append(Delivery(event, input, origin, attempts + 1, deadline))
            kept.append(waiting)
            if not attempts:
                fresh.append(event)
        if bad or not deliveries:
            self._give_up_bad(state, bad, wall, over=not deliveries)
        if not deliveries:
            self._more_letters(state)
            return None
        plain = state.key_of is None and not any(kept)
        return Job(state, target, deliveries, None if plain else kept, _runs(fresh), mono, wall, deadline)

    def _fetch(self, state: SubscriptionState, items: list[Waiting | AcceptedEvent]) -> bool:
        """Fills in the events that were left to the store; if it cannot be read, everything goes back."""
        missing = [item for item in items if isinstance(item, Waiting) and item.event is None]
        if not missing:
            return True
        missing.sort(key=_seq)
        try:
            found = self._stager.fetch(array("q", (waiting.seq for waiting in missing)))
        except Exception as error:
            self._return(state, items, self._monotonic(), _PAUSE_S)
            self._on_error(error)
            return False
        for waiting, event in zip(missing, found, strict=True):
            waiting.event = event
        return True

    def _return(
        self, state: SubscriptionState, items: list[Waiting | AcceptedEvent], mono: float, pause_s: float
    ) -> None:
        """What was taken for a call goes back to where it is taken first."""
        with self._lock:
            state.ready.extendleft(
                item if isinstance(item, Waiting) else Waiting(item.seq, item) for item in reversed(items)
            )
            state.calls -= 1
            state.in_flight -= len(items)
            if pause_s:
                state.paused_until = mono + pause_s
            state.offered = False
            self._look_later(state, mono)

    def stumbled(self, state: SubscriptionState, error: BaseException) -> None:
        """`take` failed for a reason of its own (no memory, a fault): the subscription pauses, then goes on."""
        mono = self._monotonic()
        with self._lock:
            state.paused_until = mono + _PAUSE_S
            state.offered = False
            self._look_later(state, mono)
        self._on_error(error)

    def _still_wanted(
        self, state: SubscriptionState, items: list[Waiting | AcceptedEvent], mono: float, wall: float
    ) -> list[Waiting | AcceptedEvent]:
        """Without what was delivered within the window, grew too old while it waited, or belongs to a subscription
        that ended."""
        wanted: list[Waiting | AcceptedEvent] = []
        with self._lock:
            for item in items:
                waiting = item if isinstance(item, Waiting) else None
                event = item.event if isinstance(item, Waiting) else item
                assert event is not None
                if state.letter_of is not None:
                    if self._letters.begins(event):
                        wanted.append(item)
                    else:
                        self._settler.leave(state)
                    continue
                if state.closing == "dead_letter":
                    reason = "the rule or target was removed, and its pending deliveries were to become dead letters"
                    self._settler.drop(state, event, waiting, "UNSUBSCRIBED", reason, None, wall)
                    continue
                key = NO_KEY if waiting is None else waiting.key
                if state.window is not None and state.window.has(event.id, mono):
                    self._settler.skip(state, event.seq, key)
                    continue
                if waiting is not None and waiting.attempts:
                    if waiting.born is None:
                        waiting.born = mono - max(0.0, wall - event.accepted_at)
                    if mono - waiting.born >= state.retry.maximum_event_age_in_seconds:
                        last = waiting.attempts[-1].failure
                        self._settler.drop(
                            state, event, waiting, last.code, last.message, "MaximumEventAgeInSeconds", wall
                        )
                        continue
                wanted.append(item)
        return wanted

    def _give_up_bad(
        self,
        state: SubscriptionState,
        bad: list[tuple[AcceptedEvent, Waiting | None, TransformError]],
        wall: float,
        over: bool,
    ) -> None:
        with self._lock:
            for event, waiting, error in bad:
                self._settler.drop(state, event, waiting, error.code, error.message, None, wall, error.input)
            if over:
                state.calls -= 1
        self._after([])

    def _with_deadline(self, job: Job) -> Job | None:
        state = job.state
        with self._lock:
            state.jobs[job] = None
            # Calls that never come back hold threads: beyond a bound none is begun, but time goes on.
            job.begun = state.abandoned < state.concurrency + ABANDONED_MOST
            self._schedule(state, job.started if job.deadline is None else job.deadline)
        return job if job.begun else None

    def finish(self, job: Job, outcome: object = None) -> bool:
        """Takes what a target returned (or the exception that it raised). True: the subscription has more to do, and
        the caller will call `take` for it. A job whose time was up before is ignored."""
        failures = None if outcome is None else outcomes.read(outcome, len(job.deliveries))
        mono, wall = self._monotonic(), self._wall()
        state = job.state
        with self._lock:
            if job.over:
                state.abandoned -= 1
            else:
                job.over = True
                self._settler.settle(job, failures, mono, wall)
            more = self._look(state, mono)
        if self._ledger.waiting:
            self._ledger.flush()
        self._more_letters(state)
        if self._room.open or self._idle.open:
            self._changed()
        return more

    def turn(self, ended: Ended, ready: deque[SubscriptionState], most: int, is_async: bool) -> list[Job]:
        """Ends calls that were taken as a whole and takes the next ones, all with the lock held once. For drivers, which
        have a queue of what was offered (`ready`): a subscription with more to do goes to its end.

        Takes of at most `most` at its front, and no further than the first whose next call takes more than a look into its
        queue: that one is for `take`. What keeps a thread for long is taken alone. Each job's `started` and `started_at`
        are the driver's to set. Must be given only jobs that `turn` gave.
        """
        found: list[Job] = []
        more: list[SubscriptionState] = []
        mono = 0.0
        with self._lock:
            for job, mono, wall in ended:
                if not job.over:
                    job.over = True
                    self._settler.settle(job, None, mono, wall)
                    state = job.state
                    if (
                        state.simple
                        and not (state.offered or state.staging or state.ready or state.retries)
                        and not (state.paused_until or state.tail.length)
                        and state.closing is None
                    ):
                        # As `_look` would find.
                        if state.queue:
                            state.offered = True
                            ready.append(state)
                        else:
                            state.quiet = True
                    elif self._look(state, mono):
                        ready.append(state)
            while most:
                try:
                    state = ready.popleft()
                except IndexError:
                    break
                queue = state.queue
                if (
                    not queue
                    or not state.simple
                    or state.is_async is not is_async
                    or state.calls >= state.concurrency
                    or state.ready
                    or state.retries
                    or state.staging
                    or state.paused_until
                    or state.closing is not None
                    or (state.slow and found and not is_async)
                ):
                    ready.appendleft(state)
                    break
                most -= 1
                origin = state.origin
                ages: list[tuple[float, int]] | None
                if state.batch_size == 1 or len(queue) == 1:
                    count = 1
                    event = queue.popleft()
                    deliveries = [Delivery(event, event.body, origin)]
                    ages = None
                else:
                    count = min(len(queue), state.batch_size)
                    events = [queue.popleft() for _ in range(count)]
                    deliveries = [Delivery(event, event.body, origin) for event in events]
                    ages = _runs(events)
                found.append(Job(state, state.target, deliveries, None, ages, 0.0, 0.0, None))
                state.left += count
                if self._durable:
                    self._resident -= count
                state.calls += 1
                state.in_flight += count
                state.offered = False
                if state.calls < state.concurrency and self._look(state, mono or self._monotonic()):
                    more.append(state)
                if state.slow and not is_async:
                    break
        if more:
            self._offer(more)
        if ended and (self._ledger.waiting or self._room.open or self._idle.open):
            self._after([])
        return found

    def _more_letters(self, state: SubscriptionState) -> None:
        """Reads on in the store when a carrier of letters has few left and there were too many before."""
        if state.letter_of is not None and self._letters.full and state.pending < _DISCARD:
            self._letters.wanted = True
            self._pump_letters()

    def put_back(self, job: Job, running: bool = False) -> None:
        """A call that was taken is not made, or (`running`) not waited for: its deliveries are pending again, first in
        line, and nothing counts as a try. One that runs is to be told of by `finish` when it comes back."""
        state = job.state
        mono = self._monotonic()
        with self._lock:
            if job.over:
                return
            job.over = True
            state.abandoned += running
            count = len(job.deliveries)
            state.calls -= 1
            state.in_flight -= count
            state.jobs.pop(job, None)
            if state.letter_of is not None:
                state.pending -= count  # They are in the store, and come again with the next start.
                self._settler.pending -= count
                self._claims.give_back(d.letter.id for d in job.deliveries if d.letter is not None)
            else:
                for place in range(count - 1, -1, -1):
                    item = None if job.items is None else job.items[place]
                    event = job.deliveries[place].event
                    state.ready.appendleft(Waiting(event.seq, event) if item is None else item)
            self._look(state, mono)
            state.offered = False
            state.quiet = True
        self._after([])

    def reoffer(self, state: SubscriptionState) -> None:
        """`finish` said that there is more, but the caller will not take it: somebody else may."""
        mono = self._monotonic()
        with self._lock:
            state.offered = False
            state.quiet = True
            offers = [state] if self._look(state, mono) else []
        self._offer(offers)


def _runs(events: list[AcceptedEvent]) -> list[tuple[float, int]]:
    runs: list[tuple[float, int]] = []
    at, count = -1.0, 0
    for event in events:
        if event.accepted_at == at:
            count += 1
        else:
            if count:
                runs.append((at, count))
            at, count = event.accepted_at, 1
    if count:
        runs.append((at, count))
    return runs


def _seq(waiting: Waiting) -> int:
    return waiting.seq


def _why(error: Exception) -> TransformError:
    """Why no input could be made, in words that are made here and not under the lock."""
    if isinstance(error, TransformError):
        return error
    return TransformError("TRANSFORM_ERROR", outcomes.described(error))
