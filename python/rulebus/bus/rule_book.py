"""The buses and their rules: what is put, changed and removed, and what a publish sees of it.

One lock orders all changes. A publish takes no lock: it compares the number of changes before and after it matched,
and matches again when there was one between (a sequence lock), so that it sees the rules of one moment.
Relies on the matcher, `delivery`, `transform` and `schedule`. Must never leave a change half done: whatever can be
refused is refused before anything is touched.
"""

from __future__ import annotations

import difflib
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from rulebus.bus.cycles import Way, cycles, fixed_texts
from rulebus.bus.limits import BusLimits
from rulebus.bus.names import DEFAULT, bus_name, check_bus_name, check_rule_name
from rulebus.bus.refusals import refusal
from rulebus.bus.route import BusRules, Route, RuleEntry
from rulebus.bus.subscribing import TargetMaker
from rulebus.bus.target_care import TargetCare
from rulebus.delivery.dispatcher import Dispatcher
from rulebus.delivery.state import Closing
from rulebus.errors import RulebusError, RulebusWarning
from rulebus.matcher import Matcher
from rulebus.pattern import Pattern, PatternLike
from rulebus.rule import MissedTicks, Rule, RuleState, Subscription
from rulebus.schedule import Schedule, parse
from rulebus.targets.bus import BusTarget
from rulebus.transform import compile_transform
from rulebus.transform.protocol import Transform

__all__ = ["RuleBook"]


