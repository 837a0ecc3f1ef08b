"""Compares two reports of `rulebus bench`: what became slower, faster, larger or smaller, beyond noise.

A time has changed when the change is larger than the spreads of both runs together and what the control
(the same JSON parsed by orjson in the same rounds) changed by: so much of it may be the machine and not the rules.
Works on the JSON documents; must never compare documents of different schemas.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rulebus.measure.report import SCHEMA

__all__ = ["Change", "Comparison", "DocumentError", "compare"]

# Two processes with the same rules and events differ by this much: hash seeds and addresses fall differently.
_SMALLEST_NOISE = 0.03
_NOISE_OF_SIZES = 0.01
_SIZES = {"index_bytes": "memory, index", "allocated_bytes": "memory, allocated"}


class DocumentError(ValueError):
    """What should be a report of an earlier run is none."""


@dataclass(frozen=True, slots=True)
class Change:
    """One figure then and now; less is better for all of them."""

    what: str
    unit: str
    before: float
    after: float
    noise: float
    """What may be chance, as a share of `before`."""
    judged: bool = True
    """Whether it can be a regression: time on the wall cannot on one thread, where processor time says it better."""

    @property
    def change(self) -> float:
        """The change as a share: 0.1 is a tenth more."""
        return self.after / self.before - 1 if self.before else 0.0

    @property
    def verdict(self) -> str:
        """`worse`, `better` or `same`."""
        if abs(self.change) <= self.noise:
            return "same"
        return "worse" if self.change > 0 else "better"


@dataclass(frozen=True, slots=True)
class Comparison:
    """All changes, and what makes the two runs hard to compare."""

    threshold: float
    changes: list[Change]
    warnings: list[str]

    @property
    def regressions(self) -> list[Change]:
        """What became worse beyond noise and by more than the threshold."""
        return [
            one
            for one in self.changes
            if one.judged and one.verdict == "worse" and one.change > self.threshold
        ]

    def document(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {
            "threshold_percent": round(100 * self.threshold, 6),
            "warnings": self.warnings,
            "regressions": [one.what for one in self.regressions],
            "changes": [
                {
                    "what": one.what, "unit": one.unit, "before": one.before, "after": one.after,
                    "change_percent": round(100 * one.change, 2), "noise_percent": round(100 * one.noise, 2),
                    "verdict": one.verdict, "judged": one.judged,
                }
                for one in self.changes
            ],
        }  # fmt: skip


def compare(before: Mapping[str, Any], after: Mapping[str, Any], threshold: float) -> Comparison:
    """Compare two documents; `threshold` is a share. Raises `DocumentError` when `before` is no such document."""
    if not isinstance(before, Mapping) or "schema" not in before:
        raise DocumentError('it is no report of rulebus bench --json: the key "schema" is missing')
    if before["schema"] != SCHEMA:
        raise DocumentError(f"its schema is {before['schema']!r}, this version writes and compares {SCHEMA}")
    try:
        return Comparison(threshold, _changes(before, after), _warnings(before, after))
    except (KeyError, TypeError, AttributeError) as error:
        raise DocumentError(f"it is no complete report of rulebus bench --json: {error!r}") from None


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Change]:
    drift = abs(_change(before, after, "ns_per_event"))
    cpu = abs(_change(before, after, "cpu_ns_per_event"))
    threaded = after["input"]["threads"] != 1
    found = []
    for part, name in (("lines", "match_lines"), ("calls", "match(bytes)")):
        old, new = before[part], after[part]
        judged = threaded and part == "lines"
        found.append(_timed(name, "ns/event", old["ns_per_event"], new["ns_per_event"], drift, judged))
        processor = (old["cpu_ns_per_event"], new["cpu_ns_per_event"])
        found.append(_timed(f"{name}, processor time", "ns/event", *processor, cpu))
    seconds = (before["build"]["cpu_seconds"], after["build"]["cpu_seconds"])
    found.append(_timed("build, processor time", "s", *seconds, cpu))
    # Percentiles of single calls have no spread of their own; that of the calls stands in for it.
    spread = _noise(before["calls"]["ns_per_event"], after["calls"]["ns_per_event"], drift)
    for key, name in (("p50", "median"), ("p99", "99th percentile")):
        old, new = before["latency"]["fastest"][key], after["latency"]["fastest"][key]
        # Beside the spread: half of what the clock itself costs.
        clock = max(before["latency"]["clock_ns"], after["latency"]["clock_ns"]) / 2 / old if old else 0.0
        found.append(Change(f"latency, {name}", "ns", old, new, spread + clock))
    for key, name in _SIZES.items():
        old, new = before["memory"][key], after["memory"][key]
        if old and new:
            found.append(Change(name, "bytes", old, new, _NOISE_OF_SIZES))
    return found


def _timed(
    what: str,
    unit: str,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    drift: float,
    judged: bool = True,
) -> Change:
    return Change(what, unit, before["median"], after["median"], _noise(before, after, drift), judged)


def _noise(before: Mapping[str, Any], after: Mapping[str, Any], drift: float) -> float:
    spreads = [
        (one["high"] - one["low"]) / 2 / one["median"] if one["median"] else 0.0 for one in (before, after)
    ]
    # Twice the half of the middle half is about the range that nine rounds of ten lie in.
    return max(_SMALLEST_NOISE, 2 * math.hypot(*spreads) + drift)


def _change(before: Mapping[str, Any], after: Mapping[str, Any], key: str) -> float:
    old, new = before["control"][key]["median"], after["control"][key]["median"]
    return float(new / old - 1) if old else 0.0


def _warnings(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    found = []
    same = {
        "rules_sha256": "the rules differ: the changes are those of the rules too",
        "events_sha256": "the events differ: the changes are those of the events too",
        "validation": "the validation levels differ",
        "threads": "the numbers of threads differ",
    }
    for key, words in same.items():
        if before["input"][key] != after["input"][key]:
            found.append(words)
    for key in ("processor", "system", "python"):
        if before["machine"][key] != after["machine"][key]:
            found.append(f"the {key} differs: {before['machine'][key]} then, {after['machine'][key]} now")
    drift = _change(before, after, "ns_per_event")
    if abs(drift) > 0.05:
        way = "slower" if drift > 0 else "faster"
        found.append(
            f"the machine is {100 * abs(drift):.0f} % {way} than then (control): changes below that are not counted"
        )
    return found
