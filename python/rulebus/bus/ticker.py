"""Makes the events of rules with a schedule, when they are due on the bus's clock.

`Ticker` knows when and what, and has no thread: `run` makes what is due, `due` says when to come again. `TickerThread`
comes then. A tick is missed when a later one of its rule is due, too: after a pause of the process or a jump of
the clock. Missed ticks are skipped, or caught up where the rule says so; to that end the last tick of such a rule is
kept in the store. Relies on `schedule`, `clock` and the store's documents. INVARIANT: a tick that could not be made (the
store failed) is still due.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from rulebus import _json
from rulebus.clock import Clock
from rulebus.schedule import Schedule
from rulebus.stores.protocol import Store

__all__ = ["Ticker", "TickerThread"]

_KIND = "tick"
_PAUSE_S = 1.0
"""Between two tries to make ticks that the store refused."""
_MOST_CAUGHT_UP = 10_000
"""Ticks that one `run` makes of one rule at most; the rest comes with the next."""


class _Ticking:
    """A rule with a schedule."""

    __slots__ = ("anchor", "catch_up", "due", "schedule")

    def __init__(self, schedule: Schedule, catch_up: bool, anchor: float, due: float | None) -> None:
        self.schedule = schedule
        self.catch_up = catch_up
        self.anchor = anchor  # What rates are counted from.
        self.due = due  # None: never again.


class Ticker:
    """When which rule ticks. Threads may share it."""

    def __init__(
        self,
        clock: Clock,
        store: Store,
        fire: Callable[[str, str, float], None],
        on_error: Callable[[BaseException], None],
    ) -> None:
        """`fire` makes the event of a tick (bus, rule, when); it may raise, and is called again for it later.
        `on_error` is told of it."""
        self._clock = clock
        self._store = store
        self._fire = fire
        self._on_error = on_error
        self._unwritten: dict[tuple[str, str], bytes | None] = {}  # Documents that the store refused so far.
        self.failing = False
        """Whether the last `run` left something undone."""
        self._lock = threading.Lock()
        self._running = threading.Lock()
        self._rules: dict[tuple[str, str], _Ticking] = {}

    def put(self, bus: str, rule: str, schedule: Schedule, *, catch_up: bool) -> None:
        """Adds or replaces a rule's schedule; one that stays as it was keeps its pace."""
        now = self._clock.now()
        with self._lock:
            old = self._rules.get((bus, rule))
            if old is not None and old.schedule.text == schedule.text and old.catch_up == catch_up:
                return
        last = anchor = now
        if catch_up:
            kept = self._store.documents(_KIND).get(f"{bus}/{rule}")
            if kept is not None:
                known = _json.loads(kept)
                if known["schedule"] == schedule.text:
                    last, anchor = min(now, known["last"]), known["anchor"]
        ticking = _Ticking(schedule, catch_up, anchor, schedule.next_after(last, anchor))
        if catch_up:
            self._store.put_document(_KIND, f"{bus}/{rule}", _document(ticking, last))
        with self._lock:
            self._unwritten.pop((bus, rule), None)
            self._rules[bus, rule] = ticking

    def remove(self, bus: str, rule: str) -> None:
        """No tick of the rule from now on."""
        with self._lock:
            gone = self._rules.pop((bus, rule), None)
            if gone is None or not gone.catch_up:
                return
            self._unwritten[bus, rule] = None
        self._write()

    def due(self) -> float | None:
        """When `run` is to be called next: seconds since 1970, in the past when it left something undone; None if
        nothing is due ever."""
        with self._lock:
            if self._unwritten:
                return 0.0
            dues = [ticking.due for ticking in self._rules.values() if ticking.due is not None]
        return min(dues, default=None)

    def run(self) -> int:
        """Makes the events that are due, oldest first; how many. Raises nothing: what could not be made stays due."""
        with self._running:  # Two runs at once would make a tick twice.
            now = self._clock.now()
            with self._lock:
                late = {rule: t for rule, t in self._rules.items() if t.due is not None and t.due <= now}
            ticks: list[tuple[float, str, str]] = []
            after: dict[tuple[str, str], float | None] = {}
            for (bus, rule), ticking in late.items():
                found, after[bus, rule] = self._ticks(ticking, now)
                ticks += [(at, bus, rule) for at in found]
            made: dict[tuple[str, str], float] = {}
            count = 0
            failed = False
            for at, bus, rule in sorted(ticks):
                if (bus, rule) not in after:
                    continue  # An earlier tick of it failed.
                try:
                    self._fire(bus, rule, at)
                except Exception as error:
                    failed = True
                    del after[bus, rule]
                    late[bus, rule].due = at
                    self._on_error(error)
                else:
                    made[bus, rule] = at
                    count += 1
            for name, due in after.items():
                late[name].due = due
            with self._lock:
                for name, at in made.items():
                    # After the events: a crash between the two makes a tick twice rather than never.
                    if late[name].catch_up and self._rules.get(name) is late[name]:
                        self._unwritten[name] = _document(late[name], at)
            self._write()
            self.failing = failed or bool(self._unwritten)
            return count

    def _ticks(self, ticking: _Ticking, now: float) -> tuple[list[float], float | None]:
        """The ticks of one rule until now that are to be made, and its next."""
        found: list[float] = []
        due = ticking.due
        while due is not None and due <= now and len(found) < _MOST_CAUGHT_UP:
            if not ticking.catch_up:
                found.clear()
            found.append(due)
            due = ticking.schedule.next_after(due, ticking.anchor)
        return found, due

    def _write(self) -> None:
        """Writes what is to be kept; what the store refuses is written with the next run."""
        with self._lock:
            waiting = list(self._unwritten.items())
        for (bus, rule), document in waiting:
            try:
                self._store.put_document(_KIND, f"{bus}/{rule}", document)
            except Exception as error:
                self._on_error(error)
                return
            with self._lock:
                if self._unwritten.get((bus, rule)) is document:
                    self._unwritten.pop((bus, rule), None)


def _document(ticking: _Ticking, last: float) -> bytes:
    """What is kept of a rule whose missed ticks are caught up."""
    return _json.dumps({"schedule": ticking.schedule.text, "anchor": ticking.anchor, "last": last})


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
            if self._ticker.failing:
                with self._changed:
                    if not self._closed:
                        self._changed.wait(_PAUSE_S)
