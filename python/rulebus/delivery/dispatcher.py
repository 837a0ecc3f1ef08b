"""The dispatcher: which deliveries may begin, and what becomes of them. A state machine without threads and sleeps.

The bus puts accepted events in (`reserve`, `accept`), drivers take calls out (`take`), make them, and say what came of
them (`finish`); time is asked of the clock, and moves only when a driver calls `tick`. Everything waits in memory or,
beyond a window and where the store is durable, as a number. One lock, held for no user's function and no I/O.
Relies on the parts of `delivery`. INVARIANT: a delivery leaves only as a success, a dead letter or a skipped duplicate.
"""

from __future__ import annotations

import heapq
from array import array
from collections.abc import Callable, Iterable, Sequence

from rulebus.dead_letter import DeadLetter
from rulebus.delivery.calls import Calls
from rulebus.delivery.redrive import RedriveResult, redrive
from rulebus.delivery.staging import recovered
from rulebus.delivery.state import Closing, SubscriptionState
from rulebus.rule import Subscription
from rulebus.statistics import TargetStatistics, total
from rulebus.stores.protocol import Recovered, SubscriptionKey
from rulebus.targets.protocol import Origin
from rulebus.transform.protocol import Transform

__all__ = ["Dispatcher"]

_AT_ONCE = 50
"""Subscriptions whose statistics are read in one go."""


