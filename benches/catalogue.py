"""The catalogue of workloads: reads `workloads/*.toml`, makes their rules and events, knows how often they
match.

A workload names generators of `rulebus.workload` with their arguments; the counts of matches were recorded
once, by the reference on a sample of the events and by the engine on all. Must never run an engine itself.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

from rulebus import workload as generators

__all__ = ["Workload", "load"]

FOLDER = Path(__file__).with_name("workloads")
Rules = list[tuple[str, dict[str, Any]]]


@dataclass(frozen=True)
class Workload:
    """Rules, events, and how often they match."""

    name: str
    data: str
    events: int
    arguments: dict[str, Any]
    rule_count: int
    matches: int
    """Matches of all events, counted by the engine."""
    sample: int
    """How many events, evenly spread, the reference judged."""
    sample_matches: int
    """Matches of those, counted by the reference."""

    def rules(self) -> Rules:
        """The rules, made anew."""
        if self.data == "lots":
            rules = generators.lots_rules(**self.arguments)
        elif self.data == "envelopes":
            rules = list(generators.rules(n=self.rule_count, **self.arguments))
        else:
            rules, _ = _extreme(self.data, self.events, tuple(self.arguments.items()))
        if len(rules) != self.rule_count:
            raise ValueError(f"{self.name}: {len(rules)} rules were generated, not {self.rule_count}")
        return rules

    def texts(self) -> Iterator[tuple[str, str]]:
        """The rules one by one as JSON texts: a million of them as dicts would take gigabytes."""
        made = (
            generators.rules(n=self.rule_count, **self.arguments)
            if self.data == "envelopes"
            else self.rules()
        )
        for name, pattern in made:
            yield name, json.dumps(pattern, separators=(",", ":"))

    def lines(self) -> list[bytes]:
        """The events as JSON texts; shared between workloads, not to be changed."""
        if self.data in {"lots", "envelopes"}:
            return _events(self.data, self.events)
        return _extreme(self.data, self.events, tuple(self.arguments.items()))[1]

    def sample_lines(self) -> list[bytes]:
        """The events of the sample."""
        lines = self.lines()
        return lines[:: len(lines) // self.sample][: self.sample] if self.sample else []


@cache
def _events(data: str, count: int) -> list[bytes]:
    return list({"lots": generators.lots, "envelopes": generators.envelopes}[data](count))


@cache
def _extreme(data: str, events: int, arguments: tuple[tuple[str, Any], ...]) -> tuple[Rules, list[bytes]]:
    """Rules and events that one generator makes together."""
    if data == "killers":
        return generators.killers()[dict(arguments)["name"]]
    generate = {"needles": generators.needles, "clone_family": generators.clone_family}[data]
    return generate(events=events, **dict(arguments))


def load(*patterns: str) -> list[Workload]:
    """The workloads whose names fit one of the patterns (`lots/*`), or all, in the order of the files."""
    found = []
    for file in sorted(FOLDER.glob("*.toml")):
        for entry in tomllib.loads(file.read_text(encoding="utf-8"))["workload"]:
            workload = Workload(**entry)
            if not patterns or any(fnmatchcase(workload.name, pattern) for pattern in patterns):
                found.append(workload)
    return found
