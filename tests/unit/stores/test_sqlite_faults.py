"""Faults under the SQLite store: no room, locks, damage, files that vanish. Clear errors, nothing acknowledged falsely.

Relies on the harness beside and on SQLite's own limits to bring the faults about. Must never sleep."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rulebus.errors import StoreError
from rulebus.stores.protocol import Changes, Retry
from rulebus.stores.sqlite import SqliteStore
from unit.stores.harness import KEY, append, event, left, opened, pending, refused, settle


def pages(store: SqliteStore, most: int | None) -> None:
    """Bounds the file, as a full volume would; None: what is used now and no page more. 0: no bound."""
    writer = store._writer
    assert writer is not None

    def bound(connection: sqlite3.Connection) -> None:
        used = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {used if most is None else most or 1 << 30}")

    writer.run(bound)


def held_up(store: SqliteStore) -> Callable[[], None]:
    """Keeps the writer busy until the function is called: what is queued meanwhile shares a commit."""
    writer = store._writer
    assert writer is not None
    begun, go_on = threading.Event(), threading.Event()
    thread = threading.Thread(target=lambda: writer.run(lambda _: (begun.set(), go_on.wait(60))))
    thread.start()
    assert begun.wait(60)

    def release() -> None:
        go_on.set()
        thread.join()

    return release


def test_no_room_is_said_and_the_store_goes_on_when_there_is_some(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    store = opened(path)
    first = append(store, event(1), event(2))
    pages(store, None)
    error = refused("store-full", lambda: append(store, event(3, 1_000_000)))
    assert "free some" in str(error)
    assert str(path) in str(error)
    assert [one.id for one in store.fetch(first)] == ["e-1", "e-2"]
    settle(store, first[:1])  # Takes no room.
    refused("store-full", lambda: store.put_document("k", "n", b"x" * 1_000_000))
    pages(store, 0)
    (later,) = append(store, event(4, 1_000_000))
    assert later > first[1]
    store.close()
    assert left(path) == [first[1], later]


def test_one_writer_without_room_does_not_fail_the_others(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    store = opened(path)
    number = store.number(KEY)
    append(store, event(0))
    pages(store, None)
    release = held_up(store)
    events = [event(1), event(2, 2_000_000), event(3)]
    futures = [store.write(Changes(appended=[(one, (number,))])) for one in events]
    release()
    assert futures[0].result(60) is None
    refused("store-full", lambda: futures[1].result(60))
    assert futures[2].result(60) is None
    store.close()
    assert left(path) == [1, events[0].seq, events[2].seq]


def test_what_was_done_while_there_was_no_room_is_recorded_later(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    store = opened(path)
    number = store.number(KEY)
    places = append(store, *[event(n) for n in range(10)])
    pages(store, None)
    together = Changes(
        appended=[(event(11, 2_000_000), (number,))], done=[(place, number) for place in places[:4]]
    )
    refused("store-full", lambda: store.write(together).result(60))
    pages(store, 0)
    settle(store, places[4:6])
    store.close()
    assert left(path) == places[6:]


def test_a_lock_of_another_program_is_said(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    store = opened(path, lock_timeout_s=0.05)
    places = append(store, event(1))
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    error = refused("store-locked", lambda: append(store, event(2)))
    assert "another program" in str(error)
    assert store.fetch(places)[0].id == "e-1"
    other.execute("ROLLBACK")
    later = append(store, event(3))
    other.close()
    store.close()
    assert left(path) == places + later


def test_a_lock_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    store = opened(path)
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    future = store.write(Changes(appended=[(event(1), (store.number(KEY),))]))
    other.execute("COMMIT")
    assert future.result(60) is None
    other.close()
    store.close()


@pytest.mark.parametrize("gone", ["a.db", "a.db-wal", "both", "replaced"])
def test_files_that_vanish_are_seen_before_anything_is_acknowledged(tmp_path: Path, gone: str) -> None:
    path = tmp_path / "a.db"
    store = opened(path)
    append(store, event(1))
    if gone == "replaced":
        shutil.copy(path, tmp_path / "b.db")
        os.replace(tmp_path / "b.db", path)
    else:
        for name in ("a.db", "a.db-wal") if gone == "both" else (gone,):
            (tmp_path / name).unlink()
    refused("store-file-gone", lambda: append(store, event(2)))
    refused("store-file-gone", lambda: append(store, event(3)))
    refused("store-file-gone", lambda: store.put_document("k", "n", b"{}"))
    refused("store-file-gone", lambda: store.forget("a"))
    refused("store-file-gone", store.close)
    refused("store-closed", lambda: store.write(Changes()))


class Broken:
    """A connection whose commits fail with a result code of SQLite's."""

    def __init__(self, connection: sqlite3.Connection, code: int) -> None:
        self._connection, self._code = connection, code

    def execute(self, statement: str, *parameters: Any) -> Any:
        if statement.startswith("INSERT INTO temp.change"):
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode = self._code
            error.sqlite_errorname = "SQLITE_IOERR"
            raise error
        return self._connection.execute(statement, *parameters)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


