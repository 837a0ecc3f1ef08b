"""The shop's four services, as anybody would write them: they know nothing of one another, nor of a bus.

Each keeps a book of what it did, which the demonstration checks at the end. Chance is seeded. Must never print.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Mapping
from typing import Any

__all__ = ["Analytics", "Billing", "CardNetworkDown", "Email", "Warehouse", "orders"]


class CardNetworkDown(ConnectionError):
    """What billing raises when it fails."""


class Billing:
    """Charges orders; the network behind it fails every third time, until it is repaired."""

    def __init__(self, seed: int, *, fails: float = 0.3, call_s: float = 0.002) -> None:
        self._chance, self._fails, self._call_s = random.Random(seed), fails, call_s
        self._lock = threading.Lock()
        self.calls = self.failed = 0
        self.charged: dict[str, int] = {}
        self.repaired = False

    def charge(self, order: Mapping[str, Any]) -> None:
        """Charges an order once, however often it is asked."""
        time.sleep(self._call_s)
        with self._lock:
            self.calls += 1
            if not self.repaired and self._chance.random() < self._fails:
                self.failed += 1
                raise CardNetworkDown("the card network is down")
            self.charged[order["order"]] = order["total"]


class Warehouse:
    """Keeps the steps of each order in the order in which it heard of them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.steps: dict[str, list[int]] = {}

    def note(self, order: Mapping[str, Any]) -> None:
        """Notes a step of an order."""
        with self._lock:
            self.steps.setdefault(order["order"], []).append(order["step"])


class Email:
    """Thanks customers."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.sent: list[str] = []

    def thank(self, order: Mapping[str, Any]) -> None:
        """Sends one letter."""
        with self._lock:
            self.sent.append(order["order"])


class Analytics:
    """Slow: it takes its time for each call, however many events it is given."""

    def __init__(self, *, call_s: float = 0.02) -> None:
        self._call_s = call_s
        self.seen = 0

    def record(self, count: int) -> None:
        """Records so many events."""
        time.sleep(self._call_s)
        self.seen += count


def orders(count: int, seed: int) -> list[dict[str, Any]]:
    """Orders with their totals; one in ten is a free sample."""
    chance = random.Random(seed)
    return [
        {"order": f"o-{number:04}", "total": 0 if chance.random() < 0.1 else chance.randrange(5, 500)}
        for number in range(1, count + 1)
    ]
