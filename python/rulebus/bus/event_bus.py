"""The bus for threaded programs. What it adds to `BusHandle` may wait, and then blocks the calling thread.

Relies on the hub, which does the work; here is only how a thread waits. Ordinary targets are called in a pool of
threads, asynchronous ones on a loop in a thread of its own, begun with the first of them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar

from rulebus.bus.closing import CloseReport
from rulebus.bus.handle import BusHandle
from rulebus.bus.hub import Hub, letter_filter
from rulebus.bus.ids import Ids
from rulebus.bus.limits import BusLimits
from rulebus.bus.names import DEFAULT
from rulebus.bus.refusals import refusal
from rulebus.bus.result import PutResult
from rulebus.bus.waits import Work, run

if TYPE_CHECKING:
    from datetime import datetime

    from rulebus.archive import Archive, Moment, Replay, ReplayPreview, ReplayStatus
    from rulebus.clock import Clock
    from rulebus.dead_letter import DeadLetter
    from rulebus.delivery.loop import LoopDriver
    from rulebus.delivery.redrive import RedriveResult
    from rulebus.pattern import PatternLike
    from rulebus.stores.protocol import Store
    from rulebus.targets.registry import TargetRegistry

__all__ = ["EventBus", "as_entry", "the_id"]

R = TypeVar("R")


class EventBus(BusHandle):
    """An event bus: events are put on it, rules match them, every matching rule's targets are called in parallel.

    >>> import rulebus
    >>> with rulebus.EventBus("orders") as bus:
    ...     @bus.on({"detail": {"total": [{"numeric": [">", 100]}]}})
    ...     def big(event):
    ...         print(event.detail_type, event.detail)
    ...     result = bus.put_events([{"Source": "shop", "DetailType": "OrderPlaced", "Detail": '{"total": 120}'}])
    OrderPlaced {'total': 120}
    >>> result.failed_entry_count
    0

    It is a handle on the bus of that name; the bus ``default`` is there, too, and `create_bus` makes more with the
    same store and the same threads. Any thread may use it; leaving the ``with`` block closes it.

    `store` keeps events until they are delivered: in memory, or durably (`rulebus.SqliteStore`). `max_pending` bounds
    the pending deliveries of each target (100,000 in memory, 10,000,000 durably); at the bound `put_events` waits
    (`when_full` ``"wait"``, at most `put_timeout_s`) or answers ``QueueFull`` for the entries concerned (``"refuse"``,
    and whenever it is called by a handler, which must not wait for itself). `max_workers` bounds the threads that call
    targets. `clock` and `ids` (a function that makes n event ids) are for tests.
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
        hub.on_async_target = self._loop_driver

    # Events.

    def put_events(
        self,
        entries: Iterable[Mapping[str, Any]] | None = None,
        *,
        Entries: Iterable[Mapping[str, Any]] | None = None,
    ) -> PutResult:
        """Puts events, given as boto3 takes them (also by its name for them, `Entries`); says of each whether it was accepted.

        An entry is a dict with ``Source``, ``DetailType`` and ``Detail`` (JSON text, bytes, or a dict), and may have
        ``Time``, ``Resources`` and ``EventBusName`` (a name or ARN; without it, this bus). An entry that is refused
        does not hinder the others. What was accepted is in the store when this returns, and every rule that was put
        before it was called has seen it.

        Raises `BusError` when nothing could be put at all (the bus is closed, a limit of the call) and `StoreError` when
        the store could not write.
        """
        result = self._hub.put(entries if Entries is None else the_entries(entries, Entries), self._name)
        return result if isinstance(result, PutResult) else self._run(result)

    def publish(
        self,
        *,
        source: str,
        detail_type: str,
        detail: Any,
        time: datetime | float | str | None = None,
        resources: Sequence[str] = (),
    ) -> str:
        """Puts one event on this bus and gives its id. What `put_events` answers as an error of the entry, this raises
        as `BusError`."""
        entry = as_entry(source, detail_type, detail, time, resources)
        return the_id(self.put_events([entry]))

    # Dead letters.

    def dead_letters(
        self,
        *,
        rule: str | None = None,
        target: str | None = None,
        reason: str | None = None,
        after: int = 0,
        limit: int = 1000,
    ) -> list[DeadLetter]:
        """The dead letters of this bus, oldest first: at most `limit` with an id beyond `after`, of one rule, target or
        reason if that is given."""
        return self._hub.dead_letters(self._name, rule, target, reason, after, limit)

    def redrive(
        self,
        *,
        rule: str | None = None,
        target: str | None = None,
        reason: str | None = None,
        where: Callable[[DeadLetter], bool] | None = None,
        rate_per_s: float | None = None,
        dry_run: bool = False,
    ) -> RedriveResult:
        """Sends dead letters of this bus again, oldest first: each a new delivery of the same event (with its id) to the
        same target, with all its tries before it. Blocks until they are sent, not until they are delivered.

        `rule`, `target`, `reason` and `where` choose; `rate_per_s` bounds the speed; `dry_run` only counts.
        """
        self._hub.check_open()
        chosen = letter_filter(self._name, rule, target, reason, where)
        return self._hub.dispatcher.redrive(chosen, rate_per_s=rate_per_s, dry_run=dry_run)

    # Archives and replays.

    def create_archive(
        self,
        name: str,
        pattern: PatternLike | None = None,
        *,
        retention_days: int = 0,
        description: str = "",
    ) -> Archive:
        """Keeps the events of this bus from now on, all or those of a pattern, for so many days (0: for ever).

        >>> import rulebus
        >>> with rulebus.EventBus() as bus:
        ...     _ = bus.create_archive("orders", {"source": ["shop"]})
        ...     _ = bus.publish(source="shop", detail_type="OrderPlaced", detail={"total": 120})
        ...     bus.on({"source": ["shop"]})(lambda event: print(event["replay-name"])).rule
        ...     bus.replay("orders", 0, 1e12, name="for-the-newcomer").wait().state
        'lambda'
        for-the-newcomer
        'COMPLETED'

        An event and its place in the archive are stored as one. Raises `BusError`, `PatternError`, `StoreError`.
        """
        self._hub.check_open()
        archive = self._hub.keeping.archives.create(
            name, self._name, pattern, retention_days=retention_days, description=description
        )
        self._hub.watch_retention()
        return archive

    def update_archive(
        self,
        name: str,
        pattern: PatternLike | None = None,
        *,
        retention_days: int = 0,
        description: str = "",
    ) -> Archive:
        """Gives an archive new settings; what is left out is set back. What it keeps stays until it is too old."""
        archive = self._hub.keeping.archives.update(
            name, pattern=pattern, retention_days=retention_days, description=description
        )
        self._hub.watch_retention()
        return archive

    def delete_archive(self, name: str) -> int:
        """Deletes an archive and what it keeps; how many events that were."""
        return self._hub.keeping.archives.delete(name)

    def archives(self) -> tuple[Archive, ...]:
        """The archives of this bus, by name."""
        return self._hub.keeping.archives.archives(self._name)

    def replay(
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
        """Begins to put the events again that an archive keeps of a time window (``start <= time < end``): seconds
        since 1970, a `datetime` with a zone, or ISO 8601 text (UTC unless it says otherwise).

        In the order of their time, on the bus `to` (any; without it the archive's own), for the `rules` named or all; as
        fast as the targets take them, or `speed` times as fast as they happened, or at most `rate_per_s`. Events keep
        their id and get the replay's name as ``replay-name``; they are not archived again. What comes back shows the
        progress, waits, and cancels.
        """
        self._hub.check_open()
        return self._hub.keeping.replays.start(
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

    def preview_replay(
        self,
        archive: str,
        start: Moment,
        end: Moment,
        *,
        to: str | None = None,
        name: str | None = None,
        rules: Iterable[str] | None = None,
    ) -> ReplayPreview:
        """What such a replay would match and deliver now, by rule and target; delivers nothing."""
        return self._hub.keeping.replays.dry_run(archive, start, end, to=to, name=name, rules=rules)

    def replays(self) -> tuple[ReplayStatus, ...]:
        """How all replays of the hub stand, ended ones too, in the order begun."""
        return self._hub.keeping.replays.replays()

    def find_replay(self, name: str) -> Replay:
        """A replay by its name, to wait for or to cancel; `BusError` if there is none."""
        return self._hub.keeping.replays.replay(name)

    def resume_replays(self) -> tuple[Replay, ...]:
        """Goes on with the replays that a crash or a close cut short, exactly where they were. To be called when the
        buses and rules are there."""
        self._hub.check_open()
        return self._hub.keeping.replays.resume()

    def forget_replay(self, name: str) -> None:
        """Deletes the record of a replay that has ended."""
        self._hub.keeping.replays.forget(name)

    # The end.

    def wait_idle(self, timeout_s: float | None = None) -> bool:
        """Waits until no delivery of any bus of the hub is pending, retries included; whether that was in time."""
        self._hub.check_process()
        return self._hub.dispatcher.wait_idle(timeout_s)

    def close(self, timeout_s: float | None = None) -> CloseReport:
        """Lets nothing new in, delivers what is pending, and lets go of everything. Again: gives the same report.

        Waits for deliveries that can be made now, at most `timeout_s`, not for retries that lie ahead. What is left
        stays in a durable store; with a memory store it is lost, which a `RulebusWarning` says. Closes the hub: every
        other handle on it is closed, too. A handler that calls this does not wait for its own delivery.
        """
        return self._run(self._hub.closing.close(timeout_s))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # How a thread waits.

    def _run(self, work: Work[R]) -> R:
        return run(work, self._on_loop)

    def _sweep(self) -> None:
        self._run(self._hub.close_idle_targets())

    def _on_loop(self, make: Callable[[], Awaitable[Any]]) -> Any:
        import asyncio

        async def awaited() -> Any:
            return await make()

        loop = self._loop_driver().loop
        return asyncio.run_coroutine_threadsafe(awaited(), loop).result()

    def _loop_driver(self) -> LoopDriver:
        hub = self._hub
        if hub.loop is None:
            from rulebus.delivery.loop import LoopDriver

            hub.loop, hub.owns_loop = LoopDriver(hub.dispatcher, hub.clock), True
        return hub.loop


def as_entry(
    source: str, detail_type: str, detail: Any, time: datetime | float | str | None, resources: Sequence[str]
) -> dict[str, Any]:
    """What `publish` was given, as an entry."""
    entry = {"Source": source, "DetailType": detail_type, "Detail": detail}
    if time is not None:
        entry["Time"] = time
    if resources:
        entry["Resources"] = resources if isinstance(resources, str) else list(resources)
    return entry


_CODES = {
    "InvalidArgument": "invalid-argument",
    "MalformedDetail": "malformed-detail",
    "NotAuthorizedForSourceException": "source-reserved",
    "QueueFull": "queue-full",
}


def the_entries(
    entries: Iterable[Mapping[str, Any]] | None, boto3_entries: Iterable[Mapping[str, Any]]
) -> Iterable[Mapping[str, Any]]:
    """Those that were given by boto3's name for them; TypeError if they were given twice."""
    if entries is not None:
        raise TypeError("put_events takes its entries once: by position, as entries=, or as Entries=")
    return boto3_entries


def the_id(result: PutResult) -> str:
    """The id of the only event, or its error as an exception."""
    (entry,) = result
    if entry.event_id is not None:
        return entry.event_id
    message = str(entry.error_message)
    said = f"{message.rstrip('.')}: {entry.reason}" if entry.reason else message.rstrip(".")
    error = refusal(_CODES[str(entry.error_code)], said)
    error.aws_message = message
    raise error
