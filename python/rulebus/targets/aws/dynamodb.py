"""DynamoDB tables as targets: each delivery an item. Relies on `service` and boto3's own types."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from decimal import Decimal, DecimalException
from typing import Any, ClassVar

from rulebus.attempt import Failure
from rulebus.targets.aws.service import AwsTarget
from rulebus.targets.protocol import Delivery

__all__ = ["DynamoDbTarget"]


class DynamoDbTarget(AwsTarget):
    """Puts each delivery into a table, by ARN or name; an item of the same key is replaced.

    The input is a JSON object with the table's key among its members: shape it with an input transformer, or take the
    event's own ``id`` as the key. Numbers keep their digits. Several deliveries become one BatchWriteItem; where that
    is refused as a whole (one bad item, one key twice), they are put one by one, so that each has its own outcome.
    """

    service: ClassVar[str] = "dynamodb"
    defaults: ClassVar[Mapping[str, Any]] = {"batch_size": 25, "concurrency": 4}
    most_items: ClassVar[int] = 25
    most_bytes: ClassVar[int] = 8 << 20

    @property
    def table(self) -> str:
        """The table's name."""
        return self.name if self.arn is None else self.arn.last

    def send(self, deliveries: Sequence[Delivery]) -> list[Failure | None]:
        """One call for all, or one for each."""
        items = [item_of(delivery) for delivery in deliveries]
        outcomes = [item if isinstance(item, Failure) else None for item in items]
        good = [(at, item) for at, item in enumerate(items) if not isinstance(item, Failure)]
        if len(good) > 1:
            try:
                left = self._write([item for _, item in good])
            except self.client.exceptions.ClientError as error:
                if error.response["Error"]["Code"] != "ValidationException":
                    raise
            else:
                for at, item in good:
                    if item in left:
                        left.remove(item)
                        outcomes[at] = _UNPROCESSED
                return [one or (_UNPROCESSED if left else None) for one in outcomes]
        for at, item in good:
            (outcomes[at],) = self.attempt([deliveries[at]], functools.partial(self._put, item))
        return outcomes

    def _write(self, items: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The items that the service did not get to."""
        requests = [{"PutRequest": {"Item": item}} for item in items]
        answer = self.client.batch_write_item(RequestItems={self.table: requests})
        left = answer.get("UnprocessedItems", {})
        return [one["PutRequest"]["Item"] for requests in left.values() for one in requests]

    def _put(self, item: dict[str, Any], _: Sequence[Delivery]) -> list[Failure | None]:
        self.client.put_item(TableName=self.table, Item=item)
        return [None]

    def describe(self) -> str:
        """Service and table."""
        return f"dynamodb {self.table}"


_UNPROCESSED = Failure(
    "throttled",
    "UNPROCESSED",
    "dynamodb had no capacity left for this item of the batch",
    status="UnprocessedItems",
)


def item_of(delivery: Delivery) -> dict[str, Any] | Failure:
    """The item that an input is, in the service's typed form; a failure where it is none."""
    from boto3.dynamodb.types import TypeSerializer

    try:
        value = json.loads(delivery.input, parse_float=Decimal, parse_int=Decimal)
    except ValueError as error:
        return Failure("permanent", "INVALID_INPUT", f"the input is no JSON: {error}")
    if not isinstance(value, dict):
        return Failure(
            "permanent", "INVALID_INPUT", "an item is a JSON object; shape it with an input transformer"
        )
    try:
        item: dict[str, Any] = TypeSerializer().serialize(value)["M"]
    except (TypeError, DecimalException) as error:
        message = (
            f"the input holds what dynamodb cannot keep, perhaps a number of more than 38 digits: {error!r}"
        )
        return Failure("permanent", "INVALID_INPUT", message)
    return item
