"""The durable store: one SQLite file.

`SqliteStore` and its reader; the parts, one noun a file: schema, owner (the lock), records (bytes), pending, group (what
one commit changes), writer (the thread that commits), readers, faults (errors as sentences).
"""

from __future__ import annotations

from rulebus.stores.sqlite.reader import SqliteReader
from rulebus.stores.sqlite.store import SqliteStore

__all__ = ["SqliteReader", "SqliteStore"]
