"""A bus in a FastAPI service: requests publish and answer at once, targets work behind them, a route shows the numbers.

Run it: `uvicorn --app-dir examples fastapi_app:app` (needs fastapi and uvicorn). Asserted by
tests/integration/test_examples.py. Relies on the package alone besides.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, HTTPException, Request

import rulebus


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """The bus lives as long as the service; leaving the block delivers what can be delivered now."""
    async with rulebus.AsyncEventBus(
        "orders", store=rulebus.SqliteStore(os.environ.get("ORDERS_DB", "orders.db"))
    ) as bus:
        app.state.bus, app.state.billed = bus, []

        @bus.on(
            {"detail-type": ["OrderPlaced"], "detail": {"total": [{"numeric": [">", 0]}]}}, name="billing"
        )
        async def bill(event: rulebus.Event) -> None:
            app.state.billed.append(event.detail["order"])

        yield


app = FastAPI(lifespan=lifespan)


@app.post("/orders", status_code=202)
async def place(order: dict[str, Any], request: Request) -> dict[str, str]:
    """Accepts an order: when this answers, the event is on the disk, and billing will get it whatever happens."""
    try:
        id = await request.app.state.bus.publish(source="shop.cart", detail_type="OrderPlaced", detail=order)
    except rulebus.BusError as error:
        raise HTTPException(503, error.message) from error
    return {"event": id}


@app.get("/statistics")
async def statistics(request: Request) -> dict[str, int]:
    """What happened so far."""
    total = request.app.state.bus.statistics().total
    return {"delivered": total.successes, "pending": total.pending, "given up": total.dead_letters}
