"""What a target is, and what it is given: the protocol that functions, buses, HTTP servers and files all meet.

Relies on `event`, `attempt` and `dead_letter`. A target knows nothing of queues, retries and stores: it takes
deliveries and says of each whether it took it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import Protocol, TypeAlias, runtime_checkable

from rulebus.attempt import Failure
from rulebus.dead_letter import DeadLetter
from rulebus.event import AcceptedEvent
from rulebus.origin import Origin

__all__ = ["Delivery", "Origin", "Outcomes", "Target"]


class Delivery:
    """One event on its way to one target, for one try."""

    __slots__ = ("attempt", "deadline", "event", "input", "letter", "origin")

    def __init__(
        self,
        event: AcceptedEvent,
        input: bytes,
        origin: Origin,
        attempt: int = 1,
        deadline: float | None = None,
        letter: DeadLetter | None = None,
    ) -> None:
        self.event = event
        """The event as it was accepted."""
        self.input = input
        """What to send: JSON in UTF-8. The same object as ``event.body`` when nothing was transformed."""
        self.origin = origin
        """Bus, rule and target id."""
        self.attempt = attempt
        """1 for the first try."""
        self.deadline = deadline
        """The clock's monotonic second at which the try is given up as a ``TIMEOUT``; None if it is not."""
        self.letter = letter
        """The dead letter that this delivery carries, when the target serves as dead-letter target; else None."""

    @property
    def id(self) -> str:
        """Stable over all tries of the delivery, for receivers that deduplicate: event id, rule and target id."""
        return f"{self.event.id}/{self.origin.rule}/{self.origin.target}"


Outcomes: TypeAlias = Sequence[Failure | None] | None
"""Of each delivery in its order: None = taken, or why not. None for the whole = all were taken."""


@runtime_checkable
class Target(Protocol):
    """Whatever takes deliveries. Implement these three; `rulebus.testing` has a suite that judges them.

    `deliver` gets at least one delivery and at most the subscription's `batch_size`. Declared ``async def`` it runs on
    the event loop, otherwise in a worker thread, several calls at a time up to the subscription's `concurrency`.
    An exception means that no delivery of the call was taken: `PermanentError` permanently, `RetryAfter` throttled,
    any other retryably.
    """

    def deliver(self, deliveries: Sequence[Delivery], /) -> Outcomes | Awaitable[Outcomes]:
        """Take deliveries; say of each whether it was taken."""

    def describe(self) -> str:
        """A short name for logs and statistics, without secrets: ``https://billing.example/orders``."""

    def close(self) -> Awaitable[None] | None:
        """Give back what it holds. Called once, after the last delivery."""
