"""Kinesis streams as targets: up to 500 records a call, each with its own outcome. Relies on `service`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from rulebus.attempt import Failure
from rulebus.targets.aws.failures import item_failure
from rulebus.targets.aws.service import AwsTarget
from rulebus.targets.aws.sqs import prepared
from rulebus.targets.protocol import Delivery
from rulebus.targets.value import Value

__all__ = ["KinesisTarget"]


class KinesisTarget(AwsTarget):
    """Puts each delivery into a stream, by ARN or name.

    `partition_key` is a text or a path such as ``$.detail.order-id``; without it the event's id spreads the records
    over the shards, as EventBridge does.
    """

    service: ClassVar[str] = "kinesis"
    defaults: ClassVar[Mapping[str, Any]] = {"batch_size": 500}
    most_items: ClassVar[int] = 500
    most_bytes: ClassVar[int] = 5 << 20

    def __init__(self, name: str, *, partition_key: str | None = None, **options: Any) -> None:
        super().__init__(name, **options)
        self._key = None if partition_key is None else Value(partition_key, "partition key")

    def size(self, delivery: Delivery) -> int:
        """The record and its key."""
        return len(delivery.input) + 256

    def send(self, deliveries: Sequence[Delivery]) -> list[Failure | None]:
        """One call for all."""
        entries, found = prepared(deliveries, self._entry)
        if entries:
            stream = {"StreamName": self.name} if self.arn is None else {"StreamARN": self.name}
            answer = self.client.put_records(Records=entries, **stream)
            sent = [at for at in range(len(deliveries)) if at not in found]
            for at, record in zip(sent, answer["Records"], strict=True):
                if code := record.get("ErrorCode"):
                    # Whatever refuses a single record is the service's own: throughput, or a fault inside.
                    found[at] = item_failure(
                        "kinesis", code, str(record.get("ErrorMessage", "")), sender=False
                    )
        return [found.get(at) for at in range(len(deliveries))]

    def _entry(self, at: int, delivery: Delivery) -> dict[str, Any]:
        key = delivery.event.id if self._key is None else self._key.of(delivery.event.body)
        return {"Data": delivery.input, "PartitionKey": key[:256] or "-"}
