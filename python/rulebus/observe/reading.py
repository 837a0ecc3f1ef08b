"""What both exporters show, once: names, meanings, and how to take them out of the statistics.

Relies on `statistics` and on what a bus handle offers. Names end in their unit, as Prometheus has it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from rulebus.statistics import BusStatistics, Latency

__all__ = [
    "BOUNDS_S",
    "BUS_COUNTERS",
    "LATENCIES",
    "TARGET_COUNTERS",
    "TARGET_GAUGES",
    "Observed",
    "cumulative",
    "read",
]

BUS_COUNTERS = (
    ("events", "events", "Events accepted."),
    ("refused_entries", "refused", "Entries that were answered with an error."),
    ("matched", "matched", "Pairs of event and rule."),
    ("unmatched_events", "unmatched", "Events that no rule matched."),
)
"""Name, attribute of `BusStatistics`, meaning."""

TARGET_COUNTERS = (
    ("deliveries_created", "created", "Deliveries that came to be."),
    ("attempts", "attempts", "Tries that ended."),
    ("successes", "successes", "Deliveries that were taken."),
    ("failures", "failures", "Tries that failed."),
    ("retries", "retries", "Further tries that were arranged."),
    ("timeouts", "timeouts", "Tries that took too long."),
    ("dead_letters", "dead_letters", "Deliveries that were given up."),
    ("dead_letter_failures", "dead_letter_failures", "Dead letters that their own target did not take."),
    ("deduplicated", "deduplicated", "Deliveries skipped as duplicates."),
    ("redriven", "redriven", "Dead letters that were sent again."),
    ("refused_deliveries", "refused", "Deliveries refused because the queue was full."),
)
"""Name, attribute of `TargetStatistics`, meaning."""

TARGET_GAUGES = (
    ("pending", "pending", "Deliveries that wait."),
    ("in_flight", "in_flight", "Deliveries that the target has now."),
    ("oldest_pending_seconds", "oldest_pending_s", "Age of the oldest delivery that waits."),
)

LATENCIES = (
    ("first_attempt_seconds", "first_attempt", "From accepting to the begin of the first try."),
    ("success_seconds", "success", "From accepting to success."),
)

BOUNDS_S = tuple((1 << octave) / 1e6 for octave in range(7, 33))
"""Upper bounds of the buckets shown: 128 µs to 72 minutes, each twice the one before. They fall together with bounds of
the histogram's own finer buckets, so that the counts are exact."""


class Observed(Protocol):
    """A handle on a hub: `EventBus` or `AsyncEventBus`."""

    def buses(self) -> list[str]:
        """Names of all buses."""

    def bus(self, name: str, /) -> Observed:
        """The handle of another bus."""

    def statistics(self) -> BusStatistics:
        """The bus's numbers."""


def read(bus: Observed) -> Sequence[BusStatistics]:
    """The numbers of all buses of the hub."""
    return [bus.bus(name).statistics() for name in bus.buses()]


def cumulative(latency: Latency) -> list[int]:
    """How many durations lie below each of `BOUNDS_S`.

    >>> from rulebus.statistics import Histogram
    >>> histogram = Histogram()
    >>> histogram.add(0.0001, 3); histogram.add(0.001, 2); histogram.add(10_000.0)
    >>> cumulative(histogram.record())[:4], cumulative(histogram.record())[-1]
    ([3, 3, 3, 5], 5)
    """
    found, counts, seen = iter(latency.buckets()), [], 0
    pair = next(found, None)
    for bound in BOUNDS_S:
        while pair is not None and pair[0] <= bound:
            seen += pair[1]
            pair = next(found, None)
        counts.append(seen)
    return counts
