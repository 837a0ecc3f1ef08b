"""What became of deliveries, on its way into the store: written together, one write at a time, in order.

While one write is on its way, everything that ends is collected for the next, so that the store's pace sets the size of
a write and nothing waits for a timer. Relies on `stores.protocol`. Must never drop what a store refused: it is written
again, first, until the store takes it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future

from rulebus.clock import Clock
from rulebus.stores.protocol import Changes, Store

__all__ = ["Ledger"]

_PAUSE_S = 1.0
"""How long to wait after a write that failed."""


class Ledger:
    """Collects under the dispatcher's lock, which is passed in; writes without it."""

    __slots__ = (
        "_clock",
        "_failed",
        "_lock",
        "_on_buried",
        "_on_error",
        "_on_letters",
        "_on_written",
        "_open",
        "_paused_until",
        "_store",
        "_written",
        "changes",
        "durable",
        "errors",
        "waiting",
    )

    def __init__(
        self,
        store: Store,
        clock: Clock,
        lock: threading.Lock,
        on_written: Callable[[], None],
        on_letters: Callable[[], None],
        on_error: Callable[[BaseException], None],
        on_buried: Callable[[list[int]], None],
    ) -> None:
        """`on_buried` is told, under the lock, which dead letters are deleted."""
        self._store = store
        self._clock = clock
        self._lock = lock
        self._on_written = on_written
        self._on_letters = on_letters
        self._on_error = on_error
        self._on_buried = on_buried
        self._paused_until = 0.0
        self._open = False  # A write is on its way.
        self._written: Changes | None = None  # What is on its way.
        self._failed: BaseException | None = None
        self.durable = store.durable
        self.changes = Changes()
        self.waiting = False  # Something was collected.
        self.errors = 0

    @property
    def clean(self) -> bool:
        """Whether everything is written."""
        return not self.waiting and not self._open

    @property
    def due(self) -> float | None:
        """When to flush again, on the monotonic clock; None: not by time."""
        return self._paused_until if self.waiting and not self._open else None

    def flush(self, urgent: bool = False) -> None:
        """Writes what was collected, unless a write is on its way: then that one's end asks for the next."""
        while True:
            with self._lock:
                if self._open or not self.waiting:
                    return
                if not urgent and self._clock.monotonic() < self._paused_until:
                    return
                changes, self.changes = self.changes, Changes()
                self._written = changes
                self.waiting = False
                self._open = True
            try:
                future = self._store.write(changes)
            except Exception as error:
                self._ended(error)
                return
            if future is not None:
                future.add_done_callback(self._arrived)
                return
            self._ended(None)

    def _arrived(self, future: Future[None]) -> None:
        # Runs in a thread of the store: it must not be made to write, so a driver is asked to.
        error = future.exception() if not future.cancelled() else RuntimeError("the store cancelled a write")
        self._ended(error)
        self._on_written()

    def _ended(self, error: BaseException | None) -> None:
        with self._lock:
            changes = self._written
            self._written = None
            self._open = False
            assert changes is not None
            if error is not None:
                self.errors += 1
                self._paused_until = self._clock.monotonic() + _PAUSE_S
                self.changes = _joined(changes, self.changes)
                self.waiting = True
            elif changes.buried:
                self._on_buried(changes.buried)
        if error is not None:
            self._on_error(error)
            self._on_written()
        elif changes.dead:
            self._on_letters()


def _joined(first: Changes, second: Changes) -> Changes:
    """Two writes as one. A retry stands before its end there, too, and before the retry that replaces it."""
    return Changes(
        retries=first.retries + second.retries,
        dead=first.dead + second.dead,
        done=first.done + second.done,
        buried=first.buried + second.buried,
    )
