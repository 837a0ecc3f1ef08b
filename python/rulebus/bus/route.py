"""What a match leads to: the route of a rule is the name under which the matcher knows it, so no table is asked.

Data only. INVARIANT: a route's tuples are replaced, never changed, and only by the rule book under its lock.
"""

from __future__ import annotations

import threading

from rulebus.delivery.state import SubscriptionState
from rulebus.matcher import Matcher
from rulebus.rule import Rule
from rulebus.schedule import Schedule

__all__ = ["BusRules", "Route", "RuleEntry"]


class Route:
    """Where the events go that a rule (or an archive) accepts."""

    __slots__ = ("archive", "name", "numbers", "states")

    def __init__(self, name: str, archive: bool = False) -> None:
        self.name = name
        """Of the rule or archive."""
        self.archive = archive
        """Whether it is an archive's."""
        self.states: tuple[SubscriptionState, ...] = ()
        """The subscriptions, in the order put."""
        self.numbers: tuple[int, ...] = ()
        """Their numbers in the store."""

    def lead_to(self, states: tuple[SubscriptionState, ...]) -> None:
        """Replaces the subscriptions."""
        self.states = states
        self.numbers = tuple(state.number for state in states)


class RuleEntry:
    """A rule as its bus keeps it."""

    __slots__ = ("route", "rule", "schedule", "states")

    def __init__(self, rule: Rule, schedule: Schedule | None) -> None:
        self.rule = rule
        """The record that users see."""
        self.schedule = schedule
        """The rule's schedule, read."""
        self.route = Route(rule.name)
        """The same for the life of the rule."""
        self.states: dict[str, SubscriptionState] = {}
        """Target id to subscription, in the order put."""


class BusRules:
    """One bus: its rules, its matcher, its counters."""

    __slots__ = ("_lock", "archives", "dropped", "entries", "events", "matched", "matcher", "name", "refused", "unmatched")

    def __init__(self, name: str, matcher: Matcher) -> None:
        self.name = name
        self.matcher = matcher
        """Knows the routes of enabled rules with a pattern, and those of archives."""
        self.entries: dict[str, RuleEntry] = {}
        self.archives: dict[str, Route] = {}
        self._lock = threading.Lock()
        self.events = 0
        self.matched = 0
        self.unmatched = 0
        self.refused = 0
        self.dropped = 0

    def count(self, events: int, matched: int, unmatched: int) -> None:
        """Counts events that were accepted: all, pairs of event and rule, events without a rule."""
        with self._lock:
            self.events += events
            self.matched += matched
            self.unmatched += unmatched

    def count_refused(self, entries: int) -> None:
        """Counts entries that were answered with an error."""
        with self._lock:
            self.refused += entries

    def count_dropped(self, entries: int) -> None:
        """Counts entries for buses that do not exist, where those are accepted as AWS does."""
        with self._lock:
            self.dropped += entries
