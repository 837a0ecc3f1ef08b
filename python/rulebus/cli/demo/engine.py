"""The engine's part of `rulebus demo`: generates rules and events, routes them, and says what it cost.

Only the calls of `match_lines` are timed, not the making of events. Events are made and routed in blocks
that are larger than a processor's cache, so that the figures are not those of a few hot events. Relies on
`rulebus.workload`; must never show a figure that was not measured in this very run.
"""

from __future__ import annotations

import json
import os
import textwrap
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from rulebus.cli.terminal import Progress, human, table
from rulebus.errors import EventError
from rulebus.matcher import Matcher
from rulebus.workload import envelopes, rules

__all__ = ["run_engine"]

_BLOCK_EVENTS = 50_000
_NEAR_MISS_RULES = 500

Rules = dict[str, dict[str, Any]]


@dataclass(slots=True)
class _Figures:
    """What one run measures."""

    rules: int
    seed: int
    threads: int
    build_s: float = 0.0
    events: int = 0
    size_bytes: int = 0
    generate_s: float = 0.0
    match_s: float = 0.0
    matches: Counter[str] = field(default_factory=Counter)
    rules_bytes: int | None = None
    process_bytes: int | None = None

    def summary(self) -> dict[str, Any]:
        """The figures with their units in their names."""
        per_second = self.events / self.match_s if self.match_s else 0.0
        return {
            "rules": self.rules, "events": self.events, "seed": self.seed, "threads": self.threads,
            "events_bytes": self.size_bytes, "generate_s": round(self.generate_s, 3),
            "build_s": round(self.build_s, 4), "match_s": round(self.match_s, 4),
            "events_per_s": round(per_second), "mb_per_s": round(self.size_bytes / self.match_s / 1e6, 1),
            "ns_per_event": round(1e9 / per_second, 1), "matches": self.matches.total(),
            "rules_memory_bytes": self.rules_bytes, "process_memory_bytes": self.process_bytes,
            "top_rules": dict(self.matches.most_common(10)),
        }  # fmt: skip


def run_engine(
    rule_count: int, events: int, seed: int, threads: int, *, quiet: bool = False
) -> dict[str, Any]:
    """Builds a set of realistic rules, generates events, routes them, shows the figures and gives them back."""
    figures = _Figures(rule_count, seed, threads)
    entities = max(10_000, 2 * rule_count)
    known: Rules = dict(rules("full", rule_count, seed, entities=entities))
    matcher = _build(known, figures)
    question = _NearMiss(known, matcher)
    with Progress("routing events", events, patience_s=0.0) as progress:
        for block, count in _blocks(events, seed, entities, figures, progress):
            _route(matcher, block, count, figures)
            question.look(block)
    figures.process_bytes = _resident_bytes()
    if not quiet:
        _show(figures, question)
    return {**figures.summary(), "near_miss": question.answer()}


def _build(known: Rules, figures: _Figures) -> Matcher:
    before = _resident_bytes()
    begin = time.perf_counter()
    matcher: Matcher = Matcher(known)
    figures.build_s = time.perf_counter() - begin
    after = _resident_bytes()
    if before is not None and after is not None:
        figures.rules_bytes = max(0, after - before)
    return matcher


def _blocks(
    events: int, seed: int, entities: int, figures: _Figures, progress: Progress
) -> Iterator[tuple[bytes, int]]:
    """Blocks of JSON lines with the number of their events."""
    source = envelopes(events, seed, entities=entities)
    while True:
        lines: list[bytes] = []
        begin = time.perf_counter()
        for line in source:
            lines.append(line)
            if len(lines) % 1_000 == 0:
                progress.advance(1_000)
            if len(lines) == _BLOCK_EVENTS:
                break
        figures.generate_s += time.perf_counter() - begin
        if not lines:
            return
        yield b"\n".join(lines), len(lines)


def _route(matcher: Matcher, block: bytes, count: int, figures: _Figures) -> None:
    begin = time.perf_counter()
    result = matcher.match_lines(block, threads=figures.threads)
    figures.match_s += time.perf_counter() - begin
    if len(result) != count or result.errors:
        raise click.ClickException(
            f"{count - len(result) + len(result.errors)} generated events were not routed"
        )
    figures.events += count
    figures.size_bytes += len(block)
    names = result.names
    for number, matches in Counter(result.rules).items():
        figures.matches[names[number]] += matches


