"""The file's tables, its version, and how connections to it are opened.

The writer's statement is the heart: one INSERT into a temporary view whose trigger applies everything that a commit
changes, in a transaction of its own. One statement gives up the interpreter lock once; `writer` says what that is worth. Must never change a table without a new version.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from rulebus.errors import StoreError
from rulebus.stores.sqlite.faults import said

__all__ = ["APPLY", "PACK_BITS", "PART_BITS", "check", "open_reader", "open_writer"]

_APPLICATION = 0x52756C65  # "Rule"
_VERSION = 2
_LEAST_SQLITE = (3, 33, 0)
PART_BITS = 6
"""Pending deliveries are kept in parts of 64 places: small enough to be rewritten, large enough to be few."""
PACK_BITS = 4
"""Events of one call are kept by sixteen places in a row: see `packed`. At most `PART_BITS`."""

# Version 2: the events of large calls. Beyond a page, what a row holds lies on pages of its own, which become free without
# being written again; rows of single events share pages that are rewritten for each of them.
_PACKED = "CREATE TABLE packed (block INTEGER PRIMARY KEY, data BLOB NOT NULL);"

_TABLES = f"""
CREATE TABLE counter (id INTEGER PRIMARY KEY CHECK (id = 1), commits INTEGER NOT NULL, seq INTEGER NOT NULL,
                      number INTEGER NOT NULL);
INSERT INTO counter VALUES (1, 0, 0, 0);
CREATE TABLE subscription (number INTEGER PRIMARY KEY, bus TEXT NOT NULL, rule TEXT NOT NULL, target TEXT NOT NULL);
CREATE TABLE log (seq INTEGER PRIMARY KEY, data BLOB NOT NULL);
{_PACKED}
CREATE TABLE pending (part INTEGER PRIMARY KEY, pairs BLOB NOT NULL);
CREATE TABLE retry (seq INTEGER, subscription INTEGER, record TEXT NOT NULL, PRIMARY KEY (seq, subscription))
    WITHOUT ROWID;
CREATE TABLE dead (id INTEGER PRIMARY KEY AUTOINCREMENT, record TEXT NOT NULL, data BLOB NOT NULL, input BLOB);
CREATE TABLE archive (number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE archived (number INTEGER PRIMARY KEY, archive INTEGER NOT NULL, time INTEGER NOT NULL, data BLOB NOT NULL);
CREATE INDEX archived_order ON archived (archive, time, number);
CREATE TABLE document (kind TEXT, name TEXT, document BLOB NOT NULL, PRIMARY KEY (kind, name)) WITHOUT ROWID;
"""

# INVARIANT: every list of the row is JSON (or NULL for an empty one), every text of bytes a place and length in `bytes`.
# Of `log`, the list that grows with the events, an element is one number, place << 30 | length (SQLite's bytes are fewer than
# 1 << 30), for the places of the log from `first` on, 0 for one without a row: 0.6 us an event, against 1.4 as lists of three.
_APPLY = """
CREATE TEMP VIEW change AS SELECT NULL AS bytes, NULL AS subscriptions, NULL AS log, NULL AS archives,
    NULL AS archived, NULL AS retries, NULL AS dead, NULL AS tried, NULL AS pending, NULL AS settled, NULL AS gone,
    NULL AS buried, NULL AS documents, NULL AS commits, NULL AS seq, NULL AS number, NULL AS first,
    NULL AS packed, NULL AS emptied;
CREATE TEMP TRIGGER apply INSTEAD OF INSERT ON change BEGIN
    INSERT INTO subscription SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'),
        json_extract(value, '$[2]'), json_extract(value, '$[3]') FROM json_each(NEW.subscriptions);
    INSERT INTO log SELECT NEW.first + key, substr(NEW.bytes, value >> 30, value & 1073741823)
        FROM json_each(NEW.log) WHERE value;
    INSERT INTO packed SELECT json_extract(value, '$[0]'), substr(NEW.bytes, json_extract(value, '$[1]'),
        json_extract(value, '$[2]')) FROM json_each(NEW.packed);
    INSERT INTO archive SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]')
        FROM json_each(NEW.archives);
    INSERT INTO archived SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'),
        json_extract(value, '$[2]'), substr(NEW.bytes, json_extract(value, '$[3]'), json_extract(value, '$[4]'))
        FROM json_each(NEW.archived);
    INSERT OR REPLACE INTO retry SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'),
        json_extract(value, '$[2]') FROM json_each(NEW.retries);
    INSERT INTO dead SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'),
        substr(NEW.bytes, json_extract(value, '$[2]'), json_extract(value, '$[3]')),
        CASE WHEN json_extract(value, '$[4]') IS NOT NULL
            THEN substr(NEW.bytes, json_extract(value, '$[4]'), json_extract(value, '$[5]')) END
        FROM json_each(NEW.dead);
    DELETE FROM retry WHERE (seq, subscription) IN
        (SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(NEW.tried));
    INSERT OR REPLACE INTO pending SELECT json_extract(value, '$[0]'),
        substr(NEW.bytes, json_extract(value, '$[1]'), json_extract(value, '$[2]')) FROM json_each(NEW.pending);
    DELETE FROM pending WHERE part IN (SELECT value FROM json_each(NEW.settled));
    DELETE FROM log WHERE seq IN (SELECT log.seq FROM json_each(NEW.gone) AS run CROSS JOIN log AS log
        WHERE log.seq BETWEEN json_extract(run.value, '$[0]') AND json_extract(run.value, '$[1]'));
    DELETE FROM packed WHERE block IN (SELECT packed.block FROM json_each(NEW.emptied) AS run CROSS JOIN packed AS packed
        WHERE packed.block BETWEEN json_extract(run.value, '$[0]') AND json_extract(run.value, '$[1]'));
    DELETE FROM dead WHERE id IN (SELECT value FROM json_each(NEW.buried));
    INSERT OR REPLACE INTO document SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'),
        substr(NEW.bytes, json_extract(value, '$[2]'), json_extract(value, '$[3]')) FROM json_each(NEW.documents)
        WHERE json_extract(value, '$[2]') IS NOT NULL;
    DELETE FROM document WHERE (kind, name) IN
        (SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(NEW.documents)
         WHERE json_extract(value, '$[2]') IS NULL);
    UPDATE counter SET commits = NEW.commits, seq = NEW.seq, number = NEW.number;
