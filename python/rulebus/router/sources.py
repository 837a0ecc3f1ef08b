"""Where lines come from: standard input to its end, files as they grow. Each brings what it reads to one door.

Relies on `entries`. Reading happens in threads, putting on the loop; a door that waits holds back the reader, so that
nothing piles up in between. Must never pass over a line silently: a bad one is reported with its number.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from rulebus.router.entries import EntryError, EntryLines

__all__ = ["Door", "FileSource", "StreamSource"]

_BLOCK = 1 << 18
_BATCH = 500
_MOST_LINE = 16 << 20


class Door(Protocol):
    """What a source needs of the service."""

    def put(self, entries: list[tuple[str, dict[str, Any]]], /) -> Awaitable[None]:
        """Puts entries, each with where it came from; returns when all were accepted or reported."""

    def bad(self, where: str, why: str, /) -> None:
        """Reports a line that is no entry."""


class _Lines:
    """Cuts blocks into lines and lines into batches of entries."""

    def __init__(self, name: str, door: Door) -> None:
        self._name, self._door = name, door
        self._read = EntryLines()
        self._rest = b""
        self.number = 0

    async def feed(self, block: bytes) -> int:
        """Puts every whole line of what was read so far; how many bytes these were."""
        # A line longer than any event is cut off, or its buffer would grow without bound.
        text = self._rest + block
        end = text.rfind(b"\n") + 1
        self._rest = text[end:]
        if len(self._rest) > _MOST_LINE:
            self._door.bad(f"{self._name}:{self.number + 1}", f"the line is longer than {_MOST_LINE:,} bytes")
            self.number += 1
            taken, self._rest = len(text), b""
        else:
            taken = end
        await self._put(text[:end].split(b"\n"))
        return taken

    async def finish(self) -> None:
        """Puts what stands behind the last line break."""
        rest, self._rest = self._rest, b""
        await self._put([rest, b""])

    async def _put(self, lines: list[bytes]) -> None:
        entries: list[tuple[str, dict[str, Any]]] = []
        for line in lines[:-1]:
            self.number += 1
            if line.isspace() or not line:
                continue
            where = f"{self._name}:{self.number}"
            try:
                entries.append((where, self._read(line)))
            except EntryError as error:
                self._door.bad(where, str(error))
            if len(entries) >= _BATCH:
                await self._door.put(entries)
                entries = []
        if entries:
            await self._door.put(entries)


class StreamSource:
    """Standard input, or another stream, to its end."""

    def __init__(self, stream: BinaryIO, door: Door, *, name: str = "stdin") -> None:
        self._stream, self._lines = stream, _Lines(name, door)

    async def run(self) -> None:
        """Until the stream ends. A cancelled run leaves its reading thread behind, waiting for a line."""
        read = getattr(self._stream, "read1", self._stream.read)
        while block := await _in_daemon(lambda: read(_BLOCK)):
            await self._lines.feed(block)
        await self._lines.finish()


class FileSource:
    """A file of JSON lines as it grows, also over rotation (moved away and made anew) and truncation.

    `remember` keeps how far it was read, with the file's identity, so that a restart goes on there; what was read but
    not yet remembered is read again.
    """

    def __init__(
        self,
        path: Path,
        door: Door,
        *,
        remembered: tuple[int, int] | None,
        remember: Callable[[int, int], None],
        pause: Callable[[], Awaitable[None]],
    ) -> None:
        self._path, self._door = path, door
        self._remembered, self._remember, self._pause = remembered, remember, pause

    async def run(self) -> None:
        """For ever."""
        while True:
            try:
                file = await asyncio.to_thread(open, self._path, "rb")
            except FileNotFoundError:
                await self._pause()
                continue
            with file:
                await self._follow(file)

    async def _follow(self, file: BinaryIO) -> None:
        """Until another file stands at the path and this one is read to its end."""
        inode = os.fstat(file.fileno()).st_ino
        done = 0
        if self._remembered is not None and self._remembered[0] == inode:
            done = min(self._remembered[1], os.fstat(file.fileno()).st_size)
            file.seek(done)
        lines = _Lines(str(self._path), self._door)
        while True:
            block = await asyncio.to_thread(file.read, _BLOCK)
            if block:
                done += await lines.feed(block)
                await asyncio.to_thread(self._remember, inode, done)
                continue
            if os.fstat(file.fileno()).st_size < file.tell():
                file.seek(0)
                done, lines = 0, _Lines(str(self._path), self._door)
                continue
            if self._moved(inode):
                await lines.finish()
                self._remembered = None
                return
            await self._pause()

    def _moved(self, inode: int) -> bool:
        with contextlib.suppress(FileNotFoundError):
            return os.stat(self._path).st_ino != inode
        return False


async def _in_daemon(read: Callable[[], bytes]) -> bytes:
    """Runs a read that may never return, in a thread that does not hold up the end of the process."""
    import threading

    loop = asyncio.get_running_loop()
    done: asyncio.Future[bytes] = loop.create_future()

    def tell(block: bytes, error: BaseException | None) -> None:
        if done.done():
            return
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(block)

    def work() -> None:
        block, error = b"", None
        try:
            block = read()
        except (OSError, ValueError) as fault:
            error = fault
        with contextlib.suppress(RuntimeError):  # the loop ended meanwhile
            loop.call_soon_threadsafe(tell, block, error)

    threading.Thread(target=work, name="rulebus-stdin", daemon=True).start()
    return await done
