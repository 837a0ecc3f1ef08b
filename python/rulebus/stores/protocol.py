"""What a store keeps for a bus, and the one way to change it.

A bus writes `Changes`, whole or not at all: events with their pending deliveries, deliveries that ended, retries with
their due times, dead letters, what an archive keeps. Relies on `event`, `attempt`, `dead_letter`. Must never drop
what it was given: a write either becomes durable or its future carries the error.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Protocol

from rulebus.attempt import Attempt
from rulebus.dead_letter import DeadLetter
from rulebus.event import AcceptedEvent

__all__ = ["Changes", "Pending", "Recovered", "Retry", "Store", "SubscriptionKey"]

SubscriptionKey = tuple[str, str, str]
"""Bus, rule, target id: names a subscription for ever, across restarts."""


@dataclass(slots=True)
class Retry:
    """A delivery that waits for its next try."""

    seq: int
    """The event's place in the log."""
    subscription: int
    """Number of the subscription, see `Store.number`."""
    due_at: float
    """When it is tried again: seconds since 1970."""
    attempts: tuple[Attempt, ...]
    """The tries so far."""


@dataclass(slots=True)
class Changes:
    """What is to become durable as one. INVARIANT: a store applies the fields in the order in which they stand here."""

    appended: list[tuple[AcceptedEvent, tuple[int, ...]]] = field(default_factory=list)
    """Events with the numbers of the subscriptions that they are to be delivered to (none: nothing is pending). The
    store sets each event's `seq` before `write` returns, in the order given."""
    archived: list[tuple[str, AcceptedEvent]] = field(default_factory=list)
    """Archive names with events that they keep."""
    retries: list[Retry] = field(default_factory=list)
    """Deliveries that failed and will be tried again; replaces an earlier retry of the same delivery."""
    dead: list[tuple[int, int, DeadLetter]] = field(default_factory=list)
    """Place in the log, subscription, and the letter: stored, and the delivery is no longer pending. The store gives
    the letter its id (in the stored copy)."""
    done: list[tuple[int, int]] = field(default_factory=list)
    """Place in the log and subscription of deliveries that were taken: no longer pending."""
    buried: list[int] = field(default_factory=list)
    """Ids of dead letters that are settled (redriven, or taken by a dead-letter target): deleted."""
    replay: tuple[str, float, int, int] | None = None
    """Progress of a replay: its name, the time and archive number of the last event put, how many so far. Read again as
    a document of the kind ``replay-progress``: a JSON array of the last three."""


@dataclass(slots=True)
class Pending:
    """One delivery that was pending when the store was opened."""

    seq: int
    subscription: int
    retry: Retry | None = None


@dataclass(slots=True)
class Recovered:
    """What a store knew when it was opened."""

    subscriptions: dict[int, SubscriptionKey]
    """Numbers of all subscriptions ever named."""
    pending: dict[int, Iterable[int]]
    """Of each subscription with pending deliveries that are not retries: their places in the log, rising.
    Compact (an ``array('q')``): eight bytes a delivery, so that a million of them are no burden."""
    retries: list[Retry]
    """Deliveries that wait for another try."""


class Store(Protocol):
    """Where a bus keeps what it accepted until it is delivered. Threads may call any method at any time."""

    durable: bool
    """Whether what was written survives the process. Then events may be left to the store and fetched again."""

    def recover(self) -> Recovered:
        """Opens the store; what was pending. Called once, before anything else."""

    def number(self, key: SubscriptionKey) -> int:
        """The number of a subscription; the same for the same key for ever. Cheap when asked again."""

    def write(self, changes: Changes) -> Future[None] | None:
        """Applies changes as one. None: done (and as durable as it gets). A future: done when it is, with the error
        when it could not be; concurrent writes share a commit. `seq` of appended events is set on return."""

    def fetch(self, places: Sequence[int]) -> list[AcceptedEvent]:
        """The events at these places of the log (rising), in that order. Only while a delivery of them is pending."""

    def dead_letters(self, after: int = 0, limit: int = 1000) -> list[DeadLetter]:
        """Dead letters with an id beyond `after`, by id, at most `limit`."""

    def count_dead_letters(self) -> int:
        """How many are stored."""

    def archived(
        self, archive: str, start: float, end: float, after: tuple[float, int] | None = None
    ) -> Iterator[tuple[int, AcceptedEvent]]:
        """What an archive keeps of the time window ``start <= time < end`` (of the event, seconds since 1970), ordered
        by (time, number), beyond `after`; each with its number. Holds no lock while the caller works."""

    def forget(self, archive: str, before: float | None = None) -> int:
        """Deletes what an archive keeps from before that moment (None: all of it); how many events that were."""

    def documents(self, kind: str) -> dict[str, bytes]:
        """The JSON documents of a kind (``archive``, ``replay`` …) by name: definitions that outlive the process."""

    def put_document(self, kind: str, name: str, document: bytes | None) -> None:
        """Keeps a document, or deletes it (None); durable on return."""

    def close(self) -> None:
        """Makes everything written durable and lets go of it. Later calls raise `StoreError`."""
