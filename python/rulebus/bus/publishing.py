"""From entries to events with their subscriptions: read, enveloped, matched; nothing is stored or delivered here.

`Publisher.draft` makes the events of one call, `Publisher.route` finds out where they go. COST decides the shape: one
pass a step over the whole call, no object an event but the event itself. Relies on `entries`, `envelope`, the rule book.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from rulebus import _json
from rulebus.bus.entries import EntryReader, Readings, entry_size_bytes
from rulebus.bus.envelope import Envelopes
from rulebus.bus.ids import Ids
from rulebus.bus.limits import BusLimits
from rulebus.bus.refusals import refusal
from rulebus.bus.result import EntryFault, PutResult
from rulebus.bus.route import BusRules, Route
from rulebus.bus.rule_book import RuleBook
from rulebus.clock import Clock
from rulebus.delivery.dispatcher import Dispatcher
from rulebus.delivery.state import SubscriptionState
from rulebus.errors import EventError
from rulebus.event import AcceptedEvent
from rulebus.matcher import Matcher
from rulebus.stores.memory import MemoryStore
from rulebus.stores.protocol import Changes
from rulebus.targets.protocol import Delivery

__all__ = ["Draft", "Publisher", "Routed", "Work"]

Work: TypeAlias = "list[tuple[AcceptedEvent, tuple[SubscriptionState, ...]]]"
"""Events with the subscriptions that they go to."""

_PLAIN: tuple[str | None, str, str | None] = (None, "[]", None)
_TRIES = 3
_LISTS = {list}
_FIRST = [0]


class Draft:
    """One call on its way: the events of it that have no place yet, by bus."""

    __slots__ = ("faults", "generation", "groups", "ids", "rules")

    def __init__(self, ids: list[str | None], faults: dict[int, EntryFault]) -> None:
        self.ids = ids
        """Of each entry the event's id, None where it was refused."""
        self.faults = faults
        """Of each refused entry, by index, why."""
        self.groups: list[tuple[BusRules, list[AcceptedEvent], list[int]]] = []
        """Events by bus, with the index of each one's entry."""
        self.rules: frozenset[str] | None = None
        """Only these rules get the events; None: all."""
        self.generation = 0
        """The rules that it was matched against."""

    def refuse(self, place: int, fault: EntryFault) -> None:
        """Takes out an entry that was accepted so far."""
        self.ids[place] = None
        self.faults[place] = fault


class Routed:
    """The events of a draft that have their places in all queues, and those that have not."""

    __slots__ = ("blocked", "changes", "counts", "work")

    def __init__(self) -> None:
        self.changes = Changes()
        """What the store is to keep."""
        self.work: Work = []
        """Events with their subscriptions; those without any are left out."""
        self.blocked: list[tuple[SubscriptionState, ...]] = []
        """Of each event that found a queue full, its subscriptions. These events are the draft's groups now."""
        self.counts: list[tuple[BusRules, int, int, int]] = []
        """By bus: events, pairs of event and rule, events without a rule."""


