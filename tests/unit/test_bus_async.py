"""The asynchronous bus: the same rules and results, awaited. Relies on the installed package."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from contextvars import ContextVar
from pathlib import Path
from typing import Any, ClassVar

import pytest

import rulebus
from rulebus.rule import Subscription
from rulebus.targets.function import FunctionTarget
from rulebus.testing.clock import FakeClock

SHOP = {"source": ["shop"]}
ENTRY = {"Source": "shop", "DetailType": "Order", "Detail": '{"n":1}'}


def on_a_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Runs a coroutine as a test, for at most a minute."""

    def run(**fixtures: Any) -> None:
        asyncio.run(asyncio.wait_for(test(**fixtures), 60))

    run.__name__, run.__doc__ = test.__name__, test.__doc__
    run.__signature__ = __import__("inspect").signature(test)  # type: ignore[attr-defined]
    return run


@on_a_loop
async def test_handlers_of_both_kinds() -> None:
    got: list[tuple[str, bool]] = []
    here = threading.current_thread()
    async with rulebus.AsyncEventBus("orders") as bus:

        @bus.on(SHOP)
        async def asynchronous(event: rulebus.Event) -> None:
            got.append(("async", threading.current_thread() is here))

        @bus.on(SHOP)
        def ordinary(event: rulebus.Event) -> None:
            got.append(("sync", threading.current_thread() is here))

        result = await bus.put_events([ENTRY, {}])
        assert await bus.wait_idle(10)
        assert await bus.publish(source="shop", detail_type="t", detail={})
    assert sorted(got) == [("async", True)] * 2 + [("sync", False)] * 2
    assert (result[0].error_code, result[1].error_code) == (None, "InvalidArgument")
    assert bus.is_closed


@on_a_loop
async def test_rules_may_be_put_before_there_is_a_loop() -> None:
    got: list[str] = []

    def prepared() -> rulebus.AsyncEventBus:
        bus = rulebus.AsyncEventBus()

        @bus.on(SHOP)
        async def handler(event: rulebus.Event) -> None:
            got.append(event.id)

        return bus

    bus = await asyncio.to_thread(prepared)
    async with bus:
        id = await bus.publish(source="shop", detail_type="t", detail={})
    assert got == [id]


@on_a_loop
async def test_it_waits_for_room_without_holding_the_loop() -> None:
    gate = asyncio.Event()
    got: list[str] = []

    async def slow(event: rulebus.Event) -> None:
        await gate.wait()
        got.append(event.id)

    async with rulebus.AsyncEventBus() as bus:
        bus.put_rule("slow", SHOP, Subscription(target=FunctionTarget(slow), id="t", max_pending=2))
        putting = asyncio.create_task(bus.put_events([ENTRY] * 5))
        await asyncio.sleep(0.01)
        assert not putting.done()
        gate.set()
        result = await putting
        assert await bus.wait_idle(10)
    assert got == result.event_ids


@on_a_loop
async def test_it_waits_no_longer_than_asked() -> None:
    gate = asyncio.Event()

    async def slow(event: rulebus.Event) -> None:
        await gate.wait()

    async with rulebus.AsyncEventBus(put_timeout_s=0.01) as bus:
        bus.put_rule("slow", SHOP, Subscription(target=FunctionTarget(slow), id="t", max_pending=1))
        result = await bus.put_events([ENTRY] * 2)
        assert [e.error_code for e in result] == [None, "QueueFull"]
        gate.set()


@on_a_loop
async def test_an_asynchronous_handler_never_waits_for_itself() -> None:
    answers: list[str | None] = []
    async with rulebus.AsyncEventBus() as bus:

        @bus.on(SHOP, max_pending=1)
        async def chain(event: rulebus.Event) -> None:
            answers.extend(e.error_code for e in await bus.put_events([ENTRY]))
            answers.extend(e.error_code for e in await asyncio.create_task(bus.put_events([ENTRY])))

        await bus.put_events([ENTRY])
        assert await bus.wait_idle(10)
    assert answers == ["QueueFull", "QueueFull"]


@on_a_loop
async def test_a_publisher_that_never_waits_leaves_room_for_others() -> None:
    seen = 0

    async def handler(event: rulebus.Event) -> None:
        nonlocal seen
        seen += 1

    async with rulebus.AsyncEventBus() as bus:
        bus.put_rule("r", SHOP, handler)
        half = 0
        for number in range(3000):
            await bus.put_events([ENTRY])
            if number == 2999:
                half = seen
        assert half > 0, "handlers had their turn while puts went on"
        assert await bus.wait_idle(10)
    assert seen == 3000


@on_a_loop
async def test_a_durable_store(tmp_path: Path) -> None:
    got: list[str] = []
    async with rulebus.AsyncEventBus(store=rulebus.SqliteStore(tmp_path / "bus.db")) as bus:

        @bus.on(SHOP, batch=True)
        async def handler(events: list[rulebus.Event]) -> None:
            got.extend(event.id for event in events)

        results = await asyncio.gather(*[bus.put_events([ENTRY]) for _ in range(50)])
        assert await bus.wait_idle(10)
    assert sorted(got) == sorted(str(result[0].event_id) for result in results)


@on_a_loop
async def test_a_cancelled_put_is_delivered_all_the_same(tmp_path: Path) -> None:
    got: list[str] = []
    async with rulebus.AsyncEventBus(store=rulebus.SqliteStore(tmp_path / "bus.db")) as bus:
        bus.put_rule("r", SHOP, lambda event: got.append(event.id))
        putting = asyncio.create_task(bus.put_events([ENTRY]))
        await asyncio.sleep(0)
        putting.cancel()
        await asyncio.gather(putting, return_exceptions=True)
        assert await bus.wait_idle(10)
        assert bus.statistics().events == len(got) == 1
        assert bus.statistics().total.balanced


