"""Reading the file: read-only connections, and the store as other processes may see it.

Relies on `schema` and `records`. Each question is one statement that answers with one row (see `writer` for why), holds
the file only while it runs, and brings a bounded number of bytes. Must never write.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import weakref
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from typing import Any

from rulebus import _json
from rulebus.dead_letter import DeadLetter
from rulebus.errors import StoreError
from rulebus.event import AcceptedEvent
from rulebus.stores.sqlite.faults import said
from rulebus.stores.sqlite.group import microseconds
from rulebus.stores.sqlite.records import block_places, unpack_event, unpack_letter
from rulebus.stores.sqlite.schema import PACK_BITS, open_reader

__all__ = ["SqliteReader"]

_PLACES = 128
_LETTERS = 64
_LEAST_PAGE, _MOST_PAGE = 16, 2048
_PAGE_BYTES = 2 << 20

# Rows travel as one: their numbers and lengths as JSON, their bytes end to end.
_FETCH = """
SELECT json_group_array(json_array(kind, number, length(data))), CAST(group_concat(CAST(data AS TEXT), '') AS BLOB)
FROM (SELECT 0 AS kind, seq AS number, data FROM log WHERE seq IN (SELECT value FROM json_each(?1))
      UNION ALL SELECT 1, block, data FROM packed WHERE block IN (SELECT value FROM json_each(?2))
      ORDER BY kind, number)
"""
# Of a file of version 1, which no bus has opened since.
_FETCH_1 = """
SELECT json_group_array(json_array(0, seq, length(data))), CAST(group_concat(CAST(data AS TEXT), '') AS BLOB)
FROM (SELECT seq, data FROM log WHERE seq IN (SELECT value FROM json_each(?1)) AND ?2 IS NOT NULL ORDER BY seq)
"""
_LETTERS_BEYOND = """
SELECT json_group_array(json_array(id, record, length(data), length(input))),
    CAST(group_concat(CAST(data AS TEXT) || CAST(ifnull(input, x'') AS TEXT), '') AS BLOB)
FROM (SELECT id, record, data, input FROM dead WHERE id > ? ORDER BY id LIMIT ?)
"""
_ARCHIVED = """
SELECT json_group_array(json_array(number, time, length(data))),
    CAST(group_concat(CAST(data AS TEXT), '') AS BLOB)
FROM (SELECT number, time, data FROM archived INDEXED BY archived_order
      WHERE archive = ? AND (time, number) > (?, ?) AND time < ? ORDER BY time, number LIMIT ?)