class Publisher:
    """Makes and routes drafts. Threads may share it."""

    def __init__(
        self,
        book: RuleBook,
        dispatcher: Dispatcher,
        limits: BusLimits,
        clock: Clock,
        ids: Ids,
        envelopes: Envelopes,
    ) -> None:
        self._book = book
        self._dispatcher = dispatcher
        self._limits = limits
        self._clock = clock
        self._ids = ids
        self._envelopes = envelopes
        self._reader = EntryReader(limits, envelopes)
        self._limited = limits.entries_per_call is not None or limits.request_bytes is not None

    # Drafts.

    def draft(self, entries: Sequence[Mapping[str, Any]], home: BusRules) -> Draft:
        """The events of a call; `home` is the bus of entries that name none. Raises `BusError` if the call as a whole
        is beyond a limit."""
        if self._limited:
            self._check_call(entries)
        elif len(entries) == 1 and (known := self._reader.read_usual(entries[0])) is not None:
            return self._draft_one(*known, home)
        readings = self._reader.read(entries)
        places, count = readings.places, len(readings.places)
        now = self._clock.now()
        ids = self._ids(count)
        if readings.others:
            bodies = self._write_each(readings, ids, self._envelopes.stamp(now))
        else:
            bodies = self._envelopes.write(ids, readings.heads, self._envelopes.stamp(now), readings.details)
        all_ids: list[str | None]
        if count == len(entries):
            all_ids = list(ids)
        else:
            all_ids = [None] * len(entries)
            for place, id in zip(places, ids, strict=True):
                all_ids[place] = id
        draft = Draft(all_ids, readings.faults)
        if readings.others:
            self._group(draft, home, readings, ids, bodies, now)
        elif count:
            name = home.name
            events = [AcceptedEvent(name, id, body, now) for id, body in zip(ids, bodies, strict=True)]
            draft.groups.append((home, events, places))
        return draft

    def _draft_one(self, head: str, detail: str, home: BusRules) -> Draft:
        """The same for a call of one usual entry."""
        now = self._clock.now()
        (id,) = self._ids(1)
        body = self._envelopes.write_one(id, head, now, detail)
        draft = Draft([id], {})
        draft.groups = [(home, [AcceptedEvent(home.name, id, body, now)], _FIRST)]
        return draft

    def put_one(self, entry: Any, home: BusRules, store: MemoryStore) -> PutResult | None:
        """The whole way of a call of one usual entry to a store that keeps nothing: None where anything is unusual, and then
        nothing was done. The order of the steps is that of `route`."""
        book = self._book
        generation = book.generation
        if self._limited or home.archives or generation != book.begun:
            return None
        known = self._reader.read_usual(entry)
        if known is None:
            return None
        now = self._clock.now()
        (id,) = self._ids(1)
        event = AcceptedEvent(home.name, id, self._envelopes.write_one(id, known[0], now, known[1]), now)
        try:
            routes = home.matcher.match(event.body)
        except EventError:
            return None
        states, _ = _together(routes)
        if states:
            store.take(event)
            if not self._dispatcher.admit(event, states, lambda: book.begun == generation):
                return None
        elif generation != book.begun:
            return None
        home.count(1, len(routes), 0 if routes else 1)
        return PutResult([id], {}, generation)

    def _check_call(self, entries: Sequence[Mapping[str, Any]]) -> None:
        limits = self._limits
        if limits.entries_per_call is not None and len(entries) > limits.entries_per_call:
            raise refusal(
                "too-many-entries",
                f"{len(entries)} entries in one call, {limits.entries_per_call} are allowed",
                str(limits.entries_per_call),
            )
        if limits.request_bytes is not None:
            known = [entry for entry in entries if isinstance(entry, Mapping)]
            size = sum(entry_size_bytes(entry, _detail_text(entry.get("Detail"))) for entry in known)
            if size >= limits.request_bytes:
                raise refusal(
                    "request-too-large",
                    f"the entries have {size} bytes together, fewer than {limits.request_bytes} are allowed",
                )

    def _write_each(self, readings: Readings, ids: Sequence[str], now: str) -> list[bytes]:
        tails: dict[str, str] = {}
        written: list[str] = []
        for place in readings.places:
            time, resources, _ = readings.others.get(place, _PLAIN)
            tail = tails.get(resources)
            if tail is None:
                tail = tails[resources] = self._envelopes.tail(resources)
            written.append((time or now) + tail)
        return self._envelopes.write_each(ids, readings.heads, written, readings.details)

    def _group(
        self,
        draft: Draft,
        home: BusRules,
        readings: Readings,
        ids: Sequence[str],
        bodies: list[bytes],
        now: float,
    ) -> None:
        """Sorts the events by the buses that their entries name."""
        groups: dict[str, tuple[list[AcceptedEvent], list[int]]] = {}
        for place, id, body in zip(readings.places, ids, bodies, strict=True):
            name = readings.others.get(place, _PLAIN)[2] or home.name
            events, places = groups.setdefault(name, ([], []))
            events.append(AcceptedEvent(name, id, body, now))
            places.append(place)
        for name, (events, places) in groups.items():
            bus = self._book.find_bus(name)
            if bus is not None:
                draft.groups.append((bus, events, places))
            elif self._limits.unknown_bus == "refuse":
                fault = EntryFault("ResourceNotFoundException", f"Event bus {name} does not exist.")
                for place in places:
                    draft.refuse(place, fault)
            else:
                home.count_dropped(len(places))

    def scheduled(self, bus: BusRules, arn: str, at: float) -> AcceptedEvent:
        """The event of a rule's tick."""
        (id,) = self._ids(1)
        head = self._envelopes.head("aws.events", "Scheduled Event")
        tail = self._envelopes.stamp(at) + self._envelopes.tail(f'["{arn}"]')
        (body,) = self._envelopes.write_each([id], [head], [tail], ["{}"])
        return AcceptedEvent(bus.name, id, body, self._clock.now())

    def forwarded(self, bus: BusRules, deliveries: Sequence[Delivery]) -> Draft:
        """Events of one bus on their way to another: the envelope as it is, one hop further. A dead letter becomes an event
        of its own, with the letter as its detail."""
        now = self._clock.now()
        copies: list[AcceptedEvent] = []
        for delivery in deliveries:
            event = delivery.event
            id, body = event.id, event.body
            if delivery.letter is not None:
                id, body = self._lettered(delivery, now)
            copies.append(AcceptedEvent(bus.name, id, body, now, event.hops + 1, event.replay))
        draft = Draft([copy.id for copy in copies], {})
        draft.groups.append((bus, copies, list(range(len(copies)))))
        return draft

    def _lettered(self, delivery: Delivery, now: float) -> tuple[str, bytes]:
        (id,) = self._ids(1)
        head = self._envelopes.head("rulebus.dead-letters", "Dead Letter")
        arn = delivery.origin.rule_arn
        tail = self._envelopes.stamp(now) + self._envelopes.tail(_json.dumps_text([arn] if arn else []))
        (body,) = self._envelopes.write_each([id], [head], [tail], [delivery.input.decode()])
        return id, body

    # Routes.

    def route(self, draft: Draft, *, last: bool, over: bool = False) -> Routed:
        """Matches the draft's events against the rules of one moment and takes their places in the queues.

        Events that find a queue full stay the draft's. `last`: they will not be tried again, so they count as refused.
        `over`: a full queue takes them, too.
        """
        book = self._book
        if len(draft.groups) == 1 and len(draft.groups[0][1]) == 1:
            routed = self._route_one(draft, book)
            if routed is not None:
                return routed
        for _ in range(_TRIES):
            generation = book.generation
            if generation != book.begun:
                break  # A change is being made: wait for its end.
            found, routed = self._match(draft)
            refused = self._dispatcher.reserve([states for _, states in routed.work], counted=last, over=over)
            if generation == book.begun:
                draft.generation = generation
                return self._settle(draft, found, routed, refused)
            gone = set() if refused is None else set(refused)
            self._dispatcher.release([s for at, (_, s) in enumerate(routed.work) if at not in gone])
        with book.standstill():
            found, routed = self._match(draft)
            refused = self._dispatcher.reserve([states for _, states in routed.work], counted=last, over=over)
            draft.generation = book.generation
            return self._settle(draft, found, routed, refused)

    def _route_one(self, draft: Draft, book: RuleBook) -> Routed | None:
        """The same for the usual single event: None where anything is unusual, and then nothing was done."""
        ((bus, events, _),) = draft.groups
        generation = book.generation
        if bus.archives or draft.rules is not None or generation != book.begun:
            return None
        event = events[0]
        try:
            routes = bus.matcher.match(event.body)
        except EventError:
            return None
        states, numbers = _together(routes)
        if states and self._dispatcher.reserve((states,), counted=False) is not None:
            return None
        if generation != book.begun:
            if states:
                self._dispatcher.release((states,))
            return None
        draft.groups = []
        draft.generation = generation
        routed = Routed()
        if states:
            routed.work.append((event, states))
            routed.changes.appended.append((event, numbers))
        routed.counts.append((bus, 1, len(routes), 0 if routes else 1))
        return routed

    def _match(self, draft: Draft) -> tuple[list[list[Any]], Routed]:
        """Of each group the routes of each event; and what follows from them, if all find their places."""
        routed = Routed()
        work, appended, archived = routed.work, routed.changes.appended, routed.changes.archived
        answers: list[list[Any]] = []
        for bus, events, _ in draft.groups:
            found = _found(bus.matcher, events)
            if draft.rules is not None:
                found = [_only(routes, draft.rules) for routes in found]
            answers.append(found)
            for event, routes in zip(events, found, strict=True):
                if not routes or routes.__class__ is not list:
                    continue
                states, numbers = _together(routes)
                if states:
                    work.append((event, states))
                    appended.append((event, numbers))
            if bus.archives:
                self._archive(events, found, archived)
        return answers, routed

    def _archive(
        self, events: list[AcceptedEvent], found: list[Any], archived: list[tuple[str, AcceptedEvent]]
    ) -> None:
        for event, routes in zip(events, found, strict=True):
            if event.replay is None and not isinstance(routes, Exception):
                archived.extend((route.name, event) for route in routes if route.archive)

    def _settle(
        self, draft: Draft, answers: list[list[Any]], routed: Routed, refused: list[int] | None
    ) -> Routed:
        """Takes the events out of the draft that have their places, and counts them."""
        blocked = set() if refused is None else _block(routed, refused)
        groups, draft.groups = draft.groups, []
        for (bus, events, places), found in zip(groups, answers, strict=True):
            if blocked or bus.archives or set(map(type, found)) != _LISTS:
                self._settle_each(draft, routed, bus, events, places, found, blocked)
            else:
                routed.counts.append((bus, len(events), sum(map(len, found)), found.count([])))
        return routed

    def _settle_each(
        self,
        draft: Draft,
        routed: Routed,
        bus: BusRules,
        events: list[AcceptedEvent],
        places: list[int],
        found: list[Any],
        blocked: set[int],
    ) -> None:
        """The same event by event, where not all are alike."""
        left: list[AcceptedEvent] = []
        left_places: list[int] = []
        count = matched = unmatched = 0
        for event, place, routes in zip(events, places, found, strict=True):
            if isinstance(routes, Exception):
                message = f"Parameter Detail is not valid. Reason: {getattr(routes, 'message', routes)}"
                draft.refuse(place, EntryFault("InvalidArgument", message, str(routes)))
            elif id(event) in blocked:
                left.append(event)
                left_places.append(place)
            else:
                rules = len(routes) - sum(route.archive for route in routes)
                count, matched, unmatched = count + 1, matched + rules, unmatched + (rules == 0)
        routed.counts.append((bus, count, matched, unmatched))
        if left:
            draft.groups.append((bus, left, left_places))


