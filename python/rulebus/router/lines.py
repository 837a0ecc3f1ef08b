"""Blocks of bytes cut into lines, lines read as entries, entries put in batches: what every source of lines does.

Relies on `entries`. Must never pass over a line silently: a bad one is reported with its number.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, Protocol

from rulebus.router.entries import EntryError, EntryLines

__all__ = ["Door", "Lines"]

_BATCH = 500
_MOST_LINE = 16 << 20
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class Door(Protocol):
    """What a source needs of the service."""

    def put(self, entries: list[tuple[str, dict[str, Any]]], /) -> Awaitable[None]:
        """Puts entries, each with where it came from; returns when all were accepted or reported."""

    def bad(self, where: str, why: str, /) -> None:
        """Reports a line that is no entry."""

    def say(self, line: str, /) -> None:
        """Tells people what they should know."""


class Lines:
    """The lines of one source, from its line `number` + 1 on."""

    def __init__(self, name: str, door: Door, *, number: int = 0) -> None:
        self._name, self._door = name, door
        self._read = EntryLines()
        self._held: list[bytes] = []
        self._size = 0
        self._too_long = False
        self.number = number
        """Lines that are done."""
        self.putting = ""
        """Which lines are being put at this moment."""

    async def feed(self, block: bytes) -> int:
        """Puts every line that ends in the block; how many bytes are done with that. The rest is held for the next."""
        end = block.rfind(b"\n") + 1
        if not end:
            self._hold(block)
            return 0
        done = self._size + end
        text = b"".join([*self._held, block[:end]])
        self._held, self._size = [], 0
        if self._too_long:
            # Reported already; what is left of it is no line of its own.
            text = text[text.index(b"\n") + 1 :]
            self._too_long = False
            self.number += 1
        lines = text.split(b"\n")
        lines.pop()
        await self._put(lines)
        self._hold(block[end:])
        return done

    async def finish(self) -> None:
        """Puts what stands behind the last line break."""
        rest, too_long = b"".join(self._held), self._too_long
        self._held, self._size, self._too_long = [], 0, False
        if rest and not too_long:
            await self._put([rest])

    def _hold(self, rest: bytes) -> None:
        if not rest:
            return
        self._size += len(rest)
        if self._too_long:
            return
        self._held.append(rest)
        # What is longer than any event is let go of, or its buffer would grow without bound.
        if self._size > _MOST_LINE:
            self._held, self._too_long = [], True
            self._door.bad(f"{self._name}:{self.number + 1}", f"the line is longer than {_MOST_LINE:,} bytes")

    async def _put(self, lines: list[bytes]) -> None:
        first = self.number + 1
        entries: list[tuple[str, dict[str, Any]]] = []
        for at, line in enumerate(lines):
            if self.number + at == 0:
                line = line.removeprefix(_BYTE_ORDER_MARK)
            if line and not line.isspace():
                where = f"{self._name}:{first + at}"
                try:
                    entries.append((where, self._read(line)))
                except EntryError as error:
                    self._door.bad(where, str(error))
            if len(entries) >= _BATCH:
                await self._give(entries)
                entries = []
        if entries:
            await self._give(entries)
        self.number += len(lines)

    async def _give(self, entries: list[tuple[str, dict[str, Any]]]) -> None:
        self.putting = f"{entries[0][0]} to {entries[-1][0]}"
        try:
            await self._door.put(entries)
        except Exception:
            self._door.say(f"{self.putting} and what follows: not put")
            raise
        self.putting = ""