class _NearMiss:
    """Searches for an event that fails one condition of a rule and meets all others."""

    def __init__(self, known: Rules, matcher: Matcher) -> None:
        self.known, self.matcher = known, matcher
        self.relaxed: dict[str, tuple[str, ...]] = {}
        patterns: Rules = {}
        for name, pattern in known.items():
            paths = list(_paths(pattern))
            # Five conditions make a question worth asking; the last one is the one to fail.
            if len(paths) >= 5 and "$or" not in pattern.get("detail", {}):
                self.relaxed[name] = paths[-1]
                patterns[name] = _without(pattern, paths[-1])
            if len(patterns) == _NEAR_MISS_RULES:
                break
        self.search: Matcher | None = Matcher(patterns)
        self.found: tuple[str, bytes] | None = None

    def look(self, block: bytes) -> None:
        """Search a block, until one event is found."""
        if self.search is None:
            return
        lines = block.split(b"\n")
        for line, names in zip(lines, self.search.match_lines(block), strict=True):
            if names and not isinstance(names, EventError):
                missed = set(names).difference(self.matcher.match(line))
                if missed:
                    self.found, self.search = (min(missed), line), None
                    return

    def answer(self) -> dict[str, Any] | None:
        """The rule, the event and the explanation."""
        if self.found is None:
            return None
        name, event = self.found
        return {
            "rule": name,
            "pattern": self.known[name],
            "event": json.loads(event),
            "explanation": str(self.matcher.explain(name, event)),
        }


def _paths(pattern: dict[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for key, value in pattern.items():
        if isinstance(value, dict):
            yield from _paths(value, (*above, key))
        else:
            yield (*above, key)


def _without(pattern: dict[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
    """A copy of the pattern without the condition at a path, and without objects that this leaves empty."""
    copy = dict(pattern)
    if len(path) == 1:
        del copy[path[0]]
    elif below := _without(copy[path[0]], path[1:]):
        copy[path[0]] = below
    else:
        del copy[path[0]]
    return copy


def _resident_bytes() -> int | None:
    """Memory of this process in use now, where the system tells."""
    try:
        pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
    except OSError:
        return None
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def _show(figures: _Figures, question: _NearMiss) -> None:
    shown = figures.summary()
    per_event = shown["matches"] / figures.events
    rows = [
        ("rules", human(figures.rules), f"built in {human(1000 * figures.build_s)} ms"),
        (
            "events",
            human(figures.events),
            f"{human(figures.size_bytes / 1e6)} MB, made in {human(figures.generate_s)} s",
        ),
        (
            "routed in",
            f"{human(figures.match_s)} s",
            "one thread" if figures.threads == 1 else f"threads: {figures.threads or 'all'}",
        ),
        ("events a second", human(shown["events_per_s"]), f"{human(shown['mb_per_s'])} MB/s"),
        (
            "time for an event",
            f"{human(shown['ns_per_event'])} ns",
            f"{human(figures.size_bytes / figures.events)} bytes on average",
        ),
        ("matches", human(shown["matches"]), f"{per_event:.2f} an event"),
    ]
    if figures.process_bytes is not None and figures.rules_bytes is not None:
        rows.append(
            (
                "memory of the process",
                f"{human(figures.process_bytes / 1e6)} MB",
                f"{human(figures.rules_bytes / 1e6)} MB of it the rules",
            )
        )
    click.echo()
    table("Routing", rows)
    top = [
        (name, human(count), f"{count / figures.events:.1%}")
        for name, count in figures.matches.most_common(10)
    ]
    table("Rules that matched most", top, head=("rule", "matches", "of events"))
    if answer := question.answer():
        click.echo(f"Why did {answer['rule']} not match this {answer['event']['detail-type']} event?\n")
        pattern = textwrap.wrap(
            json.dumps(answer["pattern"]), 96, break_long_words=False, break_on_hyphens=False
        )
        click.echo(textwrap.indent("\n".join(pattern), "    "))
        click.echo()
        click.echo(answer["explanation"])