def _together(routes: list[Route]) -> tuple[tuple[SubscriptionState, ...], tuple[int, ...]]:
    """The subscriptions of all these routes, and their numbers."""
    if len(routes) == 1:
        return routes[0].states, routes[0].numbers
    if len(routes) == 2:
        one, other = routes
        return one.states + other.states, one.numbers + other.numbers
    states: tuple[SubscriptionState, ...] = ()
    numbers: tuple[int, ...] = ()
    for route in routes:
        states += route.states
        numbers += route.numbers
    return states, numbers


def _found(matcher: Matcher, events: list[AcceptedEvent]) -> list[Any]:
    """Of each event the routes of the rules that it matches, or what is wrong with it."""
    if len(events) > 1:
        return matcher.match_many([event.body for event in events])
    try:
        return [matcher.match(events[0].body)]
    except EventError as error:
        return [error]


def _only(routes: Any, rules: frozenset[str]) -> Any:
    """Those of the routes that are named; an error stays one."""
    if isinstance(routes, Exception):
        return routes
    return [route for route in routes if route.name in rules and not route.archive]


def _block(routed: Routed, refused: list[int]) -> set[int]:
    """Takes out what found a queue full; the `id()` of each such event."""
    gone = set(refused)
    blocked = {id(routed.work[at][0]) for at in gone}
    routed.blocked = [routed.work[at][1] for at in refused]
    routed.work = [one for at, one in enumerate(routed.work) if at not in gone]
    changes = routed.changes
    changes.appended = [one for at, one in enumerate(changes.appended) if at not in gone]
    changes.archived = [one for one in changes.archived if id(one[1]) not in blocked]
    return blocked


def _detail_text(detail: Any) -> str:
    """A detail as the text whose size counts."""
    if isinstance(detail, str):
        return detail
    if isinstance(detail, bytes | bytearray | memoryview):
        return bytes(detail).decode("utf-8", "replace")
    try:
        return _json.dumps_text(detail)
    except TypeError:
        return ""
