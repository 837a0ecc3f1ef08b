"""A file of JSON lines as a target: every delivery one line, appended.

Relies on the operating system's append mode, and on its advisory lock where there is one, so that several processes
may write to one file. Must never leave half a line behind that a later line would continue.
"""

from __future__ import annotations

import errno
import os
import stat
import threading
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from rulebus.attempt import Failure
from rulebus.errors import BusError
from rulebus.targets.protocol import Delivery, Outcomes

try:
    import fcntl
except ImportError:  # Windows: one process a file.
    fcntl = None  # type: ignore[assignment]

__all__ = ["FileTarget"]


class FileTarget:
    """Appends each delivery to a file as one line of JSON.

    >>> import pathlib, tempfile
    >>> from rulebus.event import AcceptedEvent
    >>> from rulebus.origin import Origin
    >>> from rulebus.targets.protocol import Delivery
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "orders.jsonl"
    >>> target = FileTarget(path)
    >>> event = AcceptedEvent("default", "1", b'{"id":"1"}', 0.0)
    >>> target.deliver([Delivery(event, event.body, Origin("default", "all", "file"))])
    >>> path.read_text()
    '{"id":"1"}\\n'
    >>> target.close()

    With `fsync` a delivery counts as taken when it is on the disk, not only with the operating system. The file is
    created when missing (its folder is not), and opened again when it was moved away or removed, so that rotation
    needs no signal. Input that holds line breaks is brought onto one line; text that is no JSON becomes a JSON string.
    What the file system refuses (full, read-only, no permission) is retryable, and a line begun is taken back. A pipe
    (FIFO) is written without waiting: nobody reads, or too slowly, is retryable too, and a line begun comes again.

    COST: one `write` a call, whatever the batch; ask for large batches (`defaults`) where there are many events.
    """

    defaults: ClassVar[Mapping[str, Any]] = {"batch_size": 1000}
    """Options of the subscription when the user gives none."""

    __slots__ = ("_fd", "_fsync", "_lock", "_mode", "_path", "_torn")

    def __init__(self, path: str | os.PathLike[str], *, fsync: bool = False, mode: int = 0o666) -> None:
        name = os.fspath(path)
        if not name or "\0" in name:
            raise BusError("target-path", f"{name!r} is no path of a file; give one such as 'orders.jsonl'")
        self._path = name
        self._fsync = fsync
        self._mode = mode
        self._lock = threading.Lock()
        self._fd = -1
        self._torn = False

    def deliver(self, deliveries: Sequence[Delivery]) -> Outcomes:
        """Appends them in their order, in one write."""
        lines = [one_line(delivery) for delivery in deliveries]
        with self._lock:
            try:
                fd = self._open()
                lock(fd)
                try:
                    written, failure = self._append(fd, b"".join(lines))
                finally:
                    unlock(fd)
            except OSError as error:
                return [_failure(error)] * len(lines)
        if failure is None:
            return None
        taken, end = 0, 0
        for line in lines:
            end += len(line)
            if end > written:
                break
            taken += 1
        return [None] * taken + [failure] * (len(lines) - taken)

    def _open(self) -> int:
        """The file's descriptor; a new one when the path leads to another file than before."""
        if self._fd >= 0:
            there = os.fstat(self._fd)
            try:
                named = os.stat(self._path)
            except FileNotFoundError:
                named = None
            if named is not None and (named.st_ino, named.st_dev) == (there.st_ino, there.st_dev):
                return self._fd
            self._shut()
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        # A pipe would hold its thread until somebody reads; it is written without waiting, and says why it cannot be.
        for name in ("O_CLOEXEC", "O_BINARY", "O_NONBLOCK"):
            flags |= getattr(os, name, 0)
        self._fd = os.open(self._path, flags, self._mode)
        if hasattr(os, "O_NONBLOCK") and not stat.S_ISFIFO(os.fstat(self._fd).st_mode):
            os.set_blocking(self._fd, True)
        # A process that died while it wrote leaves half a line; ours begins a new one.
        self._torn = _ends_in_half_a_line(self._path)
        return self._fd

    def _append(self, fd: int, data: bytes) -> tuple[int, Failure | None]:
        """How many bytes are in the file for good, and what stopped the rest."""
        prefix = b"\n" if self._torn else b""
        view = memoryview(prefix + data)
        start, done = os.fstat(fd).st_size, 0
        try:
            while done < len(view):
                done += os.write(fd, view[done:])
            self._torn = False
            if self._fsync:
                _sync(fd)
        except OSError as error:
            if done == len(view):  # Written, but not known to be on the disk: sent again, all of it.
                return 0, _failure(error)
            whole = data.rfind(b"\n", 0, max(0, done - len(prefix))) + 1
            keep = len(prefix) + whole if whole else 0
            try:
                os.ftruncate(fd, start + keep)
                self._torn = bool(prefix) and not keep
            except OSError:
                self._torn = done > keep or (self._torn and not done)
            return whole, _failure(error)
        return len(data), None

    def _shut(self) -> None:
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
            os.close(fd)

    def describe(self) -> str:
        """The file's path."""
        return f"file {self._path}"

    def close(self) -> None:
        """Closes the file. Another delivery would open it again."""
        with self._lock:
            self._shut()

    def __repr__(self) -> str:
        return f"FileTarget({self._path!r})"


def one_line(delivery: Delivery) -> bytes:
    """A delivery's input as one line of JSON, with its line break."""
    text = delivery.input
    if text is not delivery.event.body:
        from rulebus import _json

        try:
            _json.loads(text)
        except _json.JsonError:
            text = _json.dumps(text.decode("utf-8", "replace"))
    if b"\n" in text or b"\r" in text:
        # Raw line breaks stand between JSON's tokens, never inside a string.
        text = text.replace(b"\r", b" ").replace(b"\n", b" ")
    return text + b"\n"


def lock(fd: int) -> None:
    """Keeps other processes from writing in between, where the system can."""
    if fcntl is not None:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.ENOLCK, errno.EBADF):
                raise


def unlock(fd: int) -> None:
    """Lets the others write again."""
    if fcntl is not None:
        try:
            fcntl.flock(fd, fcntl.LOCK_UN)
        except OSError:
            return


def _ends_in_half_a_line(path: str) -> bool:
    try:
        if not os.path.isfile(path) or os.path.getsize(path) == 0:
            return False  # A pipe or a device has no end to look at.
        with open(path, "rb") as file:
            file.seek(-1, os.SEEK_END)
            return file.read(1) != b"\n"
    except OSError:  # It may be written, and not read.
        return False


def _sync(fd: int) -> None:
    try:
        os.fsync(fd)
    except OSError as error:
        if error.errno != errno.EINVAL:  # A pipe, which has nothing to be written to.
            raise


def _failure(error: OSError) -> Failure:
    name = errno.errorcode.get(error.errno or 0, type(error).__name__)
    why = _OF_PIPES.get(error.errno or 0) or error.strerror or error
    return Failure("retryable", "FILE_ERROR", f"the file could not be written: {why}", status=name)


_OF_PIPES = {
    errno.ENXIO: "it is a pipe that nobody reads",
    errno.EPIPE: "it is a pipe whose reader has gone",
    errno.EAGAIN: "it is a pipe, and full: its reader does not keep up",
}
