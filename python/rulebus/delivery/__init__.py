"""Delivery: from accepted events to calls of targets, their retries and dead letters.

`Dispatcher` decides and never waits; `ThreadDriver` and `LoopDriver` make the calls. How they work together, and what
always holds, stands in ARCHITECTURE.md under "Delivery". asyncio is imported when `LoopDriver` is first asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rulebus.delivery.core import Ready
from rulebus.delivery.dispatcher import Dispatcher
from rulebus.delivery.inside import in_handler
from rulebus.delivery.redrive import RedriveResult
from rulebus.delivery.state import Job, SubscriptionState
from rulebus.delivery.threads import ThreadDriver

if TYPE_CHECKING:
    from rulebus.delivery.loop import LoopDriver

__all__ = [
    "Dispatcher",
    "Job",
    "LoopDriver",
    "Ready",
    "RedriveResult",
    "SubscriptionState",
    "ThreadDriver",
    "in_handler",
]


def __getattr__(name: str) -> Any:
    if name == "LoopDriver":
        from rulebus.delivery.loop import LoopDriver

        return LoopDriver
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
