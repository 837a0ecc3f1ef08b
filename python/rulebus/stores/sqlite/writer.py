"""The thread that commits: takes what callers queued, merges it, runs one statement, answers.

Relies on `group` and `schema`. Must never answer before the statement is durable, and never when the files under the
store's path are no longer those that it writes.

Why one statement a commit. Python's sqlite3 gives up the interpreter lock for each step of a statement and asks for it
again afterwards, and a thread that computes may keep it for a switch interval (5 ms). BEGIN, a row a step and COMMIT give
it up hundreds of times; one INSERT into a view, whose trigger does everything in a transaction of its own, once. Measured
in commits of 100 events of 1 kB with two deliveries, on a disk, alternating, beside 0, 1, 2 and 4 busy threads: medians
alike (2.7 to 54 ms, nearly all of it the one wait that the sync itself brings), but the slowest of 20 commits took 24,
102, 96 and 127 ms against 29, 294, 109 and 311 ms; and 5.8 to 7.7 us of CPU an event against 7.0 to 10.0.

Why rows of sixteen events, then, and not of one or of a whole commit. The pages of single events are rewritten when the events
are deleted, 216 kB of log a commit of 100 events of 870 bytes; of rows larger than a page only the first is, 152 kB for
sixteen a row, 136 kB for 32 and more, and 360, 265, 230 us of CPU. But a row stays on disk whole until its last event is
delivered, and is read whole to fetch one event.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from rulebus.errors import StoreError
from rulebus.stores.protocol import SubscriptionKey
from rulebus.stores.sqlite.faults import is_fatal, said
from rulebus.stores.sqlite.group import Counters, Group, Item
from rulebus.stores.sqlite.owner import Owner
from rulebus.stores.sqlite.pending import Pair, Parts
from rulebus.stores.sqlite.records import PACK
from rulebus.stores.sqlite.schema import APPLY

__all__ = ["Writer"]

_MOST_BYTES = 16 << 20
"""Of a commit, unless a single caller brings more."""
_CHECKPOINT_BYTES = 32 << 20
"""Written to the log before it is copied into the file."""
_LAZY_S = 0.005
"""How long deliveries that were taken wait for others to share a commit with."""
_IDLE_S = 0.5
_VACUUM_PAGES = 512
_LEAST_FREE_PAGES = 2048


class Writer:
    """Owns the writing connection. Threads may call `queue`, `run` and `close` at any time."""

    def __init__(
        self,
        path: str,
        connection: sqlite3.Connection,
        owner: Owner,
        parts: Parts,
        counters: Counters,
        seq: int,
    ) -> None:
        self._path, self._connection, self._owner = path, connection, owner
        self._parts, self._counters = parts, counters
        self._seq = self._last = seq
        self._files = _identity(path), _identity(f"{path}-wal")
        self._pid = os.getpid()
        self._wake = threading.Condition(threading.Lock())
        self._waiting = False
        self._looks = False  # It waits for `_LAZY_S` at most.
        self._urgent = False
        self._closing = False
        self._closed = False
        self._queue: deque[Item] = deque()
        self._jobs: deque[tuple[Callable[[sqlite3.Connection], Any], Future[Any]]] = deque()
        self._subscriptions: list[tuple[int, SubscriptionKey]] = []
        self._owed: list[Pair] = []
        self._idle = False
        self._tidied = False
        self._since_checkpoint = 0
        self._fault: StoreError | None = None
        self._thread = threading.Thread(target=self._work, name=f"rulebus store {path}", daemon=True)
        self._thread.start()

    # Callers' side.

    def name(self, key: SubscriptionKey, numbers: dict[SubscriptionKey, int]) -> int:
        """Gives a subscription its number, to be written with the next commit; nothing durable refers to it before."""
        with self._wake:
            self._open()
            number = numbers.get(key)
            if number is None:
                number = numbers[key] = len(numbers) + 1
                self._subscriptions.append((number, key))
            return number

    def queue(self, item: Item, places: list[Any]) -> Future[None]:
        """Gives the appended events (`places`: objects with a `seq`) their places, and queues the item."""
        with self._wake:
            self._open()
            seq = self._seq
            if item.packed:
                seq |= PACK - 1  # Its blocks begin where a block of places begins.
            item.first = seq + 1
            for event in places:
                seq += 1
                event.seq = seq
            self._seq = seq
            self._queue.append(item)
            if not item.lazy:
                self._urgent = True
            # What may wait wakes the thread only to set its alarm, if it has none.
            if self._waiting and not (item.lazy and self._looks):
                self._wake.notify()
        return item.future

    def run(self, job: Callable[[sqlite3.Connection], Any]) -> Any:
        """Runs a job on the writing connection between two commits; its answer, or its error."""
        future: Future[Any] = Future()
        with self._wake:
            self._open()
            self._jobs.append((job, future))
            self._urgent = True
            if self._waiting:
                self._wake.notify()
        return future.result()

    def _open(self) -> None:
        if self._closing:
            raise StoreError("store-closed", f"{self._path} was closed; open the store again")
        if os.getpid() != self._pid:
            raise StoreError(
                "store-forked",
                f"{self._path} belongs to process {self._pid}, this is a child made by fork; "
                "open the store in the process that uses it",
            )

    def close(self) -> StoreError | None:
        """Commits what is queued and closes the connection; what could not be written, if anything. Idempotent."""
        if os.getpid() != self._pid:
            return None  # A child made by fork: the thread, the file and the lock are its parent's.
        with self._wake:
            self._closing = True
            self._wake.notify()
        if threading.current_thread() is not self._thread:
            self._thread.join()
        return self._fault

    # The thread's side.

    def _work(self) -> None:
        while self._wait():
            try:
                self._turn()
            except BaseException as error:  # A fault of ours: nobody may wait for ever because of it.
                self._fault = StoreError("store-failed", f"{self._path}: {type(error).__name__}: {error}")
                self._fault.__cause__ = error
        self._shut()

    def _wait(self) -> bool:
        """Until there is work; False when the writer is closed and nothing is left."""
        with self._wake:
            # Where there was work there will be more: for a moment it looks by itself, which spares a wake-up each time.
            self._looks, until = True, time.monotonic() + _LAZY_S
            while not (self._urgent or self._closing):
                left = until - time.monotonic()
                if self._looks and left <= 0:
                    if self._queue:
                        break
                    self._looks = False
                self._waiting = True
                wait_s = left if self._looks else None if self._tidied else _IDLE_S
                signalled = self._wake.wait(wait_s)
                self._waiting = False
                if self._looks:
                    continue
                if self._queue:
                    self._looks, until = True, time.monotonic() + _LAZY_S
                elif not signalled:
                    self._idle = True  # Time to tidy up.
                    return True
            self._urgent = False
            return bool(self._queue or self._jobs or not self._closing)

    def _turn(self) -> None:
        queue = self._queue
        # Not whenever the queue is empty: the last turn may have done what this one was woken for, and callers are near.
        idle, self._idle = self._idle, False
        self._tidied = idle and not queue and not self._jobs
        if self._tidied:
            self._tidy()
        while queue:
            group = Group(self._parts, self._counters)
            try:
                while queue and (not group.items or group.size + queue[0].size <= _MOST_BYTES):
                    group.add(queue.popleft())
            except BaseException as error:
                group.undo()
                self._fail(group, error)
                continue
            self._commit(group)
            if self._jobs:
                self._job()
        while self._jobs:
            self._job()

    def _job(self) -> None:
        job, future = self._jobs.popleft()
        try:
            if self._fault is not None:
                raise self._fault
            answer = job(self._connection)
            self._still_there()
        except (sqlite3.Error, StoreError) as error:
            self._note(error)
            future.set_exception(said(error, self._path, "writing"))
        except BaseException as error:
            future.set_exception(error)
        else:
            future.set_result(answer)

    def _commit(self, group: Group) -> None:
        try:
            self._apply(group)
        except BaseException as error:
            group.undo()
            if self._fault is None:
                self._note(error)
            if self._fault is None and len(group.items) > 1:
                # One caller's trouble (a payload beyond the disk's room) is not the others'.
                self._one_by_one(group.items)
            else:
                self._fail(group, error)
        else:
            for item in group.items:
                item.future.set_result(None)
            self._since_checkpoint += group.size
            if self._since_checkpoint > _CHECKPOINT_BYTES:
                self._checkpoint("PASSIVE")

    def _one_by_one(self, items: list[Item]) -> None:
        for item in items:
            alone = Group(self._parts, self._counters)
            alone.add(item)
            self._commit(alone)

    def _apply(self, group: Group) -> None:
        """Makes the group durable, or raises and leaves everything as it was."""
        if self._fault is not None:
            raise self._fault
        owed = len(self._owed)
        if owed:
            group.settle(self._owed)
        with self._wake:
            named = self._subscriptions[:]
            last = self._seq
        self._connection.execute(APPLY, group.parameters(named, last))
        group.settled()
        self._still_there()
        self._owner.record(self._counters.commits)
        self._last = last
        del self._owed[:owed]
        with self._wake:
            del self._subscriptions[: len(named)]

    def _fail(self, group: Group, error: BaseException) -> None:
        fault = said(error, self._path, "writing")
        # What was taken was taken; a later commit records it.
        self._owed += group.unsettled()
        for item in group.items:
            item.future.set_exception(fault)

    def _note(self, error: BaseException) -> None:
        """After a failure: is the connection still fit for use?"""
        if self._connection.in_transaction:
            try:
                self._connection.execute("ROLLBACK")
            except sqlite3.Error as second:
                error = second
        if isinstance(error, StoreError) or not is_fatal(error):
            # A full disk may have room in the file that the log has not.
            if not isinstance(error, StoreError):
                self._checkpoint("PASSIVE")
            return
        fault = said(error, self._path, "writing")
        self._fault = StoreError(
            fault.code, f"{fault.message}. This store writes nothing more until it is opened again"
        )

    def _still_there(self) -> None:
        """Raises, for good, when the files were deleted or replaced: commits would go to files without a name."""
        now = _identity(self._path), _identity(f"{self._path}-wal")
        if now == self._files:
            return
        if self._files[1] is None and now[0] == self._files[0] and now[1] is not None:
            self._files = now  # The first commit makes the log.
            return
        self._fault = StoreError(
            "store-file-gone",
            f"{self._path} or its -wal file was deleted or replaced while the store was open; nothing is "
            "acknowledged any more. Put both back and open the store again",
        )
        raise self._fault

    def _checkpoint(self, mode: str) -> bool:
        """Copies the log into the file; whether all of it. Failing is no harm: the log keeps what it holds."""
        self._since_checkpoint = 0
        execute = self._connection.execute
        try:
            # Who reads an old view (a backup) may do so for long; callers must not wait for it.
            (timeout_ms,) = execute("PRAGMA busy_timeout").fetchone()
            execute("PRAGMA busy_timeout = 0")
            try:
                busy, frames, copied = execute(f"PRAGMA wal_checkpoint({mode})").fetchone()
            finally:
                execute(f"PRAGMA busy_timeout = {timeout_ms}")
        except sqlite3.Error:
            return False
        return not busy and frames == copied

    def _tidy(self) -> None:
        """Gives free pages back to the volume, a few at a time while nobody waits."""
        if self._fault is not None:
            return
        try:
            free = self._connection.execute("PRAGMA freelist_count").fetchone()[0]
            pages = self._connection.execute("PRAGMA page_count").fetchone()[0]
            while free > max(_LEAST_FREE_PAGES, pages // 2) and not (
                self._urgent or self._closing or self._queue
            ):
                # executescript() runs a statement to its end; execute() would free one page and stop.
                self._connection.executescript(f"PRAGMA incremental_vacuum({_VACUUM_PAGES})")
                free -= _VACUUM_PAGES
                pages -= _VACUUM_PAGES
                self._since_checkpoint += 1
            if self._since_checkpoint:
                self._checkpoint("TRUNCATE")
        except sqlite3.Error as error:
            self._note(error)

    def _shut(self) -> None:
        if self._owed and self._fault is None:
            rest = Group(self._parts, self._counters)
            try:
                self._apply(rest)
            except BaseException as error:
                rest.undo()
                self._fault = said(error, self._path, "closing")
        if self._fault is None:
            self._checkpoint("TRUNCATE")
        try:
            self._connection.close()
        except sqlite3.Error as error:
            self._fault = self._fault or said(error, self._path, "closing")
        self._owner.release()


def _identity(path: str) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return (status.st_dev, status.st_ino)
