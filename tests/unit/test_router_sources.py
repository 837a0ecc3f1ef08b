"""Sources of lines: files over rotation, truncation and restarts; lines that are too long; a stream that is stopped.

Relies on a door that only notes what it is given, and on pauses that the test makes pass; no test sleeps.
"""

from __future__ import annotations

import asyncio
import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rulebus.errors import StoreError
from rulebus.router.lines import Lines
from rulebus.router.reports import Reports
from rulebus.router.sources import FilePlace, FileSource, StreamSource

EVENT = '{"source":"s","detail-type":"t","detail":{"n":%d}}\n'


class Noting:
    """A door."""

    def __init__(self) -> None:
        self.put_places: list[str] = []
        self.numbers: list[int] = []
        self.said: list[str] = []
        self.faults: list[tuple[str, str]] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def put(self, entries: list[tuple[str, dict[str, Any]]], /) -> None:
        await self.gate.wait()
        for where, entry in entries:
            self.put_places.append(where)
            self.numbers.append(int(entry["Detail"][5:-1]))

    def bad(self, where: str, why: str, /) -> None:
        self.faults.append((where, why))

    def say(self, line: str, /) -> None:
        self.said.append(line)


class Following:
    """A file source whose pauses do what the test wants next; it ends when there is nothing more to do."""

    def __init__(self, path: Path, remembered: FilePlace | None = None) -> None:
        self.door, self.places = Noting(), list[FilePlace]()
        self.path, self._remembered = path, remembered

    def run(self, *steps: Callable[[], object]) -> Following:
        waiting = list(steps)

        async def pause() -> None:
            if not waiting:
                raise asyncio.CancelledError
            waiting.pop(0)()

        async def main() -> None:
            source = FileSource(
                self.path, self.door, remembered=self._remembered, remember=self.places.append, pause=pause
            )
            await source.run()

        with pytest.raises(asyncio.CancelledError):
            asyncio.run(main())
        return self


def nothing() -> None:
    """A pause in which nothing happens."""


def append(path: Path, *numbers: int) -> None:
    with path.open("a") as file:
        file.write("".join(EVENT % number for number in numbers))


def test_what_is_written_after_a_file_was_moved_is_read(tmp_path: Path) -> None:
    path, old = tmp_path / "in.jsonl", tmp_path / "in.1"
    append(path, 1)

    def rotate() -> None:
        path.rename(old)
        append(path, 3)

    seen = Following(path).run(rotate, lambda: append(old, 2), nothing)
    assert seen.door.numbers == [1, 2, 3]
    assert seen.door.faults == []


