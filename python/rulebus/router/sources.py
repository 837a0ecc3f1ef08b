"""Where lines come from: standard input to its end, files as they grow. Each brings what it reads to one door.

Relies on `lines`. Reading happens in threads, putting on the loop; a door that waits holds back the reader, so that
nothing piles up in between. Must never wait in a thread for what may never come, or the process could not end.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import hashlib
import json
import os
import stat
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

from rulebus.router.lines import Door, Lines

__all__ = ["FilePlace", "FileSource", "StreamSource"]

_BLOCK = 1 << 18
_HEAD = 1024
_TAIL = 256
_GRACE_S = 5.0


class StreamSource:
    """Standard input, or another stream, to its end."""

    def __init__(self, stream: BinaryIO, door: Door, *, name: str = "stdin") -> None:
        self._stream, self._door, self._lines = stream, door, Lines(name, door)

    async def run(self) -> None:
        """Until the stream ends. A cancelled run puts what it has read, since nobody could read it again; it leaves its
        reading thread behind, waiting for a line."""
        read = getattr(self._stream, "read1", self._stream.read)
        while block := await _in_daemon(lambda: read(_BLOCK)):
            await self._whole(self._lines.feed(block))
        await self._whole(self._lines.finish())

    async def _whole(self, work: Awaitable[Any]) -> None:
        task = asyncio.ensure_future(work)
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            # A bus that is full may wait for a target that never answers: then they are named.
            _, waiting = await asyncio.wait({task}, timeout=_GRACE_S)
            if waiting:
                self._door.say(
                    f"the bus is full: {self._lines.putting} and what followed were read and not put"
                )
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            raise


@dataclass(frozen=True, slots=True)
class FilePlace:
    """How far a file was read, and which file that is: its inode, which systems give again, its first bytes, and the last
    ones that were read."""

    inode: int
    done: int
    """Bytes of whole lines that were put."""
    lines: int
    """How many lines these are."""
    head: str
    """Digest of the first `_HEAD` bytes of them."""
    tail: str = ""
    """Digest of the last `_TAIL` bytes of them; empty where an earlier version did not write it down."""

    @classmethod
    def of(cls, file: BinaryIO, done: int, lines: int) -> FilePlace:
        """The place in an open file."""
        head, tail = _digest(_head(file, done)), _digest(_tail(file, done))
        return cls(os.fstat(file.fileno()).st_ino, done, lines, head, tail)

    def is_in(self, file: BinaryIO) -> bool:
        """Whether that is the file, and as long as it was at least."""
        status = os.fstat(file.fileno())
        if status.st_ino != self.inode or status.st_size < self.done:
            return False
        if _digest(_head(file, self.done)) != self.head:
            return False
        return not self.tail or _digest(_tail(file, self.done)) == self.tail

    def to_json(self) -> bytes:
        """As a store keeps it."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def from_json(cls, document: bytes) -> FilePlace:
        """From what a store kept."""
        return cls(**json.loads(document))


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:32]


def _head(file: BinaryIO, done: int) -> bytes:
    return os.pread(file.fileno(), min(_HEAD, done), 0)


def _tail(file: BinaryIO, done: int) -> bytes:
    """What stands before a place."""
    count = min(_TAIL, done)
    return os.pread(file.fileno(), count, done - count)


class FileSource:
    """A file of JSON lines as it grows, also over rotation (moved away and made anew) and truncation.

    Whether it was truncated, and has grown again since, is seen by the last bytes that were read: where others stand in
    their place, what is in the file now is read from its beginning, and said so. What was written and truncated again
    between two looks was never seen.

    `remember` keeps how far it was read, so that a restart goes on there, also in a file that was moved within its
    folder meanwhile; what was read but not yet remembered is read again.
    """

    def __init__(
        self,
        path: Path,
        door: Door,
        *,
        remembered: FilePlace | None,
        remember: Callable[[FilePlace], None],
        pause: Callable[[], Awaitable[None]],
    ) -> None:
        self._path, self._door = path, door
        self._remembered, self._remember, self._pause = remembered, remember, pause

    async def run(self) -> None:
        """For ever."""
        await self._finish_moved()
        said = ""
        while True:
            try:
                file = await asyncio.to_thread(_open, self._path)
            except FileNotFoundError:
                await self._pause()
                continue
            except OSError as error:
                sentence = f"{self._path} cannot be read: {error.strerror}; it is tried again until it can"
                if sentence != said:
                    self._door.say(sentence)
                said = sentence
                await self._pause()
                continue
            said = ""
            with file:
                begin, self._remembered = self._remembered, None
                await self._follow(file, begin if begin is not None and begin.is_in(file) else None)

    async def _finish_moved(self) -> None:
        """Reads the rest of a file that was moved away while nobody looked."""
        place = self._remembered
        if place is None:
            return
        found = await asyncio.to_thread(_find, self._path, place)
        if found is None:
            if place.done:
                self._door.say(
                    f"{self._path}: what was read to byte {place.done:,} was truncated, or is not in the folder any "
                    "more; what stands at the path now is read from the beginning"
                )
            self._remembered = None
        elif found != self._path:
            self._remembered = None
            with await asyncio.to_thread(_open, found) as file:
                await self._follow(file, place, moved=True)

    async def _follow(self, file: BinaryIO, begin: FilePlace | None, *, moved: bool = False) -> None:
        """Until another file stands at the path and this one is read to its end."""
        done, number = (begin.done, begin.lines) if begin is not None else (0, 0)
        file.seek(done)
        lines = Lines(str(self._path), self._door, number=number)
        last = _tail(file, done)
        while True:
            at = file.tell()
            block = await asyncio.to_thread(file.read, _BLOCK)
            # Looked at after the read: what was read before the file was truncated is good.
            if _tail(file, at) != last:
                self._door.say(
                    f"{self._path} was truncated: what stands in it now is read from the beginning"
                )
                await lines.finish()
                file.seek(0)
                done, last, lines = 0, b"", Lines(str(self._path), self._door)
            elif block:
                last = (last + block)[-_TAIL:]
                read = await lines.feed(block)
                done += read
                if read:
                    await asyncio.to_thread(self._remember, FilePlace.of(file, done, lines.number))
            elif moved:
                await lines.finish()
                return
            else:
                # Once more after it was moved: who writes to it lets go of it a moment later.
                moved = self._was_moved(file)
                await self._pause()

    def _was_moved(self, file: BinaryIO) -> bool:
        with contextlib.suppress(OSError):
            return not os.path.samestat(os.stat(self._path), os.fstat(file.fileno()))
        return False


def _open(path: Path) -> BinaryIO:
    """An ordinary file. A pipe would hold its thread until somebody writes, so it is opened without waiting, and refused."""
    fd = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise OSError(errno.EINVAL, "it is no ordinary file (a pipe is read with --events)")
    return os.fdopen(fd, "rb", buffering=0)


def _find(path: Path, place: FilePlace) -> Path | None:
    """Where the file of a place is now: at its path (perhaps by a link), or moved within its folder."""
    with contextlib.suppress(OSError), _open(path) as file:
        if place.is_in(file):
            return path
    with contextlib.suppress(OSError), os.scandir(path.parent) as entries:
        for one in entries:
            if one.inode() == place.inode and one.is_file():
                with _open(Path(one.path)) as file:
                    if place.is_in(file):
                        return Path(one.path)
    return None


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
