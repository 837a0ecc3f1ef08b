"""Events, tries and dead letters as bytes of the file, and back.

An event: a checksum, the length of a head, the head (JSON: id, bus, when, hops, replay), the envelope as it is. Relies on
`_json`. Must never alter an envelope, and never hand out one whose checksum is wrong.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate, pairwise
from typing import Any

from rulebus import _json
from rulebus.attempt import Attempt, Failure, FailureKind
from rulebus.dead_letter import DeadLetter
from rulebus.errors import StoreError
from rulebus.event import AcceptedEvent
from rulebus.stores.sqlite.schema import PACK_BITS

__all__ = [
    "PACK",
    "block_places",
    "pack_attempts",
    "pack_block",
    "pack_event",
    "pack_letter",
    "unpack_attempts",
    "unpack_event",
    "unpack_letter",
]

_PREFIX = struct.Struct("<II")
_PREFIX_BYTES = _PREFIX.size
PACK = 1 << PACK_BITS
"""Places of a block."""
_LENGTHS = struct.Struct(f"<{PACK}I")


def _dumps(value: Any) -> bytes:
    """JSON; text that has no UTF-8 form (a file name in an exception's message) is spelled with escapes instead."""
    try:
        return _json.dumps(value)
    except TypeError:
        return _json.dumps(_clean(value))


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, (list, tuple)):
        return [_clean(item) for item in value]
    return value


def pack_event(event: AcceptedEvent) -> bytes:
    """The event without its place, which is the row's key. COST: 0.8 us for 1 kB."""
    head = _dumps((event.id, event.bus, event.accepted_at, event.hops, event.replay))
    body = event.body
    checksum = zlib.crc32(body, zlib.crc32(head))
    return b"".join((_PREFIX.pack(checksum, len(head)), head, body))


def unpack_event(data: bytes, start: int, end: int, seq: int, place: str, number: int) -> AcceptedEvent:
    """The event in these bytes of `data`; `place` and `number` name it in the error when they are not what was written.

    COST: 1.3 us for 1 kB.
    """
    view = memoryview(data)
    try:
        checksum, length = _PREFIX.unpack_from(data, start)
        head = start + _PREFIX_BYTES
        if zlib.crc32(view[head:end]) != checksum:
            raise ValueError("the checksum does not fit")
        body = head + length
        id, bus, accepted_at, hops, replay = _json.loads(view[head:body])
        return AcceptedEvent(bus, id, data[body:end], accepted_at, hops, replay, seq)
    except (struct.error, ValueError) as error:
        raise StoreError(
            "store-damaged",
            f"{place} {number}: {error}; the file is damaged there, the rest can be read; restore it from a backup",
        ) from None


def pack_block(events: Sequence[bytes]) -> bytes:
    """Packed events, up to `PACK`, as a row of `packed`: their lengths, then they; an empty one where a place has none."""
    lengths = list(map(len, events))
    return _LENGTHS.pack(*lengths, *[0] * (PACK - len(lengths))) + b"".join(events)


def block_places(data: bytes, start: int, end: int) -> list[tuple[int, int]]:
    """Where the events of a block begin and end in `data`, which holds the block from `start` to `end`. What was damaged is
    found by the checksum of each event."""
    if end - start < _LENGTHS.size:
        return [(start, start)] * PACK
    ends = list(accumulate(_LENGTHS.unpack_from(data, start), initial=start + _LENGTHS.size))
    return [(min(first, end), min(last, end)) for first, last in pairwise(ends)]


def _attempts(attempts: tuple[Attempt, ...]) -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = []
    for attempt in attempts:
        failure = attempt.failure
        rows.append(
            (
                attempt.started_at,
                attempt.duration_s,
                failure.kind,
                failure.code,
                failure.message,
                failure.status,
                failure.retry_after_s,
                failure.answer.decode("latin-1"),
            )
        )
    return rows


def _attempts_of(rows: list[list[Any]]) -> tuple[Attempt, ...]:
    return tuple([Attempt(row[0], row[1], _failure(*row[2:])) for row in rows])


@lru_cache(maxsize=1024)
def _failure(kind: FailureKind, code: str, message: str, status: str, wait: float, answer: str) -> Failure:
    """Failures are values, and when a target is down, hundreds of thousands of them are equal: one object then."""
    return Failure(kind, code, message, status, wait, answer.encode("latin-1"))


def pack_attempts(due_at: float, attempts: tuple[Attempt, ...]) -> str:
    """A retry's record."""
    return _dumps((due_at, _attempts(attempts))).decode()


def unpack_attempts(record: str) -> tuple[float, tuple[Attempt, ...]]:
    """When it is due, and the tries so far."""
    due_at, rows = _json.loads(record)
    return due_at, _attempts_of(rows)


def pack_letter(letter: DeadLetter) -> str:
    """All of a letter but its event and its input, which are kept as bytes."""
    return _dumps(
        (
            letter.rule,
            letter.target,
            letter.reason,
            letter.message,
            letter.exhausted,
            letter.dead_at,
            letter.event.seq,
            _attempts(letter.attempts),
        )
    ).decode()


def unpack_letter(id: int, record: str, data: bytes, input: bytes | None) -> DeadLetter:
    """The letter with its id."""
    rule, target, reason, message, exhausted, dead_at, seq, rows = _json.loads(record)
    event = unpack_event(data, 0, len(data), seq, "the event of dead letter", id)
    return DeadLetter(event, rule, target, input, reason, message, exhausted, _attempts_of(rows), dead_at, id)