@on_a_loop
async def test_dead_letters_redrive_and_archives() -> None:
    up = False
    got: list[str] = []

    async def handler(event: rulebus.Event) -> None:
        if not up:
            raise rulebus.PermanentError("down")
        got.append(event.get("replay-name", "first"))

    async with rulebus.AsyncEventBus(clock=FakeClock()) as bus:
        bus.put_rule("r", SHOP, handler)
        await bus.create_archive("all")
        id = await bus.publish(source="shop", detail_type="t", detail={})
        assert await bus.wait_idle(10)
        (letter,) = await bus.dead_letters()
        assert letter.event.id == id
        up = True
        assert (await bus.redrive(dry_run=True)).sent == 1
        assert (await bus.redrive()).sent == 1
        assert await bus.wait_idle(10)
        assert (await bus.preview_replay("all", 0, 1e12)).deliveries == 1
        replay = await bus.replay("all", 0, 1e12, name="again")
        assert (await bus.wait_replay(replay.name, 10)).state == "COMPLETED"
        assert await bus.wait_idle(10)
        assert [status.name for status in bus.replays()] == ["again"]
        await bus.forget_replay("again")
        assert (await bus.resume_replays(), bus.replays()) == ((), ())
        await bus.update_archive("all", SHOP, retention_days=3)
        assert bus.archives()[0].retention_days == 3
        assert await bus.delete_archive("all") == 1
    assert got == ["first", "again"]


@on_a_loop
async def test_asynchronous_targets_are_closed_on_the_loop() -> None:
    class Closing:
        closed: ClassVar[list[threading.Thread]] = []

        async def deliver(self, deliveries: Any) -> None: ...

        def describe(self) -> str:
            return "closing"

        async def close(self) -> None:
            self.closed.append(threading.current_thread())

    async with rulebus.AsyncEventBus() as bus:
        bus.put_rule("a", SHOP, Closing())
        await bus.put_events([ENTRY])
        assert await bus.wait_idle(10)
        bus.delete_rule("a", with_targets=True)
        for _ in range(10_000):
            if Closing.closed:
                break
            await asyncio.sleep(0.001)
        assert len(Closing.closed) == 1
        bus.put_rule("b", SHOP, Closing())
    assert Closing.closed == [threading.current_thread()] * 2


@on_a_loop
async def test_close_in_time() -> None:
    async def hangs(event: rulebus.Event) -> None:
        await asyncio.Event().wait()

    bus = rulebus.AsyncEventBus()
    bus.put_rule("a", SHOP, hangs)
    await bus.put_events([ENTRY])
    await asyncio.sleep(0.01)
    with pytest.warns(rulebus.RulebusWarning, match="1 delivery that had not ended"):
        report = await bus.close(timeout_s=0.05)
    assert (report.pending, report.running) == (1, 1)
    assert await bus.close() is report


@on_a_loop
async def test_other_buses_share_the_hub() -> None:
    got: list[str] = []
    async with rulebus.AsyncEventBus() as bus:
        other = bus.create_bus("other")
        assert isinstance(other, rulebus.AsyncEventBus)
        other.put_rule("r", SHOP, lambda event: got.append("other"))
        bus.put_rule("r", SHOP, [other, lambda event: got.append("default")])
        await bus.put_events([ENTRY])
        assert await bus.wait_idle(10)
    assert sorted(got) == ["default", "other"]
    with pytest.raises(rulebus.BusError, match="bus-closed"):
        await other.put_events([ENTRY])


@on_a_loop
async def test_each_call_of_a_handler_has_a_context_of_its_own() -> None:
    """Also where one task makes the calls of many, and where a call waits."""
    of_bus: ContextVar[str] = ContextVar("of_bus", default="unset")
    of_call: ContextVar[int] = ContextVar("of_call", default=-1)
    seen: list[tuple[str, int, int, int]] = []
    of_bus.set("begun")
    async with rulebus.AsyncEventBus() as bus:
        of_bus.set("later")

        @bus.on(SHOP, concurrency=3)
        async def handle(event: rulebus.Event) -> None:
            before = of_call.get()
            number = event.detail["n"]
            of_call.set(number)
            if number % 2:
                await asyncio.sleep(0)
                await asyncio.create_task(asyncio.sleep(0))
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0):
                        await asyncio.sleep(60)
            seen.append((of_bus.get(), before, number, of_call.get()))

        of_call.set(99)  # The publisher's own.
        await bus.put_events([{**ENTRY, "Detail": f'{{"n":{n}}}'} for n in range(40)])
        assert await bus.wait_idle(30)
    assert sorted(seen) == [("begun", -1, n, n) for n in range(40)]
    assert of_call.get() == 99


@on_a_loop
async def test_a_handler_that_hangs_keeps_nothing_that_was_taken_with_it() -> None:
    """Calls of several targets are taken at once, and what ended before it counts."""
    gate = asyncio.Event()
    got: list[int] = []
    async with rulebus.AsyncEventBus() as bus:

        async def hang(event: rulebus.Event) -> None:
            await gate.wait()

        def count(number: int) -> Callable[[rulebus.Event], Coroutine[Any, Any, None]]:
            async def handle(event: rulebus.Event) -> None:
                got.append(number)

            return handle

        for number in range(6):
            bus.put_rule(f"r{number}", SHOP, targets=[hang if number == 3 else count(number)])
        await bus.put_events([ENTRY])
        while (statistics := bus.statistics()).total.successes < 5:
            await asyncio.sleep(0)
        assert sorted(got) == [0, 1, 2, 4, 5]
        assert (statistics.total.in_flight, statistics.total.pending) == (1, 0)
        gate.set()
        assert await bus.wait_idle(10)
