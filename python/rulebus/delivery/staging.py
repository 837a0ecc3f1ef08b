"""What must happen before deliveries may begin and must not happen under the lock: events fetched, keys read.

One thread at a time does it for a subscription (`staging`), so that order is kept. Relies on `state`, `settling`,
`stores`. Must never lose what it took from a queue: on any error it is put back, and the subscription pauses.
"""

from __future__ import annotations

import threading
from array import array
from collections import deque
from collections.abc import Callable, Hashable
from itertools import islice

from rulebus.clock import Clock
from rulebus.delivery.ordering import NO_KEY
from rulebus.delivery.outcome import described
from rulebus.delivery.settling import Settler
from rulebus.delivery.state import SubscriptionState, Waiting
from rulebus.event import AcceptedEvent
from rulebus.stores.protocol import Retry, Store

__all__ = ["HELD_IN_MEMORY", "Stager", "recovered"]

_LOAD = 1000
"""Events that are fetched at once."""
_SORT = 256
"""Events whose keys are read at once."""
_PAUSE_S = 1.0
"""How long a subscription waits after the store could not be read."""
HELD_IN_MEMORY = 1000
"""Of a subscription: how many that wait behind a key keep their event in memory, if a store has it."""


class _NoKey:
    """Stands for the key of an event for which there is none."""

    __slots__ = ("why",)

    def __init__(self, error: BaseException) -> None:
        self.why = described(error)


class Stager:
    """Fetches and sorts for the dispatcher, whose lock it takes by itself."""

    __slots__ = ("_clock", "_lock", "_on_error", "_settler", "_store")

    def __init__(
        self,
        store: Store,
        clock: Clock,
        lock: threading.Lock,
        settler: Settler,
        on_error: Callable[[BaseException], None],
    ) -> None:
        self._store = store
        self._clock = clock
        self._lock = lock
        self._settler = settler
        self._on_error = on_error

    @staticmethod
    def wanted(state: SubscriptionState, limit: int) -> bool:
        """Whether there is something to do before `limit` deliveries can begin. Under the lock."""
        if state.recovered:
            return True
        if state.key_of is not None:
            return len(state.ready) < limit and bool(state.queue or state.tail)
        return not state.ready and not state.queue and bool(state.tail)

    @staticmethod
    def reads_store(state: SubscriptionState, limit: int) -> bool:
        """Whether the store is read before, or when, a call of so many deliveries begins. Under the lock, after those that
        are due are ready."""
        if state.recovered or (state.tail and not state.queue):
            return True
        return any(waiting.event is None for waiting in islice(state.ready, limit))

    def run(self, state: SubscriptionState) -> int:
        """Does one portion; the caller has set `staging`, and it is unset at the end. By how many events `queue` grew from
        it: others may put some there meanwhile."""
        try:
            if state.recovered:
                self._recover(state)
                return 0
            return -self._sort(state) if state.queue else self._load(state)
        except Exception as error:
            with self._lock:
                state.paused_until = self._clock.monotonic() + _PAUSE_S
            self._on_error(error)
            return 0
        finally:
            with self._lock:
                state.staging = False

    def _load(self, state: SubscriptionState) -> int:
        with self._lock:
            # Whoever accepts says when (a redrive in its own thread, beside the store's), so they may not rise.
            places = array("q", sorted(state.tail.take(_LOAD)))
        events: list[AcceptedEvent] = []
        try:
            events = self.fetch(places)
        finally:
            with self._lock:
                if events:
                    state.queue.extendleft(reversed(events))
                else:
                    state.tail.put_back(places)
        return len(events)

    def fetch(self, places: array[int] | list[int]) -> list[AcceptedEvent]:
        """The events at these rising places."""
        events = self._store.fetch(places)
        if len(events) != len(places):
            raise LookupError(
                f"the store gave {len(events)} of {len(places)} pending events; is the store file damaged?"
            )
        return events

    def _keys(self, state: SubscriptionState, events: list[AcceptedEvent]) -> list[Hashable | _NoKey]:
        key_of = state.key_of
        keys: list[Hashable | _NoKey] = []
        for event in events:
            try:
                keys.append(NO_KEY if key_of is None else key_of(event))
            except BaseException as error:  # Whatever it is, it is the user's, and this event's alone.
                keys.append(_NoKey(error))
        return keys

    def _sort(self, state: SubscriptionState) -> int:
        with self._lock:
            queue = state.queue
            events = [queue.popleft() for _ in range(min(_SORT, len(queue)))]
            state.left += len(events)
            state.in_flight += len(events)  # So that the sums add up while the keys are read.
        keys = self._keys(state, events)
        with self._lock:
            for event, key in zip(events, keys, strict=True):
                if isinstance(key, _NoKey):
                    self._give_up(state, event, None, key)
                else:
                    state.in_flight -= 1
                    self._place(state, Waiting(event.seq, event, key))
        return len(events)

    def _give_up(
        self, state: SubscriptionState, event: AcceptedEvent, item: Waiting | None, key: _NoKey
    ) -> None:
        self._settler.drop(
            state,
            event,
            item,
            "ORDER_KEY",
            f"order_by failed for this event with {key.why}; give a path, or a function that takes every event of the "
            "rule and gives text, a number, or a list or tuple of such",
            None,
            self._clock.now(),
        )

    def _place(self, state: SubscriptionState, waiting: Waiting) -> None:
        """Ready, or behind the delivery that has its key. Under the lock."""
        key = waiting.key
        if key is NO_KEY:
            state.ready.append(waiting)
            return
        behind = state.busy.get(key)
        if behind is None:
            state.busy[key] = deque()
            state.ready.append(waiting)
            return
        state.held += 1
        if waiting.attempts:
            behind.append(waiting)
        elif waiting.event is not None and (not self._store.durable or state.held <= HELD_IN_MEMORY):
            behind.append(waiting.event)
        else:
            behind.append(waiting.seq)

    def _recover(self, state: SubscriptionState) -> None:
        """Reads the keys of retries found in the store, before anything new of their keys may begin."""
        with self._lock:
            portion = sorted(state.recovered[:_LOAD], key=_seq)
        events = self.fetch([waiting.seq for waiting in portion])
        keys = self._keys(state, events)
        now, wall = self._clock.monotonic(), self._clock.now()
        with self._lock:
            del state.recovered[: len(portion)]
            for waiting, event, key in zip(portion, events, keys, strict=True):
                waiting.born = now - max(0.0, wall - event.accepted_at)
                if isinstance(key, _NoKey):
                    state.in_flight += 1
                    self._give_up(state, event, waiting, key)
                    continue
                waiting.key = key
                if key is NO_KEY:
                    state.arrange(waiting)
                elif key in state.busy:
                    state.held += 1
                    state.busy[key].append(waiting)
                else:
                    state.busy[key] = deque()
                    state.arrange(waiting)


def _seq(waiting: Waiting) -> int:
    return waiting.seq


def recovered(retry: Retry, now: float, wall: float, state: SubscriptionState) -> Waiting:
    """A retry of the store as one that waits in memory. The wall clock may have jumped while nobody looked: the wait
    is never longer than the policy could have asked for."""
    wait = min(max(0.0, retry.due_at - wall), state.retry.maximum_event_age_in_seconds)
    return Waiting(retry.seq, None, NO_KEY, retry.attempts, now + wait)
