"""What was counted: exact counters and latency histograms as frozen records, and the histogram that counts.

Relies on nothing. Every delivery is counted, none is sampled. INVARIANT, for each target and their sum at any moment:
``created == successes + dead_letters + deduplicated + pending + in_flight``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from typing import Any

__all__ = ["BusStatistics", "Histogram", "Latency", "TargetStatistics"]

_SUB = 8
_OCTAVES = 38
_BUCKETS = _OCTAVES * _SUB


def _bound(bucket: int) -> float:
    """Seconds below which everything in the bucket lies."""
    octave, part = divmod(bucket, _SUB)
    return ((1 << octave) * (1 + (part + 1) / _SUB) - 1) / 1e6


def _bucket(micros: int) -> int:
    """Where a duration is counted, of so many microseconds and one."""
    octave = micros.bit_length() - 1
    return min(octave * _SUB + ((micros << 3 >> octave) & 7), _BUCKETS - 1)


_KNOWN_BITS = 11
_KNOWN = 1 << _KNOWN_BITS
_SHORT = b"\0" + bytes(map(_bucket, range(1, _KNOWN)))
"""The same to be looked up. Some octaves further the same again."""
_SHIFT = _KNOWN_BITS - 3
"""By so many octaves, of which the last three bits are left that count."""


class Histogram:
    """Counts durations in buckets that grow by at most an eighth, from 1 µs to three days; counts are exact.

    >>> histogram = Histogram()
    >>> histogram.add(0.004, 99); histogram.add(1.0)
    >>> latency = histogram.record()
    >>> latency.count, round(latency.quantile_s(0.5), 4), round(latency.quantile_s(1.0), 2)
    (100, 0.0041, 1.0)

    Not locked: whoever owns it counts in one thread at a time.
    """

    __slots__ = ("counts", "longest_s", "sum_s")

    def __init__(self) -> None:
        self.counts: list[int] = []  # Made when there is something to count: many subscriptions are quiet.
        self.sum_s = 0.0
        self.longest_s = 0.0

    def add(self, seconds: float, count: int = 1) -> None:
        """Counts a duration (below zero: as zero, the clock was set back). COST: 0.3 µs, however many it counts."""
        if seconds > self.longest_s:
            self.longest_s = seconds
        elif seconds < 0.0:
            seconds = 0.0
        self.sum_s += seconds * count
        micros = int(seconds * 1e6) + 1
        if micros < _KNOWN:
            bucket = _SHORT[micros]
        elif micros < _KNOWN << _SHIFT:
            bucket = _SHORT[micros >> _SHIFT] + _SHIFT * _SUB
        elif micros < _KNOWN << 2 * _SHIFT:
            bucket = _SHORT[micros >> 2 * _SHIFT] + 2 * _SHIFT * _SUB
        else:
            bucket = _bucket(micros)
        try:
            self.counts[bucket] += count
        except IndexError:
            self.counts = [0] * _BUCKETS
            self.counts[bucket] += count

    def record(self) -> Latency:
        """What was counted so far."""
        if not self.counts:
            return _NO_LATENCY
        return Latency(sum(self.counts), self.sum_s, self.longest_s, tuple(self.counts))


@dataclass(frozen=True, slots=True)
class Latency:
    """A histogram of durations in seconds."""

    count: int
    """How many."""
    sum_s: float
    """Their sum."""
    longest_s: float
    """The longest."""
    counts: tuple[int, ...] = (0,) * _BUCKETS
    """How many in each bucket, see `buckets`."""

    def quantile_s(self, share: float) -> float:
        """The duration that so great a share did not exceed, at most an eighth too high; 0.0 when there are none."""
        wanted = share * self.count
        seen = 0
        for bucket, count in enumerate(self.counts):
            seen += count
            if count and seen >= wanted:
                return self.longest_s if bucket == _BUCKETS - 1 else min(_bound(bucket), self.longest_s)
        return 0.0

    def buckets(self) -> list[tuple[float, int]]:
        """Upper bound in seconds and count of each bucket that has any, rising."""
        return [(_bound(bucket), count) for bucket, count in enumerate(self.counts) if count]

    def __str__(self) -> str:
        if not self.count:
            return "none"
        middle, most = self.quantile_s(0.5), self.quantile_s(0.99)
        return (
            f"{self.count:,}: median {_duration(middle)}, 99 % within {_duration(most)}, "
            f"longest {_duration(self.longest_s)}"
        )

    def __add__(self, other: Latency) -> Latency:
        if not other.count:
            return self
        if not self.count:
            return other
        counts = tuple(a + b for a, b in zip(self.counts, other.counts, strict=True))
        longest = max(self.longest_s, other.longest_s)
        return Latency(self.count + other.count, self.sum_s + other.sum_s, longest, counts)


_NO_LATENCY = Latency(0, 0.0, 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetStatistics:
    """What happened with the deliveries of one target of one rule since the process began."""

    bus: str = ""
    rule: str = ""
    target: str = ""
    created: int = 0
    """Deliveries that came to be, those found in the store at the start included."""
    attempts: int = 0
    """Tries that ended, one for each delivery of a call."""
    successes: int = 0
    """Deliveries that were taken."""
    failures: int = 0
    """Tries that failed."""
    retries: int = 0
    """Further tries that were arranged."""
    dead_letters: int = 0
    """Deliveries that were given up."""
    dead_letter_failures: int = 0
    """Dead letters that their own target did not take; they stay in the store."""
    deduplicated: int = 0
    """Deliveries that were skipped, since the event had been delivered within the window."""
    timeouts: int = 0
    """Tries that failed because they took too long."""
    redriven: int = 0
    """Dead letters that were sent again; each is a delivery that was created."""
    refused: int = 0
    """Deliveries that did not come to be because the queue was full; the caller was told."""
    pending: int = 0
    """Deliveries that wait: for their first try, for another, or for an earlier one of their key."""
    waiting: int = 0
    """Of `pending`: how many wait for another try."""
    in_flight: int = 0
    """Deliveries that the target has now."""
    abandoned: int = 0
    """Calls given up after their time that have still not come back."""
    oldest_pending_s: float = 0.0
    """How long ago the first of the deliveries that still wait was accepted, as far as it is known in memory."""
    first_attempt: Latency = _NO_LATENCY
    """From accepting to the begin of the first try."""
    success: Latency = _NO_LATENCY
    """From accepting to success."""

    def __str__(self) -> str:
        return _table([self])

    def __add__(self, other: TargetStatistics) -> TargetStatistics:
        """The sum of two; names that differ become empty."""
        return total((self, other))

    @property
    def balanced(self) -> bool:
        """Whether every delivery that came to be is accounted for."""
        ended = self.successes + self.dead_letters + self.deduplicated
        return self.created == ended + self.pending + self.in_flight


@dataclass(frozen=True, slots=True, kw_only=True)
class BusStatistics:
    """What happened on a bus (or on all) since the process began."""

    bus: str = ""
    events: int = 0
    """Events accepted."""
    refused: int = 0
    """Entries that were answered with an error."""
    dropped: int = 0
    """Entries for buses that do not exist, where those are accepted as AWS does."""
    matched: int = 0
    """Pairs of event and rule."""
    unmatched: int = 0
    """Events that no rule matched."""
    targets: tuple[TargetStatistics, ...] = ()
    """Of each target of each rule, in the order subscribed; then of targets that deliveries wait for in the store and
    that were not put again since the start."""
    removed: TargetStatistics = TargetStatistics()
    """The sum over targets that were removed and have nothing pending any more."""

    def __str__(self) -> str:
        """A line for the bus, then a table of its targets.

        >>> target = TargetStatistics(bus="shop", rule="big", target="billing", created=3, successes=2, in_flight=1)
        >>> print(BusStatistics(bus="shop", events=3, matched=3, targets=(target,)))
        bus shop: 3 events, 3 matches, 0 unmatched, 0 refused, 0 dropped
        rule/target  created  successes  pending  in flight  failures  retries  dead letters  median  99 %
        big/billing        3          2        0          1         0        0             0       -     -
        """
        head = (
            f"bus {self.bus}: {self.events:,} events, {self.matched:,} matches, {self.unmatched:,} unmatched, "
            f"{self.refused:,} refused, {self.dropped:,} dropped"
        )
        rows = list(self.targets[:_SHOWN])
        if self.removed != TargetStatistics(bus=self.removed.bus):
            rows.append(replace(self.removed, rule="(removed)", target=""))
        if len(rows) > 1:
            rows.append(replace(self.total, rule="(total)", target=""))
        more = len(self.targets) - _SHOWN
        note = f"\n{more:,} more targets are not shown: .targets has them all" if more > 0 else ""
        return f"{head}\n{_table(rows)}{note}" if rows else head

    @property
    def total(self) -> TargetStatistics:
        """The sum over all targets, removed ones too."""
        return total((*self.targets, self.removed))


def _table(rows: Iterable[TargetStatistics]) -> str:
    """Targets as lines: what names them to the left, numbers to the right."""
    cells = [_COLUMNS]
    for one in rows:
        name = "/".join(part for part in (one.rule, one.target) if part) or "(total)"
        counts = (
            one.created,
            one.successes,
            one.pending,
            one.in_flight,
            one.failures,
            one.retries,
            one.dead_letters,
        )
        times = [
            _duration(one.success.quantile_s(share)) if one.success.count else "-" for share in (0.5, 0.99)
        ]
        cells.append((name, *(f"{count:,}" for count in counts), *times))
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = []
    for name, *numbers in cells:
        fitted = (number.rjust(width) for number, width in zip(numbers, widths[1:], strict=True))
        lines.append("  ".join((name.ljust(widths[0]), *fitted)))
    return "\n".join(lines)


_COLUMNS: tuple[str, ...] = (
    "rule/target",
    "created",
    "successes",
    "pending",
    "in flight",
    "failures",
    "retries",
    "dead letters",
    "median",
    "99 %",
)
_SHOWN = 100
"""Targets in the text of a bus's statistics."""


