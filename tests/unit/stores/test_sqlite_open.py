"""Opening the SQLite store: one owner, files of others and of later versions, readers beside it, copies.

Relies on processes of its own where a second one is needed. Must never sleep."""

from __future__ import annotations

import gc
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from rulebus.stores.protocol import Changes
from rulebus.stores.sqlite import SqliteStore
from unit.stores.harness import KEY, append, event, left, opened, pending, refused, settle

CHILD = """
import sys
from rulebus.stores.sqlite import SqliteStore
from rulebus.stores.protocol import Changes
from rulebus.event import AcceptedEvent
store = SqliteStore(sys.argv[1])
store.recover()
number = store.number(("orders", "rule", "target"))
event = AcceptedEvent("orders", "child", b"{}", 0.0)
store.write(Changes(appended=[(event, (number,))])).result()
print("ready", flush=True)
sys.stdin.read()
"""


def child(path: Path) -> subprocess.Popen[str]:
    """A process that has the store open and an event in it."""
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", CHILD, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def test_a_second_process_is_told_who_has_it(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with child(path) as process:
        error = refused("store-in-use", SqliteStore(path).recover)
        assert f"process {process.pid}" in str(error)
        reader = SqliteStore.open_reader(path)
        assert reader.fetch([1])[0].id == "child"
        reader.close()
        process.send_signal(signal.SIGKILL)
    # The lock went with its process; what was acknowledged is there.
    assert left(path) == [1]


def test_the_same_process_does_not_open_it_twice(tmp_path: Path) -> None:
    store = opened(tmp_path / "a.db")
    assert f"process {os.getpid()}" in str(refused("store-in-use", SqliteStore(tmp_path / "a.db").recover))
    refused("store-open", store.recover)
    store.close()
    refused("store-closed", store.recover)
    assert left(tmp_path / "a.db") == []


def test_nothing_works_before_recover(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "a.db")
    refused("store-not-open", lambda: store.write(Changes()))
    refused("store-not-open", lambda: store.number(KEY))
    refused("store-not-open", store.count_dead_letters)
    store.close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_is_refused_and_holds_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    store = opened(path)
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            code = ""
            try:
                store.write(Changes())
            except Exception as error:
                code = getattr(error, "code", repr(error))
            os.write(writing, code.encode())
            signal.pause()  # Lives until it is killed.
        finally:
            os._exit(0)
    os.close(writing)
    assert os.read(reading, 100) == b"store-forked"
    append(store, event(1))
    store.close()
    # The child is still there, and does not keep the lock.
    assert left(path) == [1]
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    os.close(reading)


def test_a_store_that_nobody_holds_is_closed(tmp_path: Path) -> None:
    store = opened(tmp_path / "a.db")
    append(store, event(1))
    del store
    gc.collect()
    assert left(tmp_path / "a.db") == [1]


def test_a_store_that_is_not_closed_is_complete_when_python_ends(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    script = CHILD.replace("sys.stdin.read()", "store.write(Changes(done=[(event.seq, number)]))")
    subprocess.run([sys.executable, "-P", "-c", script, str(path)], check=True, stdout=subprocess.DEVNULL)
    assert left(path) == []
    assert not (tmp_path / "a.db-wal").exists()


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"not a database at all, but a text" * 100, "store-foreign"),
        (b"SQLite format 3\0" + b"\1" * 4096, None),
    ],
)
def test_a_file_of_another_kind_is_left_alone(tmp_path: Path, content: bytes, code: str | None) -> None:
    path = tmp_path / "a.db"
    path.write_bytes(content)
    for attempt in (SqliteStore(path).recover, lambda: SqliteStore.open_reader(path)):
        with pytest.raises(Exception, match=r"a\.db") as caught:
            attempt()
        found = getattr(caught.value, "code", "")
        assert found == code or (code is None and found in {"store-foreign", "store-damaged"})
    assert path.read_bytes() == content


def test_a_database_of_another_program_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE customers (name)")
    other.close()
    before = path.read_bytes()
    refused("store-foreign", SqliteStore(path).recover)
    refused("store-foreign", lambda: SqliteStore.open_reader(path))
    assert path.read_bytes() == before


