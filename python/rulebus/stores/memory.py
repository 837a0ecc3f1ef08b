"""The store of a bus that keeps nothing beyond its process: the default.

Events and their pending deliveries are the dispatcher's, in memory; here are the numbers, dead letters, archives and
documents. Relies on `stores.protocol`. Must never do work that grows with what is pending: it is on the path of every
event.
"""

from __future__ import annotations

import threading
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import replace

from rulebus import _json
from rulebus.dead_letter import DeadLetter
from rulebus.errors import StoreError
from rulebus.event import AcceptedEvent
from rulebus.stores.event_time import event_time
from rulebus.stores.protocol import Changes, Recovered, SubscriptionKey

__all__ = ["MemoryStore"]

_PAGE = 1000


class MemoryStore:
    """Keeps what a bus needs while the process lives.

    >>> store = MemoryStore()
    >>> store.number(("default", "big-orders", "billing"))
    1
    >>> event = AcceptedEvent("default", "1", b"{}", 0.0)
    >>> store.write(Changes(appended=[(event, (1,))])) is None, event.seq
    (True, 1)

    Not durable, so that a bus leaves no event to it: `fetch` gives what an archive keeps and nothing else, `done` and
    `retries` change nothing. Thread-safe. COST: of an append, one number an event.
    """

    durable = False

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._numbers: dict[SubscriptionKey, int] = {}
        self._seq = 0
        self._letters: dict[int, DeadLetter] = {}
        self._letter_ids: list[int] = []
        self._archives: dict[str, _Archive] = {}
        self._archive_number = 0
        self._documents: dict[str, dict[str, bytes]] = {}
        self._closed = False

    def recover(self) -> Recovered:
        """Nothing: a memory starts empty."""
        return Recovered({}, {}, [])

    def number(self, key: SubscriptionKey) -> int:
        """The subscription's number, given when first asked for."""
        with self._lock:
            self._open()
            return self._numbers.setdefault(key, len(self._numbers) + 1)

    def write(self, changes: Changes) -> None:
        """Applies the changes at once."""
        with self._lock:
            self._open()
            if changes.appended:
                seq = self._seq
                for event, _ in changes.appended:
                    seq += 1
                    event.seq = seq
                self._seq = seq
            for name, event in changes.archived:
                self._archive_number += 1
                self._archives.setdefault(name, _Archive()).add(self._archive_number, event)
            if changes.replay is not None:
                name, *progress = changes.replay
                self._documents.setdefault("replay-progress", {})[name] = _json.dumps(progress)
            for _, _, letter in changes.dead:
                id = self._letter_ids[-1] + 1 if self._letter_ids else 1
                self._letter_ids.append(id)
                self._letters[id] = replace(letter, id=id)
            if changes.buried:
                for id in changes.buried:
                    self._letters.pop(id, None)
                if len(self._letter_ids) > 2 * len(self._letters) + _PAGE:
                    # The last id stays, so that no number is given twice.
                    last = self._letter_ids[-1]
                    self._letter_ids = [id for id in self._letter_ids if id in self._letters or id == last]

    def take(self, event: AcceptedEvent) -> None:
        """`write` of one event without an archive. COST: a number."""
        with self._lock:
            self._open()
            self._seq = event.seq = self._seq + 1

    def fetch(self, places: Sequence[int]) -> list[AcceptedEvent]:
        """Refuses: a bus keeps the events that are pending itself when its store is not durable."""
        if not places:
            return []
        raise StoreError(
            "not-durable",
            "a MemoryStore keeps no pending events to fetch; use a durable store such as SqliteStore for that",
        )

    def dead_letters(self, after: int = 0, limit: int = 1000) -> list[DeadLetter]:
        """Dead letters by id, from beyond `after`, at most `limit`."""
        with self._lock:
            self._open()
            found: list[DeadLetter] = []
            for place in range(bisect_right(self._letter_ids, after), len(self._letter_ids)):
                if len(found) >= limit:
                    break
                letter = self._letters.get(self._letter_ids[place])
                if letter is not None:
                    found.append(letter)
            return found

    def count_dead_letters(self) -> int:
        """How many are kept."""
        with self._lock:
            self._open()
            return len(self._letters)

    def archived(
        self, archive: str, start: float, end: float, after: tuple[float, int] | None = None
    ) -> Iterator[tuple[int, AcceptedEvent]]:
        """The archive's events of the window by (time, number); takes them page by page, so that puts go on between."""
        place = (start, 0) if after is None or after[0] < start else after
        while True:
            with self._lock:
                self._open()
                kept = self._archives.get(archive)
                page = [] if kept is None else kept.page(place, end)
            if not page:
                return
            for time, number, event in page:
                yield number, event
                place = (time, number)

    def forget(self, archive: str, before: float | None = None) -> int:
        """Deletes what an archive keeps from before that moment, or all of it."""
        with self._lock:
            self._open()
            kept = self._archives.get(archive)
            if kept is None:
                return 0
            if before is None:
                del self._archives[archive]
                return len(kept)
            return kept.forget(before)

    def documents(self, kind: str) -> dict[str, bytes]:
        """The documents of a kind by name."""
        with self._lock:
            self._open()
            return dict(self._documents.get(kind, {}))

    def put_document(self, kind: str, name: str, document: bytes | None) -> None:
        """Keeps a document, or deletes it."""
        with self._lock:
            self._open()
            kept = self._documents.setdefault(kind, {})
            if document is None:
                kept.pop(name, None)
            else:
                kept[name] = bytes(document)

    def close(self) -> None:
        """Lets go of everything."""
        with self._lock:
            self._closed = True
            self._letters, self._letter_ids, self._archives, self._documents = {}, [], {}, {}

    def _open(self) -> None:
        if self._closed:
            raise StoreError("store-closed", "this store was closed; make a new one")


class _Archive:
    """Events by (time, number). Mostly they come in order; one that does not is put in its place."""

    __slots__ = ("_entries", "_keys")

    def __init__(self) -> None:
        self._keys: list[tuple[float, int]] = []
        self._entries: list[AcceptedEvent] = []

    def __len__(self) -> int:
        return len(self._keys)

    def add(self, number: int, event: AcceptedEvent) -> None:
        key = (event_time(event), number)
        if not self._keys or key > self._keys[-1]:
            self._keys.append(key)
            self._entries.append(event)
        else:
            place = bisect_left(self._keys, key)
            self._keys.insert(place, key)
            self._entries.insert(place, event)

    def page(self, after: tuple[float, int], end: float) -> list[tuple[float, int, AcceptedEvent]]:
        place = bisect_right(self._keys, after)
        stop = min(bisect_left(self._keys, (end, 0)), place + _PAGE)
        return [(*self._keys[n], self._entries[n]) for n in range(place, stop)]

    def forget(self, before: float) -> int:
        count = bisect_left(self._keys, (before, 0))
        del self._keys[:count], self._entries[:count]
        return count
