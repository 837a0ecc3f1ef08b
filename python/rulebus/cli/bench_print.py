"""The findings of `rulebus bench` as tables on a terminal or in a pipe.

Relies on the report's JSON document and on `terminal`; must never print a cost without saying whether it was told from
nothing.
"""

from __future__ import annotations

from typing import Any

import click

from rulebus.cli.terminal import human, table
from rulebus.measure import Comparison

__all__ = ["print_report"]

_SHOWN = 10


def print_report(found: dict[str, Any], comparison: Comparison | None) -> None:
    """Print everything that was found, the most important first."""
    _speed(found)
    table(
        "Latency of match(bytes), ns",
        _latency(found["latency"]),
        head=("events", "each event's fastest call", "all calls"),
    )
    table(
        "Growth",
        [
            (
                f"{one['rules']:,}",
                _spread(one["cpu_ns_per_event"]),
                human(one["matches_per_event"]),
                human(1e3 * one["build_s"]),
            )
            for one in found["growth"]
        ],
        head=("rules", "cpu ns/event", "matches/event", "build ms"),
    )
    _costs("Operator families: what their rules cost together, by leaving them out", found["families"])
    _costs("Fields: what reading them costs, by leaving them out", found["fields"][:_SHOWN])
    _expensive(found)
    _never(found)
    _unmatched(found)
    if comparison:
        _comparison(comparison)
    _reference(found["reference"])


def _spread(spread: dict[str, Any]) -> str:
    return f"{human(spread['median'])} ({human(spread['low'])}-{human(spread['high'])})"


def _speed(found: dict[str, Any]) -> None:
    given, memory, rules = found["input"], found["memory"], found["input"]["rules"]
    threads = {0: "all processors", 1: "one thread"}.get(given["threads"], f"{given['threads']} threads")
    lines, calls, build = found["lines"], found["calls"], found["build"]
    rows = [
        ("rules", f"{rules:,}", f"built in {human(1e3 * build['seconds']['median'])} ms, {human(build['rules_per_s'])} rules/s"),
        ("events", f"{given['events']:,}", f"{human(given['events_bytes'] / 1e6)} MB" + (", the first of more" if given["cut"] else "")),
        ("match_lines, events/s", human(lines["events_per_s"]), f"{human(lines['mb_per_s'])} MB/s, {threads}"),
        ("match_lines, ns/event", human(lines["ns_per_event"]["median"]), _quartiles(lines["ns_per_event"])),
        ("match_lines, cpu ns/event", human(lines["cpu_ns_per_event"]["median"]), _quartiles(lines["cpu_ns_per_event"])),
        ("match(bytes), calls/s", human(calls["events_per_s"]), f"{human(calls['ns_per_event']['median'])} ns, {_quartiles(calls['ns_per_event'])}"),
        ("matches an event", human(found["matches"]["per_event"]), f"{human(found['matches']['looks_per_event'])} looks of the index"),
        ("index, bytes a rule", human(memory["index_bytes"] / rules), f"the pattern's text: {human(memory['pattern_bytes'] / rules)}"),
    ]  # fmt: skip
    for key, name in (
        ("allocated_bytes", "allocated, bytes a rule"),
        ("resident_bytes", "resident, bytes a rule"),
    ):
        if memory[key] is not None:
            rows.append((name, human(memory[key] / rules), f"{human(memory[key] / 1e6)} MB in all"))
    table(f"{given['rules_from']} on {given['events_from']}", rows)


def _quartiles(spread: dict[str, Any]) -> str:
    return f"quartiles {human(spread['low'])}-{human(spread['high'])} of {spread['rounds']} rounds"


def _latency(latency: dict[str, Any]) -> list[tuple[str, ...]]:
    names = {"p50": "50 %", "p90": "90 %", "p99": "99 %", "p999": "99.9 %", "max": "slowest"}
    rows = [
        (name, human(latency["fastest"][key]), human(latency["every"][key])) for key, name in names.items()
    ]
    return [*rows, ("reading the clock", human(latency["clock_ns"]), human(latency["clock_ns"]))]


def _costs(title: str, costs: list[dict[str, Any]]) -> None:
    if not costs:
        return
    rows = []
    for one in costs:
        spread = one["cpu_ns_per_event"]
        told = "" if spread["low"] > 0 else "not told from 0"
        rows.append((one["name"], f"{one['rules']:,}", _spread(spread), told))
    table(title, rows, head=("", "rules", "cpu ns/event", ""))


def _expensive(found: dict[str, Any]) -> None:
    if not found["expensive"]:
        return
    click.echo("The rules that the index has to look at most (counted)")
    for one in found["expensive"][:_SHOWN]:
        click.echo(f"  {one['name']}: {one['looks']:,} looks, {one['matches']:,} matches\n    {one['why']}")
    if spread := found["expensive_cpu_ns_per_event"]:
        click.echo(f"  together {_spread(spread)} cpu ns/event, by leaving them out")
    click.echo()


def _never(found: dict[str, Any]) -> None:
    count = found["never_matched"]
    click.echo(f"Rules that never matched: {count:,} of {found['input']['rules']:,}")
    for one in found["never_matched_rules"][:_SHOWN]:
        click.echo(f"  {one['name']}" + (f": {one['why']}" if one["why"] else ""))
    if count > _SHOWN:
        click.echo(f"  and {count - _SHOWN:,} more (--json, --report)")
    click.echo()


def _unmatched(found: dict[str, Any]) -> None:
    unmatched = found["unmatched"]
    click.echo(f"Events that no rule matched: {unmatched['events']:,} of {found['input']['events']:,}")
    for one in unmatched["shapes"][:_SHOWN]:
        click.echo(f"  {one['events']:>9,}  {one['shape']}  (first: line {one['first_line']:,})")
    if len(unmatched["shapes"]) > _SHOWN:
        click.echo(f"  and {len(unmatched['shapes']) - _SHOWN:,} more kinds (--json, --report)")
    click.echo()


def _comparison(comparison: Comparison) -> None:
    words = {"same": "within noise", "better": "better", "worse": "WORSE"}
    table(
        "Compared with the earlier run",
        [
            (one.what, human(one.before), human(one.after), f"{100 * one.change:+.1f} %", f"±{100 * one.noise:.1f} %",
             words[one.verdict] if one.judged else f"{words[one.verdict].lower()}, not judged")
            for one in comparison.changes
        ],
        head=("", "then", "now", "change", "noise", ""),
    )  # fmt: skip
    for warning in comparison.warnings:
        click.echo(f"  {warning}")
    if comparison.warnings:
        click.echo()


def _reference(reference: dict[str, Any]) -> None:
    judged = f"{reference['events']:,} events and {reference['rules']:,} rules"
    if reference["disagreed"]:
        click.echo(f"Reference: DISAGREES on {reference['disagreed']:,} pairs among {judged}")
    elif reference["events"]:
        click.echo(f"Reference: agrees on {judged}, {reference['matches']:,} matches")
    else:
        click.echo("Reference: judged nothing; it finished no event of the sample in its time")
    if reference["given_up"]:
        click.echo(f"  {reference['given_up']:,} events took it too long and were not judged")
