"""The dry run of a replay: what it would match and deliver, without delivering.

Relies on the store's `archived` and on `Match`. Must never put anything.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Protocol

from rulebus.archive.splice import replay_namer
from rulebus.event import AcceptedEvent
from rulebus.stores.event_time import event_time

__all__ = ["Archived", "Match", "ReplayPreview", "preview"]

_CHUNK_BYTES = 8 << 20


class Match(Protocol):
    """Says where events would go; the bus's side of a dry run."""

    def __call__(
        self, bus: str, envelopes: list[bytes], rules: tuple[str, ...] | None
    ) -> Sequence[Sequence[tuple[str, tuple[str, ...]]]]:
        """Of each envelope the rules of the bus that it matches (only of those named, if any are), each with the ids of
        its targets."""


class Archived(Protocol):
    """What is needed of a store; one that is only read has it, too."""

    def archived(self, archive: str, start: float, end: float, /) -> Iterator[tuple[int, AcceptedEvent]]:
        """What an archive keeps of the window, by (time, number)."""


@dataclass(frozen=True, slots=True)
class ReplayPreview:
    """What a replay would do."""

    archive: str
    """Name of the archive."""
    to: str
    """Name of the bus."""
    events: int = 0
    """Events of the window."""
    matched: int = 0
    """Events that match at least one rule."""
    deliveries: int = 0
    """Deliveries that would be made."""
    rules: dict[str, int] = field(default_factory=dict)
    """Events by the rule that they match."""
    targets: dict[tuple[str, str], int] = field(default_factory=dict)
    """Deliveries by rule and target id."""
    first_event_time: float | None = None
    """Time of the first event: seconds since 1970."""
    last_event_time: float | None = None
    """Time of the last event."""

    @property
    def unmatched(self) -> int:
        """Events that match no rule."""
        return self.events - self.matched


def preview(
    store: Archived,
    match: Match,
    archive: str,
    start: float,
    end: float,
    to: str,
    rules: tuple[str, ...] | None,
    name: str,
) -> ReplayPreview:
    """Matches what an archive keeps of the window; `name` is what the events would carry as ``replay-name``."""
    found: Counter[tuple[str, tuple[str, ...]]] = Counter()
    count = matched = 0
    first: AcceptedEvent | None = None
    last: AcceptedEvent | None = None
    named = replay_namer(name)
    for events in _chunks(store.archived(archive, start, end)):
        first, last = first or events[0], events[-1]
        routes = match(to, [named(event.body) for event in events], rules)
        count += len(events)
        matched += sum(map(bool, routes))
        found.update(chain.from_iterable(routes))
    by_rule: dict[str, int] = {}
    by_target: dict[tuple[str, str], int] = {}
    for (rule, targets), many in sorted(found.items()):
        by_rule[rule] = by_rule.get(rule, 0) + many
        for target in targets:
            by_target[rule, target] = by_target.get((rule, target), 0) + many
    return ReplayPreview(
        archive,
        to,
        count,
        matched,
        sum(by_target.values()),
        by_rule,
        by_target,
        None if first is None else event_time(first),
        None if last is None else event_time(last),
    )


def _chunks(scan: Iterator[tuple[int, AcceptedEvent]]) -> Iterator[list[AcceptedEvent]]:
    """Events in lists of bounded size."""
    events: list[AcceptedEvent] = []
    size = 0
    for _, event in scan:
        events.append(event)
        size += len(event.body)
        if size > _CHUNK_BYTES:
            yield events
            events, size = [], 0
    if events:
        yield events