def test_a_file_of_a_later_version_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    opened(path).close()
    later = sqlite3.connect(path)
    later.execute("PRAGMA user_version = 99")
    later.close()
    assert "version 99" in str(refused("store-newer", SqliteStore(path).recover))
    refused("store-newer", lambda: SqliteStore.open_reader(path))


def test_an_empty_file_becomes_a_store(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    path.touch()
    refused("store-missing", lambda: SqliteStore.open_reader(path))
    opened(path).close()
    assert left(path) == []


def test_a_file_that_another_program_holds_is_not_opened(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    opened(path).close()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    refused("store-locked", SqliteStore(path, lock_timeout_s=0.05).recover)
    other.close()
    assert left(path) == []


def test_paths_that_lead_nowhere(tmp_path: Path) -> None:
    refused("store-unreachable", SqliteStore(tmp_path / "none" / "a.db").recover)
    refused("store-missing", lambda: SqliteStore.open_reader(tmp_path / "a.db"))
    folder = tmp_path / "folder"
    folder.mkdir()
    refused("store-unreachable", SqliteStore(folder).recover)


def test_odd_names_are_only_names(tmp_path: Path) -> None:
    path = tmp_path / "a b?mode=memory#ü%20.db"
    store = opened(path)
    append(store, event(1))
    assert SqliteStore.open_reader(path).fetch([1])[0].id == "e-1"
    store.close()
    assert path.exists()
    assert repr(store) == f"SqliteStore({str(path)!r})"


def test_a_backup_is_a_store(tmp_path: Path) -> None:
    store = opened(tmp_path / "a.db")
    places = append(store, *[event(n) for n in range(500)])
    store.backup(tmp_path / "b.db")
    refused("store-exists", lambda: store.backup(tmp_path / "b.db"))
    settle(store, places)
    refused("store-unreachable", lambda: store.backup(tmp_path / "none" / "b.db"))
    store.close()
    assert left(tmp_path / "b.db") == places
    assert left(tmp_path / "a.db") == []


def test_a_removed_log_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with child(path) as process:
        process.kill()
    log = tmp_path / "a.db-wal"
    kept = log.read_bytes()
    log.unlink()
    (tmp_path / "a.db-shm").unlink(missing_ok=True)
    error = refused("store-lost-commits", SqliteStore(path).recover)
    assert "a.db.owner" in str(error)
    log.write_bytes(kept)
    assert left(path) == [1]


def test_an_older_copy_is_seen_and_can_be_taken_on_purpose(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    store = opened(path)
    append(store, event(1))
    store.close()
    shutil.copy(path, tmp_path / "old.db")
    store = opened(path)
    append(store, event(2))
    store.close()
    shutil.copy(tmp_path / "old.db", path)
    refused("store-lost-commits", SqliteStore(path).recover)
    (tmp_path / "a.db.owner").unlink()
    assert left(path) == [1]


def test_a_readers_view_is_what_is_committed(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    store = opened(path)
    reader = SqliteStore.open_reader(path)
    append(store, event(1))
    assert reader.fetch([1])[0].id == "e-1"
    settle(store, [1])
    refused("store-no-event", lambda: reader.fetch([1]))
    store.put_document("k", "n", b"{}")
    assert reader.documents("k") == {"n": b"{}"}
    store.close()
    assert reader.documents("k") == {"n": b"{}"}
    reader.close()
    refused("store-closed", reader.count_dead_letters)


def test_fetch_takes_rising_places(tmp_path: Path) -> None:
    store = opened(tmp_path / "a.db")
    append(store, event(1), event(2))
    for places in ([2, 1], [1, 1]):
        with pytest.raises(ValueError, match="rising"):
            store.fetch(places)
    store.close()


def test_recovered_places_take_eight_bytes_each(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    store = opened(path)
    appended = append(store, *[event(n) for n in range(1000)])
    store.close()
    store = SqliteStore(path)
    recovered = store.recover()
    (places,) = recovered.pending.values()
    assert places.itemsize * len(places) == 8000  # type: ignore[attr-defined]
    assert pending(recovered) == appended
    store.close()
