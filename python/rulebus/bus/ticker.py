"""Makes the events of rules with a schedule, when they are due on the bus's clock.

`Ticker` knows when and what, and has no thread: `run` makes what is due, `due` says when to come again. `TickerThread`
comes then. A tick is missed when a later one of its rule is due, too: after a pause of the process or a jump of
the clock. Missed ticks are skipped, or caught up where the rule says so; to that end the last tick of such a rule is
kept in the store. Relies on `schedule`, `clock` and the store's documents.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from rulebus.clock import Clock
from rulebus.schedule import Schedule
from rulebus.stores.protocol import Store

__all__ = ["Ticker", "TickerThread"]

_KIND = "tick"
_MOST_CAUGHT_UP = 10_000
"""Ticks that one `run` makes of one rule at most; the rest comes with the next."""


class _Ticking:
    """A rule with a schedule."""

    __slots__ = ("catch_up", "due", "schedule")

    def __init__(self, schedule: Schedule, catch_up: bool, due: float | None) -> None:
        self.schedule = schedule
        self.catch_up = catch_up
        self.due = due  # None: never again.


class Ticker:
    """When which rule ticks. Threads may share it."""

    def __init__(self, clock: Clock, store: Store, fire: Callable[[str, str, float], None]) -> None:
        self._clock = clock
        self._store = store
        self._fire = fire
        self._lock = threading.Lock()
        self._running = threading.Lock()
        self._rules: dict[tuple[str, str], _Ticking] = {}

    def put(self, bus: str, rule: str, schedule: Schedule, *, catch_up: bool) -> None:
        """Adds or replaces a rule's schedule; one that stays as it was keeps its pace."""
        now = self._clock.now()
        with self._lock:
            old = self._rules.get((bus, rule))
            if old is not None and str(old.schedule) == str(schedule):
                old.catch_up = catch_up
                return
        start = now
        if catch_up:
            kept = self._store.documents(_KIND).get(f"{bus}/{rule}")
            if kept is None:
                self._keep(bus, rule, now)
            else:
                start = min(now, float(kept))
        ticking = _Ticking(schedule, catch_up, schedule.next_after(start))
        with self._lock:
            self._rules[bus, rule] = ticking

    def remove(self, bus: str, rule: str) -> None:
        """No tick of the rule from now on."""
        with self._lock:
            gone = self._rules.pop((bus, rule), None)
        if gone is not None and gone.catch_up:
            self._store.put_document(_KIND, f"{bus}/{rule}", None)

    def due(self) -> float | None:
        """When the next tick is due: seconds since 1970; None if there is none."""
        with self._lock:
            dues = [ticking.due for ticking in self._rules.values() if ticking.due is not None]
        return min(dues, default=None)

    def run(self) -> int:
        """Makes the events that are due, oldest first; how many."""
        with self._running:  # Two runs at once would make a tick twice.
            now = self._clock.now()
            with self._lock:
                late = [(rule, t) for rule, t in self._rules.items() if t.due is not None and t.due <= now]
            ticks: list[tuple[float, str, str]] = []
            for (bus, rule), ticking in late:
                ticks += [(at, bus, rule) for at in self._ticks(ticking, now)]
            for at, bus, rule in sorted(ticks):
                self._fire(bus, rule, at)
            for (bus, rule), ticking in late:
                if ticking.catch_up:
                    self._keep(bus, rule, max((at for at, *whose in ticks if whose == [bus, rule]), default=now))
            return len(ticks)

    def _ticks(self, ticking: _Ticking, now: float) -> list[float]:
        """The ticks of one rule until now that are to be made; sets its next."""
        found: list[float] = []
        due = ticking.due
        while due is not None and due <= now and len(found) < _MOST_CAUGHT_UP:
            if not ticking.catch_up:
                found.clear()
            found.append(due)
            due = ticking.schedule.next_after(due)
        ticking.due = due
        return found

    def _keep(self, bus: str, rule: str, at: float) -> None:
        self._store.put_document(_KIND, f"{bus}/{rule}", repr(at).encode())


class TickerThread:
    """Runs a ticker when something is due. Begun with the first schedule, ended by `close`."""

    _LONGEST_S = 30.0
    """Between two looks at the clock, which may have been set forward."""

    def __init__(self, ticker: Ticker, clock: Clock) -> None:
        self._ticker = ticker
        self._clock = clock
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._end_listening: Callable[[], None] | None = None
        self._closed = False

    def wake(self) -> None:
        """A schedule was put; begins when it is the first."""
        with self._changed:
            if self._closed:
                return
            listen: Any = getattr(self._clock, "listen", None)
            if listen is not None:
                # A clock that tests move says when: the ticks are made before the move returns.
                if self._end_listening is None:
                    self._end_listening = listen(self._ticker.run)
            elif self._thread is None:
                self._thread = threading.Thread(target=self._work, name="rulebus-ticker", daemon=True)
                self._thread.start()
            self._changed.notify()

    def close(self) -> None:
        """No tick after this returns."""
        with self._changed:
            self._closed = True
            if self._end_listening is not None:
                self._end_listening()
            self._changed.notify()
            thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    def _work(self) -> None:
        while True:
            with self._changed:
                if self._closed:
                    return
                due = self._ticker.due()
                wait = self._LONGEST_S if due is None else min(self._LONGEST_S, due - self._clock.now())
                if wait > 0:
                    self._changed.wait(wait)
                    continue
            self._ticker.run()
