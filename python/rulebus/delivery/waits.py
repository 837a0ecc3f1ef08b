"""Callers that wait for something the dispatcher will have: room in queues, or nothing left to do.

A wait is a condition and a callback, so that threads (an event) and asyncio (a future) wait in the same way.
Conditions are looked at under the dispatcher's lock; callbacks are called without it, once. Relies on nothing.
"""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["Waits"]


class Waits:
    """Conditions with their callbacks."""

    __slots__ = ("open",)

    def __init__(self) -> None:
        self.open: dict[Callable[[], None], Callable[[], bool]] = {}
        """By callback; empty when nobody waits, which is asked after every call of a target."""

    def add(self, condition: Callable[[], bool], callback: Callable[[], None]) -> None:
        """Waits; the callback names the wait."""
        self.open[callback] = condition

    def remove(self, callback: Callable[[], None]) -> None:
        """Waits no longer."""
        self.open.pop(callback, None)

    def met(self) -> list[Callable[[], None]]:
        """Removes and gives the callbacks whose condition holds."""
        found = [callback for callback, condition in self.open.items() if condition()]
        for callback in found:
            del self.open[callback]
        return found
