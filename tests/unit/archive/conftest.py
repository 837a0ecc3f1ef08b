"""Archives are tested over both stores."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rulebus.stores.memory import MemoryStore
from rulebus.stores.protocol import Store
from rulebus.stores.sqlite import SqliteStore
from rulebus.testing import FakeClock
from unit.archive.harness import START, Bus


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(START)


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    made: Store = MemoryStore() if request.param == "memory" else SqliteStore(tmp_path / "a.db")
    made.recover()
    yield made
    made.close()


@pytest.fixture
def bus(store: Store, clock: FakeClock) -> Iterator[Bus]:
    made = Bus(store, clock)
    yield made
    made.replays.close()


@pytest.fixture
def reopen(tmp_path: Path, clock: FakeClock) -> Iterator[Callable[[], Bus]]:
    """Opens the same file again: what a new process sees."""
    opened: list[SqliteStore] = []

    def again() -> Bus:
        if opened:
            opened[-1].close()
        opened.append(SqliteStore(tmp_path / "again.db"))
        opened[-1].recover()
        return Bus(opened[-1], clock)

    yield again
    for one in opened:
        one.close()
