"""The bus's side of archives and replays: matching what an archive keeps, and putting replayed events.

Relies on `archive`, which knows no bus, on the publisher and the dispatcher. INVARIANT: replayed events and the progress
that counts them are one write of the store.
"""

from __future__ import annotations

import threading

from rulebus.archive import Archives, Replays
from rulebus.bus.publishing import Draft, Publisher
from rulebus.bus.route import Route
from rulebus.bus.rule_book import RuleBook
from rulebus.clock import Clock
from rulebus.delivery.dispatcher import Dispatcher
from rulebus.delivery.state import SubscriptionState
from rulebus.errors import BusError
from rulebus.event import AcceptedEvent
from rulebus.stores.protocol import Store

__all__ = ["Keeping"]

_LOOK_S = 0.1
"""How often a replay that waits for room looks whether the bus was closed."""


class Keeping:
    """Archives and replays of a hub."""

    def __init__(
        self, store: Store, clock: Clock, book: RuleBook, publisher: Publisher, dispatcher: Dispatcher
    ) -> None:
        self._store = store
        self._book = book
        self._publisher = publisher
        self._dispatcher = dispatcher
        self._closing = threading.Event()
        self.archives = Archives(store, clock, self._attach, book.remove_archive)
        self.replays = Replays(store, clock, self.archives, self._put, self._match, self._check)
        for bus in book.buses:
            self.archives.attach_bus(bus)

    def close(self) -> None:
        """Stops replays between two events; they go on when the store is opened again."""
        self._closing.set()
        self.replays.close()

    def _attach(self, bus: str, archive: str, pattern: str | None) -> None:
        self._book.put_archive(bus, archive, pattern)

    def _put(
        self,
        bus: str,
        events: list[AcceptedEvent],
        rules: tuple[str, ...] | None,
        progress: tuple[str, float, int, int],
    ) -> None:
        draft = Draft([event.id for event in events], {})
        draft.rules = None if rules is None else frozenset(rules)
        home = self._book.bus(bus)
        places = list(range(len(events)))
        while True:
            draft.groups = [(home, events, places)]
            routed = self._publisher.route(draft, last=False)
            if not routed.blocked:
                break
            # A batch is put whole or not at all.
            self._dispatcher.release([states for _, states in routed.work])
            full = {
                state for states in routed.blocked for state in states if state.pending >= state.max_pending
            }
            if not self._wait_for_room(full):
                raise BusError("bus-closed", "the bus was closed while a replay waited for room")
            if any(state.max_pending < len(events) for states in routed.blocked for state in states):
                # It would never fit: it may overfill a queue that had room, by one batch.
                draft.groups = [(home, events, places)]
                routed = self._publisher.route(draft, last=False, over=True)
                break
        routed.changes.replay = progress
        try:
            future = self._store.write(routed.changes)
            if future is not None:
                future.result()
        except BaseException:
            self._dispatcher.release([states for _, states in routed.work])
            raise
        if routed.work:
            self._dispatcher.accept(routed.work)
        for counted, count, matched, unmatched in routed.counts:
            counted.count(count, matched, unmatched)

    def _wait_for_room(self, states: set[SubscriptionState]) -> bool:
        while not self._closing.is_set():
            if self._dispatcher.wait_for_room(states, _LOOK_S):
                return True
        return False

    def _check(self, bus: str, rules: tuple[str, ...] | None) -> None:
        """Raises BusError for a bus or rule that is not there: a replay to it would end well and do nothing."""
        name = self._book.bus(bus).name
        for rule in rules or ():
            self._book.rule(name, rule)

    def _match(
        self, bus: str, envelopes: list[bytes], rules: tuple[str, ...] | None
    ) -> list[list[tuple[str, tuple[str, ...]]]]:
        """Where a dry run's events would go."""
        shown = _Shown(None if rules is None else frozenset(rules))
        found = self._book.bus(bus).matcher.match_many(envelopes)
        return [
            []
            if isinstance(routes, Exception)
            else [pair for route in routes if (pair := shown[route]) is not None]
            for routes in found
        ]


class _Shown(dict[Route, tuple[str, tuple[str, ...]] | None]):
    """Rule and target ids by route, made when first asked for: of many events, few routes. None: left out."""

    def __init__(self, chosen: frozenset[str] | None) -> None:
        self._chosen = chosen

    def __missing__(self, route: Route) -> tuple[str, tuple[str, ...]] | None:
        left_out = route.archive or (self._chosen is not None and route.name not in self._chosen)
        shown = None if left_out else (route.name, tuple(state.key[2] for state in route.states))
        self[route] = shown
        return shown
