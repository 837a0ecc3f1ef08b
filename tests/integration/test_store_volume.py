"""The SQLite store on volumes and files that refuse: full, limited, read-only, without rights.

Each case runs in a process of its own, since limits and rights are a process's. Relies on Linux for some; those that this
machine does not allow skip and say so.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

WRITER = """
import resource, sys
from pathlib import Path
from rulebus.errors import StoreError
from rulebus.event import AcceptedEvent
from rulebus.stores.protocol import Changes
from rulebus.stores.sqlite import SqliteStore

path, mode, more = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
store = SqliteStore(path)
store.recover()
number = store.number(("b", "r", "t"))

def put(count, size=5000):
    events = [AcceptedEvent("b", "e", b"x" * size, 0.0) for _ in range(count)]
    store.write(Changes(appended=[(event, (number,)) for event in events])).result()
    return [event.seq for event in events]

acked = put(20)
if mode == "limit":
    resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, resource.RLIM_INFINITY))
refused = 0
while refused < 3:
    try:
        acked += put(20)
    except StoreError as error:
        assert error.code in ("store-full", "store-io"), str(error)
        refused += 1
# Still of use: it reads, and settles what is there.
assert [event.seq for event in store.fetch(acked)] == acked
if mode == "limit":
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
else:
    Path(more).unlink()
acked += put(20)
store.write(Changes(done=[(seq, number) for seq in acked[:10]])).result()
store.close()

store = SqliteStore(path)
assert list(store.recover().pending[number]) == acked[10:]
assert len(store.fetch(acked[10:])) == len(acked) - 10
store.close()
print(len(acked))
"""

READ_ONLY = """
import fcntl, os, sys  # All that is imported late, before the rights are given away: they may be needed to read it.
from rulebus.errors import StoreError
from rulebus.stores.sqlite import SqliteStore
if os.getuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
store = SqliteStore(sys.argv[1])
try:
    store.recover()
except StoreError as error:
    print(error.code)
reader = SqliteStore.open_reader(sys.argv[1])
print(reader.documents("k"))
"""


def run(script: str, *arguments: object) -> str:
    command = [sys.executable, "-P", "-c", script, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def small_volume(tmp_path: Path) -> Iterator[Path]:
    """A volume of 4 MB, where this user may make one."""
    folder = tmp_path / "volume"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)]
    try:
        made = subprocess.run(mount, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no mount command")
    if made.returncode:
        pytest.skip(f"this user cannot mount a volume: {made.stderr.strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.slow
def test_a_full_volume(small_volume: Path) -> None:
    ballast = small_volume / "ballast"
    ballast.write_bytes(bytes(1_500_000))
    assert int(run(WRITER, small_volume / "a.db", "volume", ballast)) >= 60


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="limits of a process are Unix's")
def test_a_limit_on_the_size_of_files(tmp_path: Path) -> None:
    assert int(run(WRITER, tmp_path / "a.db", "limit", "-")) >= 40


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user may enter."""
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o755)
        yield Path(name)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="rights of files are Unix's")
@pytest.mark.parametrize("what", ["folder", "file"])
def test_without_the_right_to_write(open_folder: Path, what: str) -> None:
    from rulebus.stores.sqlite import SqliteStore

    path = open_folder / "a.db"
    store = SqliteStore(path)
    store.recover()
    store.put_document("k", "n", b"{}")
    store.close()
    os.chmod(path, 0o444)
    (open_folder / "a.db.owner").chmod(0o666)
    os.chmod(open_folder, 0o777 if what == "file" else 0o555)
    assert run(READ_ONLY, path).split("\n")[:2] == ["store-read-only", "{'n': b'{}'}"]
    os.chmod(open_folder, 0o755)
