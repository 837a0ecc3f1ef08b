"""Places in the store's log, first in, first out, eight bytes each: what waits without its event in memory.

Relies on the standard library alone. COST: append and take O(1) a place; a million of them are 8 MB.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Iterable

__all__ = ["Places"]

_CHUNK = 4096


class Places:
    """A queue of numbers.

    >>> places = Places([1, 2, 3])
    >>> places.append(7)
    >>> list(places.take(2)), len(places)
    ([1, 2], 2)
    """

    __slots__ = ("_chunks", "_start", "length")

    def __init__(self, places: Iterable[int] = ()) -> None:
        self._chunks: deque[array[int]] = deque()
        self._start = 0  # How many of the first chunk are gone.
        self.length = 0
        """How many there are, for whoever asks at every event. Read only."""
        self.extend(places)

    def __len__(self) -> int:
        return self.length

    def append(self, place: int) -> None:
        """Puts one at the end."""
        if not self._chunks or len(self._chunks[-1]) >= _CHUNK:
            self._chunks.append(array("q"))
        self._chunks[-1].append(place)
        self.length += 1

    def extend(self, places: Iterable[int]) -> None:
        """Puts many at the end."""
        more = places if isinstance(places, array) and places.typecode == "q" else array("q", places)
        for start in range(0, len(more), _CHUNK):
            self._chunks.append(more[start : start + _CHUNK])
        self.length += len(more)

    def take(self, most: int) -> array[int]:
        """Removes and gives the first ones, at most so many."""
        taken: array[int] = array("q")
        while most > 0 and self._chunks:
            chunk = self._chunks[0]
            part = chunk[self._start : self._start + most]
            taken.extend(part)
            most -= len(part)
            self._start += len(part)
            if self._start >= len(chunk):
                self._chunks.popleft()
                self._start = 0
        self.length -= len(taken)
        return taken

    def put_back(self, places: array[int]) -> None:
        """Puts what `take` gave back to the front."""
        if not places:
            return
        if self._start:
            self._chunks[0] = self._chunks[0][self._start :]
            self._start = 0
        self._chunks.appendleft(places)
        self.length += len(places)
