"""A bus in a threaded program: a shop whose cart does not know who bills, ships and counts.

Run it: `python examples/embed_threads.py`. Asserted by tests/integration/test_examples.py. Relies on the package alone.
"""

from __future__ import annotations

import threading
from collections import Counter

import rulebus


def main() -> dict[str, int]:
    """Takes orders from four threads and gives what came of them."""
    done: Counter[str] = Counter()
    lock = threading.Lock()

    with rulebus.EventBus("orders", put_timeout_s=5.0) as bus:

        @bus.on({"detail-type": ["OrderPlaced"]}, concurrency=4, retry=rulebus.RetryPolicy(base_s=0.01))
        def bill(event: rulebus.Event) -> None:
            # The first try of each tenth order fails, as networks do.
            with lock:
                first = done[f"tried {event.id}"] == 0
                done[f"tried {event.id}"] += 1
            if first and event.detail["order"] % 10 == 0:
                raise ConnectionError("the bank did not answer")
            with lock:
                done["billed"] += 1
            bus.publish(source="shop.billing", detail_type="OrderPaid", detail=event.detail)

        # In order for each customer; one after another customer in parallel.
        @bus.on({"detail-type": ["OrderPaid"]}, order_by="$.detail.customer", concurrency=4)
        def ship(event: rulebus.Event) -> None:
            with lock:
                done["shipped"] += 1

        # A hundred at a time, for whom single events are too small.
        @bus.on({"source": [{"prefix": "shop."}]}, batch=True, batch_size=100, batch_window_s=0.05)
        def count(events: list[rulebus.Event]) -> None:
            with lock:
                done["counted"] += len(events)

        def cart(customer: int) -> None:
            for order in range(50):
                result = bus.put_events(
                    [
                        {
                            "Source": "shop.cart",
                            "DetailType": "OrderPlaced",
                            "Detail": {"customer": customer, "order": order},
                        }
                    ]
                )
                assert result.failed_entry_count == 0, result[0].error_message

        carts = [threading.Thread(target=cart, args=(customer,)) for customer in range(4)]
        for one in carts:
            one.start()
        for one in carts:
            one.join()
        # Retries lie in the future, and `close` does not wait for those.
        assert bus.wait_idle(timeout_s=30)
        total = bus.statistics().total

    return {
        "billed": done["billed"],
        "shipped": done["shipped"],
        "counted": done["counted"],
        "retries": total.retries,
        "dead letters": total.dead_letters,
    }


if __name__ == "__main__":
    for what, number in main().items():
        print(f"{what:12} {number}")
