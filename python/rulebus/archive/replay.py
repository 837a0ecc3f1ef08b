"""One replay: archived events put on a bus again, in order, at a pace, with progress that survives.

A step machine: `step` puts what is due now and says when to come again. It has no thread and never sleeps; `Replays`
gives it both. Relies on the store's `archived` and on `Put`. INVARIANT: an event and the progress that counts it become
durable together, so that a replay goes on exactly behind the last event that was put, whatever ended its process.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Protocol

from rulebus import _json
from rulebus.archive.splice import replay_namer
from rulebus.archive.status import ReplayState, ReplayStatus
from rulebus.clock import Clock
from rulebus.errors import BusError, StoreError
from rulebus.event import AcceptedEvent
from rulebus.stores.event_time import event_time
from rulebus.stores.protocol import Store

__all__ = ["KIND", "Put", "Replay"]

KIND = "replay"
_BATCH = 500
_BATCH_BYTES = 4 << 20
_CLOSED = ("store-closed", "bus-closed")
# With a rate, a batch is what may be put in this time: smooth for the receiver, few writes for the store.
_RATE_WINDOW_S = 0.1


class Put(Protocol):
    """Puts replayed events on a bus; the bus's side of a replay."""

    def __call__(
        self,
        bus: str,
        events: list[AcceptedEvent],
        rules: tuple[str, ...] | None,
        progress: tuple[str, float, int, int],
    ) -> None:
        """Matches the events against the rules of the bus (only those named, if any are), and writes them with their
        deliveries and the progress (`Changes.replay`) as one. Returns when that is durable; waits while queues are full.
        Raises when it cannot be: then nothing of it happened."""


