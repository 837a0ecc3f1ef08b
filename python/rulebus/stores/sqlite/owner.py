"""Who owns a store's file: one process, held by a lock that the operating system drops with it.

Beside `orders.db` stands `orders.db.owner`: the holder's process id, and the number of its last acknowledged commit. By
that number a later process sees that acknowledged commits are missing (the `-wal` file was removed, an older copy was
put in place), which SQLite itself cannot see. Must never be deleted by us: deleting lock files is a race.
"""

from __future__ import annotations

import os
import weakref
from contextlib import suppress

from rulebus.errors import StoreError

__all__ = ["Owner"]

_RECORD = "pid {pid:>10} commit {commit:>20}\n"
_LENGTH = len(_RECORD.format(pid=0, commit=0))
# Windows locks bytes, and a locked byte cannot be read: far behind the record.
_LOCKED_BYTE = 1 << 30


class Owner:
    """The lock on one store's file, as long as this object is not released."""

    __slots__ = ("__weakref__", "_fd", "commit", "path")

    def __init__(self, path: str) -> None:
        """Takes the lock. Raises StoreError ``store-in-use`` when another store has it, naming its process."""
        self.path = path
        try:
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o644)
        except PermissionError as error:
            raise StoreError(
                "store-read-only",
                f"opening {path}: {error}; give this process the right to write the store's folder",
            ) from None
        except OSError as error:
            raise StoreError(
                "store-unreachable",
                f"opening {path}: {error}; does the folder exist, is its volume writable?",
            ) from None
        pid, self.commit = self._read()
        try:
            _lock(self._fd)
        except OSError:
            os.close(self._fd)
            self._fd = -1
            store = path.removesuffix(".owner")
            raise StoreError(
                "store-in-use",
                f"{store} is in use by process {pid}; close the store there, or read it with "
                "SqliteStore.open_reader",
            ) from None
        # A child made by fork has the lock, too; it must not keep it when this process is gone.
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=_Dropper(self))
        self.record(self.commit)

    def _read(self) -> tuple[int, int]:
        words = os.pread(self._fd, _LENGTH, 0).split() if hasattr(os, "pread") else self._read_slowly()
        try:
            return int(words[1]), int(words[3])
        except (IndexError, ValueError):
            return 0, 0

    def _read_slowly(self) -> list[bytes]:
        os.lseek(self._fd, 0, os.SEEK_SET)
        return os.read(self._fd, _LENGTH).split()

    def record(self, commit: int) -> None:
        """Writes down the number of the last acknowledged commit. COST: 2 us; survives the process, not the machine."""
        self.commit = commit
        text = _RECORD.format(pid=os.getpid(), commit=commit).encode()
        # Without this note the store is as durable as with it; only the check for missing commits is weaker.
        with suppress(OSError):
            if hasattr(os, "pwrite"):
                os.pwrite(self._fd, text, 0)
            else:
                os.lseek(self._fd, 0, os.SEEK_SET)
                os.write(self._fd, text)

    def release(self) -> None:
        """Gives the lock back; may be called twice."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


class _Dropper:
    """Closes a forked child's copy of the lock, without keeping the owner alive."""

    __slots__ = ("_owner",)

    def __init__(self, owner: Owner) -> None:
        self._owner = weakref.ref(owner)

    def __call__(self) -> None:
        owner = self._owner()
        if owner is not None:
            owner.release()


def _lock(fd: int) -> None:
    """Locks or raises OSError."""
    try:
        import fcntl
    except ImportError:
        import msvcrt

        os.lseek(fd, _LOCKED_BYTE, os.SEEK_SET)
        msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
    else:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
