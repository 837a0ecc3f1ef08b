"""What can go wrong with the file, as sentences with a code and a remedy.

Relies on SQLite's result codes alone. Must never call something transient that is not: after a fatal fault nobody knows
what the file holds, and a store that went on could acknowledge what is not there.
"""

from __future__ import annotations

import sqlite3

from rulebus.errors import StoreError

__all__ = ["CODES", "is_fatal", "said"]

CODES: dict[int, tuple[str, str]] = {
    sqlite3.SQLITE_FULL: (
        "store-full",
        "there is no room left to write; free some on the file's volume, the store goes on by itself",
    ),
    sqlite3.SQLITE_READONLY: (
        "store-read-only",
        "the file or its folder may not be written; give this process the right to write both",
    ),
    sqlite3.SQLITE_PERM: (
        "store-read-only",
        "the file or its folder may not be written; give this process the right to write both",
    ),
    sqlite3.SQLITE_BUSY: (
        "store-locked",
        "another program holds a lock on the file; end its transaction, or give a longer lock_timeout_s",
    ),
    sqlite3.SQLITE_LOCKED: (
        "store-locked",
        "another program holds a lock on the file; end its transaction, or give a longer lock_timeout_s",
    ),
    sqlite3.SQLITE_CORRUPT: (
        "store-damaged",
        "the file is damaged; close the store, keep a copy, and go on with a backup or with what sqlite3's "
        "`.recover` saves",
    ),
    sqlite3.SQLITE_NOTADB: (
        "store-foreign",
        "this is no SQLite file; give another path, nothing was changed",
    ),
    sqlite3.SQLITE_CANTOPEN: (
        "store-unreachable",
        "the file cannot be opened; does the folder exist, and may this process read and write it?",
    ),
    sqlite3.SQLITE_IOERR: (
        "store-io",
        "the operating system refused to read or write the file; look at its log, the volume and its limits",
    ),
    sqlite3.SQLITE_TOOBIG: (
        "store-too-large",
        "one record is beyond what a SQLite row can hold (1 GB); send large payloads by reference",
    ),
}
"""Primary result code of SQLite to our code and remedy."""

_OTHER = ("store-failed", "SQLite refused the statement; please report this with the text above")
# A failed sync: the kernel may have dropped what was written, so a later success would say nothing of it.
_SYNC = {sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_IOERR_DIR_FSYNC}
_TRANSIENT = {
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_TOOBIG,
}


def result_code(error: BaseException) -> int:
    """SQLite's extended result code of an error; 0 if it has none."""
    return int(getattr(error, "sqlite_errorcode", 0) or 0)


def is_fatal(error: BaseException) -> bool:
    """Whether the store must refuse all further writes after this error."""
    if isinstance(error, (OverflowError, MemoryError)):
        return False
    code = result_code(error)
    if isinstance(error, sqlite3.DataError) and not code:
        return False  # Python's own check of a value's size.
    return code in _SYNC or code & 0xFF not in _TRANSIENT


def said(error: BaseException, path: str, doing: str) -> StoreError:
    """The error as a `StoreError`: what was being done, to which file, what SQLite says, how to mend it."""
    if isinstance(error, StoreError):
        return error
    primary = result_code(error) & 0xFF
    if isinstance(error, (OverflowError, sqlite3.DataError)) and primary == 0:
        primary = sqlite3.SQLITE_TOOBIG
    code, remedy = CODES.get(primary, _OTHER)
    name = getattr(error, "sqlite_errorname", None)
    why = f"{error} ({name})" if name else f"{type(error).__name__}: {error}"
    return StoreError(code, f"{doing} {path}: {why}; {remedy}")
