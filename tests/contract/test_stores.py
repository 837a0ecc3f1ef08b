"""The built-in stores meet the contract of stores.

Relies on `rulebus.testing.stores`. Must never add what only one of them does: that is for its unit tests."""

from __future__ import annotations

from pathlib import Path

from rulebus.stores.memory import MemoryStore
from rulebus.stores.protocol import Store
from rulebus.stores.sqlite import SqliteStore
from rulebus.testing.stores import DurableStoreContract, StoreContract


class TestMemoryStore(StoreContract):
    def open(self, folder: Path) -> Store:
        return MemoryStore()


class TestSqliteStore(DurableStoreContract):
    def open(self, folder: Path) -> Store:
        return SqliteStore(folder / "orders.db")
