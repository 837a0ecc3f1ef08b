"""AWS services as targets, through boto3 (extra ``aws``) and at any endpoint that speaks their protocol.

Importing this package imports no third-party library; making a target does. Must never retry by itself: that is the
dispatcher's, and it counts.
"""

from __future__ import annotations

from typing import Any

from rulebus.errors import BusError
from rulebus.targets.aws.arn import Arn
from rulebus.targets.aws.dynamodb import DynamoDbTarget
from rulebus.targets.aws.functions import LambdaTarget
from rulebus.targets.aws.kinesis import KinesisTarget
from rulebus.targets.aws.logs import LogsTarget
from rulebus.targets.aws.service import AwsTarget
from rulebus.targets.aws.sns import SnsTarget
from rulebus.targets.aws.sqs import SqsTarget
from rulebus.targets.aws.states import StatesTarget

__all__ = [
    "AwsTarget",
    "DynamoDbTarget",
    "KinesisTarget",
    "LambdaTarget",
    "LogsTarget",
    "SnsTarget",
    "SqsTarget",
    "StatesTarget",
    "target_of_arn",
]

_KINDS: dict[str, type[AwsTarget]] = {
    "dynamodb": DynamoDbTarget,
    "kinesis": KinesisTarget,
    "lambda": LambdaTarget,
    "logs": LogsTarget,
    "sns": SnsTarget,
    "sqs": SqsTarget,
    "states": StatesTarget,
}


def target_of_arn(text: str, **options: Any) -> AwsTarget:
    """The target that an ARN names. Raises `BusError` ``target-arn`` for other services.

    >>> target_of_arn("arn:aws:sns:eu-central-1:123456789012:news")
    <SnsTarget arn:aws:sns:eu-central-1:123456789012:news>
    """
    arn = Arn.read(text)
    kind = _KINDS.get(arn.service)
    if kind is None:
        raise BusError(
            "target-arn",
            f"there is no target for the service {arn.service!r}; there are {', '.join(sorted(_KINDS))}. Others can be "
            "reached by a function target",
        )
    return kind(text, **options)
