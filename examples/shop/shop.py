"""The shop: one service publishes what happened, four others work on it, none knows the others.

Run it: `python examples/shop/shop.py`. Billing fails every third call and analytics is slow; nobody else notices, and
nothing is lost. `rulebus demo` tells the same story with figures. Asserted by tests/integration/test_examples.py.
"""

from __future__ import annotations

import random
import tempfile
import time
from pathlib import Path

import rulebus
from rulebus import Event, EventBus, RetryPolicy


class Billing:
    """Charges orders through a network that fails now and then."""

    def __init__(self, bus: EventBus, seed: int) -> None:
        self.charged: set[str] = set()
        self.network_up = False
        self._chance = random.Random(seed)
        bus.on(
            {"source": ["shop.cart"], "detail-type": ["OrderPlaced"]},
            name="billing",
            concurrency=4,
            retry=RetryPolicy(maximum_retry_attempts=2, base_s=0.02, cap_s=0.1),
        )(self.charge)

    def charge(self, event: Event) -> None:
        """May be called twice for one event (at-least-once), so it is written to be repeatable."""
        if not self.network_up and self._chance.random() < 0.3:
            raise ConnectionError("the card network is down")
        self.charged.add(event.detail["order"])


class Warehouse:
    """Must hear of an order's steps in their order; different orders may overtake one another."""

    def __init__(self, bus: EventBus) -> None:
        self.steps: dict[str, list[str]] = {}
        bus.on({"source": ["shop.cart"]}, name="warehouse", concurrency=4, order_by="$.detail.order")(
            self.note
        )

    def note(self, event: Event) -> None:
        """Notes a step."""
        self.steps.setdefault(event.detail["order"], []).append(event.detail_type)


class Email:
    """Hears only of paid orders that cost something; gets just the line to send."""

    def __init__(self, bus: EventBus) -> None:
        self.sent: list[str] = []
        transformer = rulebus.InputTransformer(
            '"Thank you for order <order>: <total> EUR"',
            {"order": "$.detail.order", "total": "$.detail.total"},
        )
        pattern = {"detail-type": ["OrderPaid"], "detail": {"total": [{"numeric": [">", 0]}]}}
        bus.on(pattern, name="email", input_transformer=transformer)(self.send)

    def send(self, line: str) -> None:
        """Sends a line."""
        self.sent.append(line)


class Analytics:
    """Slow, so it takes a hundred events at a time."""

    def __init__(self, bus: EventBus) -> None:
        self.seen = 0
        bus.on({"source": ["shop.cart"]}, name="analytics", batch=True)(self.record)

    def record(self, events: list[Event]) -> None:
        """Records a batch."""
        time.sleep(0.02)
        self.seen += len(events)


def main(folder: Path, orders: int = 100, seed: int = 1) -> dict[str, int]:
    """Runs the shop; what came of it."""
    with EventBus("shop", store=rulebus.SqliteStore(folder / "shop.db")) as bus:
        bus.create_archive("everything")
        billing, warehouse, email, analytics = Billing(bus, seed), Warehouse(bus), Email(bus), Analytics(bus)

        for number in range(orders):
            detail = {"order": f"o-{number}", "total": number % 10}
            for step in ("OrderPlaced", "OrderPaid", "OrderShipped"):
                bus.publish(source="shop.cart", detail_type=step, detail=detail)
        bus.wait_idle()
        given_up = len(bus.dead_letters(rule="billing"))

        # The network is repaired: what was given up is sent again.
        billing.network_up = True
        bus.redrive(rule="billing")
        bus.wait_idle()

        # A service that joined today hears of everything that happened before.
        heard: list[str] = []
        bus.on({"detail-type": ["OrderPlaced"]}, name="newcomer")(
            lambda event: heard.append(event.detail["order"])
        )
        bus.replay("everything", 0, time.time() + 60, rules=["newcomer"]).wait()
        bus.wait_idle()

        total = bus.statistics().total
        assert total.created == total.successes + total.dead_letters
    return {
        "orders": orders,
        "given up at first": given_up,
        "charged": len(billing.charged),
        "in order at the warehouse": sum(
            steps == ["OrderPlaced", "OrderPaid", "OrderShipped"] for steps in warehouse.steps.values()
        ),
        "letters": len(email.sent),
        "seen by analytics": analytics.seen,
        "told to the newcomer": len(heard),
    }


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        for what, found in main(Path(temporary)).items():
            print(f"{what:26} {found}")
