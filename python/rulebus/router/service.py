"""The process: from a router file to a drained bus. Starts, follows its sources, reloads on SIGHUP, drains on SIGTERM.

Relies on `config.build` for the bus, on `sources` and `endpoint` for events. Must never end before what was accepted is
delivered or, with a durable store, safely left there; and says which of the two it was.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rulebus.bus.async_event_bus import AsyncEventBus
from rulebus.bus.closing import CloseReport
from rulebus.bus.result import PutResult
from rulebus.config.build import Changed, Router
from rulebus.config.faults import ConfigError
from rulebus.config.schema import RouterConfig, read_router
from rulebus.config.text import router_text
from rulebus.errors import BusError, StoreError
from rulebus.router.reports import Reports
from rulebus.router.sources import FilePlace, FileSource, StreamSource
from rulebus.statistics import BusStatistics, total
from rulebus.stores.protocol import Store

if TYPE_CHECKING:
    from rulebus.router.endpoint import Endpoint

__all__ = ["Counts", "Service", "open_store"]

_POLL_S = 0.25


@dataclass(slots=True)
class Counts:
    """What came in."""

    accepted: int = 0
    refused: int = 0
    bad_lines: int = 0
    reloads: int = 0
    started_at: float = field(default_factory=time.monotonic)


def open_store(path: Path | None) -> Store:
    """The store of a router file."""
    if path is None:
        from rulebus.stores.memory import MemoryStore

        return MemoryStore()
    from rulebus.stores.sqlite import SqliteStore

    return SqliteStore(path)


class Service:
    """One run of a router file. `say` gets a line for people for everything that they should know."""

    def __init__(
        self, config: RouterConfig, say: Callable[[str], None], *, drain_s: float | None = None
    ) -> None:
        self.config, self.say, self.counts = config, say, Counts()
        self._drain_s = drain_s
        self._stop = asyncio.Event()
        self._is_started = self._reload_asked = False
        self._reports = Reports(self.say)
        self._store = open_store(config.store.path)
        try:
            self.bus = AsyncEventBus("default", store=self._store, **config.options)
        except BaseException:
            self._store.close()
            raise
        self.router = Router(config, self.bus)
        self.report: CloseReport | None = None
        self.failure: BaseException | None = None
        self.final: BusStatistics | None = None

    def statistics(self) -> BusStatistics:
        """The numbers of all buses together."""
        found = [self.bus.bus(name).statistics() for name in self.bus.buses()]
        return BusStatistics(
            events=sum(one.events for one in found),
            refused=sum(one.refused for one in found),
            matched=sum(one.matched for one in found),
            unmatched=sum(one.unmatched for one in found),
            targets=tuple(target for one in found for target in one.targets),
            removed=total(one.removed for one in found),
        )

    def stop(self) -> None:
        """Ends the run: nothing new is read, what was accepted is delivered."""
        self._stop.set()

    def _stop_by_signal(self, number: int) -> None:
        """The first signal drains. The second is for those who cannot wait: it ends the process as it ends any other."""
        if not self._stop.is_set():
            self.stop()
            return
        rest = "stays in the store" if self._store.durable else "is LOST"
        self.say(f"ended at once by a second signal; what was not delivered {rest}")
        asyncio.get_running_loop().remove_signal_handler(number)
        signal.signal(number, signal.SIG_DFL)
        signal.raise_signal(number)

    async def run(
        self,
        streams: Sequence[tuple[str, Any]] = (),
        *,
        work: Callable[[AsyncEventBus], Awaitable[None]] | None = None,
        once: bool = False,
    ) -> int:
        """Runs until the streams end (if nothing else brings events, or `once`) or `stop`; with `work` (such as a replay)
        until that is done. The exit status: 0, or 1 when an event was refused, a line was bad, or something was lost."""
        async with contextlib.AsyncExitStack() as stack:
            # First to come and last to go: no signal may end the process while it starts or drains.
            self._listen_to_signals(stack)
            await stack.enter_async_context(_closing(self))
            endpoint = self._endpoint()
            changed = self.router.apply(self.config)
            self._said(changed)
            self._say_orphans()
            await self._open_archives()
            await self.bus.resume_replays()
            if endpoint is not None:
                await stack.enter_async_context(endpoint)
                self.say(f"listening on http://{endpoint.address}/events")
            self._is_started = True
            if self._reload_asked:
                self.reload()
            tasks = self._sources(streams)
            if work is not None:
                tasks.append(asyncio.create_task(_awaited(work(self.bus))))
            await self._until_done(tasks, once or work is not None)
            if self.failure is None and not self._stop.is_set():
                await self._finish()
        if self.failure is not None:
            raise self.failure
        bad = self.counts.refused or self.counts.bad_lines or (self.report is not None and self.report.lost)
        return 1 if bad else 0

    # Events.

    async def put(self, entries: list[tuple[str, dict[str, Any]]]) -> None:
        """Puts entries of a source; what is refused is reported with its place."""
        result = await self.put_events([entry for _, entry in entries])
        for (where, _), entry in zip(entries, result, strict=True):
            if entry.error_code is not None:
                self._reports(f"{where}: {entry.error_code}: {entry.reason or entry.error_message}")

    async def put_events(self, entries: Sequence[Any]) -> PutResult:
        """Puts entries on the bus that the file names for them."""
        result = await self.bus.bus(self.config.input.bus).put_events(entries)
        self.counts.refused += result.failed_entry_count
        self.counts.accepted += len(result) - result.failed_entry_count
        return result

    def bad(self, where: str, why: str) -> None:
        """Reports a line that is no entry."""
        self.counts.bad_lines += 1
        self._reports(f"{where}: {why}")

    # Sources.

    def _sources(self, streams: Sequence[tuple[str, Any]]) -> list[asyncio.Task[None]]:
        runs = [StreamSource(stream, self, name=name).run() for name, stream in streams]
        runs += [self._follow(path) for path in self.config.input.files]
        return [asyncio.create_task(run) for run in runs]

    async def _follow(self, path: Path) -> None:
        await FileSource(
            path,
            self,
            remembered=self._remembered(path),
            remember=lambda place: self._store.put_document("input", os.path.abspath(path), place.to_json()),
            pause=lambda: asyncio.sleep(_POLL_S),
        ).run()

    def _remembered(self, path: Path) -> FilePlace | None:
        document = self._store.documents("input").get(os.path.abspath(path))
        return None if document is None else FilePlace.from_json(document)

    async def _until_done(self, tasks: list[asyncio.Task[None]], once: bool) -> None:
        """Until the sources end, one of them fails, or somebody asks to stop; unless `once`, files that grow, the endpoint
        and schedules keep it going."""
        stopped = asyncio.create_task(self._stop.wait())
        waiting: set[asyncio.Task[Any]] = {stopped, *tasks}
        try:
            while not stopped.done() and (len(waiting) > 1 or (not once and self._goes_on())):
                done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                for task in done - {stopped}:
                    if (error := task.exception()) is not None:
                        self.failure = error
                        return
        finally:
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)

    async def _finish(self) -> None:
        """The events ended by themselves: waits for every delivery, retries included, until somebody asks to stop."""
        idle = asyncio.create_task(self.bus.wait_idle(self._drain_s))
        stopped = asyncio.create_task(self._stop.wait())
        _, waiting = await asyncio.wait({idle, stopped}, return_when=asyncio.FIRST_COMPLETED)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)

    def _goes_on(self) -> bool:
        given = self.config.input
        if given.files or given.http is not None:
            return True
        return any(rule.schedule is not None and rule.state == "ENABLED" for rule in self.router.config.rules)

    # Rules.

    def reload(self) -> None:
        """Reads the file again and brings the bus to its state; a bad file changes nothing. Before the run has started it
        is put off until then, and while it ends there is nothing left to change."""
        if not self._is_started or self._stop.is_set():
            self._reload_asked = True
            return
        self.counts.reloads += 1
        try:
            config = read_router(router_text(self.config.file, running=True), self.config.file)
            changed = self.router.apply(config)
        except (ConfigError, BusError, ValueError) as error:
            self.say(f"reload refused, the rules stay as they were:\n{error}")
            return
        except OSError as error:
            self.say(f"reload refused, {self.config.file} cannot be read: {error.strerror}")
            return
        self.config = self.router.config
        self._said(changed)

    def _said(self, changed: Changed) -> None:
        for note in changed.notes:
            self.say(note)
        self.say(
            f"rules: {len(changed.put)} put, {len(changed.removed)} removed, {changed.same} as they were"
        )

    def _say_orphans(self) -> None:
        """Names what waits in the store for targets that the file has no more: nobody else would notice."""
        for (bus, rule, target), count in sorted(self.bus.orphans().items()):
            deliveries = "1 delivery waits" if count == 1 else f"{count:,} deliveries wait"
            self.say(f"{deliveries} in the store for {bus}/{rule}/{target}, which is not in the file")

    async def _open_archives(self) -> None:
        """Makes the file's archives, or brings those of the store to what the file says."""
        buses = [self.bus.bus(name) for name in self.bus.buses()]
        known = {archive.name: archive for bus in buses for archive in bus.archives()}
        for wanted in self.config.archives:
            bus = self.bus.bus(wanted.bus)
            there = known.get(wanted.name)
            if there is None:
                await bus.create_archive(wanted.name, wanted.pattern, retention_days=wanted.retention_days)
            elif there.bus != wanted.bus:
                raise BusError(
                    "archive-bus",
                    f"the store keeps an archive {wanted.name!r} of the bus {there.bus}, the file says {wanted.bus}; "
                    "give the new one another name",
                )
            else:
                await bus.update_archive(
                    wanted.name, pattern=wanted.pattern, retention_days=wanted.retention_days
                )

    # The process.

    def _endpoint(self) -> Endpoint | None:
        """What the file asks for, not listening yet; what it lacks is found before anything starts."""
        given = self.config.input
        if given.http is None:
            return None
        from rulebus.router.endpoint import Endpoint

        try:
            token = None if given.http_token is None else given.http_token.read()
        except ValueError as error:
            raise BusError("input-token", f"the token of the HTTP endpoint: {error}") from error
        return Endpoint(self, given.http, token)

    def _listen_to_signals(self, stack: contextlib.AsyncExitStack) -> None:
        loop = asyncio.get_running_loop()
        wanted: list[tuple[int, Callable[[], None]]] = [
            (signal.SIGTERM, lambda: self._stop_by_signal(signal.SIGTERM)),
            (signal.SIGINT, lambda: self._stop_by_signal(signal.SIGINT)),
        ]
        if hasattr(signal, "SIGHUP"):
            wanted.append((signal.SIGHUP, self.reload))
        for number, act in wanted:
            try:
                loop.add_signal_handler(number, act)
            except (NotImplementedError, RuntimeError, ValueError):
                continue  # not the main thread, or a system without them: `stop` is still there
            stack.callback(loop.remove_signal_handler, number)


@contextlib.asynccontextmanager
async def _closing(service: Service) -> Any:
    """The bus for the length of a run; what was left when it closed."""
    try:
        async with service.bus:
            try:
                yield
            finally:
                service.report = await service.bus.close(service._drain_s)
                service.final = service.statistics()
    except StoreError as error:
        service.failure = service.failure or error


async def _awaited(work: Awaitable[None]) -> None:
    await work
