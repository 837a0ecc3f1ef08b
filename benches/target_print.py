"""Prints the table of targets, as text while it is measured and as Markdown, and writes it to a dated record.

Relies on `target_rows`. Must never round a miss into a hit: the verdict is that of the unrounded figure.
"""

from __future__ import annotations

import dataclasses
import datetime
import json
import sys
import time
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

import orjson

from benches.catalogue import load
from benches.machine import machine
from benches.peers import Rival
from benches.record_file import RECORD, next_stem
from benches.target_measure import TARGET, Bench
from benches.target_rows import Row, rows
from rulebus.measure.rounds import alternate

__all__ = ["line", "run_targets", "table"]

_NOT_TO_BE_HAD = "event-ruler (Java) and quamina (Go) are in no registry that can be used here: their recorded figures stand in"
_WORDS = {True: "reached", False: "NOT REACHED", None: ""}
# orjson.loads of an envelope on the machine on which the peers' figures were measured.
_THEIR_ORJSON_NS = 2_100
_BEGIN, _END = "<!-- targets -->", "<!-- end of targets -->"


def run_targets(
    globs: list[str], rounds: int, *, count: bool, markdown: bool, readme: bool, record: bool
) -> int:
    """Measure the rows that fit the globs; 1 when a target is not reached, 2 when no row fits."""
    bench = Bench(rounds, count, Rival("quamina", TARGET / "peers"))
    show = sys.stderr if markdown else sys.stdout
    print(f"left out: {_NOT_TO_BE_HAD}", file=show)
    found: list[Row] = []
    for row in rows(bench, globs):
        found.append(row)
        print(line(row), file=show, flush=True)
    if bench.rival.__dict__.get("why_not"):
        print(f"left out: {bench.rival.why_not}", file=show)
    if not found:
        print(f"no target is called {' or '.join(globs)}", file=sys.stderr)
        return 2
    control = _control_ns()
    missed = [row for row in found if row.reached is False]
    wanted = sum(row.wanted is not None for row in found)
    print(f"\n{wanted - len(missed)} of {wanted} targets reached", file=show)
    print(_about_control(control), file=show)
    if markdown:
        print(f"{table(found)}\n\n{_dated(control)}")
    if readme:
        _into_readme(f"{table(found)}\n\n{_dated(control)}")
    if record:
        print("written:", _write(found, control), file=show)
    return 1 if missed else 0


def line(row: Row) -> str:
    """A row as text."""
    times = f"{row.times:.2f}" if row.times is not None else ""
    return (
        f"{_WORDS[row.reached]:11} {row.key:28} {row.what:62} {_found(row):>18} {_wanted(row):>18} {times:>6}  {row.note}"
    ).rstrip()


def _number(value: float) -> str:
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _found(row: Row) -> str:
    return "not measured" if row.found is None else f"{_number(row.found)} {row.unit}"


def _wanted(row: Row) -> str:
    if row.wanted is None:
        return ""
    return f"{'≥' if row.at_least else '≤'} {_number(row.wanted)} {row.unit}"


def table(found: Sequence[Row]) -> str:
    """Markdown, a line for each key; every line is repeated by `make bench BENCH="--targets -w KEY"`."""
    lines = ["| target | wanted | found | found to wanted | |", "|---|---|---|---|---|"]
    for key, group in groupby(found, key=lambda row: row.key):
        several = list(group)
        verdicts = [row.reached for row in several if row.reached is not None]
        verdict = (
            ""
            if not verdicts
            else "reached"
            if all(verdicts)
            else f"{sum(verdicts)} of {len(verdicts)} reached"
        )
        if verdicts and not any(verdicts):
            verdict = "**not reached**"
        cells = (
            f"`{key}`: {'; '.join(row.what for row in several)}",
            "; ".join(_wanted(row) or "told" for row in several),
            "; ".join(_found(row) for row in several),
            "; ".join(f"{row.times:.2f}" if row.times is not None else "–" for row in several),
            verdict,
        )
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _control_ns() -> float:
    """orjson.loads of the first envelopes, nanoseconds each: tells this machine from the peers'."""
    (workload,) = load("envelopes/simple-10")
    lines = workload.lines()[:5_000]

    def run() -> None:
        for event in lines:
            orjson.loads(event)

    return 1e9 * min(alternate({"control": run}, 9, clock=time.process_time)["control"]) / len(lines)


def _about_control(control: float) -> str:
    return (
        f"control: orjson.loads takes {control:,.0f} ns for an envelope here, {_THEIR_ORJSON_NS:,} ns where the peers' "
        f"figures were measured, so this machine is about {control / _THEIR_ORJSON_NS:.2f} times as slow"
    )


def _dated(control: float) -> str:
    about, day = machine(), datetime.datetime.now(tz=datetime.UTC).date().isoformat()
    return (
        f"Measured {day} on {about['processor']}, {about['processors']} processors, {about['python']}, load "
        f"{about['load_1min']}; {_about_control(control)}."
    )


def _into_readme(text: str) -> None:
    """Between the two marks in README.md."""
    file = RECORD.parent.parent / "README.md"
    before, begin, rest = file.read_text(encoding="utf-8").partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not end:
        raise SystemExit(f"README.md holds no {_BEGIN} … {_END}")
    file.write_text(f"{before}{begin}\n{text}\n{end}{after}", encoding="utf-8")


def _write(found: Iterable[Row], control: float) -> str:
    day, stem = next_stem("targets")
    about = machine()
    listed = list(found)
    record: dict[str, Any] = {
        "date": day, "machine": about, "control_ns": control,
        "targets": [{**dataclasses.asdict(row), "reached": row.reached, "times": row.times} for row in listed],
    }  # fmt: skip
    (RECORD / f"{stem}.json").write_text(
        json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
    )
    text = [
        f"# Targets, measured {day}", "",
        *(f"- {key}: {json.dumps(value).strip(chr(34))}" for key, value in about.items()),
        f"- {_about_control(control)}", "",
        "| target | what | wanted | found | found to wanted | | |", "|---|---|---|---|---|---|---|",
        *(
            f"| {row.key} | {row.what} | {_wanted(row)} | {_found(row)} | "
            f"{'' if row.times is None else f'{row.times:.2f}'} | {_WORDS[row.reached]} | {row.note} |"
            for row in listed
        ), "",
    ]  # fmt: skip
    (RECORD / f"{stem}.md").write_text("\n".join(text), encoding="utf-8")
    return f"benches/record/{stem}.json and .md"
