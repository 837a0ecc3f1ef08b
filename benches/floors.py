"""The floors that speed must not fall below, each with how it is measured and whether it is reached.

Floors are for one thread on a two-core machine; they are promises about orders of magnitude, not records.
Relies on `measure` and `memory`. Must never leave out a floor that was not reached.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from benches.catalogue import load
from benches.measure import Figure, call_overhead_ns
from benches.memory import measure as measure_memory
from rulebus import workload as generators

__all__ = ["Floor", "floors"]

SINGLE = tuple(f"lots/{name}" for name in generators.LOTS_SETS if not name.endswith("COMBO"))


@dataclass(frozen=True, slots=True)
class Floor:
    """One floor: what was wanted and what was found; None when it was not measured in this run."""

    what: str
    wanted: float
    found: float | None
    unit: str
    at_least: bool = True

    @property
    def reached(self) -> bool | None:
        """Whether the floor holds."""
        if self.found is None:
            return None
        return self.found >= self.wanted if self.at_least else self.found <= self.wanted


def floors(figures: Iterable[Figure]) -> list[Floor]:
    """All floors, from the figures of a run and a few measurements of their own."""
    lines = {figure.workload: figure for figure in figures if figure.mode == "lines"}

    def rate(name: str) -> float | None:
        return lines[name].events_per_s if name in lines else None

    found = [Floor(f"{name}, match_lines", 1.5e6, rate(name), "events/s") for name in SINGLE]
    found.append(Floor("envelopes/full-1000, match_lines", 1e6, rate("envelopes/full-1000"), "events/s"))
    found.append(Floor("envelopes/full-100000, match_lines", 4e5, rate("envelopes/full-100000"), "events/s"))
    large = lines.get("envelopes/full-100000")
    found.append(
        Floor("100,000 rules built (full)", 2, large.build_s if large else None, "s", at_least=False)
    )
    memory = measure_memory("envelopes/full-100000") if large else {}
    kinds = {"index": "as counted", "allocated": "allocated", "process": "growth of the process"}
    for key, what in kinds.items():
        bytes_per_rule = memory.get(f"{key}_bytes_per_rule")
        found.append(
            Floor(f"memory a rule (full-100000), {what}", 400, bytes_per_rule, "bytes", at_least=False)
        )
    overhead = call_overhead_ns(load("envelopes/full-1000")[0]) if "envelopes/full-1000" in lines else None
    found.append(Floor("one match(bytes) call over the core's time", 150, overhead, "ns", at_least=False))
    return found
