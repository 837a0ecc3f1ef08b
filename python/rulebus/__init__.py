"""Event routing for Python at the speed of Rust: the event bus of the AWS EventBridge kind, as a library.

The public names, each defined in one module below. Importing this package imports no third-party library; the names of
the bus are imported when they are first asked for, so that who only matches pays nothing for them.

>>> import rulebus
>>> matcher = rulebus.Matcher({"big-orders": {"detail": {"total": [{"numeric": [">", 100]}]}}})
>>> matcher.match(b'{"detail": {"total": 120}}')
['big-orders']
"""

from typing import TYPE_CHECKING, Any

from rulebus._core import LinesResult, __version__
from rulebus.errors import (
    BusError,
    EventError,
    PatternError,
    PermanentError,
    RetryAfter,
    RulebusError,
    RulebusWarning,
    RuleSetError,
    StoreError,
)
from rulebus.explanation import Alternative, Explanation, FieldCondition, OrCondition
from rulebus.matcher import LineCounts, Matcher, MatcherStats, RuleCost
from rulebus.pattern import Pattern

if TYPE_CHECKING:
    from rulebus.archive import Archive, Replay, ReplayPreview, ReplayStatus
    from rulebus.attempt import Attempt, Failure
    from rulebus.bus.async_event_bus import AsyncEventBus
    from rulebus.bus.closing import CloseReport
    from rulebus.bus.event_bus import EventBus
    from rulebus.bus.limits import BusLimits
    from rulebus.bus.listener import Listener
    from rulebus.bus.result import EntryResult, PutResult
    from rulebus.dead_letter import DeadLetter
    from rulebus.delivery.redrive import RedriveResult
    from rulebus.event import AcceptedEvent, Event
    from rulebus.retry import CLASSIC, V2, WEBHOOKS, RetryPolicy
    from rulebus.rule import InputTransformer, Rule, Subscription
    from rulebus.statistics import BusStatistics, Latency, TargetStatistics
    from rulebus.stores.memory import MemoryStore
    from rulebus.stores.sqlite import SqliteStore
    from rulebus.targets.context import Context
    from rulebus.targets.function import FunctionTarget
    from rulebus.targets.log import LogTarget
    from rulebus.targets.protocol import Delivery, Origin, Target
    from rulebus.targets.registry import TargetRegistry

# Name to module, of what is imported when it is first asked for.
_LATER = {
    "AcceptedEvent": "event",
    "Archive": "archive",
    "AsyncEventBus": "bus.async_event_bus",
    "Attempt": "attempt",
    "BusLimits": "bus.limits",
    "BusStatistics": "statistics",
    "CLASSIC": "retry",
    "CloseReport": "bus.closing",
    "Context": "targets.context",
    "DeadLetter": "dead_letter",
    "Delivery": "targets.protocol",
    "EntryResult": "bus.result",
    "Event": "event",
    "EventBus": "bus.event_bus",
    "Failure": "attempt",
    "FunctionTarget": "targets.function",
    "InputTransformer": "rule",
    "Latency": "statistics",
    "Listener": "bus.listener",
    "LogTarget": "targets.log",
    "MemoryStore": "stores.memory",
    "Origin": "targets.protocol",
    "PutResult": "bus.result",
    "RedriveResult": "delivery.redrive",
    "Replay": "archive",
    "ReplayPreview": "archive",
    "ReplayStatus": "archive",
    "RetryPolicy": "retry",
    "Rule": "rule",
    "SqliteStore": "stores.sqlite",
    "Subscription": "rule",
    "Target": "targets.protocol",
    "TargetRegistry": "targets.registry",
    "TargetStatistics": "statistics",
    "V2": "retry",
    "WEBHOOKS": "retry",
}

__all__ = [
    "CLASSIC",
    "V2",
    "WEBHOOKS",
    "AcceptedEvent",
    "Alternative",
    "Archive",
    "AsyncEventBus",
    "Attempt",
    "BusError",
    "BusLimits",
    "BusStatistics",
    "CloseReport",
    "Context",
    "DeadLetter",
    "Delivery",
    "EntryResult",
    "Event",
    "EventBus",
    "EventError",
    "Explanation",
    "Failure",
    "FieldCondition",
    "FunctionTarget",
    "InputTransformer",
    "Latency",
    "LineCounts",
    "LinesResult",
    "Listener",
    "LogTarget",
    "Matcher",
    "MatcherStats",
    "MemoryStore",
    "OrCondition",
    "Origin",
    "Pattern",
    "PatternError",
    "PermanentError",
    "PutResult",
    "RedriveResult",
    "Replay",
    "ReplayPreview",
    "ReplayStatus",
    "RetryAfter",
    "RetryPolicy",
    "Rule",
    "RuleCost",
    "RuleSetError",
    "RulebusError",
    "RulebusWarning",
    "SqliteStore",
    "StoreError",
    "Subscription",
    "Target",
    "TargetRegistry",
    "TargetStatistics",
    "__version__",
]


def __getattr__(name: str) -> Any:
    module = _LATER.get(name)
    if module is None:
        raise AttributeError(f"module 'rulebus' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"rulebus.{module}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATER})