def _duration(seconds: float) -> str:
    """A duration for people.

    >>> _duration(0.00005), _duration(0.0123), _duration(4.56), _duration(7200)
    ('50 us', '12.3 ms', '4.56 s', '7,200 s')
    """
    for unit, size in (("us", 1e-6), ("ms", 1e-3)):
        if seconds < size * 999.5:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.3g} s" if seconds < 999.5 else f"{seconds:,.0f} s"


def _merged(found: list[Latency]) -> Latency:
    """The sum of many, at once: buckets one by one would be summed as often."""
    if not found:
        return _NO_LATENCY
    return Latency(
        sum(one.count for one in found),
        sum(one.sum_s for one in found),
        max(one.longest_s for one in found),
        tuple(map(sum, zip(*(one.counts for one in found), strict=True))),
    )


def total(targets: Iterable[TargetStatistics]) -> TargetStatistics:
    """The sum of the statistics of targets; names in which they differ become empty."""
    found = list(targets)
    if not found:
        return TargetStatistics()
    summed: dict[str, Any] = {}
    for name in (field.name for field in fields(TargetStatistics)):
        values = [getattr(one, name) for one in found]
        if name in {"bus", "rule", "target"}:
            summed[name] = values[0] if len(set(values)) == 1 else ""
        elif name == "oldest_pending_s":
            summed[name] = max(values)
        elif name in {"first_attempt", "success"}:
            summed[name] = _merged([value for value in values if value.count])
        else:
            summed[name] = sum(values[1:], values[0])
    return TargetStatistics(**summed)
