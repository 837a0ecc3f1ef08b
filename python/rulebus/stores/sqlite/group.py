"""What one commit changes: the changes of several callers, merged into the parameters of one statement.

Relies on `records` and `pending`; the statement is `schema.APPLY`. An `Item` is made in the caller's thread (what cannot
be packed fails there, and fails nobody else), a `Group` by the writer. Must never touch the file.
"""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

from rulebus import _json
from rulebus.stores.event_time import event_time
from rulebus.stores.protocol import Changes, SubscriptionKey
from rulebus.stores.sqlite.pending import Pair, Parts, pack_pairs
from rulebus.stores.sqlite.records import PACK, pack_attempts, pack_block, pack_event, pack_letter
from rulebus.stores.sqlite.schema import PACK_BITS, PART_BITS

__all__ = ["Counters", "Group", "Item", "microseconds"]

_FARTHEST = 1 << 62
_MOST_PACKED = 1 << 18
"""Bytes of a packed row: a fetch reads it whole."""


def microseconds(seconds: float) -> int:
    """A time as archives keep and compare it; infinities become the farthest numbers."""
    scaled = seconds * 1e6
    if scaled >= _FARTHEST:
        return _FARTHEST
    return round(scaled) if scaled > -_FARTHEST else -_FARTHEST


class Item:
    """One caller's changes, as bytes."""

    __slots__ = (
        "appended",
        "archived",
        "buried",
        "documents",
        "done",
        "first",
        "future",
        "lazy",
        "letters",
        "packed",
        "retries",
        "size",
    )

    def __init__(self, changes: Changes) -> None:
        packed: dict[int, bytes] = {}
        size = 0
        self.first = 0
        """Place of the first appended event; set when the item is queued."""
        self.appended: list[tuple[int, bytes | None, tuple[int, ...]]] = []
        """Offset, bytes (None: they are in `packed`), subscriptions."""
        self.packed: list[tuple[int, bytes]] = []
        """Rows of events with the offset of the first; then `first` is a multiple of `PACK`."""
        many = len(changes.appended) >= PACK
        for start in range(0, len(changes.appended), PACK):
            block = changes.appended[start : start + PACK]
            events = [pack_event(event) if subscriptions else b"" for event, subscriptions in block]
            bytes_of_block = sum(map(len, events))
            size += bytes_of_block
            if changes.archived:
                packed.update(
                    (id(event), data) for (event, _), data in zip(block, events, strict=True) if data
                )
            if many and 0 < bytes_of_block <= _MOST_PACKED:
                self.packed.append((start, pack_block(events)))
                self.appended += [
                    (start + at, None, numbers) for at, (_, numbers) in enumerate(block) if numbers
                ]
            else:
                self.appended += [
                    (start + at, data, numbers)
                    for at, ((_, numbers), data) in enumerate(zip(block, events, strict=True))
                    if numbers
                ]
        self.archived: list[tuple[str, int, bytes]] = []
        for archive, event in changes.archived:
            data = packed.get(id(event)) or pack_event(event)
            packed[id(event)] = data
            self.archived.append((archive, microseconds(event_time(event)), data))
            size += len(data)
        self.retries = [
            ((retry.seq, retry.subscription), pack_attempts(retry.due_at, retry.attempts))
            for retry in changes.retries
        ]
        self.letters = [
            ((seq, subscription), pack_letter(letter), pack_event(letter.event), letter.input)
            for seq, subscription, letter in changes.dead
        ]
        size += sum(len(data) for _, _, data, _ in self.letters)
        self.done = list(changes.done)
        self.buried = list(changes.buried)
        self.documents: list[tuple[str, str, bytes | None]] = []
        if changes.replay is not None:
            name, *progress = changes.replay
            self.documents.append(("replay-progress", name, _json.dumps(progress)))
        self.size = size + 64 * (len(self.done) + len(self.retries))
        self.lazy = not (
            changes.appended or self.archived or self.retries or self.letters or self.buried or self.documents
        )
        """Whether it may wait a moment for others: only deliveries that were taken."""
        self.future: Future[None] = Future()
        # Running from the start: what is queued cannot be taken back.
        self.future.set_running_or_notify_cancel()


class Counters:
    """The numbers given so far; the writer's own."""

    __slots__ = ("archives", "commits", "letter", "number")

    def __init__(self, commits: int, number: int, letter: int, archives: dict[str, int]) -> None:
        self.commits, self.number, self.letter, self.archives = commits, number, letter, archives


