"""What this process holds in memory: bytes handed out by the C library, and pages that are resident.

Relies on glibc's `malloc_info`, which counts the heaps of every thread, and on Linux's /proc; says None where they are
not there. Must never be read while other work of the process allocates.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import re
from pathlib import Path

__all__ = ["allocated_bytes", "resident_bytes"]


def resident_bytes() -> int | None:
    """Resident memory after what was freed has been given back, as far as the C library can."""
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
    try:
        pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
    except OSError:
        return None
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def allocated_bytes() -> int | None:
    """Bytes handed out and not freed, over all heaps, large blocks included."""
    text = _malloc_info()
    if text is None:
        return None
    # The last group stands for all heaps together.
    totals = text.rpartition("</heap>")[2]
    free = sum(
        int(size) for size in re.findall(r'<total type="(?:fast|rest)" count="\d+" size="(\d+)"', totals)
    )
    mapped = sum(int(size) for size in re.findall(r'<total type="mmap" count="\d+" size="(\d+)"', totals))
    system = re.search(r'<system type="current" size="(\d+)"', totals)
    return int(system[1]) - free + mapped if system else None


def _malloc_info() -> str | None:
    try:
        library = ctypes.CDLL(None)
        open_stream, write, close = library.open_memstream, library.malloc_info, library.fclose
        release = library.free
    except (OSError, AttributeError):
        return None
    open_stream.restype = ctypes.c_void_p
    text, size = ctypes.c_void_p(), ctypes.c_size_t()
    stream = open_stream(ctypes.byref(text), ctypes.byref(size))
    if not stream:
        return None
    failed = write(0, ctypes.c_void_p(stream))
    close(ctypes.c_void_p(stream))
    found = (
        None
        if failed or not text.value
        else ctypes.string_at(text.value, size.value).decode("ascii", "replace")
    )
    release(text)
    return found