class Replay:
    """A replay that goes on or has ended: its status, and the way to cancel it or wait for it.

    Threads may call any method at any time.
    """

    def __init__(
        self,
        status: ReplayStatus,
        store: Store,
        clock: Clock,
        put: Put,
        after: tuple[float, int] | None = None,
    ) -> None:
        self._store, self._clock, self._put = store, clock, put
        self._status = status
        self._after = after
        self._changed = threading.Condition()
        self._stepping = threading.Lock()
        self._cancelled = status.state == "CANCELLING"
        self._scan: Iterator[tuple[int, AcceptedEvent]] | None = None
        self._next: tuple[float, int, AcceptedEvent] | None = None
        self._anchor: tuple[float, float] | None = None
        self._free_at = clock.monotonic()
        self._named = replay_namer(status.name)
        self.on_cancel: Callable[[], None] = lambda: None
        """Called when it is cancelled: wakes whoever waits to step."""

    @property
    def name(self) -> str:
        """The replay's name."""
        return self._status.name

    @property
    def status(self) -> ReplayStatus:
        """How it stands now."""
        return self._status

    def __repr__(self) -> str:
        return f"<Replay {self.name} of {self._status.archive}: {self._status.state}, {self._status.events} events>"

    def cancel(self) -> None:
        """Ends the replay before its next event; what was put stays put. Raises BusError ``replay-ended``."""
        with self._changed:
            if self._status.ended:
                raise BusError(
                    "replay-ended",
                    f"replay {self.name!r} has ended already ({self._status.state}); there is nothing to cancel",
                    f"Replay {self.name} is not in a valid state for this operation.",
                )
            self._cancelled = True
            self._set("CANCELLING")
        self.on_cancel()

    def wait(self, timeout_s: float | None = None) -> ReplayStatus:
        """Waits until it has ended, or so many seconds; how it stands then."""
        with self._changed:
            self._changed.wait_for(lambda: self._status.ended, timeout_s)
            return self._status

    def step(self) -> float | None:
        """Puts what is due now; seconds until more is (0: at once), None when the replay has ended. One caller at a time."""
        with self._stepping:
            if self._status.ended:
                return None
            if self._cancelled:
                self._finish("CANCELLED")
                return None
            try:
                return self._advance()
            except BusError as error:
                if error.code in _CLOSED:
                    raise  # The replay goes on when the bus is opened again.
                self._finish("FAILED", str(error))
            except Exception as error:
                self._finish("FAILED", f"{type(error).__name__}: {error}")
            return None

    def _advance(self) -> float | None:
        now = self._clock.monotonic()
        if self._scan is None:
            status = self._status
            self._scan = self._store.archived(status.archive, status.start, status.end, self._after)
            if status.state == "STARTING":
                with self._changed:
                    if not self._cancelled:
                        self._set("RUNNING")
        if now < self._free_at:
            return self._free_at - now
        batch: list[tuple[float, int, AcceptedEvent]] = []
        size = 0
        most = self._most()
        wait = 0.0
        while len(batch) < most and size < _BATCH_BYTES:
            found = self._peek()
            if found is None:
                break
            wait = self._wait_for(found[0], now)
            if wait > 0:
                break
            self._next = None
            batch.append(found)
            size += len(found[2].body)
        if batch:
            self._write(batch)
            rate = self._status.rate_per_s
            if rate is not None:
                self._free_at = max(now, self._free_at) + len(batch) / rate
            return 0.0
        if wait > 0:
            return wait
        self._finish("COMPLETED")
        return None

    def _most(self) -> int:
        rate = self._status.rate_per_s
        return _BATCH if rate is None else max(1, min(_BATCH, int(rate * _RATE_WINDOW_S)))

    def _peek(self) -> tuple[float, int, AcceptedEvent] | None:
        """The next event of the archive with its time and number, not yet taken."""
        if self._next is None and self._scan is not None:
            found = next(self._scan, None)
            if found is not None:
                self._next = (event_time(found[1]), *found)
        return self._next

    def _wait_for(self, time: float, now: float) -> float:
        """Seconds until an event of that time is due. The first one that this process sees is due at once."""
        speed = self._status.speed
        if speed is None:
            return 0.0
        if self._anchor is None:
            self._anchor = (time, now)
        return self._anchor[1] + (time - self._anchor[0]) / speed - now

    def _write(self, batch: list[tuple[float, int, AcceptedEvent]]) -> None:
        status = self._status
        now = self._clock.now()
        events = [
            AcceptedEvent(status.to, event.id, self._named(event.body), now, replay=status.name)
            for _, _, event in batch
        ]
        time, number, _ = batch[-1]
        count = status.events + len(batch)
        try:
            self._put(status.to, events, status.rules, (status.name, time, number, count))
        except BaseException:
            self._scan = self._next = None  # Read again from behind the last event that was put.
            raise
        self._after = (time, number)
        with self._changed:
            self._status = replace(self._status, events=count, last_event_time=time)

    def _set(self, state: ReplayState, reason: str = "") -> None:
        """A new state, durable. Under the lock."""
        ended_at = self._clock.now() if state in ("COMPLETED", "CANCELLED", "FAILED") else None
        status = replace(self._status, state=state, reason=reason, ended_at=ended_at)
        self._store.put_document(KIND, self.name, status.to_json())
        self._status = status
        self._changed.notify_all()

    def _finish(self, state: ReplayState, reason: str = "") -> None:
        with self._changed:
            try:
                self._set(state, reason)
            except StoreError as error:
                if error.code in _CLOSED:
                    raise
                # The end of the replay is lost with the store, not the replay's events; whoever waits must know.
                self._status = replace(
                    self._status,
                    state="FAILED",
                    reason=f"{reason or state}; and that could not be kept: {error}",
                    ended_at=self._clock.now(),
                )
                self._changed.notify_all()

    @staticmethod
    def resumed(
        status: ReplayStatus, progress: bytes | None
    ) -> tuple[ReplayStatus, tuple[float, int] | None]:
        """A status with the progress that was kept beside it, and the place to go on behind."""
        if progress is None:
            return status, None
        time, number, count = _json.loads(progress)
        return replace(status, events=count, last_event_time=time), (time, number)
