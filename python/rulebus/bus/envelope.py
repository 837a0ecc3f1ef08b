"""The envelope of an event as bytes, made once by splicing texts: nothing of the detail is formatted anew.

Keys in the order in which the real service writes them. What is the same for many events (the quoted source and
detail type, account and region) is made once and kept. Relies on `_json`; trusts the detail to be the text of one
JSON object, which `entries` has checked.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from rulebus import _json

__all__ = ["Envelopes", "read_time", "stamp"]

_MOST_HEADS = 4096
"""Pairs of source and detail type that are kept; more than that are hardly names."""


def stamp(seconds: float) -> str:
    """A moment as envelopes write it, to the second.

    >>> stamp(1_790_000_000.9)
    '2026-09-21T14:13:20Z'
    """
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(math.floor(seconds)))


def read_time(value: object) -> str:
    """An entry's Time as envelopes write it; ValueError says what was expected.

    A `datetime` (without a zone: UTC, as boto3 has it), seconds since 1970, or a text in ISO 8601's form.

    >>> read_time(datetime(2026, 1, 2, 3, 4, 5)), read_time("2026-01-02 03:04:05+01:00"), read_time(0)
    ('2026-01-02T03:04:05Z', '2026-01-02T02:04:05Z', '1970-01-01T00:00:00Z')
    """
    try:
        if isinstance(value, str):
            value = datetime.fromisoformat(value)
        if isinstance(value, datetime):
            aware = value if value.tzinfo is not None else value.replace(tzinfo=UTC)
            moment = aware.astimezone(UTC)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            moment = datetime.fromtimestamp(value, UTC)
        else:
            raise ValueError
        return f"{moment.year:04d}-{moment.month:02d}-{moment.day:02d}T{moment:%H:%M:%S}Z"
    except (ValueError, OverflowError, OSError) as error:
        raise ValueError(
            f"a time is a datetime, seconds since 1970 or an ISO 8601 text, not {value!r}"
        ) from error


_LONGEST_HEAD = 4096
"""Longer ones are made anew each time, so that what is kept stays small."""


class Envelopes:
    """Writes the envelopes of one account and region."""

    __slots__ = ("_account", "_bare", "_heads", "_region", "_stamped")

    def __init__(self, account: str, region: str) -> None:
        self._account = _quoted(account)
        self._region = _quoted(region)
        self._heads: dict[tuple[str, str], str] = {}
        self._bare = self.tail("[]")
        self._stamped = (-1, "")

    @property
    def heads(self) -> dict[tuple[str, str], str]:
        """What was made by `head` so far, for a caller that looks itself."""
        return self._heads

    def stamp(self, seconds: float) -> str:
        """`stamp`, remembered for the second. Threads that meet here make the same text twice at worst."""
        second = math.floor(seconds)
        known, text = self._stamped
        if known != second:
            text = stamp(second)
            self._stamped = (second, text)
        return text

    def head(self, source: str, detail_type: str) -> str:
        """What stands between the id and the time. Kept, unless it is long."""
        head = f'","detail-type":{_quoted(detail_type)},"source":{_quoted(source)},"account":{self._account},"time":"'
        if len(head) <= _LONGEST_HEAD:
            if len(self._heads) >= _MOST_HEADS:
                self._heads.clear()
            self._heads[source, detail_type] = head
        return head

    def tail(self, resources: str, replay: str | None = None) -> str:
        """What stands between the time and the detail."""
        named = "" if replay is None else f'"replay-name":{_quoted(replay)},'
        return f'","region":{self._region},{named}"resources":{resources},"detail":'

    def write(
        self, ids: Sequence[str], heads: Sequence[str], now: str, details: Sequence[str]
    ) -> list[bytes]:
        """Envelopes without resources, all of one moment. COST: 0.3 microseconds each, for a detail of 1 KB."""
        tail = f"{now}{self._bare}"
        return [
            f'{{"version":"0","id":"{id}{head}{tail}{detail}}}'.encode()
            for id, head, detail in zip(ids, heads, details, strict=True)
        ]

    def write_one(self, id: str, head: str, now: float, detail: str) -> bytes:
        """The envelope of one event without resources."""
        return f'{{"version":"0","id":"{id}{head}{self.stamp(now)}{self._bare}{detail}}}'.encode()

    def write_each(
        self, ids: Sequence[str], heads: Sequence[str], tails: Iterable[str], details: Sequence[str]
    ) -> list[bytes]:
        """Envelopes with a time and resources of their own; each tail begins with the time."""
        return [
            f'{{"version":"0","id":"{id}{head}{tail}{detail}}}'.encode()
            for id, head, tail, detail in zip(ids, heads, tails, details, strict=True)
        ]


def _quoted(text: str) -> str:
    return _json.dumps_text(text)
