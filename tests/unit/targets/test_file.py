"""JSON-lines files as targets: the contract, rotation, faults of the file system. Relies on a temporary folder."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
from pathlib import Path

import pytest

from rulebus.errors import BusError
from rulebus.targets.file import FileTarget
from rulebus.testing.targets_contract import TargetContract, delivery_of


class TestContract(TargetContract):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.path = tmp_path / "events.jsonl"

    def make(self) -> FileTarget:
        return FileTarget(self.path)

    def taken(self) -> list[bytes]:
        return self.path.read_bytes().splitlines()

    def make_unavailable(self) -> FileTarget:
        return FileTarget(self.path.parent / "missing" / "events.jsonl")


def lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


def test_it_appends_to_what_is_there_and_opens_again_after_close(tmp_path: Path) -> None:
    path = tmp_path / "e.jsonl"
    path.write_text('{"old":1}\n')
    target = FileTarget(str(path), fsync=True)
    assert target.deliver([delivery_of(b'{"n":1}')]) is None
    target.close()
    target.close()
    assert target.deliver([delivery_of(b'{"n":2}')]) is None
    target.close()
    assert lines(path) == ['{"old":1}', '{"n":1}', '{"n":2}']


@pytest.mark.parametrize("how", ["moved", "removed"])
def test_it_follows_rotation(tmp_path: Path, how: str) -> None:
    path, old = tmp_path / "e.jsonl", tmp_path / "e.jsonl.1"
    target = FileTarget(path)
    target.deliver([delivery_of(b'{"n":1}')])
    if how == "moved":
        path.rename(old)
    else:
        path.unlink()
    target.deliver([delivery_of(b'{"n":2}')])
    target.close()
    assert lines(path) == ['{"n":2}']
    assert how == "removed" or lines(old) == ['{"n":1}']


def test_one_delivery_is_one_line_whatever_its_input(tmp_path: Path) -> None:
    path = tmp_path / "e.jsonl"
    target = FileTarget(path)
    inputs = [b'{\n  "a": 1\r\n}', b'"first"\n"second"', b"no json", b'"text"', b"\xff"]
    target.deliver([delivery_of(text, body=b"{}") for text in inputs])
    target.close()
    read = [json.loads(line) for line in lines(path)]
    assert read == [{"a": 1}, '"first"\n"second"', "no json", "text", "\ufffd"]


def test_half_a_line_of_a_dead_process_is_not_continued(tmp_path: Path) -> None:
    path = tmp_path / "e.jsonl"
    path.write_bytes(b'{"n":0}\n{"n":')
    target = FileTarget(path)
    target.deliver([delivery_of(b'{"n":1}'), delivery_of(b'{"n":2}')])
    target.close()
    assert lines(path) == ['{"n":0}', '{"n":', '{"n":1}', '{"n":2}']


def test_a_full_disk_takes_whole_lines_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "e.jsonl"
    target = FileTarget(path)
    write, room = os.write, [12]

    def full(fd: int, data: memoryview) -> int:
        if room[0] == 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        done = write(fd, data[: room[0]])
        room[0] -= done
        return done

    monkeypatch.setattr(os, "write", full)
    outcomes = target.deliver([delivery_of(b'{"n":%d}' % n) for n in range(3)])
    assert outcomes is not None
    assert outcomes[0] is None
    assert [(o.kind, o.code, o.status) for o in outcomes[1:] if o] == [
        ("retryable", "FILE_ERROR", "ENOSPC")
    ] * 2
    room[0] = 1000
    assert target.deliver([delivery_of(b'{"n":1}')]) is None
    target.close()
    assert lines(path) == ['{"n":0}', '{"n":1}']


def test_a_failing_sync_takes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = FileTarget(tmp_path / "e.jsonl", fsync=True)

    def broken(fd: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", broken)
    (outcome,) = target.deliver([delivery_of(b"{}")]) or [None]
    assert outcome is not None
    assert (outcome.kind, outcome.status) == ("retryable", "EIO")
    target.close()


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    (outcome,) = FileTarget(tmp_path).deliver([delivery_of(b"{}")]) or [None]
    assert outcome is not None
    assert (outcome.code, outcome.status) == ("FILE_ERROR", "EISDIR")


def test_a_device_takes_lines_too() -> None:
    assert FileTarget("/dev/null").deliver([delivery_of(b"{}")]) is None


def test_no_path_is_refused() -> None:
    with pytest.raises(BusError) as caught:
        FileTarget("")
    assert caught.value.code == "target-path"


def append_many(path: str, who: int) -> None:
    target = FileTarget(path)
    for n in range(50):
        target.deliver([delivery_of(json.dumps({"who": who, "n": n, "pad": "x" * 5000}).encode())])
    target.close()


def test_processes_share_a_file_without_mixing_lines(tmp_path: Path) -> None:
    path = tmp_path / "e.jsonl"
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=append_many, args=(str(path), who)) for who in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    read = [json.loads(line) for line in lines(path)]
    assert len(read) == 100
    assert [one["n"] for one in read if one["who"] == 1] == list(range(50))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
def test_a_pipe_holds_nobody(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    target = FileTarget(path, fsync=True)
    (failure,) = target.deliver([delivery_of(b'{"n":1}')]) or ()
    assert failure is not None
    assert (failure.kind, failure.status) == ("retryable", "ENXIO")
    assert failure.message == "the file could not be written: it is a pipe that nobody reads"
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    assert target.deliver([delivery_of(b'{"n":2}')]) is None
    assert os.read(reader, 100) == b'{"n":2}\n'
    # More than it holds: what was written whole is taken, the rest comes again, on a line of its own.
    many = [delivery_of(b'{"n":%d,"t":"%s"}' % (n, b"x" * 50_000)) for n in range(10)]
    outcomes = target.deliver(many) or []
    taken = sum(one is None for one in outcomes)
    assert 0 < taken < 10
    assert "its reader does not keep up" in str(outcomes[taken])
    got = b""
    while block := _read(reader):
        got += block
    assert target.deliver(many[taken : taken + 1]) is None
    got += _read(reader)
    whole = [line for line in got.splitlines() if line.endswith(b"}")]
    assert whole == [one.input for one in many[: taken + 1]]
    os.close(reader)
    (failure,) = target.deliver([delivery_of(b'{"n":3}')]) or ()
    assert failure is not None
    assert "whose reader has gone" in failure.message
    target.close()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
def test_half_a_line_in_a_pipe_is_remembered_until_something_is_written(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    target = FileTarget(path)
    long = delivery_of(b'{"t":"%s"}' % (b"x" * 500_000))
    for _ in range(3):  # The first stops in the midst of its line, the others write nothing.
        (failure,) = target.deliver([long]) or ()
        assert failure is not None
    got = b""
    while block := _read(reader):
        got += block
    assert target.deliver([delivery_of(b'{"n":1}')]) is None
    assert _read(reader) == b'\n{"n":1}\n'
    assert got.startswith(b'{"t":"xxx')
    os.close(reader)
    target.close()


def _read(fd: int) -> bytes:
    try:
        return os.read(fd, 1 << 20)
    except BlockingIOError:
        return b""
