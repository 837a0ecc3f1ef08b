"""`SqliteStore`: a durable store in one file, for one process at a time.

The face of the parts beside it: takes the lock, opens the file, hands changes to the writer and questions to the reader.
Must never answer for something that is not on disk.
"""

from __future__ import annotations

import os
import sqlite3
import weakref
from array import array
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future

from rulebus.dead_letter import DeadLetter
from rulebus.errors import StoreError
from rulebus.event import AcceptedEvent
from rulebus.stores.protocol import Changes, Recovered, Retry, SubscriptionKey
from rulebus.stores.sqlite.faults import said
from rulebus.stores.sqlite.group import Counters, Item, microseconds
from rulebus.stores.sqlite.owner import Owner
from rulebus.stores.sqlite.pending import Pair, Parts, unpack_pairs
from rulebus.stores.sqlite.reader import SqliteReader
from rulebus.stores.sqlite.records import unpack_attempts
from rulebus.stores.sqlite.schema import PART_BITS, open_writer
from rulebus.stores.sqlite.writer import Writer

__all__ = ["SqliteStore"]

_FORGET_AT_ONCE = 2000
_FORGET = """
DELETE FROM archived WHERE number IN (SELECT number FROM archived INDEXED BY archived_order
    WHERE archive = (SELECT number FROM archive WHERE name = ?) AND time < ? ORDER BY time, number LIMIT ?)
"""


