"""Whether the calling code is a target's: what it puts must not wait for room that only it could make.

Relies on the drivers, which mark their threads and tasks once, not each call. Inherited by tasks that a handler starts;
not by threads that it starts.
"""

from __future__ import annotations

import threading
from contextvars import ContextVar

__all__ = ["in_handler", "mark_task", "mark_thread"]

_in_task: ContextVar[bool] = ContextVar("rulebus_in_task", default=False)
_here = threading.local()


def mark_task() -> None:
    """The current task calls targets."""
    _in_task.set(True)


def mark_thread() -> None:
    """The current thread calls targets."""
    _here.calls = True


def in_handler() -> bool:
    """Whether this is the thread or task of a target's call."""
    return _in_task.get() or getattr(_here, "calls", False)
