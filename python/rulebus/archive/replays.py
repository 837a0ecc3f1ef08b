"""The replays of a store: begun, listed, gone on with after a crash; each runs in a thread of its own.

Relies on `replay`, `archives` and the clock that is passed in: a clock that tests move wakes the threads when it is
moved. Must never lose a replay: its definition is durable before its first event is put.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from typing import Any

from rulebus.archive.archives import Archives
from rulebus.archive.definition import checked_name
from rulebus.archive.preview import Match, ReplayPreview, preview
from rulebus.archive.replay import KIND, Put, Replay
from rulebus.archive.status import Moment, ReplayStatus, seconds
from rulebus.clock import Clock
from rulebus.errors import BusError
from rulebus.stores.protocol import Store

__all__ = ["Replays"]

_LONGEST_NAME = 64
_LONGEST_WAIT_S = 60.0


class Replays:
    """All replays of a store. Threads may call any method at any time.

    `check` is asked before a replay begins, or is rehearsed, whether there are such a bus and rules; it raises BusError.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        archives: Archives,
        put: Put,
        match: Match,
        check: Callable[[str, tuple[str, ...] | None], None] | None = None,
    ) -> None:
        self._store, self._clock, self._archives = store, clock, archives
        self._put, self._match, self._check = put, match, check
        self._lock = threading.Lock()
        self._replays: dict[str, Replay] = {}
        self._runners: list[_Runner] = []
        self._progress = store.documents("replay-progress")
        for name, document in store.documents(KIND).items():
            status = ReplayStatus.from_json(document)
            self._replays[name] = self._made(status, self._progress.get(name))
        archives.users.append(self._uses)

    def _way(self, to: str, rules: Iterable[str] | None) -> tuple[str, ...] | None:
        """The rules that are asked for; one may be given by its name alone."""
        chosen = None if rules is None else (rules,) if isinstance(rules, str) else tuple(rules)
        if self._check is not None:
            self._check(to, chosen)
        return chosen

    def _made(self, status: ReplayStatus, progress: bytes | None = None) -> Replay:
        status, after = Replay.resumed(status, progress)
        return Replay(status, self._store, self._clock, self._put, after)

    def _uses(self, archive: str) -> bool:
        return any(
            replay.status.archive == archive and not replay.status.ended for replay in self._replays.values()
        )

    def resume(self) -> tuple[Replay, ...]:
        """Goes on with the replays that a crash or a close cut short; call it once the buses and rules are there."""
        with self._lock:
            found = [replay for replay in self._replays.values() if not replay.status.ended]
            running = {id(runner.replay) for runner in self._runners}
            for replay in found:
                if id(replay) not in running:
                    self._run(replay)
        return tuple(found)

    def start(
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
        run: bool = True,
    ) -> Replay:
        """Begins to put what an archive keeps of the window ``start <= time < end`` on a bus again.

        In the order of (time, arrival). `to` is any bus, by default the archive's own; `rules`: only these get the events;
        `speed`: so many times faster than they happened, `rate_per_s`: at most so many a second, by default as fast as the
        bus takes them. Each event keeps its id and gets the replay's `name` as ``replay-name``. With ``run=False`` nothing
        happens until the caller steps the replay. Raises BusError ``unknown-archive``, ``replay-exists``,
        ``replay-window``, ``replay-pace``, ``invalid-name``.
        """
        definition = self._archives.archive(archive)
        window = _window(start, end)
        bus = definition.bus if to is None else to
        chosen = self._way(bus, rules)
        for value, what in ((speed, "speed"), (rate_per_s, "rate_per_s")):
            if value is not None and not value > 0:
                raise BusError("replay-pace", f"{what} is above 0 or None, not {value!r}")
        with self._lock:
            name = self._free_name(archive) if name is None else checked_name(name, "replay", _LONGEST_NAME)
            if name in self._replays:
                raise BusError(
                    "replay-exists",
                    f"there is a replay {name!r} already; give the new one another name",
                    f"Replay {name} already exists.",
                )
            status = ReplayStatus(
                name,
                archive,
                bus,
                *window,
                rules=chosen,
                speed=speed,
                rate_per_s=rate_per_s,
                description=description,
                started_at=self._clock.now(),
            )
            # Progress of an earlier replay of that name, which was forgotten, is none of this one's.
            self._store.put_document("replay-progress", name, None)
            self._store.put_document(KIND, name, status.to_json())
            replay = self._replays[name] = self._made(status)
            if run:
                self._run(replay)
        return replay

    def dry_run(
        self,
        archive: str,
        start: Moment,
        end: Moment,
        *,
        to: str | None = None,
        name: str | None = None,
        rules: Iterable[str] | None = None,
    ) -> ReplayPreview:
        """What such a replay would match and deliver now, by rule and target. COST: 8 us an event and its matching."""
        definition = self._archives.archive(archive)
        shown = checked_name(name, "replay", _LONGEST_NAME) if name is not None else self._free_name(archive)
        bus = definition.bus if to is None else to
        chosen = self._way(bus, rules)
        return preview(self._store, self._match, archive, *_window(start, end), bus, chosen, shown)

    def replay(self, name: str) -> Replay:
        """The replay of that name, also one that has ended. Raises BusError ``unknown-replay``."""
        replay = self._replays.get(name)
        if replay is None:
            raise BusError(
                "unknown-replay",
                f"there is no replay {name!r}; replays() lists them",
                f"Replay {name} does not exist.",
            )
        return replay

    def replays(self) -> tuple[ReplayStatus, ...]:
        """How all replays stand, in the order in which they were begun."""
        with self._lock:
            found = [replay.status for replay in self._replays.values()]
        return tuple(sorted(found, key=lambda status: (status.started_at, status.name)))

    def forget(self, name: str) -> None:
        """Deletes the record of a replay that has ended. Raises BusError ``replay-running``."""
        replay = self.replay(name)
        if not replay.status.ended:
            raise BusError("replay-running", f"replay {name!r} has not ended; cancel it or wait for it first")
        with self._lock:
            self._store.put_document(KIND, name, None)
            self._store.put_document("replay-progress", name, None)
            del self._replays[name]

    def close(self) -> None:
        """Stops between two events; the replays go on when the store is opened again and `resume` is called."""
        with self._lock:
            runners, self._runners = self._runners, []
        for runner in runners:
            runner.stop()

    def _free_name(self, archive: str) -> str:
        number = 1
        while f"{archive}-replay-{number}" in self._replays:
            number += 1
        return f"{archive}-replay-{number}"

    def _run(self, replay: Replay) -> None:
        self._runners = [runner for runner in self._runners if not runner.replay.status.ended]
        self._runners.append(_Runner(replay, self._clock))


