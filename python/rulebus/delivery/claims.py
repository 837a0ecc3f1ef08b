"""Which dead letters somebody has in hand: a redrive that sends them again, or a call of their own target.

A letter is read from the store long before it is deleted there, so that two may read it; whoever claims it first has it.
INVARIANT: everything here is called under the dispatcher's lock. Relies on nothing. COST: eight bytes and a slot a letter
that is in hand, queued, or was deleted while somebody read.
"""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["Claims"]


class Claims:
    """Letters in hand, by id.

    >>> claims = Claims()
    >>> claims.take([1, 2]), claims.take([2, 3])
    ({1, 2}, {3})
    >>> claims.give_back([1])
    >>> claims.take([1])
    {1}
    """

    __slots__ = ("_gone", "_held", "_queued", "_readers", "_void")

    def __init__(self) -> None:
        self._held: set[int] = set()
        self._queued: set[int] = set()  # Wait for a call of their own target.
        self._void: set[int] = set()  # Of those: claimed by a redrive meanwhile.
        self._readers = 0
        self._gone: set[int] = (
            set()
        )  # Deleted, but somebody who reads may have seen them: held until nobody does.

    def begin(self) -> None:
        """Somebody begins to read letters. Ends with `end`."""
        self._readers += 1

    def end(self) -> None:
        """Somebody has done with what was read."""
        self._readers -= 1
        if not self._readers:
            self._held -= self._gone
            self._gone.clear()

    def take(self, ids: Iterable[int]) -> set[int]:
        """Claims letters for a redrive; those that are its own now."""
        mine = {id for id in ids if id not in self._held}
        self._held |= mine
        self._void |= mine & self._queued
        return mine

    def give_back(self, ids: Iterable[int]) -> None:
        """They stay in the store after all."""
        self._held.difference_update(ids)
        self._void.difference_update(ids)

    def buried(self, ids: Iterable[int]) -> None:
        """They are deleted from the store."""
        if self._readers:
            self._gone.update(ids)
        else:
            self._held.difference_update(ids)

    def queue(self, id: int) -> None:
        """A letter waits for a call of its own target."""
        self._queued.add(id)
        if id in self._held:
            self._void.add(id)

    def carry(self, id: int) -> bool:
        """Its turn has come: claims it, unless a redrive has it."""
        self._queued.discard(id)
        if id in self._void:
            self._void.discard(id)
            return False
        self._held.add(id)
        return True