"""


class SqliteReader:
    """A store's file, read only: also while a bus in another process works with it.

    Made by `SqliteStore.open_reader`. Threads may use it at once. It sees what is committed when it asks, and has nothing
    that writes.
    """

    durable = True

    def __init__(self, path: str | os.PathLike[str], *, lock_timeout_s: float = 5.0) -> None:
        self.path = os.fspath(path)
        """Path of the file."""
        self._lock_timeout_s = lock_timeout_s
        self._lock = threading.Lock()
        self._idle: list[sqlite3.Connection] = []
        self._closed = False
        self._packed = False  # Whether the file was seen to have packed events.
        # A reader that nobody closes lets go of the file with its last reference.
        weakref.finalize(self, _close, self._idle)

    def ask(self, statement: str, parameters: Sequence[Any] = ()) -> Any:
        """The one row that a statement answers with. Raises StoreError."""
        connection = self._take()
        try:
            row = connection.execute(statement, parameters).fetchone()
        except (sqlite3.Error, OverflowError) as error:
            connection.close()
            raise said(error, self.path, "reading") from error
        except BaseException:
            connection.close()
            raise
        self._give_back(connection)
        return row

    def _take(self) -> sqlite3.Connection:
        with self._lock:
            if self._closed:
                raise StoreError("store-closed", f"{self.path} was closed; open the store again")
            if self._idle:
                return self._idle.pop()
        return open_reader(self.path, self._lock_timeout_s)

    def _give_back(self, connection: sqlite3.Connection) -> None:
        with self._lock:
            if not self._closed:
                self._idle.append(connection)
                return
        connection.close()

    def fetch(self, places: Sequence[int]) -> list[AcceptedEvent]:
        """The events at these places (rising). Raises StoreError ``store-no-event`` for one that is not pending."""
        events: list[AcceptedEvent] = []
        where = f"{self.path}, the event at place"
        for start in range(0, len(places), _PLACES):
            wanted = list(places[start : start + _PLACES])
            if sorted(set(wanted)) != wanted:
                raise ValueError(f"fetch() takes rising places, each once, not {wanted!r}")
            blocks = sorted({place >> PACK_BITS for place in wanted})
            # Once of version 2, always.
            self._packed = self._packed or self.ask("PRAGMA user_version")[0] > 1
            statement = _FETCH if self._packed else _FETCH_1
            rows, data = self.ask(statement, (_json.dumps_text(wanted), _json.dumps_text(blocks)))
            found: dict[int, tuple[int, int]] = {}
            offset = 0
            for kind, number, length in sorted(_json.loads(rows)):
                end = offset + length
                if kind:
                    places_of = enumerate(block_places(data, offset, end), number << PACK_BITS)
                    found.update((place, span) for place, span in places_of if span[0] < span[1])
                else:
                    found[number] = (offset, end)
                offset = end
            for seq in wanted:
                if seq not in found:
                    raise StoreError(
                        "store-no-event",
                        f"{self.path} has no event at place {seq} of the log; only events with a pending "
                        "delivery are kept there",
                    )
                events.append(unpack_event(data, *found[seq], seq, where, seq))
        return events

    def dead_letters(self, after: int = 0, limit: int = 1000) -> list[DeadLetter]:
        """Dead letters with an id beyond `after`, by id, at most `limit`."""
        letters: list[DeadLetter] = []
        while len(letters) < limit:
            asked = min(_LETTERS, limit - len(letters))
            rows, data = self.ask(_LETTERS_BEYOND, (after, asked))
            found = _json.loads(rows)
            offset = 0
            for id, record, length, input_length in found:
                end = offset + length
                input = None if input_length is None else data[end : end + input_length]
                letters.append(unpack_letter(id, record, data[offset:end], input))
                offset = end + (input_length or 0)
                after = id
            if len(found) < asked:
                break
        return letters

    def count_dead_letters(self) -> int:
        """How many are stored."""
        return int(self.ask("SELECT count(*) FROM dead")[0])

    def archived(
        self, archive: str, start: float, end: float, after: tuple[float, int] | None = None
    ) -> Iterator[tuple[int, AcceptedEvent]]:
        """The archive's events of the window by (time, number), beyond `after`; page by page, without a lock between."""
        row = self.ask("SELECT max(number) FROM archive WHERE name = ?", (archive,))
        if row[0] is None:
            return
        place = (microseconds(start), 0)
        if after is not None:
            place = max(place, (microseconds(after[0]), after[1]))
        until = microseconds(end)
        page = _LEAST_PAGE
        where = f"{self.path}, archive {archive!r}, event"
        while True:
            rows, data = self.ask(_ARCHIVED, (row[0], *place, until, page))
            found = _json.loads(rows)
            offset = 0
            for number, _, length in found:
                stop = offset + length
                yield number, unpack_event(data, offset, stop, 0, where, number)
                offset = stop
            if found:
                place = (found[-1][1], found[-1][0])
            if len(found) < page:
                return
            page = min(_MOST_PAGE, 2 * page, max(_LEAST_PAGE, _PAGE_BYTES * page // max(1, len(data))))

    def documents(self, kind: str) -> dict[str, bytes]:
        """The JSON documents of a kind by name."""
        rows, data = self.ask(
            "SELECT json_group_array(json_array(name, length(document))),"
            "CAST(group_concat(CAST(document AS TEXT), '') AS BLOB)"
            "FROM (SELECT name, document FROM document WHERE kind = ? ORDER BY name)",
            (kind,),
        )
        documents: dict[str, bytes] = {}
        offset = 0
        for name, length in _json.loads(rows):
            documents[name] = data[offset : offset + length]
            offset += length
        return documents

    def backup(self, path: str | os.PathLike[str]) -> None:
        """Writes a copy of the store as it is now to a new file, while the bus goes on. Raises StoreError."""
        target = os.fspath(path)
        if os.path.exists(target):
            raise StoreError("store-exists", f"{target} exists; a backup goes to a new file")
        connection = self._take()
        try:
            with closing(sqlite3.connect(target, isolation_level=None)) as copy:
                connection.backup(copy)
        except sqlite3.Error as error:
            with suppress(OSError):
                os.unlink(target)
            raise said(error, target, "copying the store to") from error
        finally:
            connection.close()

    def close(self) -> None:
        """Lets go of the file."""
        with self._lock:
            self._closed = True
            _close(self._idle)


def _close(connections: list[sqlite3.Connection]) -> None:
    while connections:
        connections.pop().close()
