"""The driver for event loops: offers from any thread, cancelled tries, broken coroutines, the end. Relies on
`delivery_kit`. Nothing sleeps; tests wait for what they expect."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest

from delivery_kit import NEVER, Kit, wait_until
from durable_fake import Disk, DurableFake
from rulebus.clock import SystemClock
from rulebus.delivery import LoopDriver, ThreadDriver
from rulebus.errors import PermanentError
from rulebus.retry import RetryPolicy
from rulebus.targets.protocol import Delivery, Outcomes
from rulebus.testing import AsyncRecordingTarget, RecordingTarget

QUICKLY = RetryPolicy(waits_s=(0.0,) * 20)


class Scripted(AsyncRecordingTarget):
    """Each call awaits the next of these; then all are taken."""

    def __init__(self, *script: Callable[[], Awaitable[object]]) -> None:
        super().__init__()
        self.script = list(script)

    async def deliver(self, deliveries: Sequence[Delivery], /) -> Outcomes:  # type: ignore[override]
        if self.script:
            return await self.script.pop(0)()  # type: ignore[return-value]
        return RecordingTarget.deliver(self, deliveries)


async def idle(kit: Kit, timeout_s: float = 10.0, retries: bool = True) -> bool:
    loop = asyncio.get_running_loop()
    done = loop.create_future()
    kit.dispatcher.when_idle(
        lambda: loop.call_soon_threadsafe(lambda: done.done() or done.set_result(None)), retries
    )
    async with asyncio.timeout(timeout_s):
        await done
    return True


def on_loop(test: Callable[[Kit, LoopDriver], Awaitable[None]], **options: Any) -> None:
    async def main() -> None:
        kit = Kit(**options)
        driver = LoopDriver(kit.dispatcher, kit.clock, asyncio.get_running_loop())
        try:
            await test(kit, driver)
        finally:
            await driver.stop_async(5.0)

    asyncio.run(main())


def test_deliveries_are_awaited_on_the_callers_loop() -> None:
    async def test(kit: Kit, driver: LoopDriver) -> None:
        target = AsyncRecordingTarget()
        kit.put_many(kit.subscribe(target, batch_size=3), 10)
        assert await idle(kit)
        assert len(target.deliveries) == 10
        assert target.calls == 4
        assert driver.running == 0

    on_loop(test)


def test_events_are_accepted_from_other_threads() -> None:
    async def test(kit: Kit, driver: LoopDriver) -> None:
        target = AsyncRecordingTarget()
        state = kit.subscribe(target)
        threads = [threading.Thread(target=kit.put_many, args=(state, 50)) for _ in range(4)]
        for thread in threads:
            thread.start()
        assert await asyncio.to_thread(target.wait_for, 200)
        assert await idle(kit)

    on_loop(test)


def test_a_call_that_waits_delays_nobody_and_concurrency_bounds_it() -> None:
    async def test(kit: Kit, driver: LoopDriver) -> None:
        gate = asyncio.Event()
        slow = Scripted(*[gate.wait] * 6)
        fast = AsyncRecordingTarget()
        kit.put_many([kit.subscribe(slow, "slow", concurrency=2), kit.subscribe(fast, "fast")], 6)
        assert await asyncio.to_thread(fast.wait_for, 6)
        assert len(slow.script) == 4
        gate.set()

        assert await idle(kit, retries=False)

    on_loop(test)


@pytest.mark.parametrize(
    "error",
    [ValueError("no"), asyncio.CancelledError(), SystemExit(2), KeyboardInterrupt(), TimeoutError()],
    ids=repr,
)
def test_whatever_a_coroutine_raises_is_a_failed_try(error: BaseException) -> None:
    async def test(kit: Kit, driver: LoopDriver) -> None:
        async def raising() -> object:
            raise error

        target = Scripted(raising)
        state = kit.subscribe(target, retry=QUICKLY)
        kit.put_many(state, 2)
        assert await idle(kit)
        counted = kit.stats(state)
        assert (counted.successes, counted.failures) == (2, 1)

    on_loop(test)


def test_a_coroutine_that_cancels_its_own_task_is_a_failed_try() -> None:
    async def test(kit: Kit, driver: LoopDriver) -> None:
        async def giving_up() -> object:
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
            return await asyncio.sleep(3600)

        state = kit.subscribe(Scripted(giving_up), retry=QUICKLY)
        kit.put_many(state, 2)
        assert await idle(kit)
        assert kit.stats(state).failures == 1
        assert kit.stats(state).successes == 2

    on_loop(test)


def test_a_try_is_cancelled_when_its_time_is_up() -> None:
    async def test(kit: Kit, driver: LoopDriver) -> None:
        cancelled: list[bool] = []
        waiting = asyncio.Event()

        async def forever() -> object:
            waiting.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cancelled.append(True)
                raise
            return None

        state = kit.subscribe(Scripted(forever), timeout_s=5.0, retry=QUICKLY)
        kit.put_many(state, 2)
        await waiting.wait()
        kit.clock.advance(5.0)
        assert await idle(kit)
        counted = kit.stats(state)
        assert cancelled == [True]
        assert (counted.timeouts, counted.successes, counted.abandoned) == (1, 2, 0)

    on_loop(test)


def test_a_coroutine_that_will_not_be_cancelled_blocks_neither_others_nor_the_end() -> None:
    async def test(kit: Kit, driver: LoopDriver) -> None:
        waiting, released = asyncio.Event(), asyncio.Event()

        async def stubborn() -> object:
            while not released.is_set():
                waiting.set()
                try:
                    await released.wait()
                except asyncio.CancelledError:
                    continue
            return None

        state = kit.subscribe(Scripted(stubborn), timeout_s=5.0, retry=NEVER)
        kit.put_many(state, 2)
        await waiting.wait()
        kit.clock.advance(5.0)
        assert await idle(kit)
        counted = kit.stats(state)
        assert (counted.timeouts, counted.successes, counted.dead_letters, counted.abandoned) == (1, 1, 1, 1)
        await driver.stop_async(0.01)
        released.set()

    on_loop(test)


def test_timeouts_and_retries_in_real_time() -> None:
    async def test(kit: Kit, driver: LoopDriver) -> None:
        async def forever() -> object:
            return await asyncio.Event().wait()

        state = kit.subscribe(
            Scripted(forever, forever), timeout_s=0.02, retry=RetryPolicy(waits_s=(0.01, 0.0))
        )
        kit.put_many(state, 1)
        assert await idle(kit)
        assert kit.stats(state).timeouts == 2
        assert kit.stats(state).successes == 1

    on_loop(test, clock=SystemClock())


def test_stopping_cancels_what_does_not_end_and_leaves_it_pending() -> None:
    async def test(kit: Kit, driver: LoopDriver) -> None:
        waiting = asyncio.Event()

        async def forever() -> object:
            waiting.set()
            return await asyncio.Event().wait()

        state = kit.subscribe(Scripted(forever))
        kit.put_many(state, 2)
        await waiting.wait()
        assert await driver.stop_async(0.01) == 1
        counted = kit.stats(state)
        assert (counted.pending, counted.in_flight, counted.attempts) == (2, 0, 0)
        assert counted.abandoned == 0  # It came back when it was cancelled.
        assert driver.running == 0

    on_loop(test)


def test_a_loop_of_its_own_starts_when_needed_and_ends() -> None:
    kit = Kit()
    driver = LoopDriver(kit.dispatcher, kit.clock)
    assert not [t for t in threading.enumerate() if t.name == "rulebus-loop"]
    target = AsyncRecordingTarget()
    kit.put_many(kit.subscribe(target, batch_size=10), 100)
    assert kit.dispatcher.wait_idle(10)
    assert len(target.deliveries) == 100
    assert driver.stop(5.0) == 0
    assert not [t for t in threading.enumerate() if t.name == "rulebus-loop"]


def test_both_drivers_share_a_dispatcher_and_a_target_may_change_its_kind() -> None:
    kit = Kit()
    threads = ThreadDriver(kit.dispatcher, kit.clock)
    loop = LoopDriver(kit.dispatcher, kit.clock)
    calm, quick = RecordingTarget(), AsyncRecordingTarget()
    state = kit.subscribe(calm, "a")
    other = kit.subscribe(quick, "b")
    kit.put_many([state, other], 20)
    assert kit.dispatcher.wait_idle(10)
    kit.subscribe(AsyncRecordingTarget(), "a")
    kit.subscribe(RecordingTarget(), "b")
    kit.put_many([state, other], 20)
    assert kit.dispatcher.wait_idle(10)
    assert (kit.stats(state).successes, kit.stats(other).successes) == (40, 40)
    assert (len(calm.deliveries), len(quick.deliveries)) == (20, 20)
    assert threads.stop(5.0) == loop.stop(5.0) == 0


def test_the_store_is_read_in_a_thread_of_its_own() -> None:
    readers: set[str] = set()

    class Watched(DurableFake):
        def fetch(self, places: Sequence[int]) -> Any:
            readers.add(threading.current_thread().name)
            return super().fetch(places)

    disk = Disk()
    first = Kit(store=Watched(disk, prompt=True))
    first.put_many(first.subscribe(AsyncRecordingTarget()), 50)

    async def test(kit: Kit, driver: LoopDriver) -> None:
        kit.dispatcher.recover(kit.store.recover())
        target = AsyncRecordingTarget()
        kit.subscribe(target, batch_size=7)
        assert await idle(kit)
        assert len(target.deliveries) == 50
        assert not disk.pending

    on_loop(test, store=Watched(disk, prompt=True))
    assert readers
    assert threading.current_thread().name not in readers


def test_permanent_errors_of_coroutines() -> None:
    async def test(kit: Kit, driver: LoopDriver) -> None:
        async def never() -> object:
            raise PermanentError("never")

        state = kit.subscribe(Scripted(never))
        kit.put_many(state, 1)
        assert await idle(kit)
        assert kit.stats(state).dead_letters == 1

    on_loop(test)
    assert wait_until(lambda: True)
