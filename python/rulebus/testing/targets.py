"""Targets for tests: they record, fail as told, or take as long as told. All deterministic, all thread-safe.

Relies on `targets.protocol` and `attempt`. None sleeps on its own: what waits, waits for the test.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence

from rulebus.attempt import Failure
from rulebus.targets.protocol import Delivery, Outcomes

__all__ = ["AsyncRecordingTarget", "BrokenTarget", "FlakyTarget", "RecordingTarget", "SlowTarget"]


class RecordingTarget:
    """Takes everything and remembers it.

    >>> from rulebus.event import AcceptedEvent
    >>> from rulebus.targets.protocol import Origin
    >>> target = RecordingTarget()
    >>> target.deliver([Delivery(AcceptedEvent("b", "e-1", b"{}", 0.0), b"{}", Origin("b", "r", "t"))])
    >>> target.event_ids, target.calls
    (['e-1'], 1)
    """

    def __init__(self, name: str = "recording") -> None:
        self.name = name
        self.deliveries: list[Delivery] = []
        """Those that were taken, in the order of taking."""
        self.tried: list[Delivery] = []
        """Every delivery of every call, taken or not."""
        self.calls = 0
        """How often `deliver` was called."""
        self.closed = False
        self._changed = threading.Condition()

    def deliver(self, deliveries: Sequence[Delivery], /) -> Outcomes:
        """Takes all (a subclass may judge otherwise, in `judge`)."""
        outcomes = [self.judge(delivery) for delivery in deliveries]
        with self._changed:
            self.calls += 1
            self.tried.extend(deliveries)
            self.deliveries.extend(
                delivery for delivery, failure in zip(deliveries, outcomes, strict=True) if failure is None
            )
            self._changed.notify_all()
        return outcomes if any(outcomes) else None

    def judge(self, delivery: Delivery) -> Failure | None:
        """Whether a delivery is taken."""
        return None

    @property
    def event_ids(self) -> list[str]:
        """Ids of the events that were taken, in order, with repetitions."""
        with self._changed:
            return [delivery.event.id for delivery in self.deliveries]

    @property
    def inputs(self) -> list[bytes]:
        """The inputs that were taken, in order."""
        with self._changed:
            return [delivery.input for delivery in self.deliveries]

    def wait_for(self, count: int, timeout_s: float = 10.0) -> bool:
        """Waits until so many deliveries were taken; whether that was in time."""
        with self._changed:
            return self._changed.wait_for(lambda: len(self.deliveries) >= count, timeout_s)

    def wait_for_tries(self, count: int, timeout_s: float = 10.0) -> bool:
        """Waits until so many deliveries were tried; whether that was in time."""
        with self._changed:
            return self._changed.wait_for(lambda: len(self.tried) >= count, timeout_s)

    def describe(self) -> str:
        """Its name."""
        return self.name

    def close(self) -> None:
        """Remembers that it was closed."""
        self.closed = True


class AsyncRecordingTarget(RecordingTarget):
    """The same for an event loop."""

    async def deliver(self, deliveries: Sequence[Delivery], /) -> Outcomes:  # type: ignore[override]
        """Takes all."""
        return RecordingTarget.deliver(self, deliveries)


class FlakyTarget(RecordingTarget):
    """Fails the first so many tries of each delivery, then takes it.

    >>> target = FlakyTarget(failures=1)
    >>> from rulebus.event import AcceptedEvent
    >>> from rulebus.targets.protocol import Origin
    >>> delivery = Delivery(AcceptedEvent("b", "e-1", b"{}", 0.0), b"{}", Origin("b", "r", "t"))
    >>> target.deliver([delivery])[0].code, target.deliver([delivery])
    ('FLAKY', None)

    With `failing`, only deliveries for which that function says so fail.
    """

    def __init__(
        self,
        failures: int = 1,
        failure: Failure | None = None,
        failing: Callable[[Delivery], bool] | None = None,
        name: str = "flaky",
    ) -> None:
        super().__init__(name)
        self._failures = failures
        self._failure = failure or Failure("retryable", "FLAKY", "this target fails first, as it was told")
        self._failing = failing
        self._seen: dict[str, int] = {}

    def judge(self, delivery: Delivery) -> Failure | None:
        """Fails while the delivery was tried too seldom."""
        if self._failing is not None and not self._failing(delivery):
            return None
        with self._changed:
            seen = self._seen[delivery.id] = self._seen.get(delivery.id, 0) + 1
        return self._failure if seen <= self._failures else None


class BrokenTarget(RecordingTarget):
    """Answers each call with the next of a list: an exception is raised, anything else is returned as it is.

    >>> target = BrokenTarget([ValueError("no"), "rubbish"])
    >>> target.deliver([])
    Traceback (most recent call last):
    ValueError: no
    >>> target.deliver([]), target.deliver([])
    ('rubbish', None)
    """

    def __init__(self, answers: Iterable[object], name: str = "broken") -> None:
        super().__init__(name)
        self._answers = iter(answers)

    def deliver(self, deliveries: Sequence[Delivery], /) -> Outcomes:
        """The next answer; when there is none left, takes all."""
        with self._changed:
            self.calls += 1
            self.tried.extend(deliveries)
            answer = next(self._answers, None)
            if answer is None:
                self.deliveries.extend(deliveries)
            self._changed.notify_all()
        if isinstance(answer, BaseException):
            raise answer
        return answer  # type: ignore[return-value]


class SlowTarget(RecordingTarget):
    """Holds each call until the test lets it go.

    >>> import threading
    >>> target = SlowTarget()
    >>> thread = threading.Thread(target=target.deliver, args=([],))
    >>> thread.start()
    >>> target.wait_until_held(1)
    True
    >>> target.release(); thread.join()
    """

    def __init__(self, name: str = "slow") -> None:
        super().__init__(name)
        self._held = 0
        self._permits = 0
        self._free = False

    def deliver(self, deliveries: Sequence[Delivery], /) -> Outcomes:
        """Waits for `release`, then takes all."""
        with self._changed:
            self._held += 1
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._free or self._permits > 0)
            self._permits -= not self._free
            self._held -= 1
        return super().deliver(deliveries)

    @property
    def held(self) -> int:
        """Calls that wait now."""
        return self._held

    def wait_until_held(self, count: int, timeout_s: float = 10.0) -> bool:
        """Waits until so many calls wait; whether that was in time."""
        with self._changed:
            return self._changed.wait_for(lambda: self._held >= count, timeout_s)

    def release(self, calls: int | None = None) -> None:
        """Lets so many calls go; None: all, now and later."""
        with self._changed:
            if calls is None:
                self._free = True
            else:
                self._permits += calls
            self._changed.notify_all()