class Group:
    """The changes of a commit. `add` items, run the statement with `parameters`, then `settled` or `undo`."""

    __slots__ = (
        "_archived",
        "_archives",
        "_blob",
        "_buried",
        "_counters",
        "_dead",
        "_documents",
        "_first",
        "_log",
        "_offset",
        "_packed",
        "_parts",
        "_places",
        "_retries",
        "_seen",
        "_touched",
        "_tried",
        "items",
        "size",
    )

    def __init__(self, parts: Parts, counters: Counters) -> None:
        self._parts, self._counters = parts, counters
        self.items: list[Item] = []
        self.size = 0
        # Keeps the bytes alive, too, while their ids serve as keys of `_places`.
        # The first byte is no-one's: of an empty value SQLite takes no empty part, it answers NULL.
        self._blob: list[bytes] = [b" "]
        self._offset = 2
        self._places: dict[int, int] = {}
        # Of the places of the log from `_first` on: place and length in the blob as one number, 0 for none.
        self._first = 0
        self._log: list[int] = []
        self._packed: list[tuple[int, int, int]] = []
        self._archives: list[tuple[int, str]] = []
        self._archived: list[tuple[int, int, int, int, int]] = []
        self._retries: dict[Pair, str] = {}
        self._tried: set[Pair] = set()
        self._dead: list[tuple[Any, ...]] = []
        self._buried: list[int] = []
        self._documents: dict[tuple[str, str], bytes | None] = {}
        self._touched: dict[int, set[Pair]] = {}
        self._seen: dict[int, set[int]] = {}

    def _place(self, data: bytes) -> int:
        """Where the statement finds these bytes; the same bytes are sent once."""
        place = self._places.get(id(data))
        if place is None:
            place = self._places[id(data)] = self._offset
            self._offset += len(data)
            self._blob.append(data)
        return place

    def _part(self, seq: int) -> set[Pair]:
        number = seq >> PART_BITS
        pairs = self._touched.get(number)
        if pairs is None:
            pairs = self._touched[number] = self._parts.part(number)
        return pairs

    def add(self, item: Item) -> None:
        """Merges an item; items in the order in which they were queued."""
        self.items.append(item)
        self.size += item.size
        pairs: set[Pair] = set()
        number = -1
        log = self._log
        for offset, data, subscriptions in item.appended:
            seq = item.first + offset
            if seq >> PART_BITS != number:
                number = seq >> PART_BITS
                pairs = self._part(seq)
            for subscription in subscriptions:
                pairs.add((seq, subscription))
            if data is None:
                continue
            if not log:
                self._first = seq
            elif len(log) != seq - self._first:
                log += [0] * (seq - self._first - len(log))
            log.append(self._place(data) << 30 | len(data))
        for offset, data in item.packed:
            self._packed.append((item.first + offset >> PACK_BITS, self._place(data), len(data)))
        counters = self._counters
        for name, time, data in item.archived:
            archive = counters.archives.get(name)
            if archive is None:
                archive = counters.archives[name] = len(counters.archives) + 1
                self._archives.append((archive, name))
            counters.number += 1
            self._archived.append((counters.number, archive, time, self._place(data), len(data)))
        for pair, record in item.retries:
            if pair in self._part(pair[0]):
                self._retries[pair] = record
                self._tried.discard(pair)
        for _, record, data, input in item.letters:
            counters.letter += 1
            where = (None, None) if input is None else (self._place(input), len(input))
            self._dead.append((counters.letter, record, self._place(data), len(data), *where))
        self.settle([pair for pair, *_ in item.letters])
        self.settle(item.done)
        self._buried += item.buried
        for kind, name, document in item.documents:
            self._documents[kind, name] = document

    def settle(self, done: list[Pair]) -> None:
        """Deliveries that are no longer pending; those that were not are skipped."""
        number = -1
        pairs: set[Pair] = set()
        seen: set[int] = set()
        retried, retries = self._parts.retried, self._retries
        for pair in done:
            seq = pair[0]
            if seq >> PART_BITS != number:
                number = seq >> PART_BITS
                pairs = self._part(seq)
                seen = self._seen.setdefault(number, set())
            if pair in pairs:
                pairs.remove(pair)
                seen.add(seq)
                if retries and pair in retries:
                    del retries[pair]
                if pair in retried:
                    self._tried.add(pair)

    def parameters(self, subscriptions: list[tuple[int, SubscriptionKey]], last: int) -> tuple[Any, ...]:
        """The row for `schema.APPLY`. `last` is the last place of the log that was given."""
        settled: list[int] = []
        pending: list[tuple[int, int, int]] = []
        gone: list[list[int]] = []
        emptied: list[list[int]] = []
        for number, pairs in self._touched.items():
            seen = self._seen.get(number)
            if pairs:
                data = pack_pairs(number, pairs)
                pending.append((number, self._place(data), len(data)))
                if seen:
                    left = {seq for seq, _ in pairs}
                    _runs(sorted(seen - left), gone)
                    _runs(sorted(_blocks(seen) - _blocks(left)), emptied)
            else:
                settled.append(number)
                if seen:
                    _runs(sorted(seen), gone)
                    _runs(sorted(_blocks(seen)), emptied)
        documents = [
            (kind, name, None, None)
            if document is None
            else (kind, name, self._place(document), len(document))
            for (kind, name), document in self._documents.items()
        ]
        named = [(number, *key) for number, key in subscriptions]
        retries = [(*pair, record) for pair, record in self._retries.items()]
        lists: list[list[Any]] = [named, self._log, self._archives, self._archived, retries, self._dead]
        lists += [list(self._tried), pending, settled, gone, self._buried, documents]
        counters = self._counters
        return (
            b"".join(self._blob),
            *(_json.dumps_text(rows) if rows else None for rows in lists),
            counters.commits + 1,
            last,
            counters.number,
            self._first,
            *(_json.dumps_text(rows) if rows else None for rows in (self._packed, emptied)),
        )

    def settled(self) -> None:
        """The statement was committed."""
        parts = self._parts
        parts.retried.difference_update(self._tried)
        parts.retried.update(self._retries)
        parts.drop([number for number, pairs in self._touched.items() if not pairs])
        parts.trim()
        self._counters.commits += 1

    def undo(self) -> None:
        """The statement failed: nothing of the group happened."""
        self._parts.drop(list(self._touched))
        for _, name in self._archives:
            del self._counters.archives[name]

    def unsettled(self) -> list[Pair]:
        """Deliveries of the group's items that were taken: to be recorded later when they could not be now."""
        return [pair for item in self.items for pair in item.done]


def _blocks(places: set[int]) -> set[int]:
    return {place >> PACK_BITS for place in places}


def _runs(places: list[int], into: list[list[int]]) -> None:
    """Rising places as runs (first, last), joined to the last run where they follow it."""
    for place in places:
        if into and into[-1][1] == place - 1:
            into[-1][1] = place
        else:
            into.append([place, place])