class _Runner:
    """The thread of one replay."""

    def __init__(self, replay: Replay, clock: Clock) -> None:
        self.replay = replay
        self._clock = clock
        self._changed = threading.Condition()
        self._stopped = False
        self._moved = 0
        replay.on_cancel = self._wake
        # A clock that tests move says when it was moved.
        listen: Any = getattr(clock, "listen", None)
        self._fake = listen is not None
        self._end_listening: Callable[[], None] = listen(self._wake) if self._fake else lambda: None
        self._thread = threading.Thread(target=self._work, name=f"rulebus replay {replay.name}", daemon=True)
        self._thread.start()

    def _wake(self) -> None:
        with self._changed:
            self._moved += 1
            self._changed.notify_all()

    def stop(self) -> None:
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def _work(self) -> None:
        try:
            while not self._stopped:
                moved = self._moved
                wait_s = self.replay.step()
                if wait_s is None:
                    return
                if wait_s > 0:
                    with self._changed:
                        if moved == self._moved and not self._stopped:
                            self._changed.wait(None if self._fake else min(wait_s, _LONGEST_WAIT_S))
        except BusError:
            pass  # Bus or store were closed under it; the replay goes on when they are opened again.
        except Exception:
            logging.getLogger("rulebus").exception("the replay %s stopped", self.replay.name)
        finally:
            self._end_listening()


def _window(start: Moment, end: Moment) -> tuple[float, float]:
    window = seconds(start), seconds(end)
    if not window[0] < window[1]:
        raise BusError("replay-window", f"the window ends ({end!r}) before it starts ({start!r})")
    return window
