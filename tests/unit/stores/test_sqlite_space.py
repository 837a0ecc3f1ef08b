"""The size of the SQLite store's file: it is used again, and given back.

Relies on the harness beside. Must never sleep: the writer is asked to tidy up, as it does by itself when it is idle."""

from __future__ import annotations

import os
import sqlite3
import time
from pathlib import Path

import pytest

from rulebus.stores.protocol import Changes
from rulebus.stores.sqlite import SqliteStore, writer
from unit.stores.harness import KEY, append, event, left, opened, pending, refused, settle


def size(path: Path) -> int:
    return sum(os.stat(file).st_size for file in (path, Path(f"{path}-wal")) if file.exists())


def tidy(store: SqliteStore) -> None:
    own = store._writer
    assert own is not None
    own.run(lambda _: (own._tidy(), own._checkpoint("TRUNCATE")))


def test_a_steady_load_does_not_grow_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    store = opened(path)
    sizes = []
    backlog: list[int] = []
    for turn in range(60):
        backlog += append(store, *[event(n, 2000) for n in range(500)])
        settle(store, backlog[:-500])
        del backlog[:-500]
        if turn % 20 == 19:
            tidy(store)
            sizes.append(size(path))
    assert max(sizes) < 1.5 * sizes[0]
    assert sizes[-1] < 8_000_000  # 60 MB went through.
    store.close()


def test_one_event_that_stays_holds_no_others(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    store = opened(path)
    kept = []
    for _ in range(40):
        places = append(store, *[event(n, 2000) for n in range(500)])
        kept.append(places[250])
        settle(store, places[:250] + places[251:])
    tidy(store)
    assert size(path) < 8_000_000
    assert [one.id for one in store.fetch(kept)] == ["e-250"] * 40
    store.close()


def test_a_backlog_that_is_gone_is_given_back(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    store = opened(path)
    places = append(store, *[event(n, 2000) for n in range(15_000)])
    tidy(store)
    high = size(path)
    assert high > 30_000_000
    settle(store, places)
    tidy(store)
    assert size(path) < high // 2 + 4_000_000
    store.close()


def test_the_log_file_is_bounded_while_events_go_through(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    store = opened(path)
    for _ in range(100):
        settle(store, append(store, *[event(n, 10_000) for n in range(100)]))
    assert os.stat(f"{path}-wal").st_size < 80 << 20
    store.close()
    assert not Path(f"{path}-wal").exists()


def test_nobody_waits_for_a_reader_with_an_old_view(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    store = opened(path, lock_timeout_s=600)
    places = append(store, event(1))
    reader = sqlite3.connect(path, isolation_level=None)
    reader.execute("BEGIN")
    assert reader.execute("SELECT count(*) FROM log").fetchone() == (1,)
    began = time.monotonic()
    places += append(store, event(2, 100_000))
    tidy(store)
    settle(store, places[:1])
    assert time.monotonic() - began < 60
    assert reader.execute("SELECT count(*) FROM log").fetchone() == (1,)
    reader.close()
    tidy(store)
    assert os.stat(f"{path}-wal").st_size == 0
    store.close()


def test_what_an_archive_forgets_is_given_back(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    store = opened(path)
    store.write(Changes(archived=[("a", event(n, 2000)) for n in range(15_000)])).result(60)
    assert store.forget("a") == 15_000
    tidy(store)
    assert size(path) < 20_000_000
    store.close()


def test_a_turn_for_nothing_is_not_idleness(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "_IDLE_S", 600.0)
    store = opened(tmp_path / "a.db")
    own = store._writer
    assert own is not None
    tidied: list[bool] = []
    monkeypatch.setattr(own, "_tidy", lambda: tidied.append(True))

    def served_early(_: sqlite3.Connection) -> None:
        own._urgent = True  # As by a caller whose changes the turn that runs now has committed already.

    for number in range(200):
        own.run(served_early)
        append(store, event(number))
    assert not tidied  # Between two commits the log is not copied, synced and cut.
    store.close()


def rows(path: Path) -> tuple[int, int]:
    """How many rows of single events and of blocks are in the file."""
    reader = sqlite3.connect(path)
    counts = reader.execute("SELECT (SELECT count(*) FROM log), (SELECT count(*) FROM packed)").fetchone()
    reader.close()
    return (counts[0], counts[1])


def test_events_of_large_calls_share_rows_until_the_last_of_a_block_is_settled(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    store = opened(path)
    single = append(store, *[event(n) for n in range(3)])
    many = append(store, *[event(n, 300_000 if n == 20 else 100) for n in range(40)])
    after = append(store, event(99))
    assert many[0] % 16 == 0
    assert single < many < after  # type: ignore[operator]
    assert rows(path) == (3 + 16 + 1, 2)  # A block with a large event is none.
    assert [one.id for one in store.fetch([*single, *many, *after])] == [
        *(f"e-{n}" for n in range(3)),
        *(f"e-{n}" for n in range(40)),
        "e-99",
    ]
    settle(store, many[:15])
    assert rows(path) == (20, 2)
    assert [one.id for one in store.fetch(many[15:17])] == ["e-15", "e-16"]
    settle(store, many[15:32])
    assert rows(path) == (4, 1)
    refused("store-no-event", lambda: store.fetch(many[:1]))
    settle(store, many[32:])
    assert rows(path) == (4, 1)  # The single event after them lies in the same block of places.
    settle(store, [*single, *after])
    assert rows(path) == (0, 0)
    store.close()


def test_events_without_a_target_leave_holes_in_a_block(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    store = opened(path)
    number = store.number(KEY)
    events = [event(n) for n in range(50)]
    wanted = [one for n, one in enumerate(events) if n % 3 == 1 and not 16 <= n < 32]
    appended = [(one, (number,) if one in wanted else ()) for one in events]
    store.write(Changes(appended=appended, archived=[("all", one) for one in events])).result(60)
    assert rows(path) == (0, 3)
    assert [one.id for one in store.fetch([one.seq for one in wanted])] == [one.id for one in wanted]
    refused("store-no-event", lambda: store.fetch([events[0].seq]))
    assert [one.id for _, one in store.archived("all", 0.0, 1e12)] == [one.id for one in events]
    store.close()
    assert left(path) == [one.seq for one in wanted]
    store = opened(path)
    settle(store, [one.seq for one in wanted])
    assert rows(path) == (0, 0)
    store.close()


def test_a_file_of_the_first_version_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    store = opened(path)
    places = append(store, *[event(n) for n in range(3)])
    store.close()
    old = sqlite3.connect(path)
    old.executescript("DROP TABLE packed; PRAGMA user_version = 1")
    old.close()
    reader = SqliteStore.open_reader(path)
    assert reader.count_dead_letters() == 0
    assert [one.id for one in reader.fetch(places)] == ["e-0", "e-1", "e-2"]
    store = SqliteStore(path)
    assert pending(store.recover()) == places
    assert [one.id for one in reader.fetch(places)] == ["e-0", "e-1", "e-2"]
    reader.close()
    assert [one.id for one in store.fetch(places)] == ["e-0", "e-1", "e-2"]
    more = append(store, *[event(n) for n in range(16)])
    settle(store, places)
    assert rows(path) == (0, 1)
    settle(store, more)
    assert rows(path) == (0, 0)
    store.close()
    assert sqlite3.connect(path).execute("PRAGMA user_version").fetchone() == (2,)
