"""A whole bus with targets that leave the process: a file, a command, an HTTP server that fails first.

Relies on a server on 127.0.0.1 in a thread of its own; waits for the bus, never for time.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiohttp import web

from rulebus.bus.event_bus import EventBus
from rulebus.retry import RetryPolicy
from rulebus.rule import Subscription
from rulebus.targets import BasicConnection, CommandTarget, FileTarget, HttpTarget
from unit.targets.http_server import Server


class Elsewhere:
    """A server on a loop in another thread: every order's first try fails, that of order 3 for good."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.tries: dict[str, int] = {}
        self.server = Server(self.answer)

    def answer(self, request: web.Request, body: bytes) -> web.Response:
        order = str(json.loads(body)["detail"]["order"])
        self.tries[order] = self.tries.get(order, 0) + 1
        if order == "3":
            return web.Response(status=410, text=f"no more orders, {request.headers['Authorization']}")
        return web.Response(status=503 if self.tries[order] == 1 else 204)

    def __enter__(self) -> Elsewhere:
        self.thread.start()
        asyncio.run_coroutine_threadsafe(self.server.start(), self.loop).result()
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self.server.stop(), self.loop).result()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()


@pytest.fixture
def elsewhere() -> Iterator[Elsewhere]:
    with Elsewhere() as server:
        yield server


def test_one_event_reaches_all_of_them_and_failures_stay_where_they_belong(
    elsewhere: Elsewhere, tmp_path: Path
) -> None:
    log, spool, dead = tmp_path / "log.jsonl", tmp_path / "spool.jsonl", tmp_path / "dead.jsonl"
    billing = HttpTarget(
        f"{elsewhere.server.url}/orders/*",
        path_parameters=["$.detail.order"],
        connection=BasicConnection("shop", "hunter2"),
        allow=["127.0.0.1"],
    )
    with EventBus("orders") as bus:
        bus.put_rule(
            "all",
            {"source": ["shop"]},
            targets=[
                str(log),
                Subscription(target=CommandTarget(f"cat >> {spool}", shell=True), id="spool", batch_size=10),
                Subscription(
                    target=billing,
                    id="billing",
                    retry=RetryPolicy(waits_s=(0.0, 0.0)),
                    dead_letter=FileTarget(dead),
                    **HttpTarget.defaults,
                ),
            ],
        )
        for order in range(5):
            bus.publish(source="shop", detail_type="OrderPlaced", detail={"order": order})
        assert bus.wait_idle(30)
    for path in (log, spool):
        assert sorted(json.loads(line)["detail"]["order"] for line in path.read_text().splitlines()) == list(
            range(5)
        )
    assert elsewhere.tries == {"0": 2, "1": 2, "2": 2, "3": 1, "4": 2}
    assert {path for _, path, *_ in elsewhere.server.requests} == {f"/orders/{n}" for n in range(5)}
    (letter,) = (json.loads(line) for line in dead.read_text().splitlines())
    assert (letter["target"], letter["reason"]) == ("billing", "HTTP_410")
    assert letter["attempts"][0]["answer"] == "no more orders, Basic ***"
    assert "hunter2" not in dead.read_text()
