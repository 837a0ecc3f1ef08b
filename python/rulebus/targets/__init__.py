"""Targets: what a rule's events are delivered to.

The protocol and the built-in kinds, one file each. Each name is imported when it is first asked for; importing this
package imports no third-party library.

>>> from rulebus import targets
>>> targets.FileTarget("orders.jsonl").describe()
'file orders.jsonl'
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rulebus.targets.aws import (
        DynamoDbTarget,
        KinesisTarget,
        LambdaTarget,
        LogsTarget,
        SnsTarget,
        SqsTarget,
        StatesTarget,
    )
    from rulebus.targets.bus import BusTarget
    from rulebus.targets.command import CommandTarget
    from rulebus.targets.file import FileTarget
    from rulebus.targets.function import FunctionTarget
    from rulebus.targets.http import (
        ApiKeyConnection,
        BasicConnection,
        Connection,
        HttpTarget,
        OAuthConnection,
        WebhookSignature,
    )
    from rulebus.targets.log import LogTarget
    from rulebus.targets.protocol import Delivery, Outcomes, Target
    from rulebus.targets.registry import TargetRegistry, open_target

__all__ = [
    "ApiKeyConnection",
    "BasicConnection",
    "BusTarget",
    "CommandTarget",
    "Connection",
    "Delivery",
    "DynamoDbTarget",
    "FileTarget",
    "FunctionTarget",
    "HttpTarget",
    "KinesisTarget",
    "LambdaTarget",
    "LogTarget",
    "LogsTarget",
    "OAuthConnection",
    "Outcomes",
    "SnsTarget",
    "SqsTarget",
    "StatesTarget",
    "Target",
    "TargetRegistry",
    "WebhookSignature",
    "open_target",
]

_PLACES = {
    "aws": (
        "DynamoDbTarget", "KinesisTarget", "LambdaTarget", "LogsTarget", "SnsTarget", "SqsTarget", "StatesTarget",
    ),
    "bus": ("BusTarget",),
    "command": ("CommandTarget",),
    "file": ("FileTarget",),
    "function": ("FunctionTarget",),
    "http": (
        "ApiKeyConnection", "BasicConnection", "Connection", "HttpTarget", "OAuthConnection", "WebhookSignature",
    ),
    "log": ("LogTarget",),
    "protocol": ("Delivery", "Outcomes", "Target"),
    "registry": ("TargetRegistry", "open_target"),
}  # fmt: skip


def __getattr__(name: str) -> Any:
    for place, names in _PLACES.items():
        if name in names:
            return getattr(importlib.import_module(f"rulebus.targets.{place}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