class RuleBook:
    """All rules of all buses of a hub."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        limits: BusLimits,
        maker: TargetMaker,
        arn_of: Callable[[str, str], str],
        on_schedule: Callable[[str, str, Schedule | None, bool], None],
        on_async_target: Callable[[], object],
        owner: object,
    ) -> None:
        self._dispatcher = dispatcher
        self._limits = limits
        self._maker = maker
        self._arn_of = arn_of
        self._on_schedule = on_schedule
        self._on_async_target = on_async_target
        self._owner = owner
        self._lock = threading.RLock()
        self._buses: dict[str, BusRules] = {}
        self.care = TargetCare()
        """Which targets are in use; to be asked under `standstill`."""
        self.begun = 0
        """Changes begun; differs from `generation` while one is being made."""
        self.generation = 0
        """Changes made."""
        self.create_bus(DEFAULT)

    # Buses.

    def create_bus(self, name: str) -> None:
        """Makes a bus."""
        check_bus_name(name)
        with self.change():
            if name in self._buses:
                raise refusal("bus-exists", f"there is a bus called {name!r}", name)
            limits = self._limits
            # An envelope is longer than its entry: keys, names, and escapes of up to six bytes a character.
            most = 6 * limits.entry_bytes + 4096
            matcher = Matcher(validation="trusted", max_event_bytes=most, max_event_depth=limits.detail_depth)
            self._buses[name] = BusRules(name, matcher)

    def delete_bus(self, name: str, *, with_rules: bool = False) -> None:
        """Removes a bus; its pending deliveries go on."""
        if name == DEFAULT:
            raise refusal("default-bus", "the default bus is always there")
        with self.change():
            bus = self.bus(name)
            if bus.entries and not with_rules:
                rules = "1 rule" if len(bus.entries) == 1 else f"{len(bus.entries)} rules"
                raise refusal("bus-has-rules", f"bus {name!r} has {rules}", name)
            for rule in list(bus.entries):
                self.delete_rule(name, rule, with_targets=True)
            del self._buses[name]

    def bus(self, name_or_arn: str) -> BusRules:
        """A bus by its name or ARN; `BusError` if there is none."""
        name = bus_name(name_or_arn) if isinstance(name_or_arn, str) else ""
        bus = self._buses.get(name)
        if bus is None:
            check_bus_name(name)
            raise refusal("unknown-bus", f"there is no bus called {name!r}{_near(name, self._buses)}", name)
        return bus

    def find_bus(self, name: str) -> BusRules | None:
        """A bus by its name; None if there is none."""
        return self._buses.get(name)

    @property
    def buses(self) -> dict[str, BusRules]:
        """All buses by name, in the order made; not to be changed."""
        return self._buses

    # Rules.

    def put_rule(
        self,
        bus: str,
        name: str,
        pattern: PatternLike | None,
        schedule: str | None,
        state: RuleState,
        description: str,
        targets: Iterable[Any],
        missed_ticks: MissedTicks = "skip",
    ) -> Rule:
        """Adds a rule or replaces all of it but its targets; `targets` are put, too."""
        check_rule_name(name)
        if pattern is None and schedule is None:
            raise refusal("rule-without-condition", f"rule {name!r} has neither a pattern nor a schedule")
        if state not in ("ENABLED", "DISABLED"):
            raise refusal("rule-state", f"the state of rule {name!r} is {state!r}", str(state))
        if missed_ticks not in ("skip", "catch_up"):
            raise refusal("missed-ticks", f"missed_ticks of rule {name!r} is {missed_ticks!r}")
        text = None if pattern is None else _pattern_text(pattern)
        when = None if schedule is None else self._schedule(bus, schedule)
        given = list(targets)
        with self.change():
            rules = self.bus(bus)
            entry = rules.entries.get(name)
            taken = () if entry is None else entry.rule.subscriptions
            prepared = self._prepared(rules.name, name, given, taken)
            rule = Rule(name, rules.name, text, schedule, state, description, taken, missed_ticks)
            entry = RuleEntry(rule, when) if entry is None else entry
            self._become(rules, entry, rule, when)
            rules.entries[name] = entry
            self._subscribe(rules, entry, prepared)
        self._warn(rules, entry, prepared)
        return entry.rule

    def put_targets(self, bus: str, rule: str, targets: Iterable[Any]) -> tuple[Subscription, ...]:
        """Adds targets to a rule, or replaces those of the same ids, whose pending deliveries go to the new ones."""
        given = list(targets)
        with self.change():
            rules = self.bus(bus)
            entry = self._entry(rules, rule)
            prepared = self._prepared(rules.name, rule, given, entry.rule.subscriptions)
            self._subscribe(rules, entry, prepared)
        self._warn(rules, entry, prepared)
        return tuple(subscription for subscription, _ in prepared)

    def remove_targets(self, bus: str, rule: str, ids: Iterable[str], pending: Closing = "deliver") -> None:
        """Takes targets away; what is pending is still delivered, or goes to the dead letters."""
        if pending not in ("deliver", "dead_letter"):
            raise refusal("subscription-option", f"pending is 'deliver' or 'dead_letter', not {pending!r}")
        gone = [ids] if isinstance(ids, str) else list(ids)
        with self.change():
            rules = self.bus(bus)
            entry = self._entry(rules, rule)
            for id in gone:
                if id not in entry.states:
                    raise refusal("unknown-target", f"rule {rule!r} has no target {id!r}")
            self._unsubscribe(rules, entry, set(gone), pending)

    def set_state(self, bus: str, rule: str, state: RuleState) -> None:
        """Enables or disables a rule."""
        with self.change():
            rules = self.bus(bus)
            entry = self._entry(rules, rule)
            self._become(rules, entry, replace(entry.rule, state=state), entry.schedule)

    def delete_rule(
        self, bus: str, rule: str, *, with_targets: bool = False, pending: Closing = "deliver"
    ) -> None:
        """Removes a rule."""
        with self.change():
            rules = self.bus(bus)
            entry = self._entry(rules, rule)
            if entry.states and not with_targets:
                targets = "1 target" if len(entry.states) == 1 else f"{len(entry.states)} targets"
                raise refusal("rule-has-targets", f"rule {rule!r} has {targets}", rule)
            rules.matcher.discard(entry.route)
            self._on_schedule(rules.name, rule, None, False)
            self._unsubscribe(rules, entry, set(entry.states), pending)
            del rules.entries[rule]

    def rule(self, bus: str, name: str) -> Rule:
        """The record of a rule; `BusError` if there is none of that name."""
        return self._entry(self.bus(bus), name).rule

    def find_rule(self, bus: str, name: str) -> Rule | None:
        """The record of a rule, or None."""
        entry = self.bus(bus).entries.get(name)
        return None if entry is None else entry.rule

    def rules(self, bus: str, prefix: str = "") -> list[Rule]:
        """The records of a bus's rules, in the order put."""
        with self._lock:
            entries = list(self.bus(bus).entries.values())
        return [entry.rule for entry in entries if entry.rule.name.startswith(prefix)]

    def cycles(self) -> list[tuple[Way, ...]]:
        """The ways in which events may be forwarded in a cycle."""
        with self._lock:
            return list(cycles(self._ways()))

    # Archives, which match as rules do and lead to no target.

    def put_archive(self, bus: str, archive: str, pattern: str | None) -> None:
        """Matches what an archive keeps; without a pattern that is everything."""
        with self.change():
            rules = self.bus(bus)
            route = rules.archives.get(archive)
            if route is None:
                route = rules.archives[archive] = Route(archive, archive=True)
            rules.matcher.put(route, pattern if pattern is not None else _ANYTHING)

    def remove_archive(self, bus: str, archive: str) -> None:
        """Keeps nothing more for an archive."""
        with self.change():
            rules = self.find_bus(bus)
            route = None if rules is None else rules.archives.pop(archive, None)
            if rules is not None and route is not None:
                rules.matcher.discard(route)

    # Inside.

    @contextmanager
    def change(self) -> Iterator[None]:
        """One change of rules: publishes that overlap it match again."""
        with self._lock:
            outermost = self.begun == self.generation
            if outermost:
                self.begun += 1
            try:
                yield
            finally:
                if outermost:
                    self.generation = self.begun

    @contextmanager
    def standstill(self) -> Iterator[None]:
        """No change happens meanwhile."""
        with self._lock:
            yield

    def _entry(self, rules: BusRules, rule: str) -> RuleEntry:
        entry = rules.entries.get(rule)
        if entry is None:
            near = _near(rule, rules.entries)
            raise refusal(
                "unknown-rule", f"bus {rules.name!r} has no rule {rule!r}{near}", str(rule), rules.name
            )
        return entry

    def _schedule(self, bus: str, expression: str) -> Schedule:
        if not self._limits.schedules_anywhere and self.bus(bus).name != DEFAULT:
            raise refusal("schedule-bus", f"a rule of bus {bus!r} has a schedule")
        try:
            return parse(expression)
        except (RulebusError, ValueError) as error:
            message = getattr(error, "message", "") or str(error)
            raise refusal("schedule-expression", f"{expression!r} is no schedule: {message}") from error

    def _prepared(
        self, bus: str, rule: str, given: list[Any], taken: tuple[Subscription, ...]
    ) -> list[tuple[Subscription, Transform | None]]:
        """Subscriptions with their transforms, all checked."""
        subscriptions = self._maker.subscriptions(given, taken)
        most = self._limits.targets_per_rule
        ids = {s.id for s in (*taken, *subscriptions)}
        if most is not None and len(ids) > most:
            raise refusal("too-many-targets", f"rule {rule!r} of bus {bus!r} would have {len(ids)} targets")
        prepared = [
            (
                s,
                compile_transform(
                    input=s.input,
                    input_path=s.input_path,
                    input_transformer=s.input_transformer,
                    target_id=s.id,
                ),
            )
            for s in subscriptions
        ]
        for s in subscriptions:
            # Asks the store, which may refuse; when it is asked again it knows the answer.
            self._dispatcher.number((bus, rule, s.id))
        return prepared

    def _subscribe(
        self, rules: BusRules, entry: RuleEntry, prepared: list[tuple[Subscription, Transform | None]]
    ) -> None:
        old = entry.rule
        by_id = {subscription.id: subscription for subscription in old.subscriptions}
        for subscription, transform in prepared:
            key = (rules.name, old.name, subscription.id)
            state = self._dispatcher.subscribe(
                key, subscription, transform, self._arn_of(rules.name, old.name)
            )
            if state.is_async or (state.letters is not None and state.letters.is_async):
                self._on_async_target()
            self.care.use(subscription)
            if subscription.id in entry.states:
                self.care.leave(by_id[subscription.id], state)
            entry.states[subscription.id] = state
            by_id[subscription.id] = subscription
        self._settle(entry, tuple(by_id.values()))

    def _unsubscribe(self, rules: BusRules, entry: RuleEntry, ids: set[str], pending: Closing) -> None:
        gone = [(s, entry.states.pop(s.id)) for s in entry.rule.subscriptions if s.id in ids]
        self._settle(entry, tuple(s for s in entry.rule.subscriptions if s.id not in ids))
        for subscription, state in gone:
            self._dispatcher.unsubscribe(state.key, pending)
            self.care.leave(subscription, state)

    def _settle(self, entry: RuleEntry, subscriptions: tuple[Subscription, ...]) -> None:
        entry.rule = replace(entry.rule, subscriptions=subscriptions)
        entry.route.lead_to(tuple(entry.states.values()))

    def _become(self, rules: BusRules, entry: RuleEntry, rule: Rule, schedule: Schedule | None) -> None:
        """Gives an entry its conditions; if that cannot be (the store fails), it is as it was before."""
        before = entry.rule, entry.schedule
        entry.rule, entry.schedule = rule, schedule
        try:
            self._activate(rules, entry)
        except BaseException:
            entry.rule, entry.schedule = before
            if rules.entries.get(rule.name) is entry:
                self._activate(rules, entry)
            else:
                rules.matcher.discard(entry.route)
            raise

    def _activate(self, rules: BusRules, entry: RuleEntry) -> None:
        """Makes the matcher and the schedule know the rule, as its state and its conditions say."""
        enabled = entry.rule.state == "ENABLED"
        if enabled and entry.rule.pattern is not None:
            rules.matcher.put(entry.route, entry.rule.pattern)
        else:
            rules.matcher.discard(entry.route)
        when = entry.schedule if enabled else None
        self._on_schedule(rules.name, entry.rule.name, when, entry.rule.missed_ticks == "catch_up")

    def _ways(self) -> Iterator[Way]:
        for rules in self._buses.values():
            for entry in rules.entries.values():
                if entry.rule.state != "ENABLED" or entry.rule.pattern is None:
                    continue
                for subscription in entry.rule.subscriptions:
                    target = subscription.target
                    if isinstance(target, BusTarget) and target.owner is self._owner:
                        yield Way(rules.name, entry.rule.name, target.bus, fixed_texts(entry.rule.pattern))

    def _warn(
        self, rules: BusRules, entry: RuleEntry, prepared: list[tuple[Subscription, Transform | None]]
    ) -> None:
        """Says what will probably go wrong with what was put."""
        for subscription, transform in prepared:
            for text in transform.warnings if transform is not None else ():
                _say(f"target {subscription.id!r} of rule {entry.rule.name!r}: {text}")
        if any(isinstance(subscription.target, BusTarget) for subscription, _ in prepared):
            for cycle in self.cycles():
                if any(way.bus == rules.name and way.rule == entry.rule.name for way in cycle):
                    path = ", ".join(f"{way.bus} -> {way.to} (rule {way.rule})" for way in cycle)
                    _say(
                        f"events may be forwarded in a cycle: {path}; after {self._limits.max_hops} hops they go to "
                        "the dead letters as LOOP. Narrow a pattern of the cycle, by the source for example"
                    )


def _near(name: str, known: Mapping[str, object]) -> str:
    """What was probably meant, unless looking for it would take long."""
    if not isinstance(name, str) or len(known) > _MOST_COMPARED:
        return ""
    near = difflib.get_close_matches(name, known, n=1)
    return f", but {near[0]!r}" if near else ""


_MOST_COMPARED = 500

# Every event has this key.
_ANYTHING = '{"source":[{"exists":true}]}'


def _say(text: str) -> None:
    warnings.warn(text, RulebusWarning, stacklevel=6)


def _pattern_text(pattern: PatternLike) -> str:
    """The text of a pattern that was checked; what came as text stays as it was spelt."""
    checked = pattern if isinstance(pattern, Pattern) else Pattern(pattern)
    if isinstance(pattern, str):
        return pattern
    if isinstance(pattern, bytes | bytearray | memoryview):
        return bytes(pattern).decode()
    return checked.json
