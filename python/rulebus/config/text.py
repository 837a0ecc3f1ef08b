"""A router file as text: read whole, of bounded size, UTF-8, or refused with a sentence.

Relies on `faults`. Must never read without bound, nor wait for a pipe while a bus runs.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
from pathlib import Path

from rulebus.config.faults import ConfigError, Fault

__all__ = ["router_text"]

_MOST_BYTES = 64 << 20
_UTF8 = 'text in UTF-8; an editor\'s "save as" has it'


def router_text(path: Path, *, running: bool = False) -> str:
    """The text of a router file; ``-`` is standard input. Raises OSError, or `ConfigError` for what is no text.

    A byte order mark is passed over. While a bus is `running` only ordinary files are read, since a pipe may hold its
    reader for ever.
    """
    data = _bytes(path, running)
    if len(data) > _MOST_BYTES:
        raise ConfigError(
            str(path),
            "",
            [Fault(f"the file is larger than {_MOST_BYTES >> 20} MiB", (), (1, 1), "a router file")],
        )
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        # Of a file in another encoding, the line is shown as far as it can be.
        before = data[: error.start].decode("utf-8", "replace")
        place = (before.count("\n") + 1, len(before) - before.rfind("\n"))
        fault = Fault(f"not UTF-8: byte 0x{data[error.start]:02x}", (), place, _UTF8)
        raise ConfigError(str(path), data.decode("utf-8", "replace"), [fault]) from None


def _bytes(path: Path, running: bool) -> bytes:
    if str(path) == "-" and not running:
        if sys.stdin is None:
            raise OSError(errno.EBADF, "standard input is closed")
        return sys.stdin.buffer.read(_MOST_BYTES + 1)
    flags = getattr(os, "O_NONBLOCK", 0) if running else 0
    with open(path, "rb", opener=lambda name, mode: os.open(name, mode | flags)) as file:
        if running and not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "it is no ordinary file, and cannot be read again")
        return file.read(_MOST_BYTES + 1)
