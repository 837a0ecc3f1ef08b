"""What is pending, part by part: the parts that are being worked on, in memory; all of them in the file.

Used by the writer's thread alone. Relies on the table `pending`: a part is 64 places of the log, its row the packed pairs
(place, subscription) that are not settled. Must never grow with the backlog: parts beyond a bound are let go and read
again when they are needed.
"""

from __future__ import annotations

import sqlite3
import zlib
from array import array
from collections import OrderedDict
from collections.abc import Iterator
from itertools import chain

from rulebus.errors import StoreError
from rulebus.stores.sqlite.schema import PART_BITS

__all__ = ["Pair", "Parts", "pack_pairs", "unpack_pairs"]

Pair = tuple[int, int]
"""Place in the log and number of the subscription: one delivery."""

_CHECKSUM_BYTES = 4


def pack_pairs(part: int, pairs: set[Pair]) -> bytes:
    """A checksum (also of the part's number), then two 64-bit numbers a pair. COST: 60 ns a pair."""
    packed = array("q", chain.from_iterable(pairs)).tobytes()
    return _checksum(part, packed) + packed


def _checksum(part: int, packed: bytes | memoryview) -> bytes:
    return zlib.crc32(packed, part & 0xFFFF_FFFF).to_bytes(_CHECKSUM_BYTES, "little")


def unpack_pairs(part: int, data: object) -> array[int]:
    """The pairs' numbers, two by two. Raises StoreError when they are not what was written."""
    # A page in another's place may bring anything, also what is no bytes.
    whole = data if isinstance(data, bytes) else b""
    packed = memoryview(whole)[_CHECKSUM_BYTES:]
    numbers = array("q")
    if len(packed) % 16 or _checksum(part, packed) != whole[:_CHECKSUM_BYTES]:
        raise StoreError(
            "store-damaged",
            f"what is pending at the places {part << PART_BITS} to {((part + 1) << PART_BITS) - 1} cannot be read "
            "(the checksum does not fit); the file is damaged there, restore it from a backup",
        )
    numbers.frombytes(packed)
    return numbers


class Parts:
    """The parts in use, as sets of pairs, least recently used first."""

    __slots__ = ("_connection", "_most", "_parts", "retried")

    def __init__(self, connection: sqlite3.Connection, most_pairs: int = 65_536) -> None:
        self._connection = connection
        self._most = most_pairs
        self._parts: OrderedDict[int, set[Pair]] = OrderedDict()
        self.retried: set[Pair] = set()
        """Deliveries that have a row in the table `retry`."""

    def part(self, number: int) -> set[Pair]:
        """The pairs of a part; the caller may change them, and then writes them."""
        pairs = self._parts.get(number)
        if pairs is None:
            row = self._connection.execute("SELECT pairs FROM pending WHERE part = ?", (number,)).fetchone()
            if row is None:
                pairs = set()
            else:
                numbers = unpack_pairs(number, row[0])
                pairs = set(zip(numbers[::2], numbers[1::2], strict=True))
            self._parts[number] = pairs
        else:
            self._parts.move_to_end(number)
        return pairs

    def trim(self) -> None:
        """Lets go of parts until few enough are held. Only when all of them are written."""
        held = sum(map(len, self._parts.values())) + 16 * len(self._parts)
        while held > self._most and self._parts:
            _, pairs = self._parts.popitem(last=False)
            held -= len(pairs) + 16

    def drop(self, numbers: Iterator[int] | list[int]) -> None:
        """Forgets parts: empty ones, or ones whose changes did not become durable."""
        for number in numbers:
            self._parts.pop(number, None)