class SqliteStore:
    """Keeps what a bus accepted in a SQLite file until it is delivered, and beyond the process.

    >>> import tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> store = SqliteStore(folder.name + "/orders.db")
    >>> store.recover().pending
    {}
    >>> billing = store.number(("default", "big-orders", "billing"))
    >>> event = AcceptedEvent("default", "1", b'{"detail":{}}', 0.0)
    >>> store.write(Changes(appended=[(event, (billing,))])).result()  # On disk from here on.
    >>> store.close()
    >>> again = SqliteStore(folder.name + "/orders.db")
    >>> list(again.recover().pending[billing]) == [event.seq], again.fetch([event.seq])[0].body
    (True, b'{"detail":{}}')
    >>> again.close(); folder.cleanup()

    One process owns the file, from `recover` until `close` or its end; a second one gets StoreError ``store-in-use``.
    Other processes may read it meanwhile: `open_reader`. Threads may call any method at any time.

    Durable means: written to the volume and synced (write-ahead log, ``synchronous=FULL``) before the future of `write`
    is done; changes written at the same time share a commit. COST: a commit takes as long as the volume's sync, mostly
    some milliseconds; an event of 1 kB with two deliveries about 10 us of CPU over its life. `lock_timeout_s` is how long
    to wait for another program that holds the file's lock.
    """

    durable = True

    def __init__(self, path: str | os.PathLike[str], *, lock_timeout_s: float = 5.0) -> None:
        self.path = os.fspath(path)
        """Path of the file; ``-wal``, ``-shm`` and ``.owner`` files stand beside it."""
        self._lock_timeout_s = lock_timeout_s
        self._writer: Writer | None = None
        self._reader = SqliteReader(self.path, lock_timeout_s=lock_timeout_s)
        self._numbers: dict[SubscriptionKey, int] = {}
        self._finalizer: weakref.finalize[..., SqliteStore] | None = None
        self._closed = False

    @staticmethod
    def open_reader(path: str | os.PathLike[str], *, lock_timeout_s: float = 5.0) -> SqliteReader:
        """The store's dead letters, archives and documents, to look at; also beside a running bus."""
        reader = SqliteReader(path, lock_timeout_s=lock_timeout_s)
        reader.count_dead_letters()  # What is wrong with the file is said here.
        return reader

    def __repr__(self) -> str:
        return f"SqliteStore({self.path!r})"

    def recover(self) -> Recovered:
        """Takes and opens the file, makes it if there is none; what was pending. COST: 0.5 s for a million deliveries.

        Raises StoreError: ``store-in-use``, ``store-newer``, ``store-foreign``, ``store-lost-commits``,
        ``store-damaged``, and what the operating system refuses (docs/errors.md has the list).
        """
        if self._closed:
            raise StoreError("store-closed", f"{self.path} was closed; make a new SqliteStore for it")
        if self._writer is not None:
            raise StoreError("store-open", f"{self.path} is open already; recover() is called once")
        owner = Owner(f"{self.path}.owner")
        connection = None
        try:
            connection = open_writer(self.path, self._lock_timeout_s)
            return self._read(connection, owner)
        except BaseException as error:
            if connection is not None:
                connection.close()
            owner.release()
            if isinstance(error, sqlite3.Error):
                raise said(error, self.path, "opening") from error
            raise

    def _read(self, connection: sqlite3.Connection, owner: Owner) -> Recovered:
        commits, seq, number = connection.execute("SELECT commits, seq, number FROM counter").fetchone()
        if commits < owner.commit:
            raise StoreError(
                "store-lost-commits",
                f"{self.path} ends at commit {commits}, but commit {owner.commit} was acknowledged: its -wal file was "
                "removed, or an older copy was put in its place. Put the file back, or delete "
                f"{owner.path} to go on without what is missing",
            )
        _sync_folder(self.path)
        keys = {
            row[0]: (row[1], row[2], row[3])
            for row in connection.execute(
                "SELECT number, bus, rule, target FROM subscription ORDER BY number"
            )
        }
        archives = {row[1]: row[0] for row in connection.execute("SELECT number, name FROM archive")}
        letter = connection.execute("SELECT max(seq) FROM sqlite_sequence WHERE name = 'dead'").fetchone()[0]
        parts = Parts(connection)
        retries: list[Retry] = []
        for place, subscription, record in connection.execute(
            "SELECT seq, subscription, record FROM retry ORDER BY seq, subscription"
        ):
            retries.append(Retry(place, subscription, *unpack_attempts(record)))
            parts.retried.add((place, subscription))
        pending = _pending(connection, parts.retried)
        counters = Counters(commits, number, letter or 0, archives)
        self._numbers = {key: number for number, key in keys.items()}
        self._writer = Writer(self.path, connection, owner, parts, counters, seq)
        self._finalizer = weakref.finalize(self, Writer.close, self._writer)
        return Recovered(dict(keys), pending, retries)

    def _open(self) -> Writer:
        if self._writer is None or self._closed:
            if self._closed:
                raise StoreError("store-closed", f"{self.path} was closed; open the store again")
            raise StoreError("store-not-open", f"{self.path} is not open yet; recover() comes first")
        return self._writer

    def number(self, key: SubscriptionKey) -> int:
        """The number of a subscription; the same for the same key for ever. Written with the first use of it."""
        writer = self._open()
        number = self._numbers.get(key)
        if number is None:
            number = writer.name(key, self._numbers)
        return number

    def write(self, changes: Changes) -> Future[None]:
        """Queues the changes for the next commit; the future is done when they are durable, or has the StoreError.

        Deliveries that were taken (`done`) need no second call when that failed: the store records them later.
        """
        writer = self._open()
        return writer.queue(Item(changes), [event for event, _ in changes.appended])

    def fetch(self, places: Sequence[int]) -> list[AcceptedEvent]:
        """The events at these places of the log (rising), in that order; each has a pending delivery."""
        self._open()
        return self._reader.fetch(places)

    def dead_letters(self, after: int = 0, limit: int = 1000) -> list[DeadLetter]:
        """Dead letters with an id beyond `after`, by id, at most `limit`."""
        self._open()
        return self._reader.dead_letters(after, limit)

    def count_dead_letters(self) -> int:
        """How many are stored."""
        self._open()
        return self._reader.count_dead_letters()

    def archived(
        self, archive: str, start: float, end: float, after: tuple[float, int] | None = None
    ) -> Iterator[tuple[int, AcceptedEvent]]:
        """What an archive keeps of the window, by (time, number), beyond `after`. COST: 5 us an event of 1 kB."""
        self._open()
        return self._reader.archived(archive, start, end, after)

    def forget(self, archive: str, before: float | None = None) -> int:
        """Deletes what an archive keeps from before that moment, or all of it; some thousand events a commit."""
        until = microseconds(float("inf") if before is None else before)
        count = 0
        while True:
            some: int = self._open().run(
                lambda connection: connection.execute(_FORGET, (archive, until, _FORGET_AT_ONCE)).rowcount
            )
            count += some
            if some < _FORGET_AT_ONCE:
                return count

    def documents(self, kind: str) -> dict[str, bytes]:
        """The JSON documents of a kind by name. The kind ``replay-progress`` holds what `Changes.replay` said last."""
        self._open()
        return self._reader.documents(kind)

    def put_document(self, kind: str, name: str, document: bytes | None) -> None:
        """Keeps a document, or deletes it; durable on return."""
        item = Item(Changes())
        item.documents.append((kind, name, document))
        item.lazy = False
        self._open().queue(item, []).result()

    def backup(self, path: str | os.PathLike[str]) -> None:
        """Writes a copy of the store as it is now to a new file, while the bus goes on. Raises StoreError."""
        self._open()
        self._reader.backup(path)

    def close(self) -> None:
        """Commits what is queued, closes the file and gives the lock back. Raises StoreError if something is lost."""
        if self._closed:
            return
        self._closed = True
        self._reader.close()
        if self._writer is not None:
            if self._finalizer is not None:
                self._finalizer.detach()
            fault = self._writer.close()
            if fault is not None:
                raise fault


def _pending(connection: sqlite3.Connection, retried: set[Pair]) -> dict[int, Iterable[int]]:
    """Places by subscription, rising, without those that wait for a retry."""
    places: dict[int, array[int]] = {}
    held_back = {seq >> PART_BITS for seq, _ in retried}
    for part, data in connection.execute("SELECT part, pairs FROM pending ORDER BY part"):
        numbers = unpack_pairs(part, data)
        pairs = sorted(zip(numbers[::2], numbers[1::2], strict=True))
        if part in held_back:
            pairs = [pair for pair in pairs if pair not in retried]
        for seq, subscription in pairs:
            try:
                places[subscription].append(seq)
            except KeyError:
                places[subscription] = array("q", (seq,))
    return dict(places)


def _sync_folder(path: str) -> None:
    """Makes the file's name durable, where folders can be synced."""
    if os.name != "posix":
        return
    folder = os.open(os.path.dirname(os.path.abspath(path)), os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
