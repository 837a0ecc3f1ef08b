"""CloudWatch log groups as targets: up to 10,000 log events a call. Relies on `service`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from rulebus.attempt import Failure
from rulebus.targets.aws.service import AwsTarget
from rulebus.targets.protocol import Delivery

__all__ = ["LogsTarget"]

_OVERHEAD_BYTES = 26
_SPAN_S = 86_000.0
_REJECTED = (
    ("tooOldLogEventEndIndex", "TOO_OLD", "older than 14 days, or than the group keeps"),
    ("expiredLogEventEndIndex", "EXPIRED", "older than the group keeps"),
)


class LogsTarget(AwsTarget):
    """Writes each delivery as a log event into a group, by ARN or name.

    Its time is when the bus accepted the event. The stream, `stream`, is made when it is missing; the group is not.
    """

    service: ClassVar[str] = "logs"
    defaults: ClassVar[Mapping[str, Any]] = {"batch_size": 1000}
    most_items: ClassVar[int] = 10_000
    most_bytes: ClassVar[int] = 1_048_576

    def __init__(self, name: str, *, stream: str = "rulebus", **options: Any) -> None:
        super().__init__(name, **options)
        self._stream = stream

    @property
    def group(self) -> str:
        """The group's name."""
        return self.name if self.arn is None else self.arn.last

    def size(self, delivery: Delivery) -> int:
        """The text and what the service adds."""
        return len(delivery.input) + _OVERHEAD_BYTES

    def send(self, deliveries: Sequence[Delivery]) -> list[Failure | None]:
        """One call for all that lie within a day; the service wants them in the order of time."""
        outcomes: list[Failure | None] = [None] * len(deliveries)
        order = sorted(range(len(deliveries)), key=lambda at: deliveries[at].event.accepted_at)
        for days in _within_a_day(order, deliveries):
            results = self.attempt([deliveries[at] for at in days], self._put)
            for at, outcome in zip(days, results, strict=True):
                outcomes[at] = outcome
        return outcomes

    def _put(self, deliveries: Sequence[Delivery]) -> list[Failure | None]:
        events = [
            {"timestamp": int(d.event.accepted_at * 1000), "message": d.input.decode("utf-8", "replace")}
            for d in deliveries
        ]
        where = {"logGroupName": self.group, "logStreamName": self._stream}
        exceptions = self.client.exceptions
        try:
            answer = self.client.put_log_events(**where, logEvents=events)
        except exceptions.ResourceNotFoundException:
            # Another call may have made it meanwhile.
            with contextlib.suppress(exceptions.ResourceAlreadyExistsException):
                self.client.create_log_stream(**where)
            answer = self.client.put_log_events(**where, logEvents=events)
        return rejected(answer.get("rejectedLogEventsInfo") or {}, len(deliveries))

    def describe(self) -> str:
        """Service and group."""
        return f"logs {self.group}"


def rejected(info: Mapping[str, int], count: int) -> list[Failure | None]:
    """Outcomes of log events in their order, of which the service rejects some at either end."""
    outcomes: list[Failure | None] = [None] * count
    for key, code, why in _REJECTED:
        for at in range(min(info.get(key, 0), count)):
            outcomes[at] = Failure("permanent", code, f"logs rejected it: {why}", status=key)
    for at in range(info.get("tooNewLogEventStartIndex", count), count):
        message = "logs rejected it: more than two hours in the future"
        outcomes[at] = Failure("permanent", "TOO_NEW", message, status="tooNewLogEventStartIndex")
    return outcomes


def _within_a_day(order: Sequence[int], deliveries: Sequence[Delivery]) -> Iterator[list[int]]:
    group: list[int] = []
    for at in order:
        if group and deliveries[at].event.accepted_at - deliveries[group[0]].event.accepted_at > _SPAN_S:
            yield group
            group = []
        group.append(at)
    yield group
