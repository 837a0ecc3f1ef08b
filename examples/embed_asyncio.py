"""A bus in an asyncio program: a service that takes orders and answers while others still work on them.

Run it: `python examples/embed_asyncio.py`. Asserted by tests/integration/test_examples.py. Relies on the package alone.
"""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

import rulebus


async def main(folder: Path) -> dict[str, int]:
    """Takes a hundred orders at once and gives what came of them."""
    billed: list[int] = []
    written: list[str] = []

    # Orders outlive the process: `put_events` returns when they are on the disk.
    async with rulebus.AsyncEventBus("orders", store=rulebus.SqliteStore(folder / "orders.db")) as bus:

        @bus.on({"detail-type": ["OrderPlaced"]}, name="billing", concurrency=20, timeout_s=5.0)
        async def bill(event: rulebus.Event) -> None:
            await asyncio.sleep(0.001)  # A call of the bank.
            if event.detail["order"] == 13:
                raise rulebus.PermanentError("nobody bills order 13")
            billed.append(event.detail["order"])

        # An ordinary function runs in a thread, so it may block.
        @bus.on({"detail": {"total": [{"numeric": [">=", 90]}]}}, name="letters", input_path="$.detail.order")
        def write(order: int) -> None:
            written.append(f"Thank you for order {order}")

        async def order(number: int) -> str:
            # What a web handler would do.
            return await bus.publish(
                source="shop.cart", detail_type="OrderPlaced", detail={"order": number, "total": number}
            )

        ids = await asyncio.gather(*(order(number) for number in range(100)))
        assert len(set(ids)) == 100
        assert await bus.wait_idle(timeout_s=30)
        given_up = await bus.dead_letters(rule="billing")

    return {"billed": len(billed), "letters": len(written), "dead letters": len(given_up)}


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        for what, number in asyncio.run(main(Path(folder))).items():
            print(f"{what:12} {number}")
