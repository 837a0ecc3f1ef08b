"""What `rulebus bench` found, as records; `Report.document()` is the JSON that docs/measuring.md describes.

Relies on dataclasses alone. Must never change the meaning of a key without raising `SCHEMA`: `--compare` reads the
documents of older runs.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

from rulebus.measure.judgement import Judgement
from rulebus.measure.rounds import Spread

__all__ = [
    "SCHEMA", "Build", "Cost", "Expensive", "Growth", "Input", "Latency", "Matches", "Memory", "Report", "Shape",
    "Speed", "Unmatched",
]  # fmt: skip

SCHEMA = 1


@dataclass(slots=True)
class Input:
    """What was measured."""

    rules_from: str
    rules: int
    rules_sha256: str
    events_from: str
    events: int
    """Events that were measured: lines that are no event are not among them."""
    events_bytes: int
    events_sha256: str
    bad_events: int
    cut: bool
    """Whether the input held more events than were taken."""
    validation: str
    threads: int


@dataclass(slots=True)
class Matches:
    """How often rules matched."""

    total: int = 0
    per_event: float = 0.0
    looks_per_event: float = 0.0
    """How often the index has to look at a rule, at best."""


@dataclass(slots=True)
class Build:
    """All rules put at once into an empty matcher."""

    seconds: Spread
    cpu_seconds: Spread
    rules_per_s: float


@dataclass(slots=True)
class Memory:
    """What the rules take; None where the system does not tell."""

    pattern_bytes: int
    index_bytes: int
    allocated_bytes: int | None
    resident_bytes: int | None


@dataclass(slots=True)
class Speed:
    """One way of giving events to the matcher."""

    events_per_s: float
    mb_per_s: float
    ns_per_event: Spread
    cpu_ns_per_event: Spread
    """Processor time of all threads."""


@dataclass(slots=True)
class Latency:
    """Nanoseconds of single `match(bytes)` calls: each event's fastest call, and all calls as they came."""

    events: int
    calls: int
    clock_ns: float
    """What reading the clock twice costs; it is part of every figure here."""
    fastest: dict[str, float]
    every: dict[str, float]


@dataclass(slots=True)
class Growth:
    """A part of the rules, evenly spread."""

    rules: int
    build_s: float
    matches_per_event: float
    cpu_ns_per_event: Spread


@dataclass(slots=True)
class Cost:
    """What a field or an operator family costs; see `Report.methods`."""

    name: str
    rules: int
    cpu_ns_per_event: Spread


@dataclass(slots=True)
class Expensive:
    """A rule that the index has to look at often."""

    name: str
    looks: int
    matches: int
    fields: int
    why: str


@dataclass(slots=True)
class Shape:
    """Events of one kind that no rule matched."""

    shape: str
    events: int
    first_line: int


@dataclass(slots=True)
class Unmatched:
    """Events that no rule matched."""

    events: int = 0
    shapes: list[Shape] = field(default_factory=list)


@dataclass(slots=True)
class Report:
    """Everything."""

    date: str
    machine: dict[str, Any]
    input: Input
    methods: dict[str, str]
    matches: Matches
    build: Build
    memory: Memory
    lines: Speed
    calls: Speed
    control: Speed
    latency: Latency
    growth: list[Growth]
    families: list[Cost]
    fields: list[Cost]
    expensive: list[Expensive]
    expensive_cpu_ns_per_event: Spread | None
    """What the first ten of `expensive` cost together."""
    never_matched: int
    never_matched_rules: list[dict[str, str]]
    unmatched: Unmatched
    reference: Judgement
    schema: int = SCHEMA

    def document(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {
            "schema": self.schema,
            **{key: value for key, value in dataclasses.asdict(self).items() if key != "schema"},
        }