def test_a_file_moved_between_two_runs_is_read_to_its_end_first(tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    append(path, 1)
    first = Following(path).run()
    append(path, 2)
    path.rename(tmp_path / "in.jsonl.1")
    append(path, 3)
    second = Following(path, first.places[-1]).run()
    assert second.door.numbers == [2, 3]
    assert second.door.put_places == [f"{path}:2", f"{path}:1"]
    assert second.door.said == []


def test_a_file_written_anew_in_place_is_read_from_its_beginning(tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    append(path, 1, 2)
    place = Following(path).run().places[-1]
    for numbers in ([7], [7, 8, 9]):  # shorter than what was read, and longer
        path.write_text("".join(EVENT % number for number in numbers))
        assert os.stat(path).st_ino == place.inode
        again = Following(path, place).run()
        assert again.door.numbers == numbers
        assert "truncated" in again.door.said[0]


def test_a_place_survives_the_store_and_goes_on_behind_it(tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    append(path, *range(100))
    place = Following(path).run().places[-1]
    assert FilePlace.from_json(place.to_json()) == place
    append(path, 100)
    again = Following(path, place).run()
    assert (again.door.numbers, again.door.put_places) == ([100], [f"{path}:101"])


def test_a_linked_file_goes_on_where_it_was(tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    (tmp_path / "today").mkdir()
    path.symlink_to(tmp_path / "today/in.jsonl")
    append(path, 1)
    place = Following(path).run().places[-1]
    append(path, 2)
    again = Following(path, place).run()
    assert (again.door.numbers, again.door.said) == ([2], [])


def test_a_truncated_file_starts_anew(tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    append(path, 1, 2)

    def truncate() -> None:
        path.write_text("")
        append(path, 3)

    assert Following(path).run(truncate).door.numbers == [1, 2, 3]


@pytest.mark.parametrize("kind", ["folder", "pipe"])
def test_what_is_no_ordinary_file_holds_up_nothing(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "in.jsonl"
    if kind == "folder":
        path.mkdir()
    else:
        os.mkfifo(path)
    seen = Following(path).run(nothing, nothing)
    assert [line.split(": ", 1)[1].split(" (")[0] for line in seen.door.said] == ["it is no ordinary file"]

    def mend() -> None:
        path.rmdir() if kind == "folder" else path.unlink()
        append(path, 1)

    assert Following(path).run(mend).door.numbers == [1]


def test_a_line_beyond_all_bounds_is_one_bad_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rulebus.router.lines._MOST_LINE", 100)

    async def main() -> Noting:
        door = Noting()
        lines = Lines("x", door)
        text = (EVENT % 1).encode() + b'{"a":"' + b"y" * 300 + (EVENT % 2).encode() + (EVENT % 3).encode()
        done = 0
        for start in range(0, len(text), 50):
            done += await lines.feed(text[start : start + 50])
        assert done == len(text)
        await lines.finish()
        assert lines.number == 3
        return door

    door = asyncio.run(main())
    assert door.numbers == [1, 3]
    assert door.faults == [("x:2", "the line is longer than 100 bytes")]


def test_marks_line_ends_and_blank_lines_are_passed_over() -> None:
    async def main() -> Noting:
        door = Noting()
        lines = Lines("x", door)
        await lines.feed(b"\xef\xbb\xbf" + (EVENT % 1).replace("\n", "\r\n").encode() + b"\r\n \n")
        await lines.feed((EVENT % 2).encode() + b'{"half')
        await lines.finish()
        return door

    door = asyncio.run(main())
    assert (door.numbers, door.put_places) == ([1, 2], ["x:1", "x:4"])
    assert [where for where, _ in door.faults] == ["x:5"]


class Stream(io.BytesIO):
    """Gives one block, and then waits as a pipe does."""

    def __init__(self, text: bytes, release: Any) -> None:
        super().__init__(text)
        self._release = release

    def read1(self, size: int | None = -1) -> bytes:
        block = super().read1(size)
        if not block:
            self._release.wait(30)
        return block


def test_a_stopped_stream_puts_what_it_has_read() -> None:
    import threading

    release = threading.Event()

    async def main() -> Noting:
        door = Noting()
        door.gate.clear()
        text = "".join(EVENT % n for n in range(1200)).encode()
        task = asyncio.create_task(StreamSource(Stream(text, release), door).run())
        while not task.done() and not door.gate._waiters:  # until it waits at the door
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.sleep(0)
        door.gate.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        return door

    door = asyncio.run(main())
    release.set()
    assert door.numbers == list(range(1200))
    assert door.said == []


def test_a_stopped_stream_names_what_a_full_bus_did_not_take(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rulebus.router.sources._GRACE_S", 0.01)

    async def main() -> Noting:
        door = Noting()
        door.gate.clear()
        task = asyncio.create_task(StreamSource(io.BytesIO((EVENT % 1).encode()), door).run())
        while not task.done() and not door.gate._waiters:
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return door

    (said,) = asyncio.run(main()).said
    assert "stdin:1 to stdin:1" in said


def test_where_it_ended_is_said_when_the_store_refuses() -> None:
    async def main() -> Noting:
        door = Noting()

        async def full(entries: object) -> None:
            raise StoreError("store-full", "the volume is full")

        door.put = full  # type: ignore[method-assign, assignment]
        with pytest.raises(StoreError):
            await StreamSource(io.BytesIO((EVENT % 1 + EVENT % 2).encode()), door, name="x").run()
        return door

    assert asyncio.run(main()).said == ["x:1 to x:2 and what follows: not put"]


def test_reports_are_bounded_a_minute_and_never_fall_silent() -> None:
    now, said = [0.0], list[str]()
    report = Reports(said.append, clock=lambda: now[0])
    for number in range(100):
        report(str(number))
    assert len(said) == 21
    now[0] = 61.0
    report("again")
    assert said[-2:] == ["80 more lines were refused meanwhile", "again"]


@pytest.mark.parametrize("numbers", [[3], [3, 4], [3, 4, 5, 6]], ids=["shorter", "as long", "longer"])
def test_a_file_truncated_and_grown_again_between_two_looks_is_read_anew(
    tmp_path: Path, numbers: list[int]
) -> None:
    path = tmp_path / "in.jsonl"
    append(path, 1, 2)
    inode = path.stat().st_ino

    def rewrite() -> None:
        os.truncate(path, 0)
        append(path, *numbers)

    seen = Following(path).run(rewrite, nothing, lambda: append(path, 9), nothing)
    assert path.stat().st_ino == inode
    assert seen.door.numbers == [1, 2, *numbers, 9]
    assert seen.door.faults == []
    assert seen.door.said == [f"{path} was truncated: what stands in it now is read from the beginning"]
    assert seen.places[-1].lines == len(numbers) + 1


def test_a_file_rewritten_behind_the_same_beginning_between_two_runs_is_read_anew(tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    append(path, *range(100))
    place = Following(path).run().places[-1]
    path.write_text("".join(EVENT % number for number in [*range(90), *range(200, 220)]))
    again = Following(path, place).run()
    assert again.door.numbers == [*range(90), *range(200, 220)]
    older = FilePlace(place.inode, place.done, place.lines, place.head)
    assert FilePlace.from_json(b'{"inode":1,"done":2,"lines":3,"head":"4"}').tail == ""
    assert Following(path, older).run().door.numbers == [*range(210, 220)]  # It cannot know.
