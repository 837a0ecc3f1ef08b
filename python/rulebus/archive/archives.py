"""The archives of a store: made, changed, deleted, and rid of what is too old.

Who matches events against an archive's pattern is told through `attach` and `detach`. Relies on the store's documents
and its `forget`. Must never keep a definition that is not durable.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress

from rulebus.archive.definition import Archive, checked_name, checked_pattern, checked_retention
from rulebus.archive.status import Moment, seconds
from rulebus.clock import Clock
from rulebus.errors import BusError
from rulebus.event import AcceptedEvent
from rulebus.pattern import PatternLike
from rulebus.stores.protocol import Store

__all__ = ["Archives"]

_KIND = "archive"
_LONGEST_NAME = 48


class Archives:
    """All archives of a store. Threads may call any method at any time.

    `attach(bus, archive, pattern)` is called when events of a bus are to be kept from now on (also instead of an earlier
    pattern), and raises BusError for a bus that does not exist; `detach(bus, archive)` when no longer. Whoever puts
    events then adds those that match to `Changes.archived`. Replayed events are left out: they are in an archive already.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        attach: Callable[[str, str, str | None], None],
        detach: Callable[[str, str], None],
    ) -> None:
        self._store, self._clock = store, clock
        self._attach, self._detach = attach, detach
        self._lock = threading.RLock()
        self._archives: dict[str, Archive] = {}
        self.users: list[Callable[[str], bool]] = []
        """Asked before an archive is deleted: is it being read?"""
        for name, document in store.documents(_KIND).items():
            self._archives[name] = Archive.from_json(document)

    def attach_bus(self, bus: str) -> None:
        """Attaches the archives of a bus that there is now, those that were made by earlier processes."""
        for archive in self.archives(bus):
            self._attach(bus, archive.name, archive.pattern)

    def create(
        self,
        name: str,
        bus: str,
        pattern: PatternLike | None = None,
        *,
        retention_days: int = 0,
        description: str = "",
    ) -> Archive:
        """Makes an archive; it keeps events that are put from now on.

        Raises BusError ``archive-exists``, ``invalid-name``, ``invalid-retention``, PatternError.
        """
        checked_name(name, "archive", _LONGEST_NAME)
        archive = Archive(
            name,
            bus,
            checked_pattern(pattern),
            checked_retention(retention_days),
            description,
            self._clock.now(),
        )
        with self._lock:
            if name in self._archives:
                raise BusError(
                    "archive-exists",
                    f"there is an archive {name!r} already; update or delete it, or take another name",
                    f"Archive {name} already exists.",
                )
            # What a deletion that was cut short may have left.
            self._store.forget(name)
            self._attach(bus, name, archive.pattern)
            try:
                self._store.put_document(_KIND, name, archive.to_json())
            except BaseException:
                self._detach(bus, name)
                raise
            self._archives[name] = archive
        return archive

    def update(
        self,
        name: str,
        *,
        pattern: PatternLike | None = None,
        retention_days: int = 0,
        description: str = "",
    ) -> Archive:
        """Gives an archive new settings; what is left out is reset. What it keeps already stays, until it is too old."""
        text = checked_pattern(pattern)
        with self._lock:
            old = self.archive(name)
            archive = Archive(
                name, old.bus, text, checked_retention(retention_days), description, old.created_at
            )
            self._attach(old.bus, name, text)
            try:
                self._store.put_document(_KIND, name, archive.to_json())
            except BaseException:
                self._attach(old.bus, name, old.pattern)
                raise
            self._archives[name] = archive
        return archive

    def delete(self, name: str) -> int:
        """Deletes an archive and what it keeps; how many events that were. Raises BusError ``archive-in-use``."""
        with self._lock:
            archive = self.archive(name)
            if any(uses(name) for uses in self.users):
                raise BusError(
                    "archive-in-use",
                    f"archive {name!r} is being replayed; wait for the replay or cancel it, then delete the archive",
                )
            with suppress(BusError):  # The bus may be gone.
                self._detach(archive.bus, name)
            self._store.put_document(_KIND, name, None)
            del self._archives[name]
            return self._store.forget(name)

    def archive(self, name: str) -> Archive:
        """The archive of that name. Raises BusError ``unknown-archive``."""
        archive = self._archives.get(name)
        if archive is None:
            known = ", ".join(sorted(self._archives)) or "none"
            raise BusError(
                "unknown-archive",
                f"there is no archive {name!r}; there is: {known}",
                f"Archive {name} does not exist.",
            )
        return archive

    def archives(self, bus: str | None = None) -> tuple[Archive, ...]:
        """All archives, or those of one bus, by name."""
        with self._lock:
            found = [archive for archive in self._archives.values() if bus is None or archive.bus == bus]
        return tuple(sorted(found, key=lambda archive: archive.name))

    def events(
        self, name: str, start: Moment = float("-inf"), end: Moment = float("inf")
    ) -> Iterator[AcceptedEvent]:
        """What an archive keeps of a time window (``start <= time < end``), by (time, arrival)."""
        self.archive(name)
        return (event for _, event in self._store.archived(name, seconds(start), seconds(end)))

    def expire(self) -> int:
        """Forgets what is beyond its archive's retention; how many events. For a timer; days are its measure."""
        now = self._clock.now()
        count = 0
        for archive in self.archives():
            before = archive.expires_before(now)
            if before is not None:
                count += self._store.forget(archive.name, before)
        return count
