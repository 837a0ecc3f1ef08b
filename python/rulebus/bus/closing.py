"""The end of a hub: nothing new comes in, what can be delivered is delivered, everything is let go of, once.

Written as steps that yield what they wait for (see `waits`), for threads and asyncio alike. Relies on the hub. Must never
lose a delivery without a word: what a memory store loses is warned of.
"""

from __future__ import annotations

import atexit
import functools
import inspect
import logging
import os
import threading
import time
import warnings
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rulebus.bus.waits import Blocking, OnLoop, Until, Work
from rulebus.delivery.inside import in_handler
from rulebus.errors import RulebusWarning
from rulebus.statistics import TargetStatistics
from rulebus.targets.protocol import Target

if TYPE_CHECKING:
    from rulebus.bus.hub import Hub

__all__ = ["CloseReport", "Closing", "close_target"]

_LOOK_S = 1.0
"""How often a close that waits looks whether the store fails."""
_STORE_FAILS = 5
"""After so many looks in a row that found new failures it waits no longer."""
_FLUSH_S = 5.0
"""How long the last records may take to be written when no time was given."""


@dataclass(frozen=True, slots=True)
class CloseReport:
    """What was left when a bus closed, on all buses of its hub."""

    pending: int
    """Deliveries that had not ended: they wait in a durable store for the next start, and are lost with a memory."""
    running: int
    """Calls of targets that had not come back in time; their deliveries are among the pending."""
    durable: bool
    """Whether the store keeps what is pending."""
    dead_letters: int
    """Dead letters in the store."""
    targets: tuple[TargetStatistics, ...]
    """The targets that deliveries were pending for."""

    @property
    def lost(self) -> int:
        """Deliveries that nobody will make."""
        return 0 if self.durable else self.pending


class Closing:
    """Closes a hub, however many ask for it."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._lock = threading.Lock()
        self._waiting: list[Callable[[], None]] = []
        self._begun = False
        self.report: CloseReport | None = None
        """What was left; None before the end."""
        self._at_exit = functools.partial(_say_left_open, weakref.ref(hub), os.getpid())
        atexit.register(self._at_exit)

    def close(self, timeout_s: float | None) -> Work[CloseReport]:
        """Lets nothing new in, waits for what can be delivered now, and lets go of everything."""
        self._hub.check_process()
        inside = in_handler()
        with self._lock:
            first, self._begun = not self._begun, True
            self._hub.is_draining = True
        if not first:
            if not inside:
                yield Until(self._when_closed, timeout_s)
            return self.report if self.report is not None else self._leftover(0)
        try:
            return (yield from self._close(timeout_s, inside))
        except BaseException:
            # Interrupted: whoever calls again goes on.
            self._begun = self.report is not None
            raise

    def _close(self, timeout_s: float | None, inside: bool) -> Work[CloseReport]:
        end = None if timeout_s is None else time.monotonic() + timeout_s

        def left() -> float | None:
            return None if end is None else max(0.0, end - time.monotonic())

        yield Blocking(self._hub.ticking.close)
        yield Blocking(self._hub.keeping.close)
        if not inside:  # The handler's own delivery would never end.
            yield from self._drain(left)
        running = 0
        loop, threads = self._hub.loop, self._hub.threads
        if loop is not None:
            running += yield OnLoop(lambda: loop.stop_async(left()))
        running += yield Blocking(lambda: threads.stop(left()))
        for target in self._hub.book.care.all():
            yield from close_target(target)
        if loop is not None and self._hub.owns_loop:
            yield Blocking(loop.stop)
        report: CloseReport = yield Blocking(lambda: self._end(running, left()))
        return report

    def _drain(self, left: Callable[[], float | None]) -> Work[None]:
        """Until nothing can be delivered now. A store that goes on failing is not waited for: what it does not record as
        delivered, it delivers again after the next start."""
        failing, errors = 0, self._hub.dispatcher.store_errors
        while failing < _STORE_FAILS:
            rest = left()
            slice_s = _LOOK_S if rest is None else min(_LOOK_S, rest)
            if (
                yield Until(lambda callback: self._hub.dispatcher.when_idle(callback, retries=False), slice_s)
            ):
                return
            if rest is not None and rest <= slice_s:
                return
            known, errors = errors, self._hub.dispatcher.store_errors
            failing = failing + 1 if errors > known else 0
        logging.getLogger("rulebus").error(
            "closing though the store fails (%s): what was delivered lately will be delivered again",
            self._hub.store_error,
        )

    def _when_closed(self, callback: Callable[[], None]) -> Callable[[], None]:
        with self._lock:
            if self.report is None:
                self._waiting.append(callback)
                return lambda: None
        callback()
        return lambda: None

    def _leftover(self, running: int) -> CloseReport:
        left = tuple(one for one in self._hub.dispatcher.statistics() if one.pending or one.in_flight)
        pending = sum(one.pending + one.in_flight for one in left)
        letters = 0 if self._hub.is_closed else self._hub.store.count_dead_letters()
        return CloseReport(pending, running, self._hub.store.durable, letters, left)

    def _end(self, running: int, timeout_s: float | None) -> CloseReport:
        self._hub.dispatcher.flush(_FLUSH_S if timeout_s is None else timeout_s)
        report = self._leftover(running)
        self._hub.is_closed = True
        atexit.unregister(self._at_exit)
        try:
            self._hub.store.close()
        finally:
            with self._lock:
                self.report = report
                waiting, self._waiting = self._waiting, []
            for callback in waiting:
                callback()
        if report.lost:
            names = ", ".join(
                f"{one.rule}/{one.target} ({one.pending + one.in_flight})" for one in report.targets
            )
            warnings.warn(
                f"a bus with a memory store was closed with {_deliveries(report.lost)} that had not ended: {names}; "
                "lost for good. Wait with wait_idle(), or use a durable store",
                RulebusWarning,
                stacklevel=5,
            )
        return report


def _say_left_open(ref: weakref.ref[Hub], process: int) -> None:
    """At the end of a process: says what a bus that nobody closed still had to deliver."""
    hub = ref()
    if hub is None or hub.is_closed or process != os.getpid() or hub.store.durable:
        return
    left = sum(one.pending + one.in_flight for one in hub.dispatcher.statistics())
    if left:
        text = f"{_deliveries(left)} lost: the process ends and the bus was not closed; use it in a with block, or call close()"
        warnings.warn(text, RulebusWarning, stacklevel=1)


def _deliveries(count: int) -> str:
    return "1 delivery" if count == 1 else f"{count:,} deliveries"


def close_target(target: Target) -> Work[None]:
    """Gives back what a target holds; an error is logged, since the others are to be closed, too."""
    try:
        answer = yield Blocking(target.close)
        if inspect.isawaitable(answer):
            awaitable = answer
            yield OnLoop(lambda: awaitable)
    except Exception:
        logging.getLogger("rulebus").exception("closing the target %s failed", target.describe())
