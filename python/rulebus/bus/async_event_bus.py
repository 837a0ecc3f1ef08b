"""The bus for asyncio programs. What it adds to `BusHandle` may wait, and then awaits.

Relies on the hub, which does the work; here is only how a coroutine waits. Asynchronous targets are called on the
loop that the bus was entered on, ordinary ones in a pool of threads.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar

from rulebus.bus.closing import CloseReport
from rulebus.bus.event_bus import as_entry, the_entries, the_id
from rulebus.bus.handle import BusHandle
from rulebus.bus.hub import Hub, letter_filter
from rulebus.bus.ids import Ids
from rulebus.bus.limits import BusLimits
from rulebus.bus.names import DEFAULT
from rulebus.bus.refusals import refusal
from rulebus.bus.result import PutResult
from rulebus.bus.waits import Blocking, Durable, Until, Work
from rulebus.delivery.loop import LoopDriver

if TYPE_CHECKING:
    from datetime import datetime

    from rulebus.archive import Archive, Moment, Replay, ReplayPreview, ReplayStatus
    from rulebus.clock import Clock
    from rulebus.dead_letter import DeadLetter
    from rulebus.delivery.redrive import RedriveResult
    from rulebus.pattern import PatternLike
    from rulebus.stores.protocol import Store
    from rulebus.targets.registry import TargetRegistry

__all__ = ["AsyncEventBus"]

R = TypeVar("R")
_TURN_S = 0.001
"""How long puts that need not wait keep the loop, before others on it have their turn."""


class AsyncEventBus(BusHandle):
    """An event bus for asyncio: `EventBus` with coroutines where something may wait.

    >>> import asyncio, rulebus
    >>> async def main():
    ...     async with rulebus.AsyncEventBus("orders") as bus:
    ...         @bus.on({"source": ["shop"]})
    ...         async def bill(event):
    ...             print(event.detail)
    ...         await bus.publish(source="shop", detail_type="OrderPlaced", detail={"total": 120})
    >>> asyncio.run(main())
    {'total': 120}

    The arguments are those of `EventBus`. It belongs to the loop on which it is entered (or first awaited); rules may be
    put before. ``async def`` targets run on that loop, others in threads. A cancelled `put_events` may have put its
    events: what the store has taken is delivered.
    """

    def __init__(
        self,
        name: str = DEFAULT,
        *,
        store: Store | None = None,
        clock: Clock | None = None,
        ids: Ids | None = None,
        limits: BusLimits | None = None,
        account: str = "000000000000",
        region: str = "local",
        max_pending: int | None = None,
        when_full: Literal["wait", "refuse"] = "wait",
        put_timeout_s: float | None = None,
        max_workers: int = 64,
        registry: TargetRegistry | None = None,
    ) -> None:
        hub = Hub(
            name,
            store=store,
            clock=clock,
            ids=ids,
            limits=limits,
            account=account,
            region=region,
            max_pending=max_pending,
            when_full=when_full,
            put_timeout_s=put_timeout_s,
            max_workers=max_workers,
            registry=registry,
        )
        super().__init__(hub, name)

    # Events.

    async def put_events(
        self,
        entries: Iterable[Mapping[str, Any]] | None = None,
        *,
        Entries: Iterable[Mapping[str, Any]] | None = None,
    ) -> PutResult:
        """`EventBus.put_events`."""
        loop = self._bind()
        result = self._hub.put(entries if Entries is None else the_entries(entries, Entries), self._name)
        if not isinstance(result, PutResult):
            return await self._run(result)
        if loop.time() >= self._hub.turn_ends:
            # Lets others on the loop work: puts that need not wait would keep it for themselves.
            await asyncio.sleep(0)
            self._hub.turn_ends = loop.time() + _TURN_S
        return result

    async def publish(
        self,
        *,
        source: str,
        detail_type: str,
        detail: Any,
        time: datetime | float | str | None = None,
        resources: Sequence[str] = (),
    ) -> str:
        """`EventBus.publish`."""
        entry = as_entry(source, detail_type, detail, time, resources)
        return the_id(await self.put_events([entry]))

    # Dead letters.

    async def dead_letters(
        self,
        *,
        rule: str | None = None,
        target: str | None = None,
        reason: str | None = None,
        after: int = 0,
        limit: int = 1000,
    ) -> list[DeadLetter]:
        """`EventBus.dead_letters`."""
        return await asyncio.to_thread(self._hub.dead_letters, self._name, rule, target, reason, after, limit)

    async def redrive(
        self,
        *,
        rule: str | None = None,
        target: str | None = None,
        reason: str | None = None,
        where: Callable[[DeadLetter], bool] | None = None,
        rate_per_s: float | None = None,
        dry_run: bool = False,
    ) -> RedriveResult:
        """`EventBus.redrive`; `where` is called in a thread."""
        self._hub.check_open()
        self._bind()
        chosen = letter_filter(self._name, rule, target, reason, where)
        return await asyncio.to_thread(
            self._hub.dispatcher.redrive, chosen, rate_per_s=rate_per_s, dry_run=dry_run
        )

    # Archives and replays.

    async def create_archive(
        self,
        name: str,
        pattern: PatternLike | None = None,
        *,
        retention_days: int = 0,
        description: str = "",
    ) -> Archive:
        """`EventBus.create_archive`."""
        self._hub.check_open()
        archives = self._hub.keeping.archives
        archive = await asyncio.to_thread(
            archives.create,
            name,
            self._name,
            pattern,
            retention_days=retention_days,
            description=description,
        )
        self._hub.watch_retention()
        return archive

    async def update_archive(
        self,
        name: str,
        pattern: PatternLike | None = None,
        *,
        retention_days: int = 0,
        description: str = "",
    ) -> Archive:
        """`EventBus.update_archive`."""
        archives = self._hub.keeping.archives
        archive = await asyncio.to_thread(
            archives.update, name, pattern=pattern, retention_days=retention_days, description=description
        )
        self._hub.watch_retention()
        return archive

    async def delete_archive(self, name: str) -> int:
        """`EventBus.delete_archive`."""
        return await asyncio.to_thread(self._hub.keeping.archives.delete, name)

    def archives(self) -> tuple[Archive, ...]:
        """The archives of this bus, by name."""
        return self._hub.keeping.archives.archives(self._name)

    async def replay(
        self,
        archive: str,
        start: Moment,
        end: Moment,
        *,
        to: str | None = None,
        name: str | None = None,
        rules: Iterable[str] | None = None,
        speed: float | None = None,
        rate_per_s: float | None = None,
        description: str = "",
    ) -> Replay:
        """`EventBus.replay`. It runs in a thread; `wait_replay` waits for its end."""
        self._hub.check_open()
        self._bind()
        return await asyncio.to_thread(
            self._hub.keeping.replays.start,
            archive,
            start,
            end,
            to=to,
            name=name,
            rules=rules,
            speed=speed,
            rate_per_s=rate_per_s,
            description=description,
        )

    async def wait_replay(self, name: str, timeout_s: float | None = None) -> ReplayStatus:
        """Waits until a replay has ended, or so many seconds; how it stands then."""
        return await asyncio.to_thread(self.find_replay(name).wait, timeout_s)

    async def preview_replay(
        self,
        archive: str,
        start: Moment,
        end: Moment,
        *,
        to: str | None = None,
        name: str | None = None,
        rules: Iterable[str] | None = None,
    ) -> ReplayPreview:
        """`EventBus.preview_replay`."""
        dry_run = self._hub.keeping.replays.dry_run
        return await asyncio.to_thread(dry_run, archive, start, end, to=to, name=name, rules=rules)

    def replays(self) -> tuple[ReplayStatus, ...]:
        """How all replays of the hub stand, ended ones too, in the order begun."""
        return self._hub.keeping.replays.replays()

    def find_replay(self, name: str) -> Replay:
        """A replay by its name; `BusError` if there is none. Its `wait` blocks: see `wait_replay`."""
        return self._hub.keeping.replays.replay(name)

    async def resume_replays(self) -> tuple[Replay, ...]:
        """`EventBus.resume_replays`."""
        self._hub.check_open()
        self._bind()
        return await asyncio.to_thread(self._hub.keeping.replays.resume)

    async def forget_replay(self, name: str) -> None:
        """`EventBus.forget_replay`."""
        await asyncio.to_thread(self._hub.keeping.replays.forget, name)

    # The end.

    async def wait_idle(self, timeout_s: float | None = None) -> bool:
        """`EventBus.wait_idle`."""
        self._hub.check_process()
        self._bind()
        return await self._until(Until(self._hub.dispatcher.when_idle, timeout_s))

    async def close(self, timeout_s: float | None = None) -> CloseReport:
        """`EventBus.close`."""
        return await self._run(self._hub.closing.close(timeout_s))

    async def __aenter__(self) -> Self:
        self._bind()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    # How a coroutine waits.

    def _bind(self) -> asyncio.AbstractEventLoop:
        """The running loop, which is the bus's from the first time on."""
        hub = self._hub
        running = asyncio.get_running_loop()
        if hub.loop is None:
            hub.loop = LoopDriver(hub.dispatcher, hub.clock, running)
        elif hub.loop.loop is not running:
            raise refusal("wrong-loop", "this bus belongs to another event loop")
        return running

    async def _run(self, work: Work[R]) -> R:
        """Does the work of the hub, awaiting where it must."""
        self._bind()
        try:
            wait = next(work)
            while True:
                try:
                    answer: Any = None
                    if isinstance(wait, Durable):
                        await self._durable(wait.future)
                    elif isinstance(wait, Until):
                        answer = await self._until(wait)
                    elif isinstance(wait, Blocking):
                        answer = await asyncio.to_thread(wait.call)
                    else:
                        answer = await wait.make()
                except BaseException as error:
                    wait = work.throw(error)
                else:
                    wait = work.send(answer)
        except StopIteration as end:
            result: R = end.value
            return result

    async def _until(self, wait: Until) -> bool:
        loop = asyncio.get_running_loop()
        came: asyncio.Future[bool] = loop.create_future()
        end = wait.begin(lambda: _tell(loop, came))
        try:
            async with asyncio.timeout(wait.timeout_s):
                return await came
        except TimeoutError:
            return False
        finally:
            end()

    async def _durable(self, future: Future[None]) -> None:
        if not future.done():
            loop = asyncio.get_running_loop()
            came: asyncio.Future[bool] = loop.create_future()
            future.add_done_callback(lambda _: _tell(loop, came))
            # A caller that is cancelled here leaves the write alone.
            await came
        future.result()

    def _sweep(self) -> None:
        hub = self._hub
        if hub.loop is None:
            return
        try:
            running = asyncio.get_running_loop()
        except RuntimeError:
            running = None
        if running is hub.loop.loop:
            task = running.create_task(self._run(hub.close_idle_targets()))
            hub.sweeps.add(task)
            task.add_done_callback(hub.sweeps.discard)


def _tell(loop: asyncio.AbstractEventLoop, came: asyncio.Future[bool]) -> None:
    def tell() -> None:
        if not came.done():
            came.set_result(True)

    with contextlib.suppress(RuntimeError):  # The loop is closed, and nobody waits any more.
        loop.call_soon_threadsafe(tell)