@pytest.mark.parametrize(
    ("code", "said", "goes_on"),
    [
        (sqlite3.SQLITE_IOERR_WRITE, "store-io", True),
        (sqlite3.SQLITE_IOERR_FSYNC, "store-io", False),
        (sqlite3.SQLITE_CORRUPT, "store-damaged", False),
        (sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, "store-failed", False),
        (sqlite3.SQLITE_READONLY, "store-read-only", True),
    ],
)
def test_a_store_goes_on_only_after_what_leaves_the_file_as_it_was(
    tmp_path: Path, code: int, said: str, goes_on: bool
) -> None:
    path = tmp_path / "a.db"
    store = opened(path)
    places = append(store, event(1), event(2))
    writer = store._writer
    assert writer is not None
    sound = writer._connection
    writer._connection = Broken(sound, code)  # type: ignore[assignment]
    refused(said, lambda: append(store, event(3)))
    refused(said, lambda: settle(store, places[:1]))
    writer._connection = sound
    if goes_on:
        places += append(store, event(4))
        store.close()
        assert left(path) == places[1:]  # What was done was recorded after all.
    else:
        assert "opened again" in str(refused(said, lambda: append(store, event(4))))
        refused(said, store.close)
        assert left(path) == places


def test_a_fault_of_ours_leaves_nobody_waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = opened(tmp_path / "a.db")
    writer = store._writer
    assert writer is not None

    def broken() -> None:
        raise ZeroDivisionError("a fault of ours")

    monkeypatch.setattr(writer, "_still_there", broken)
    assert "ZeroDivisionError" in str(refused("store-failed", lambda: append(store, event(1))))
    refused("store-failed", lambda: append(store, event(2)))
    refused("store-failed", store.close)


def test_what_cannot_be_packed_fails_its_caller_alone(tmp_path: Path) -> None:
    store = opened(tmp_path / "a.db")
    number = store.number(KEY)
    bad = event(1)
    bad.hops = object()  # type: ignore[assignment]
    with pytest.raises(TypeError):
        store.write(Changes(appended=[(bad, (number,))]))
    assert append(store, event(2)) == [1]
    store.close()


def filled(path: Path) -> tuple[dict[int, bytes], list[int], list[str]]:
    """A closed store of many pages: what is pending by place, places of retries, ids of dead letters' events."""
    store = opened(path)
    number = store.number(KEY)
    events = [event(n, 600 if n % 10 else 30_000) for n in range(300)]
    places = append(store, *events)
    settle(store, places[::7])
    kept = [place for place in places if place not in set(places[::7])]
    store.write(Changes(retries=[Retry(place, number, 5.0, ()) for place in kept[:20]])).result(60)
    store.write(Changes(archived=[("all", one) for one in events])).result(60)
    store.close()
    return (
        {one.seq: one.body for one in events if one.seq in set(kept)},
        kept[:20],
        [one.id for one in events],
    )


def damaged(path: Path, bodies: dict[int, bytes], retries: list[int], ids: list[str]) -> str:
    """Opens a damaged store and reads everything: ``right``, or the code of the error. Wrong answers fail."""
    store = SqliteStore(path, lock_timeout_s=0.1)
    said = None
    try:
        recovered = store.recover()
        assert [retry.seq for retry in recovered.retries] == retries
        places = sorted(pending(recovered) + retries)
        assert places == sorted(bodies)
        for one in store.fetch(places):
            assert one.body == bodies[one.seq]
        assert [one.id for _, one in store.archived("all", 0.0, 1e12)] == ids
    except StoreError as error:
        said = error
    with contextlib.suppress(StoreError):  # It may meet the damage again.
        store.close()
    if said is None:
        return "right"
    assert said.code in {"store-damaged", "store-foreign", "store-no-event", "store-newer"}, str(said)
    return said.code


@pytest.mark.parametrize("kind", ["noise", "zeros", "of another"])
def test_a_damaged_page_is_an_error_or_does_not_matter(tmp_path: Path, kind: str) -> None:
    whole = tmp_path / "whole.db"
    expected = filled(whole)
    content = whole.read_bytes()
    size = 8192
    count = len(content) // size
    chance = random.Random(1)
    path = tmp_path / "a.db"
    answers = []
    # The first pages are tables' roots; of the others some.
    for page in [*range(min(30, count)), *chance.sample(range(30, count), 40)]:
        if kind == "noise":
            bad = chance.randbytes(size)
        elif kind == "zeros":
            bad = bytes(size)
        else:
            other = (page + count // 2) % count
            bad = content[other * size : (other + 1) * size]
        path.write_bytes(content[: page * size] + bad + content[(page + 1) * size :])
        answers.append(damaged(path, *expected))
    assert answers.count("store-damaged") > 40
    assert damaged(whole, *expected) == "right"


def test_flipped_bits_of_events_are_seen(tmp_path: Path) -> None:
    whole = tmp_path / "whole.db"
    expected = filled(whole)
    content = whole.read_bytes()
    path = tmp_path / "a.db"
    place = content.find(b'{"id":"e-5"')
    answers = []
    for offset in range(place, place + 400, 40):
        bad = bytearray(content)
        bad[offset] ^= 4
        path.write_bytes(bad)
        answers.append(damaged(path, *expected))
    assert answers == ["store-damaged"] * 10


def test_a_truncated_file_is_seen(tmp_path: Path) -> None:
    whole = tmp_path / "whole.db"
    expected = filled(whole)
    content = whole.read_bytes()
    path = tmp_path / "a.db"
    for share in (0.1, 0.5, 0.9):
        path.write_bytes(content[: int(len(content) * share)])
        assert damaged(path, *expected) in {"store-damaged", "store-no-event"}
