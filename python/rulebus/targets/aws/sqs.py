"""SQS queues as targets: up to ten messages a call, each with its own outcome. Relies on `service`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from rulebus.attempt import Failure
from rulebus.errors import BusError
from rulebus.targets.aws.failures import item_failure
from rulebus.targets.aws.service import AwsTarget, delivery_key, letter_attributes
from rulebus.targets.protocol import Delivery
from rulebus.targets.value import DeliveryFault, Value

__all__ = ["SqsTarget", "refused_items", "string_attributes"]


class SqsTarget(AwsTarget):
    """Sends each delivery to a queue.

    `name` is an ARN, a queue's name or its URL. A FIFO queue (``….fifo``) needs `message_group_id`, a text or a path
    such as ``$.detail.order-id``; its deduplication id is the delivery's, so that a second try is dropped. Dead letters
    carry AWS's attributes RULE_ARN, ERROR_CODE and so on.
    """

    service: ClassVar[str] = "sqs"
    defaults: ClassVar[Mapping[str, Any]] = {"batch_size": 10, "concurrency": 4}
    most_items: ClassVar[int] = 10
    most_bytes: ClassVar[int] = 1_048_576

    def __init__(self, name: str, *, message_group_id: str | None = None, **options: Any) -> None:
        super().__init__(name, **options)
        self._group = group_of(name, message_group_id)
        self._url = name if name.startswith(("https://", "http://")) else None

    @property
    def url(self) -> str:
        """The queue's URL, asked for once."""
        if self._url is None:
            owner = (
                {}
                if self.arn is None or not self.arn.account
                else {"QueueOwnerAWSAccountId": self.arn.account}
            )
            name = self.name if self.arn is None else self.arn.resource
            self._url = str(self.client.get_queue_url(QueueName=name, **owner)["QueueUrl"])
        return self._url

    def send(self, deliveries: Sequence[Delivery]) -> list[Failure | None]:
        """One call for all; one for each where together they are too long for an older service."""
        entries, found = prepared(deliveries, self._entry)
        if entries:
            try:
                answer = self.client.send_message_batch(QueueUrl=self.url, Entries=entries)
            except self.client.exceptions.ClientError as error:
                if len(deliveries) > 1 and "BatchRequestTooLong" in error.response["Error"]["Code"]:
                    return [one for delivery in deliveries for one in self.attempt([delivery], self.send)]
                raise
            found.update(refused_items("sqs", answer.get("Failed", ())))
        return [found.get(at) for at in range(len(deliveries))]

    def _entry(self, at: int, delivery: Delivery) -> dict[str, Any]:
        entry: dict[str, Any] = {"Id": str(at), "MessageBody": delivery.input.decode("utf-8", "replace")}
        if attributes := string_attributes(delivery):
            entry["MessageAttributes"] = attributes
        if self._group is not None:
            entry |= fifo(self._group, delivery)
        return entry

    def describe(self) -> str:
        """Service and name."""
        return f"sqs {self.name.partition('?')[0]}"


def group_of(name: str, group: str | None) -> Value | None:
    """The message group of a FIFO queue or topic."""
    if name.endswith(".fifo") and group is None:
        raise BusError(
            "target-options",
            f"{name!r} is FIFO and needs message_group_id, a text or a path such as '$.source'",
        )
    return None if group is None else Value(group, "message group id")


def fifo(group: Value, delivery: Delivery) -> dict[str, str]:
    """What a message in a FIFO queue or topic has besides."""
    return {
        "MessageGroupId": group.of(delivery.event.body)[:128],
        "MessageDeduplicationId": delivery_key(delivery),
    }


def string_attributes(delivery: Delivery) -> dict[str, Any]:
    """Message attributes, as SQS and SNS take them."""
    given = letter_attributes(delivery)
    return {name: {"DataType": "String", "StringValue": text} for name, text in given.items()}


def prepared(deliveries: Sequence[Delivery], entry: Any) -> tuple[list[dict[str, Any]], dict[int, Failure]]:
    """The entries of a batch, and the failures of those that cannot be made, by position."""
    entries, found = [], {}
    for at, delivery in enumerate(deliveries):
        try:
            entries.append(entry(at, delivery))
        except DeliveryFault as fault:
            found[at] = fault.failure
    return entries, found


def refused_items(service: str, failed: Sequence[Mapping[str, Any]]) -> dict[int, Failure]:
    """The failures of a batch's answer, by position."""
    return {
        int(item["Id"]): item_failure(
            service, str(item.get("Code", "")), str(item.get("Message", "")), sender=item.get("SenderFault")
        )
        for item in failed
    }
