"""SNS topics as targets: up to ten messages a call, each with its own outcome. Relies on `service` and `sqs`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from rulebus.attempt import Failure
from rulebus.targets.aws.service import AwsTarget
from rulebus.targets.aws.sqs import fifo, group_of, prepared, refused_items, string_attributes
from rulebus.targets.protocol import Delivery

__all__ = ["SnsTarget"]


class SnsTarget(AwsTarget):
    """Publishes each delivery to a topic, by its ARN.

    A FIFO topic (``….fifo``) needs `message_group_id`, as in `SqsTarget`.
    """

    service: ClassVar[str] = "sns"
    defaults: ClassVar[Mapping[str, Any]] = {"batch_size": 10, "concurrency": 4}
    most_items: ClassVar[int] = 10
    most_bytes: ClassVar[int] = 262_144

    def __init__(self, name: str, *, message_group_id: str | None = None, **options: Any) -> None:
        super().__init__(name, **options)
        self._group = group_of(name, message_group_id)

    def send(self, deliveries: Sequence[Delivery]) -> list[Failure | None]:
        """One call for all."""
        entries, found = prepared(deliveries, self._entry)
        if entries:
            answer = self.client.publish_batch(TopicArn=self.name, PublishBatchRequestEntries=entries)
            found.update(refused_items("sns", answer.get("Failed", ())))
        return [found.get(at) for at in range(len(deliveries))]

    def _entry(self, at: int, delivery: Delivery) -> dict[str, Any]:
        entry: dict[str, Any] = {"Id": str(at), "Message": delivery.input.decode("utf-8", "replace")}
        if attributes := string_attributes(delivery):
            entry["MessageAttributes"] = attributes
        if self._group is not None:
            entry |= fifo(self._group, delivery)
        return entry