class Dispatcher(Calls):
    """Queues, order, retries, limits and dead letters of all subscriptions of a hub."""

    # Subscriptions.

    def recover(self, recovered: Recovered) -> None:
        """Takes over what `Store.recover` found. The deliveries of a subscription begin when it is subscribed."""
        with self._lock:
            self._names.update(recovered.subscriptions)
            for number, places in recovered.pending.items():
                self._orphans[number] = (places, [])
            for retry in recovered.retries:
                self._orphans.setdefault(retry.subscription, ((), []))[1].append(retry)

    def orphans(self) -> dict[SubscriptionKey, int]:
        """Of subscriptions that were found in the store and are not subscribed (yet): how many deliveries wait."""
        with self._lock:
            return {
                self._names[number]: _length(places) + len(retries)
                for number, (places, retries) in self._orphans.items()
            }

    def number(self, key: SubscriptionKey) -> int:
        """The number of a subscription in the store, see `Store.number`."""
        return self._store.number(key)

    def subscribe(
        self,
        key: SubscriptionKey,
        subscription: Subscription,
        transform: Transform | None = None,
        rule_arn: str = "",
    ) -> SubscriptionState:
        """Begins to deliver for a subscription, with what a store had pending for it. The same key again: new options,
        the same queue and counters."""
        number = self.number(key)
        origin = Origin(*key, rule_arn)
        most = subscription.max_pending if subscription.max_pending is not None else self._most
        mono, wall = self._monotonic(), self._wall()
        with self._lock:
            state = self._states.get(key)
            known = state is not None
            if state is None:
                state = SubscriptionState(key, number, subscription, transform, origin, most, self._clock)
                self._states[key] = state
            else:
                state.configure(subscription, transform, origin, most, self._clock)
                state.closing = None
            self._letters.attach(state, self._clock)
            self._adopt(state, mono, wall)
            offers = [state] if self._look(state, mono) else []
            if known and state in self._kept_offers:  # Its new target's driver may be there already.
                self._kept_offers.remove(state)
                offers.append(state)
        self._offer(offers)
        self._room_changed()
        if subscription.dead_letter is not None:
            if self._durable:
                self._wake()  # Whoever keeps the time reads the store.
            else:
                self._pump_letters()
        return state

    def _adopt(self, state: SubscriptionState, mono: float, wall: float) -> None:
        places, retries = self._orphans.pop(state.number, ((), []))
        before = len(state.tail)
        state.tail.extend(places)
        waiting = [recovered(retry, mono, wall, state) for retry in retries]
        if state.key_of is not None:
            state.recovered.extend(waiting)  # Their keys must be known first.
            state.plain = state.simple = False
        else:
            for one in waiting:
                state.arrange(one)
        state.left += len(retries)
        count = len(state.tail) - before + len(retries)
        state.pending += count
        self._settler.pending += count

    def unsubscribe(self, key: SubscriptionKey, pending: Closing = "deliver") -> SubscriptionState | None:
        """Ends a subscription; the caller lets no further event to it. What is pending is delivered first, or becomes
        dead letters with the reason ``UNSUBSCRIBED``; then its counters go to the totals. None: no such key."""
        mono = self._monotonic()
        offers = []
        with self._lock:
            state = self._states.get(key)
            if state is None:
                return None
            state.closing = pending
            if pending == "dead_letter":
                for waiting in state.retries:
                    waiting.due = 0.0
                heapq.heapify(state.retries)
            if self._look(state, mono):
                offers.append(state)
        self._offer(offers)
        return state

    # Dead letters.

    def redrive(
        self,
        where: Callable[[DeadLetter], bool] | None = None,
        *,
        rate_per_s: float | None = None,
        dry_run: bool = False,
        pause: Callable[[float], None] | None = None,
    ) -> RedriveResult:
        """Sends dead letters again, oldest first: each a new delivery of the same event to the same subscription; the
        letter is deleted in the same write. `where` chooses; `pause` waits (seconds) where a rate is given. Blocks
        until all are sent. Letters of subscriptions that are not there stay."""
        return redrive(self._store, self._clock, self, where, rate_per_s, dry_run, pause)

    def reserve_for(self, keys: Sequence[SubscriptionKey]) -> list[SubscriptionState | bool]:
        """Takes a place in the queue of each subscription and gives that; True: it is full, False: it is not there. In one
        step, since one that ended is taken off the books when nothing is pending for it."""
        found: list[SubscriptionState | bool] = []
        with self._lock:
            for key in keys:
                state = self._states.get(key)
                if state is None:
                    found.append(False)
                elif state.pending >= state.max_pending:
                    state.refused += 1
                    found.append(True)
                else:
                    state.pending += 1
                    self._settler.pending += 1
                    found.append(state)
        return found

    def redriven(self, state: SubscriptionState) -> None:
        """Counts one."""
        with self._lock:
            state.redriven += 1

    def redriving(self, begins: bool) -> None:
        """A redrive begins, or ends: what it reads may be another's, or gone, by the time it comes to it."""
        with self._lock:
            if begins:
                self._claims.begin()
            else:
                self._claims.end()

    def claim(self, ids: Iterable[int]) -> set[int]:
        """Takes dead letters in hand; those that nobody else has."""
        with self._lock:
            return self._claims.take(ids)

    def unclaim(self, ids: Iterable[int]) -> None:
        """Gives dead letters back that were taken in hand, and stay in the store."""
        with self._lock:
            self._claims.give_back(ids)

    def buried(self, ids: Iterable[int]) -> None:
        """Dead letters that were taken in hand are deleted from the store."""
        with self._lock:
            self._claims.buried(ids)

    # What is there.

    def statistics(self) -> tuple[TargetStatistics, ...]:
        """Of each subscription, in the order subscribed, each as it was at one moment; then of those that were found in
        the store and are not subscribed (yet), what is pending."""
        now = self._wall()
        found: list[TargetStatistics] = []
        with self._lock:
            states = list(self._states.values())
            orphans = [(self._names[number], *parts) for number, parts in self._orphans.items()]
        for start in range(0, len(states), _AT_ONCE):
            with self._lock:  # Not for all at once: thousands would hold up deliveries.
                found.extend(state.statistics(now) for state in states[start : start + _AT_ONCE])
        for (bus, rule, target), places, retries in orphans:
            waiting = len(retries)
            count = _length(places) + waiting
            found.append(
                TargetStatistics(
                    bus=bus, rule=rule, target=target, created=count, pending=count, waiting=waiting
                )
            )
        return tuple(found)

    def retired(self, bus: str | None = None) -> TargetStatistics:
        """The sum over subscriptions that ended, of one bus or of all."""
        with self._lock:
            if bus is not None:
                return self._retired.get(bus, TargetStatistics(bus=bus))
            return total(self._retired.values())

    def state(self, key: SubscriptionKey) -> SubscriptionState | None:
        """A subscription's state, if it is there."""
        with self._lock:
            return self._states.get(key)

    @property
    def pending(self) -> int:
        """Deliveries that have not ended, dead letters on their way to a target included."""
        return self._settler.pending

    @property
    def store_errors(self) -> int:
        """Writes of the ledger that the store refused; each was or will be written again."""
        return self._ledger.errors


def _length(places: Iterable[int]) -> int:
    return len(places) if isinstance(places, (array, tuple, list)) else sum(1 for _ in places)
