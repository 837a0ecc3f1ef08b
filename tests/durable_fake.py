"""A durable store for tests of delivery: a disk that survives crashes, and a store on it whose writes arrive when told.

Relies on `rulebus.stores.protocol` alone. It believes nothing: a write that ends what is not pending, or fetches what
nobody waits for, is an error of whoever asked.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import replace

from rulebus.dead_letter import DeadLetter
from rulebus.errors import StoreError
from rulebus.event import AcceptedEvent
from rulebus.stores.protocol import Changes, Recovered, Retry, SubscriptionKey


class Disk:
    """What is durable."""

    def __init__(self) -> None:
        self.numbers: dict[SubscriptionKey, int] = {}
        self.seq = 0
        self.events: dict[int, AcceptedEvent] = {}
        self.pending: dict[tuple[int, int], Retry | None] = {}
        self.waiting: dict[int, int] = {}  # Place to how many deliveries of the event are pending.
        self.letters: dict[int, DeadLetter] = {}
        self.letter_id = 0

    def apply(self, changes: Changes) -> None:
        for event, numbers in changes.appended:
            if numbers:
                self.events[event.seq] = event
                self.waiting[event.seq] = len(numbers)
            for number in numbers:
                self.pending[event.seq, number] = None
        for retry in changes.retries:
            assert (retry.seq, retry.subscription) in self.pending, "a retry of what is not pending"
            self.pending[retry.seq, retry.subscription] = retry
        for seq, number, letter in changes.dead:
            self._end(seq, number)
            self.letter_id += 1
            self.letters[self.letter_id] = replace(letter, id=self.letter_id)
        for seq, number in changes.done:
            self._end(seq, number)
        for id in changes.buried:
            del self.letters[id]

    def _end(self, seq: int, number: int) -> None:
        del self.pending[seq, number]  # A KeyError: it ended twice.
        self.waiting[seq] -= 1
        if not self.waiting[seq]:
            del self.waiting[seq], self.events[seq]


class DurableFake:
    """A store on a disk. With `prompt`, writes are durable at once; else when `commit` is called."""

    durable = True

    def __init__(self, disk: Disk, prompt: bool = False) -> None:
        self.disk = disk
        self.prompt = prompt
        self.failing = 0  # So many of the next writes fail.
        self.fetch_failing = 0
        self.fetched = 0
        self.queue: list[tuple[Changes, Future[None]]] = []
        self.seq = disk.seq

    def recover(self) -> Recovered:
        pending: dict[int, array[int]] = {}
        retries: list[Retry] = []
        for (seq, number), retry in sorted(self.disk.pending.items(), key=lambda item: item[0]):
            if retry is None:
                pending.setdefault(number, array("q")).append(seq)
            else:
                retries.append(retry)
        return Recovered({number: key for key, number in self.disk.numbers.items()}, dict(pending), retries)

    def number(self, key: SubscriptionKey) -> int:
        return self.disk.numbers.setdefault(key, len(self.disk.numbers) + 1)

    def write(self, changes: Changes) -> Future[None] | None:
        for event, _ in changes.appended:
            self.seq += 1
            self.disk.seq = event.seq = self.seq
        if self.prompt:
            if self.failing:
                self.failing -= 1
                raise StoreError("disk-full", "the disk is full, as the test says")
            self.disk.apply(changes)
            return None
        future: Future[None] = Future()
        self.queue.append((changes, future))
        return future

    def commit(self, count: int | None = None) -> None:
        """The first so many writes become durable (or fail)."""
        for _ in range(len(self.queue) if count is None else min(count, len(self.queue))):
            changes, future = self.queue.pop(0)
            if self.failing:
                self.failing -= 1
                future.set_exception(StoreError("disk-full", "the disk is full, as the test says"))
            else:
                self.disk.apply(changes)
                future.set_result(None)

    def fetch(self, places: Sequence[int]) -> list[AcceptedEvent]:
        assert list(places) == sorted(places), "places rise"
        if self.fetch_failing:
            self.fetch_failing -= 1
            raise StoreError("disk-error", "the disk cannot be read, as the test says")
        self.fetched += len(places)
        return [self.disk.events[place] for place in places]

    def dead_letters(self, after: int = 0, limit: int = 1000) -> list[DeadLetter]:
        return [self.disk.letters[id] for id in sorted(self.disk.letters) if id > after][:limit]

    def count_dead_letters(self) -> int:
        return len(self.disk.letters)

    def archived(
        self, archive: str, start: float, end: float, after: tuple[float, int] | None = None
    ) -> Iterator[tuple[int, AcceptedEvent]]:
        raise NotImplementedError("delivery has no use for archives")

    def forget(self, archive: str, before: float | None = None) -> int:
        raise NotImplementedError("delivery has no use for archives")

    def documents(self, kind: str) -> dict[str, bytes]:
        return {}

    def put_document(self, kind: str, name: str, document: bytes | None) -> None:
        raise NotImplementedError("delivery has no use for documents")

    def close(self) -> None:
        self.commit()
