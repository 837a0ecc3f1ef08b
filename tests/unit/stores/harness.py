"""What the tests of the SQLite store share.

Relies on the store and its protocol. Must never look into the file: that is for the tests that damage it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from rulebus.errors import StoreError
from rulebus.event import AcceptedEvent
from rulebus.stores.protocol import Changes, Recovered
from rulebus.stores.sqlite import SqliteStore

KEY = ("orders", "rule", "target")


def event(number: int, size: int = 0) -> AcceptedEvent:
    body = b'{"id":"e-%d","account":"1","time":"2026-11-26T03:00:00Z","detail":{"x":"%b"}}' % (
        number,
        b"x" * size,
    )
    return AcceptedEvent("orders", f"e-{number}", body, 1_795_662_000.0)


def opened(path: Path, *, lock_timeout_s: float = 5.0) -> SqliteStore:
    store = SqliteStore(path, lock_timeout_s=lock_timeout_s)
    store.recover()
    return store


def append(store: SqliteStore, *events: AcceptedEvent) -> list[int]:
    """Puts events for one subscription; their places."""
    number = store.number(KEY)
    store.write(Changes(appended=[(one, (number,)) for one in events])).result(60)
    return [one.seq for one in events]


def settle(store: SqliteStore, places: list[int]) -> None:
    number = store.number(KEY)
    store.write(Changes(done=[(place, number) for place in places])).result(60)


def pending(recovered: Recovered) -> list[int]:
    return [place for places in recovered.pending.values() for place in places]


def left(path: Path) -> list[int]:
    """What is pending in a closed store."""
    store = SqliteStore(path)
    try:
        return pending(store.recover())
    finally:
        store.close()


def refused(code: str, call: Callable[[], object]) -> StoreError:
    with pytest.raises(StoreError) as caught:
        call()
    assert caught.value.code == code, str(caught.value)
    return caught.value
