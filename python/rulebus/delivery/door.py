"""The way in: places in queues are reserved, events that were stored become pending, callers wait for room or for the end.

Relies on `core`. INVARIANT: a queue never holds more than its bound, since a place is taken before an event is stored.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence

from rulebus.delivery.core import Core
from rulebus.delivery.state import SubscriptionState
from rulebus.delivery.waits import Waits
from rulebus.event import AcceptedEvent

__all__ = ["Door"]

_WINDOW = 4096
"""Of a subscription: how many first tries keep their event in memory, when the store is durable."""
_RESIDENT = 200_000
"""Over all subscriptions; beyond it a subscription keeps `_LEAST` in memory."""
_LEAST = 64


class Door(Core):
    """What the bus calls with events."""

    def reserve(
        self, routes: Sequence[Sequence[SubscriptionState]], *, counted: bool = True, over: bool = False
    ) -> list[int] | None:
        """Takes a place in every queue that an event goes to, for each event in turn; a full one refuses that event.
        None: all have their places; else the indexes of those refused, for which nothing was taken. Then `accept` (or
        `release`) exactly those that have their places. `counted`: what is refused counts as such (not when the caller
        will try again, and so refused are, too, the later ones that would overtake it in an order); `over`: a full queue
        refuses nothing."""
        refused: list[int] | None = None
        count = 0
        ordered: set[SubscriptionState] = (
            set()
        )  # Those for which an event waits that comes before what follows.
        with self._lock:
            for index, states in enumerate(routes):
                if ordered and not ordered.isdisjoint(states) and refused is not None:
                    refused.append(index)
                    ordered.update(state for state in states if state.key_of is not None)
                    continue
                for state in states:
                    if state.pending >= state.max_pending and not over:
                        if refused is None:
                            refused = []
                        refused.append(index)
                        if not counted:
                            ordered.update(other for other in states if other.key_of is not None)
                        for other in states if counted else ():
                            if other.pending >= other.max_pending:
                                other.refused += 1
                        break
                else:
                    for state in states:
                        state.pending += 1
                    count += len(states)
            self._settler.pending += count
        return refused

    def release(self, routes: Iterable[Sequence[SubscriptionState]]) -> None:
        """Gives reserved places back: the events were not stored."""
        with self._lock:
            for states in routes:
                for state in states:
                    state.pending -= 1
                self._settler.pending -= len(states)
        self._room_changed()

    def accept(self, batch: Sequence[tuple[AcceptedEvent, Sequence[SubscriptionState]]]) -> None:
        """Stored events, for which places were reserved, become pending deliveries.
        COST: a lock a call, an append a delivery."""
        woken: list[SubscriptionState] = []
        with self._lock:
            if self._durable:
                resident = self._resident
                for event, states in batch:
                    for state in states:
                        queued = len(state.queue)
                        if (
                            state.tail.length
                            or queued >= _WINDOW
                            or (resident >= _RESIDENT and queued >= _LEAST)
                        ):
                            state.tail.append(event.seq)
                        else:
                            state.append(event)
                            resident += 1
                        if state.quiet:
                            state.quiet = False
                            woken.append(state)
                self._resident = resident
            else:
                for event, states in batch:
                    for state in states:
                        state.append(event)
                        if state.quiet:
                            state.quiet = False
                            woken.append(state)
            offers = self._woken(woken) if woken else woken
        if offers:
            self._offer(offers)

    def _woken(self, states: list[SubscriptionState]) -> list[SubscriptionState]:
        """Those to be offered of these that got a delivery while they were quiet. Under the lock."""
        mono = self._monotonic()
        offers = []
        for state in states:
            if (
                state.simple
                and not (state.offered or state.staging or state.ready or state.retries or state.paused_until)
                and state.calls < state.concurrency
                and state.closing is None
            ):
                state.offered = True  # As `_look` would find.
                offers.append(state)
            elif self._look(state, mono):
                offers.append(state)
        return offers

    def admit(
        self, event: AcceptedEvent, states: Sequence[SubscriptionState], still: Callable[[], bool]
    ) -> bool:
        """`reserve` and `accept` of one event in one step, where no store stands between them; `still` is asked under the
        lock when the event has its places. False: a queue is full or it is no longer so, and then nothing was done."""
        woken: list[SubscriptionState] = []
        with self._lock:
            for state in states:
                if state.pending >= state.max_pending:
                    return False
            for state in states:
                state.pending += 1
            if not still():
                for state in states:
                    state.pending -= 1
                return False
            self._settler.pending += len(states)
            for state in states:
                state.append(event)
                if state.quiet:
                    state.quiet = False
                    woken.append(state)
            offers = self._woken(woken) if woken else woken
        if offers:
            self._offer(offers)
        return True

    def when_room(
        self, states: Iterable[SubscriptionState], callback: Callable[[], None]
    ) -> Callable[[], None]:
        """Calls back once, from any thread, when each of these could take another delivery (at once, if so). The place
        is not reserved: try again, and wait again if somebody was faster. Gives a function that ends the wait."""
        wanted = list(states)

        def room() -> bool:
            return all(state.pending < state.max_pending for state in wanted)

        return self._wait(self._room, room, callback)

    def wait_for_room(self, states: Iterable[SubscriptionState], timeout_s: float | None) -> bool:
        """The same for a thread: whether there was room in time."""
        return _block(lambda callback: self.when_room(states, callback), timeout_s)

    def when_idle(self, callback: Callable[[], None], retries: bool = True) -> Callable[[], None]:
        """Calls back once, when no delivery is pending or in flight and everything is recorded. Without `retries`:
        when nothing is left but deliveries that wait for another try (and those behind them)."""
        return self._wait(self._idle, self._is_idle if retries else self._is_quiet, callback)

    def wait_idle(self, timeout_s: float | None = None, retries: bool = True) -> bool:
        """The same for a thread: whether it came about in time."""
        return _block(lambda callback: self.when_idle(callback, retries), timeout_s)

    def _wait(
        self, waits: Waits, condition: Callable[[], bool], callback: Callable[[], None]
    ) -> Callable[[], None]:
        with self._lock:
            holds = condition()
            if not holds:
                waits.add(condition, callback)
        if holds:
            callback()

        def end() -> None:
            with self._lock:
                waits.remove(callback)

        return end

    def _is_idle(self) -> bool:
        return self._settler.pending == 0 and self._ledger.clean and not self._letters.busy

    def _is_quiet(self) -> bool:
        if not self._ledger.clean or self._letters.busy:
            return False
        # Asked after every call while somebody waits: goes on where it found one busy, and looks at all again only
        # when it came to the end.
        scan = self._scan
        while scan:
            if _busy(scan[-1]):
                return False
            scan.pop()
        scan.extend(self._states.values())
        if any(_busy(state) for state in scan):
            return False
        scan.clear()
        return True

    def flush(self, timeout_s: float | None = None) -> bool:
        """Waits until everything that ended is recorded in the store; whether it was in time."""
        self._ledger.flush(urgent=True)
        return _block(
            lambda callback: self._wait(self._idle, lambda: self._ledger.clean, callback), timeout_s
        )


def _busy(owner: SubscriptionState) -> bool:
    """Whether it has more than deliveries that wait for another try, and those behind them."""
    for state in (owner, owner.letters):
        if (
            state is not None
            and state.pending
            and (
                state.in_flight
                or state.staging
                or state.waiting_now()
                or state.pending > len(state.retries) + state.held
            )
        ):
            return True
    return False


def _block(start: Callable[[Callable[[], None]], Callable[[], None]], timeout_s: float | None) -> bool:
    done = threading.Event()
    end = start(done.set)
    if done.wait(timeout_s):
        return True
    end()
    return done.is_set()
