"""Measures the SQLite store: `python benches/store.py [--folder F]` prints a table; every count is checked in the run.

Durable events a second with their settling, in calls of 100 and one by one; opening with a million pending deliveries;
filling and reading an archive; a commit beside busy threads. The volume's own sync is printed first: no store is faster.
Relies on the installed package. Must never count an event before it is durable.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import rulebus
from rulebus.event import AcceptedEvent
from rulebus.stores.protocol import Changes
from rulebus.stores.sqlite import SqliteStore

_BODY = (
    b'{"version":"0","id":"%08d-0000-4000-8000-000000000000","detail-type":"OrderPlaced","source":"shop.cart",'
    b'"account":"000000000000","time":"2026-11-26T03:38:%02dZ","region":"local","resources":[],'
    b'"detail":{"n":%d,"tenant":"tenant-%d","t":"%b"}}'
)
_FILLER = b"x" * 800


def main() -> None:
    """Runs what the arguments ask for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, help="where the files are made; by default the current folder")
    parser.add_argument("--rounds", type=int, default=3, help="each figure is the best of so many rounds")
    parser.add_argument("--open", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.open:
        print(json.dumps(_open(given.open)))
        return
    with tempfile.TemporaryDirectory(dir=given.folder or Path.cwd()) as name:
        folder = Path(name)
        print(f"sync of 32 kB: {_sync_s(folder) * 1e3:.2f} ms (median)")
        for size, callers, goal in ((100, 1, 50_000), (100, 8, 50_000), (1, 1, 0), (1, 32, 3_000)):
            found = [_calls(folder, callers, size) for _ in range(given.rounds)]
            cpu = min(cpu for _, cpu in found)
            what = f"calls of {size}, 2 deliveries each, settled, {callers} callers, {cpu * 1e6:.1f} us CPU an event"
            _say(what, max(rate for rate, _ in found), "events/s", goal)
        for busy in (0, 2):
            with _busy(busy):
                best = min(_commit_s(folder) for _ in range(given.rounds))
            print(
                f"one caller's commit of 100 events beside {busy} busy threads: {best * 1e3:.2f} ms (median)"
            )
        _backlog(folder, given.rounds)
        _archive(folder, given.rounds)


def _say(what: str, figure: float, unit: str, goal: float) -> None:
    print(
        f"{what}: {figure:,.0f} {unit} (goal {goal:,.0f}: {'reached' if figure >= goal else 'NOT REACHED'})"
    )


def _body(number: int) -> bytes:
    return _BODY % (number, number // 2000 % 60, number, number % 500, _FILLER)


def _store(folder: Path, name: str) -> SqliteStore:
    for file in folder.glob(f"{name}*"):
        file.unlink()
    store = SqliteStore(folder / name)
    store.recover()
    return store


def _sync_s(folder: Path) -> float:
    file = os.open(folder / "sync", os.O_RDWR | os.O_CREAT)
    times = []
    for _ in range(100):
        began = time.perf_counter()
        os.pwrite(file, bytes(32_768), 0)
        os.fdatasync(file)
        times.append(time.perf_counter() - began)
    os.close(file)
    return median(times)


def _calls(folder: Path, callers: int, size: int) -> tuple[float, float]:
    """Events a second, put durably and settled, and seconds of CPU an event. What is done is written without waiting, as
    a bus does."""
    store = _store(folder, "calls.db")
    subscriptions = store.number(("b", "r", "1")), store.number(("b", "r", "2"))
    turns = 500 // callers if size > 1 else 200
    bodies = [_body(number) for number in range(size * 64)]
    places: list[int] = []

    def call() -> None:
        for turn in range(turns):
            start = turn * size % len(bodies)
            events = [AcceptedEvent("b", "e", body, 1.5) for body in bodies[start : start + size]]
            store.write(Changes(appended=[(event, subscriptions) for event in events])).result()
            done = [(event.seq, subscription) for event in events for subscription in subscriptions]
            store.write(Changes(done=done))
            places.extend([event.seq for event in events])

    began, cpu_began = time.perf_counter(), time.process_time()
    _together([call] * callers)
    store.close()
    took, cpu = time.perf_counter() - began, time.process_time() - cpu_began
    again = SqliteStore(folder / "calls.db")
    assert again.recover().pending == {}
    last = AcceptedEvent("b", "e", b"{}", 1.5)
    again.write(Changes(appended=[(last, subscriptions)])).result()
    count = callers * turns * size
    assert len(set(places)) == count, "events are missing"
    assert last.seq > max(places), "a place was forgotten"
    again.close()
    return count / took, cpu / count


def _together(calls: list[Callable[[], None]]) -> None:
    threads = [threading.Thread(target=call) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@contextmanager
def _busy(threads: int) -> Iterator[None]:
    """Threads that never wait, as handlers in pure Python are."""
    end = False

    def work() -> None:
        while not end:
            sum(range(1000))

    workers = [threading.Thread(target=work) for _ in range(threads)]
    for worker in workers:
        worker.start()
    try:
        yield
    finally:
        end = True
        for worker in workers:
            worker.join()


def _commit_s(folder: Path) -> float:
    store = _store(folder, "commit.db")
    number = store.number(("b", "r", "1"))
    times = []
    for _ in range(60):
        changes = Changes(appended=[(AcceptedEvent("b", "e", _body(n), 1.5), (number,)) for n in range(100)])
        began = time.perf_counter()
        store.write(changes).result()
        times.append(time.perf_counter() - began)
    store.close()
    return median(times)


def _backlog(folder: Path, rounds: int) -> None:
    store = _store(folder, "backlog.db")
    subscriptions = store.number(("b", "r", "1")), store.number(("b", "r", "2"))
    for _ in range(100):
        events = [AcceptedEvent("b", "e", _body(n), 1.5) for n in range(5000)]
        store.write(Changes(appended=[(event, subscriptions) for event in events])).result()
    store.close()
    command = [sys.executable, "-P", __file__, "--open", str(folder / "backlog.db")]
    found = [
        json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        for _ in range(rounds)
    ]
    best = min(found, key=lambda one: one["seconds"])
    print(
        f"opening with 1,000,000 pending deliveries of 1 kB events: {best['seconds']:.2f} s (goal 5), "
        f"{best['bytes'] / 1e6:.1f} MB more memory; then fetching: {best['fetched_per_s']:,.0f} events/s"
    )
    (folder / "backlog.db").unlink()


def _open(path: Path) -> dict[str, float]:
    """In a process of its own: what opening costs."""
    store = SqliteStore(path)
    before = _peak_bytes()
    began = time.perf_counter()
    recovered = store.recover()
    seconds = time.perf_counter() - began
    after = _peak_bytes()
    places = {number: list(some) for number, some in recovered.pending.items()}
    assert sum(map(len, places.values())) == 1_000_000
    wanted = places[1][:100_000]
    began = time.perf_counter()
    count = 0
    for start in range(0, len(wanted), 1000):
        count += len(store.fetch(wanted[start : start + 1000]))
    fetched_per_s = count / (time.perf_counter() - began)
    assert count == 100_000
    store.close()
    return {"seconds": seconds, "bytes": after - before, "fetched_per_s": fetched_per_s}


def _peak_bytes() -> int:
    """This process's most resident memory so far; getrusage() would count that of the process that began it."""
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), 0)


def _archive(folder: Path, rounds: int) -> None:
    """An archive of 100,000 events: filled, read, tried against 1,000 rules of which each event matches two, forgotten."""
    count = 100_000
    for file in folder.glob("archive.db*"):
        file.unlink()
    with rulebus.EventBus(store=SqliteStore(folder / "archive.db")) as bus:
        bus.create_archive("all")
        for number in range(500):
            tenant = {"tenant": [f"tenant-{number}"]}
            bus.put_rule(f"all-{number}", {"source": ["shop.cart"], "detail": tenant}, targets=[print])
            heavy = {**tenant, "n": [{"numeric": [">=", 0]}]}
            bus.put_rule(f"heavy-{number}", {"detail": heavy}, targets=[print])
        store = bus._hub.store
        with _figure("filling an archive in calls of 1,000", count):
            for start in range(0, count, 1000):
                events = [AcceptedEvent("b", "e", _body(n), 1.5) for n in range(start, start + 1000)]
                store.write(Changes(archived=[("all", event) for event in events])).result()
        for _ in range(rounds):
            with _figure("reading an archive in order", count, 100_000):
                assert sum(1 for _ in store.archived("all", 0.0, 1e12)) == count
        for _ in range(rounds):
            with _figure("dry run of a replay against 1,000 rules", count, 100_000):
                shown = bus.preview_replay("all", 0.0, 1e12)
                assert (shown.events, shown.deliveries) == (count, 2 * count)
        with _figure("forgetting an archive", count):
            assert store.forget("all") == count


@contextmanager
def _figure(what: str, count: int, goal: float = 0) -> Iterator[None]:
    began, cpu_began = time.perf_counter(), time.process_time()
    yield
    took, cpu = time.perf_counter() - began, time.process_time() - cpu_began
    _say(f"{what}, {cpu / count * 1e6:.1f} us CPU an event", count / took, "events/s", goal)


if __name__ == "__main__":
    main()
