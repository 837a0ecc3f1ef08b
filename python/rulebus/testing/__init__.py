"""Tools for testing with rulebus: a clock in the test's hand, targets that record and fail as told, contract suites for
targets and stores, and hypothesis strategies for patterns, events that nearly match, and rule sets.

Each name is imported when it is first asked for: only the strategies need hypothesis. What is drawn there is JSON text,
because spelling matters to the language; it must never use the native module, which it judges.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rulebus.testing.clock import FakeClock
    from rulebus.testing.spelling import respell
    from rulebus.testing.stores import DurableStoreContract, StoreContract
    from rulebus.testing.strategies import events, events_for, patterns, rule_sets
    from rulebus.testing.targets import (
        AsyncRecordingTarget,
        BrokenTarget,
        FlakyTarget,
        RecordingTarget,
        SlowTarget,
    )
    from rulebus.testing.targets_contract import TargetContract, delivery_of

__all__ = [
    "AsyncRecordingTarget",
    "BrokenTarget",
    "DurableStoreContract",
    "FakeClock",
    "FlakyTarget",
    "RecordingTarget",
    "SlowTarget",
    "StoreContract",
    "TargetContract",
    "delivery_of",
    "events",
    "events_for",
    "patterns",
    "respell",
    "rule_sets",
]

_PLACES = {
    "FakeClock": "clock",
    "respell": "spelling",
    "DurableStoreContract": "stores",
    "StoreContract": "stores",
    "events": "strategies",
    "events_for": "strategies",
    "patterns": "strategies",
    "rule_sets": "strategies",
    "AsyncRecordingTarget": "targets",
    "BrokenTarget": "targets",
    "FlakyTarget": "targets",
    "RecordingTarget": "targets",
    "SlowTarget": "targets",
    "TargetContract": "targets_contract",
    "delivery_of": "targets_contract",
}


def __getattr__(name: str) -> Any:
    place = _PLACES.get(name)
    if place is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"rulebus.testing.{place}"), name)
