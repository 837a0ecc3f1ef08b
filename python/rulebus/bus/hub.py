"""The hub: what all handles of a bus share. Store, dispatcher, rules, and the way of an event through them.

Publishing is written as a generator that yields what it has to wait for (see `waits`), so that the threaded and the
asynchronous facade are a few lines each. INVARIANT: an event is accepted when the store has it, and only then do
deliveries begin; whatever fails before that gives its places in the queues back.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Literal, cast

from rulebus.attempt import Failure
from rulebus.bus.closing import Closing, close_target
from rulebus.bus.envelope import Envelopes
from rulebus.bus.forwarding import forward_outcomes
from rulebus.bus.ids import Ids, RandomIds
from rulebus.bus.keeping import Keeping
from rulebus.bus.limits import BusLimits
from rulebus.bus.names import DEFAULT, bus_arn, check_bus_name, rule_arn
from rulebus.bus.publishing import Draft, Publisher, Routed
from rulebus.bus.refusals import refusal
from rulebus.bus.result import EntryFault, PutResult
from rulebus.bus.route import BusRules
from rulebus.bus.rule_book import RuleBook
from rulebus.bus.subscribing import TargetMaker
from rulebus.bus.ticker import Ticker, TickerThread
from rulebus.bus.waits import Durable, Until
from rulebus.bus.waits import Work as Steps
from rulebus.clock import Clock, SystemClock
from rulebus.dead_letter import DeadLetter
from rulebus.delivery.dispatcher import Dispatcher
from rulebus.delivery.inside import in_handler
from rulebus.delivery.threads import ThreadDriver
from rulebus.schedule import Schedule, parse
from rulebus.statistics import BusStatistics
from rulebus.stores.memory import MemoryStore
from rulebus.stores.protocol import Changes, Store
from rulebus.targets.bus import BusTarget
from rulebus.targets.protocol import Delivery, Outcomes, Target
from rulebus.targets.registry import TargetRegistry

if TYPE_CHECKING:
    from rulebus.delivery.loop import LoopDriver

__all__ = ["Hub", "letter_filter"]

_RETENTION = "retention"
_TRIES = 10
"""To read numbers that belong together while targets are removed."""


class Hub:
    """Buses over one store and one dispatcher."""

    def __init__(
        self,
        name: str,
        *,
        store: Store | None = None,
        clock: Clock | None = None,
        ids: Ids | None = None,
        limits: BusLimits | None = None,
        account: str = "000000000000",
        region: str = "local",
        max_pending: int | None = None,
        when_full: Literal["wait", "refuse"] = "wait",
        put_timeout_s: float | None = None,
        max_workers: int = 64,
        registry: TargetRegistry | None = None,
    ) -> None:
        """Has the bus ``default``, and that of the name if it is another one. The options: see `EventBus`."""
        check_bus_name(name)
        if type(max_workers) is not int or max_workers < 1:
            raise refusal("bus-option", f"max_workers is a whole number from 1, not {max_workers!r}")
        if when_full not in ("wait", "refuse"):
            raise refusal("bus-option", f"when_full is 'wait' or 'refuse', not {when_full!r}")
        if max_pending is not None and (type(max_pending) is not int or max_pending < 1):
            raise refusal("bus-option", f"max_pending is a whole number from 1, or None, not {max_pending!r}")
        if put_timeout_s is not None and not _is_duration(put_timeout_s):
            raise refusal(
                "bus-option", f"put_timeout_s is a number of seconds from 0, or None, not {put_timeout_s!r}"
            )
        if isinstance(store, str | os.PathLike):
            raise refusal(
                "bus-option", f"store is a store such as SqliteStore({os.fspath(store)!r}), not its path"
            )
        self.clock: Clock = SystemClock() if clock is None else clock
        self.store: Store = MemoryStore() if store is None else store
        self._memory = self.store if type(self.store) is MemoryStore else None
        self.limits = BusLimits() if limits is None else limits
        self.account = account
        self.region = region
        self._refuses = when_full == "refuse"
        self._put_timeout_s = put_timeout_s
        self._pid = os.getpid()
        self.is_draining = False
        self.is_closed = False
        self._counting = threading.Lock()
        self.closing = Closing(self)
        """How it ends."""
        self.loop: LoopDriver | None = None
        """Calls asynchronous targets; None before there are any."""
        self.owns_loop = False
        """Whether that has a loop of its own."""
        self.turn_ends = 0.0
        """When puts that never waited let others on the loop have their turn."""
        self.sweeps: set[object] = set()
        """Tasks that close targets, held so that they are not forgotten."""
        self.on_async_target: Callable[[], object] = _nothing
        """Called when an asynchronous target was put: sees to it that there is something to call it."""
        self.store_error: BaseException | None = None
        """The last error of the store, which the dispatcher goes on trying about."""
        self.dispatcher = Dispatcher(
            self.store, self.clock, max_pending=max_pending, on_error=self._note_error
        )
        self.dispatcher.recover(self.store.recover())
        self.ticker = Ticker(self.clock, self.store, self._tick, self._note_error)
        self.ticking = TickerThread(self.ticker, self.clock)
        self.registry = TargetRegistry() if registry is None else registry
        self.maker = TargetMaker(self.clock, self.open_target)
        self.book = RuleBook(
            self.dispatcher,
            self.limits,
            self.maker,
            self.rule_arn,
            self._schedule,
            self._need_loop,
            owner=self,
        )
        self.envelopes = Envelopes(account, region)
        self.publisher = Publisher(
            self.book, self.dispatcher, self.limits, self.clock, ids or RandomIds(), self.envelopes
        )
        self.keeping = Keeping(self.store, self.clock, self.book, self.publisher, self.dispatcher)
        self.watch_retention()
        self.threads = ThreadDriver(self.dispatcher, self.clock, max_workers=max_workers)
        """Calls ordinary targets."""
        if name != DEFAULT:
            self.create_bus(name)

    # State.

    def check_open(self) -> None:
        """Raises `BusError` if nothing can be put any more."""
        if self.is_closed or (self.is_draining and not in_handler()):
            raise refusal("bus-closed", "this bus was closed")
        self.check_process()

    def check_process(self) -> None:
        """Raises `BusError` in a fork, where nobody would do what is waited for."""
        if self._pid != os.getpid():
            raise refusal(
                "forked", f"this bus belongs to process {self._pid}, and this is its fork {os.getpid()}"
            )

    def bus_arn(self, bus: str) -> str:
        """A bus's ARN, as AWS would write it."""
        return bus_arn(self.region, self.account, bus)

    def rule_arn(self, bus: str, rule: str) -> str:
        """A rule's ARN, as AWS would write it."""
        return rule_arn(self.region, self.account, bus, rule)

    def create_bus(self, name: str) -> None:
        """Makes a bus; archives that an earlier process made of it keep on."""
        self.check_open()
        self.book.create_bus(name)
        self.keeping.archives.attach_bus(name)

    def watch_retention(self) -> None:
        """Forgets archived events when they are too old, from now on, where an archive asks for it."""
        if any(archive.retention_days for archive in self.keeping.archives.archives()):
            self.ticker.put("", _RETENTION, parse("rate(1 hour)"), catch_up=False)
            self.ticking.wake()

    def statistics(self, bus: str) -> BusStatistics:
        """What happened on a bus."""
        rules = self.book.bus(bus)
        for _ in range(_TRIES):
            removed = self.dispatcher.retired(rules.name)
            targets = tuple(one for one in self.dispatcher.statistics() if one.bus == rules.name)
            if removed == self.dispatcher.retired(rules.name):
                break  # Else a target came to its end between the two, and would count twice or never.
        return BusStatistics(
            bus=rules.name,
            events=rules.events,
            refused=rules.refused,
            dropped=rules.dropped,
            matched=rules.matched,
            unmatched=rules.unmatched,
            targets=targets,
            removed=removed,
        )

    def _need_loop(self) -> None:
        self.on_async_target()

    def _note_error(self, error: BaseException) -> None:
        self.store_error = error

    def open_target(self, text: str) -> Target:
        """The target that a string names: a bus of this hub by its ARN, or whatever the registry knows."""
        if text.startswith("arn:") and ":event-bus/" in text:
            return BusTarget(self.book.bus(text).name, self, self.forward)
        return self.registry.open(text)

    # Publishing.

    def put(self, entries: Iterable[Mapping[str, Any]] | None, home: str) -> PutResult | Steps[PutResult]:
        """Puts entries on a bus: the result, or the work that is left to do where something has to be waited for."""
        if self.is_draining or self._pid != os.getpid():
            self.check_open()
        if entries.__class__ is not list:
            entries = _entry_list(entries)
        rules = self.book.find_bus(home) or self.book.bus(home)
        if self._memory is not None and len(entries) == 1:
            result = self.publisher.put_one(entries[0], rules, self._memory)
            if result is not None:
                return result
        draft = self.publisher.draft(entries, rules)
        if not draft.groups:
            draft.generation = self.book.generation
        else:
            routed = self.publisher.route(draft, last=self._refuses)
            future = self._commit(routed)
            if future is not None or routed.blocked:
                return self._put_rest(draft, routed, rules, future, in_handler())
        if draft.faults:
            rules.count_refused(len(draft.faults))
        return PutResult(draft.ids, draft.faults, draft.generation)

    def _put_rest(
        self, draft: Draft, routed: Routed, home: BusRules, future: Future[None] | None, inside: bool
    ) -> Steps[PutResult]:
        """Goes on with a call some of whose events found no room, or whose write is not on the disk yet."""
        over: float | None = None
        written = [] if future is None else [(future, routed)]
        last = self._refuses
        while routed.blocked:
            if last:
                self._refuse_rest(draft, routed)
                break
            # A handler would wait for itself: what is left is tried once more, to be refused.
            last = inside
            if not inside:
                now = self.clock.monotonic()
                if over is None and self._put_timeout_s is not None:
                    over = now + self._put_timeout_s
                came = yield self._room_for(routed, None if over is None else max(0.0, over - now))
                last = not came or self.is_draining
            routed = self.publisher.route(draft, last=last)
            future = self._commit(routed)
            if future is not None:
                written.append((future, routed))
        for future, some in written:
            yield Durable(future)
            self._count(some)
        if draft.faults:
            home.count_refused(len(draft.faults))
        return PutResult(draft.ids, draft.faults, draft.generation)

    def _commit(self, routed: Routed) -> Future[None] | None:
        """Gives what has its places to the store, and to the dispatcher when the store has it."""
        work = routed.work
        changes = routed.changes
        future: Future[None] | None = None
        if changes.appended or changes.archived:
            try:
                future = self.store.write(changes)
            except BaseException:
                self.dispatcher.release([states for _, states in work])
                raise
            if future is None:
                if work:
                    self.dispatcher.accept(work)
            else:
                future.add_done_callback(lambda done: self._arrived(done, routed))
                return future
        for bus, events, matched, unmatched in routed.counts:
            bus.count(events, matched, unmatched)
        return None

    def _arrived(self, future: Future[None], routed: Routed) -> None:
        """The store answered: in its thread, or in the caller's where it was quicker than that. Events are handed over
        nearly in the order in which it took them; of one caller, exactly."""
        if future.cancelled() or future.exception() is not None:
            self.dispatcher.release([states for _, states in routed.work])
            return
        if routed.work:
            self.dispatcher.accept(routed.work)
        self._count(routed)

    def _count(self, routed: Routed) -> None:
        """Counts events that are stored, once: whoever waited for the store must find them counted, and may wake before
        `_arrived` is called, or not be there any more."""
        with self._counting:
            counts, routed.counts = routed.counts, []
            for bus, events, matched, unmatched in counts:
                bus.count(events, matched, unmatched)

    def _room_for(self, routed: Routed, timeout_s: float | None) -> Until:
        """Until each subscription of the first event that was held up has room."""
        states = routed.blocked[0]
        return Until(lambda callback: self.dispatcher.when_room(states, callback), timeout_s)

    def _refuse_rest(self, draft: Draft, routed: Routed) -> None:
        """What is left in the draft found a queue full, and nobody waits."""
        blocked = iter(routed.blocked)
        for _, _, places in draft.groups:
            for place in places:
                full = [state for state in next(blocked) if state.pending >= state.max_pending]
                names = ", ".join(f"{state.key[1]}/{state.key[2]}" for state in full) or "a target"
                draft.refuse(
                    place,
                    EntryFault(
                        "QueueFull", f"Too many deliveries are pending for {names}; put it again later."
                    ),
                )
        draft.groups = []

    def forward(self, bus: str, deliveries: Sequence[Delivery]) -> Outcomes:
        """Takes events from a rule of another bus. Blocks until they are stored, never for room."""
        if self.is_closed:
            return [Failure("retryable", "BUS_CLOSED", f"bus {bus} was closed")] * len(deliveries)
        rules = self.book.find_bus(bus)
        if rules is None:
            return [Failure("permanent", "UNKNOWN_BUS", f"there is no bus called {bus}")] * len(deliveries)
        most = self.limits.max_hops
        going = [delivery for delivery in deliveries if delivery.event.hops < most]
        draft = self.publisher.forwarded(rules, going)
        if going:
            routed = self.publisher.route(draft, last=True)
            future = self._commit(routed)
            if routed.blocked:
                self._refuse_rest(draft, routed)
            if future is not None:
                future.result()
                self._count(routed)
        return forward_outcomes(deliveries, draft.faults, most)

    # Schedules.

    def _schedule(self, bus: str, rule: str, schedule: Schedule | None, catch_up: bool) -> None:
        if schedule is None:
            self.ticker.remove(bus, rule)
        else:
            self.ticker.put(bus, rule, schedule, catch_up=catch_up)
            self.ticking.wake()

    def _tick(self, bus: str, rule: str, at: float) -> None:
        """Makes the event of a tick: for the targets of its rule, whatever the queues hold, since nobody could wait."""
        if not bus:
            self.keeping.archives.expire()
            return
        with self.book.standstill():
            rules = self.book.find_bus(bus)
            entry = None if rules is None else rules.entries.get(rule)
            if rules is None or entry is None or self.is_closed:
                return
            event = self.publisher.scheduled(rules, self.rule_arn(bus, rule), at)
            states = entry.route.states
            routed = Routed()
            routed.counts.append((rules, 1, 1, 0))
            if states:
                routed.work.append((event, states))
                routed.changes = Changes(appended=[(event, entry.route.numbers)])
                self.dispatcher.reserve([states], over=True)
        future = self._commit(routed)
        if future is not None:
            future.result()  # A tick is made when the store has it; else it is still due.
            self._count(routed)

    # Dead letters.

    def dead_letters(
        self, bus: str, rule: str | None, target: str | None, reason: str | None, after: int, limit: int
    ) -> list[DeadLetter]:
        """Dead letters of a bus, by id. Reads the store."""
        self.check_process()
        chosen = letter_filter(bus, rule, target, reason, None)
        found: list[DeadLetter] = []
        while len(found) < limit:
            page = self.store.dead_letters(after, 1000)
            if not page:
                break
            after = page[-1].id
            found.extend(letter for letter in page if chosen(letter))
        return found[:limit]

    # The end.

    def close_idle_targets(self) -> Steps[None]:
        """Closes targets that nothing leads to any more."""
        with self.book.standstill():
            idle = self.book.care.idle()
        for target in idle:
            yield from close_target(target)


def _is_duration(seconds: object) -> bool:
    return type(seconds) in (int, float) and 0 <= cast(float, seconds) <= threading.TIMEOUT_MAX


def _nothing() -> None:
    pass


def _entry_list(entries: Any) -> Sequence[Mapping[str, Any]]:
    if isinstance(entries, Mapping | str | bytes) or not isinstance(entries, Iterable):
        raise TypeError(f"put_events takes a list of entries (dicts), not {type(entries).__name__}")
    return entries if isinstance(entries, Sequence) else list(entries)


def letter_filter(
    bus: str,
    rule: str | None,
    target: str | None,
    reason: str | None,
    where: Callable[[DeadLetter], bool] | None,
) -> Callable[[DeadLetter], bool]:
    """Whether a dead letter is one of those asked for."""

    def chosen(letter: DeadLetter) -> bool:
        return (
            letter.event.bus == bus
            and rule in (None, letter.rule)
            and target in (None, letter.target)
            and reason in (None, letter.reason)
            and (where is None or where(letter))
        )

    return chosen
