"""What all parts of the dispatcher stand on: its lock, its subscriptions, and who looks at which of them when.

A subscription that has something to do is offered to the driver of its kind of target, once; one that must wait has a
timer, or is looked at by whoever ends a call or brings a delivery. Relies on the parts of `delivery`. Must never call a
driver under the lock, save its `wake`, which only notifies.
"""

from __future__ import annotations

import heapq
import random
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TypeAlias

from rulebus.clock import Clock, SystemClock
from rulebus.delivery import outcome as outcomes
from rulebus.delivery.claims import Claims
from rulebus.delivery.ledger import Ledger
from rulebus.delivery.letters import Letters
from rulebus.delivery.settling import Settler
from rulebus.delivery.staging import Stager
from rulebus.delivery.state import Job, SubscriptionState
from rulebus.delivery.waits import Waits
from rulebus.statistics import TargetStatistics, total
from rulebus.stores.protocol import Retry, Store, SubscriptionKey

__all__ = ["Core", "Ready"]

Ready: TypeAlias = Callable[[list[SubscriptionState]], None]
"""What a driver gives to `connect`: these have work; call `take` for each. Called under no lock, from any thread."""

_GRAIN_S = 1e-5
"""The least wait of a timer."""


class Core:
    """State and attention."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        *,
        chance: Callable[[], float] | None = None,
        max_pending: int | None = None,
        on_ready: Ready | None = None,
        on_error: Callable[[BaseException], None] | None = None,
    ) -> None:
        """`chance` gives numbers in 0..1 that spread retries; `max_pending` is the bound of a subscription that names
        none (100,000, or 10,000,000 with a durable store); `on_ready` is for a driver that does without `connect`;
        `on_error` is told of each error of the store (nothing is lost by it: the work is done again later)."""
        self._store = store
        self._clock = clock
        system = type(clock) is SystemClock
        self._monotonic = time.monotonic if system else clock.monotonic
        self._wall = time.time if system else clock.now
        self._durable = store.durable
        self._most = max_pending if max_pending is not None else (10_000_000 if store.durable else 100_000)
        self._lock = threading.Lock()
        self._tell = on_error
        self._states: dict[SubscriptionKey, SubscriptionState] = {}
        self._retired: dict[str, TargetStatistics] = {}  # By bus.
        self._orphans: dict[int, tuple[Iterable[int], list[Retry]]] = {}
        self._names: dict[int, SubscriptionKey] = {}
        self._claims = Claims()
        self._ledger = Ledger(
            store,
            clock,
            self._lock,
            self._written,
            self._letters_stored,
            self._on_error,
            self._claims.buried,
        )
        self._settler = Settler(
            self._ledger, self._claims, chance if chance is not None else random.Random().random
        )
        self._stager = Stager(store, clock, self._lock, self._settler, self._on_error)
        self._letters = Letters(store, self._lock, self._states, self._settler, self._claims)
        self._resident = 0  # First tries with their event in memory, counted only when the store is durable.
        self._timers: tuple[list[tuple[float, int, SubscriptionState]], ...] = (
            [],
            [],
        )  # Threads', the loop's.
        self._timer_number = 0
        self._ready: list[Ready] = [on_ready or self._keep_offer, on_ready or self._keep_offer]
        self._wakes: list[Callable[[], None] | None] = [None, None]
        self._kept_offers: list[SubscriptionState] = []
        self._room = Waits()
        self._idle = Waits()
        self._scan: list[SubscriptionState] = []  # Of the search for one that is busy, see `Door`.

    def connect(self, is_async: bool, ready: Ready, wake: Callable[[], None]) -> None:
        """A driver takes over all subscriptions whose targets are (not) ``async``. `wake` is called when `next_due`
        became earlier; it may be called under the dispatcher's lock and must only notify."""
        with self._lock:
            self._ready[is_async] = ready
            self._wakes[is_async] = wake
            kept, self._kept_offers = self._kept_offers, []
        self._offer(
            kept
        )  # Those of the other kind are kept again, or go to its driver if there is one by now.
        wake()

    def _keep_offer(self, states: list[SubscriptionState]) -> None:
        with self._lock:
            self._kept_offers.extend(states)

    def _on_error(self, error: BaseException) -> None:
        if self._tell is not None:
            with suppress(Exception):
                self._tell(error)

    # Time.

    def has_timers(self, is_async: bool) -> bool:
        """Whether anything of that kind of target waits for a moment. Without the lock."""
        return bool(self._timers[is_async])

    def next_due(self, is_async: bool | None = None) -> float | None:
        """When `tick` is to be called next, on the monotonic clock; None: not by time."""
        with self._lock:
            kinds = (0, 1) if is_async is None else (int(is_async),)
            dues = [self._timers[kind][0][0] for kind in kinds if self._timers[kind]]
            ledger = self._ledger.due if self._records(is_async) else None
            if ledger is not None:
                dues.append(ledger)
            return min(dues, default=None)

    def tick(self, is_async: bool | None = None) -> None:
        """Does what time (or the store) makes due: retries, tokens, batch windows, deadlines, records."""
        if self._records(is_async):
            self._ledger.flush()
            self._pump_letters()
        offers: list[SubscriptionState] = []
        expired: list[Job] = []
        mono, wall = self._monotonic(), self._wall()
        with self._lock:
            for kind in (0, 1) if is_async is None else (int(is_async),):
                timers = self._timers[kind]
                while timers and timers[0][0] <= mono:
                    due, _, state = heapq.heappop(timers)
                    if state.wake_at != due:
                        continue
                    state.wake_at = None
                    for job in [
                        job for job in state.jobs if job.deadline is not None and job.deadline <= mono
                    ]:
                        self._expire(job, mono, wall)
                        expired.append(job)
                    if self._look(state, mono):
                        offers.append(state)
        for job in expired:
            if job.on_expire is not None:
                job.on_expire(job)
        self._after(offers)

    def _records(self, is_async: bool | None) -> bool:
        """Whether the driver of that kind also sees to the store: the threads' if there is one."""
        return not is_async or self._wakes[0] is None

    def _expire(self, job: Job, mono: float, wall: float) -> None:
        state = job.state
        job.over = True
        if job.begun:
            state.abandoned += 1
        failure = outcomes.timed_out(state.timeout_s or 0.0, job.begun)
        self._settler.settle(job, [failure] * len(job.deliveries), mono, wall)

    def _look(self, state: SubscriptionState, mono: float) -> bool:
        """Whether the subscription is to be offered now (then it counts as offered); else sees to it that somebody
        looks again: who brings a delivery, who ends a call, or the timer. Under the lock."""
        if (
            state.plain
            and not state.retries
            and not state.ready
            and state.closing is None
            and not state.paused_until
        ):
            # The same for those that have no options: only the queue counts.
            if state.offered or state.staging or state.calls >= state.concurrency:
                state.quiet = False
                return False
            more = bool(state.queue) or state.tail.length > 0
            state.offered = more
            state.quiet = not more
            if not more and state.letter_of is not None:
                self._retire(state.letter_of)
            return more
        if state.paused_until and mono >= state.paused_until:
            state.paused_until = 0.0
        if state.batch_window_s > 0.0 and state.window_from is None and state.waiting_now():
            state.window_from = mono
        if state.takeable(mono):
            state.offered = True
            state.quiet = False
            if state.jobs:
                self._schedule(state, min(job.deadline or mono for job in state.jobs))
            return True
        state.quiet = not state.offered and not state.staging and state.calls < state.concurrency
        if state.closing is not None or state.letter_of is not None:
            self._retire(state.letter_of or state)
        if (
            state.retries
            or state.bucket is not None
            or state.batch_window_s > 0.0
            or state.jobs
            or state.paused_until
        ):
            due = state.due(mono)
            if due is not None:
                # A moment that has come and changed nothing (sums of floats) is looked at again, but not for ever.
                self._schedule(state, due if due > mono else mono + _GRAIN_S)
        return False

    def _look_later(self, state: SubscriptionState, mono: float) -> None:
        """A timer looks at the subscription, soon or after its pause. Under the lock."""
        state.quiet = True
        self._schedule(state, max(mono + _GRAIN_S, state.paused_until))

    def _schedule(self, state: SubscriptionState, due: float) -> None:
        if state.wake_at is not None and state.wake_at <= due:
            return
        state.wake_at = due
        self._timer_number += 1
        timers = self._timers[state.is_async]
        heapq.heappush(timers, (due, self._timer_number, state))
        wake = self._wakes[state.is_async]
        if wake is not None and timers[0][2] is state:
            wake()

    def _offer(self, states: list[SubscriptionState]) -> None:
        kinds: tuple[list[SubscriptionState], list[SubscriptionState]] = ([], [])
        for state in states:
            kinds[state.is_async].append(state)  # Asked once: the target may be exchanged meanwhile.
        for ready, some in zip(self._ready, kinds, strict=True):
            if some:
                ready(some)

    def _after(self, offers: list[SubscriptionState]) -> None:
        if self._ledger.waiting:
            self._ledger.flush()
        if offers:
            self._offer(offers)
        if self._room.open or self._idle.open:
            self._changed()

    def _room_changed(self) -> None:
        if self._room.open or self._idle.open:
            self._changed()

    def _changed(self) -> None:
        with self._lock:
            callbacks = self._room.met() + self._idle.met()
        for callback in callbacks:
            try:
                callback()
            except (
                Exception
            ) as error:  # A loop that was closed meanwhile; no reason to end whoever finished a call.
                self._on_error(error)

    def _written(self) -> None:
        """A write of the ledger ended, in a thread of the store: a driver is asked to go on, if there is more."""
        if self._ledger.waiting:
            self._wake()
        self._room_changed()

    def _wake(self) -> None:
        wake = self._wakes[0] or self._wakes[1]
        if wake is not None:
            wake()

    def _retire(self, state: SubscriptionState) -> None:
        if state.closing is not None and state.pending == 0 and self._states.get(state.key) is state:
            letters = state.letters
            if letters is None or letters.pending == 0:
                del self._states[state.key]
                bus = state.key[0]
                gone = [
                    *([self._retired[bus]] if bus in self._retired else []),
                    state.statistics(self._wall()),
                ]
                self._retired[bus] = total(gone)

    # Dead letters.

    def _letters_stored(self) -> None:
        self._letters.stored()
        if self._durable:
            self._wake()  # Whoever keeps the time reads the store.
        else:
            self._pump_letters()

    def _pump_letters(self) -> None:
        if not self._letters.wanted:
            return
        try:
            states = self._letters.pump()
        except Exception as error:
            self._on_error(error)
            return
        mono = self._monotonic()
        with self._lock:
            offers = [state for state in states if self._look(state, mono)]
        self._after(offers)