END;
"""
APPLY = "INSERT INTO temp.change VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
"""The statement that commits; its parameters are the columns of the view above."""


def open_writer(path: str, lock_timeout_s: float) -> sqlite3.Connection:
    """The one connection that writes; makes the tables of a new file. Raises StoreError."""
    if sqlite3.sqlite_version_info < _LEAST_SQLITE:
        raise StoreError(
            "sqlite-too-old",
            f"this Python has SQLite {sqlite3.sqlite_version}; a store needs {'.'.join(map(str, _LEAST_SQLITE))} or newer",
        )
    try:
        connection = sqlite3.connect(
            path, timeout=lock_timeout_s, isolation_level=None, check_same_thread=False
        )
    except sqlite3.Error as error:
        raise said(error, path, "opening") from error
    try:
        if check(connection, path):
            connection.execute("PRAGMA page_size = 8192")
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
        if mode != "wal":
            raise StoreError(
                "store-no-wal",
                f"{path} cannot have a write-ahead log (its journal mode stays {mode!r}); put it on a local disk, "
                "network volumes lack the shared memory that the log needs",
            )
        # FULL syncs the log at every commit. Checkpoints are the writer's own work, done after it has answered.
        # Some systems (Debian) build SQLite so that it overwrites every page that becomes free: as many writes again as the
        # events were, for pages that the next events overwrite anyway. FAST overwrites where that costs no page.
        for pragma in (
            "synchronous = FULL",
            "wal_autocheckpoint = 0",
            "journal_size_limit = 67108864",
            "mmap_size = 0",
            "temp_store = MEMORY",
            "cell_size_check = ON",
            "secure_delete = FAST",
            "cache_size = -16384",
        ):
            connection.execute(f"PRAGMA {pragma}")
        if check(connection, path):
            connection.executescript(
                f"BEGIN IMMEDIATE; {_TABLES} PRAGMA application_id = {_APPLICATION};"
                f"PRAGMA user_version = {_VERSION}; COMMIT;"
            )
        # SQLite opens a file that it may not write without a word, and begins transactions; only a change is refused.
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("UPDATE counter SET commits = commits")
        connection.execute("ROLLBACK")
        if connection.execute("PRAGMA user_version").fetchone()[0] < _VERSION:
            connection.executescript(f"BEGIN IMMEDIATE; {_PACKED} PRAGMA user_version = {_VERSION}; COMMIT;")
        connection.executescript(_APPLY)
    except BaseException as error:
        connection.close()
        if isinstance(error, sqlite3.Error):
            raise said(error, path, "opening") from error
        raise
    return connection


def open_reader(path: str, lock_timeout_s: float) -> sqlite3.Connection:
    """A connection that only reads, beside the writer of this or another process. Raises StoreError."""
    if not Path(path).exists():
        raise StoreError("store-missing", f"there is no store at {path}; a bus makes one when it starts")
    uri = f"{Path(path).absolute().as_uri()}?mode=ro"
    try:
        try:
            return _read_only(uri, path, lock_timeout_s)
        except sqlite3.OperationalError:
            # In a folder that may not be written there can be no shared memory. Without a log there is no need for it.
            log = Path(f"{path}-wal")
            if log.exists() and log.stat().st_size:
                raise
            return _read_only(f"{uri}&immutable=1", path, lock_timeout_s)
    except sqlite3.Error as error:
        raise said(error, path, "reading") from error


def _read_only(uri: str, path: str, lock_timeout_s: float) -> sqlite3.Connection:
    connection = sqlite3.connect(
        uri, uri=True, timeout=lock_timeout_s, isolation_level=None, check_same_thread=False
    )
    try:
        connection.execute("PRAGMA mmap_size = 0")
        connection.execute("PRAGMA query_only = ON")
        if check(connection, path):
            raise StoreError("store-missing", f"{path} is empty; a bus makes its tables when it starts")
    except BaseException:
        connection.close()
        raise
    return connection


def check(connection: sqlite3.Connection, path: str) -> bool:
    """Whether the file is new and empty. Raises StoreError when it is somebody else's, or of a later version."""
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if application == 0 and version == 0:
        if connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0:
            return True
    elif application == _APPLICATION:
        if version > _VERSION:
            raise StoreError(
                "store-newer",
                f"{path} was made by a later rulebus (version {version} of the file, this one knows {_VERSION}); "
                "install a later rulebus, nothing was changed",
            )
        return False
    raise StoreError(
        "store-foreign",
        f"{path} is a SQLite file of another program; give another path, nothing was changed",
    )
