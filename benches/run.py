"""Measures: `python benches/run.py` runs workloads × engines, prints a table and the floors, writes a dated
record.

Every count of matches is checked in the run; exits with 1 when rulebus counts wrong or a floor is not
reached. Rivals that are not installed are named and left out; by default they are asked up to 1,000 rules.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benches.catalogue import load
from benches.engines import ENGINES, missing
from benches.floors import Floor, floors
from benches.machine import machine
from benches.measure import Figure, measure_calls, measure_lines
from benches.record_file import RECORD, next_stem
from benches.target_print import run_targets

RIVALS_UP_TO_RULES = 1_000
_WORDS = {True: "reached", False: "NOT REACHED", None: "not measured"}
_HEADS = (
    "workload",
    "engine",
    "mode",
    "rules",
    "events",
    "events/s",
    "ns/event",
    "MB/s",
    "build s",
    "matches",
)


def main() -> int:
    """Run what the arguments ask for; returns the exit status."""
    given = _arguments()
    if given.targets:
        return run_targets(
            given.workload,
            given.rounds,
            count=given.instructions,
            markdown=given.markdown,
            readme=given.readme,
            record=given.record,
        )
    workloads = load(*given.workload)
    if not workloads:
        sys.exit(f"no workload is called {' or '.join(given.workload)}")
    engines = given.engine or list(ENGINES)
    for engine in engines:
        if reason := missing(engine):
            print(f"left out: {reason}")
    engines = [engine for engine in engines if not missing(engine)]
    figures: list[Figure] = []
    print(_row(*_HEADS))
    for workload in workloads:
        for engine in engines:
            if engine == "rulebus":
                _add(figures, measure_lines(workload, given.rounds))
            if engine == "rulebus" or given.engine or workload.rule_count <= RIVALS_UP_TO_RULES:
                _add(figures, measure_calls(workload, engine, given.seconds))
    found = floors(figures) if "rulebus" in engines else []
    print()
    for floor in found:
        print(_floor(floor))
    wrong = [figure for figure in figures if figure.engine == "rulebus" and not figure.right]
    missed = [floor for floor in found if floor.reached is False]
    print(f"\n{len(missed)} of {len(found)} floors not reached")
    if given.record:
        print("written:", _write(figures, found))
    return 1 if wrong or missed else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="run.py", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("-w", "--workload", action="append", default=[], metavar="GLOB", help="as 'lots/*'")
    parser.add_argument(
        "-e",
        "--engine",
        action="append",
        default=[],
        choices=list(ENGINES),
        help="default: all there are",
    )
    parser.add_argument("--rounds", type=int, default=5, help="rounds over all events (5)")
    parser.add_argument(
        "--seconds", type=float, default=1.0, help="for each engine's single calls on a workload (1)"
    )
    parser.add_argument(
        "--no-record", dest="record", action="store_false", help="write nothing to benches/record"
    )
    parser.add_argument(
        "--targets", action="store_true", help="the table of targets instead; -w chooses rows, as 'lots/*'"
    )
    parser.add_argument(
        "--markdown", action="store_true", help="with --targets: a table to paste, nothing else"
    )
    parser.add_argument("--readme", action="store_true", help="with --targets: put the table into README.md")
    parser.add_argument(
        "--no-instructions",
        dest="instructions",
        action="store_false",
        help="with --targets: count no instructions under valgrind",
    )
    return parser.parse_args()


def _add(figures: list[Figure], figure: Figure) -> None:
    if figure.taken == 0:
        print(f"{figure.workload:29} {figure.engine:11} refuses every rule", flush=True)
        return
    figures.append(figure)
    print(_figure(figure), flush=True)


def _figure(figure: Figure) -> str:
    return _row(*_cells(figure))


def _row(*cells: str) -> str:
    left = f"{cells[0]:29} {cells[1]:11} {cells[2]:5}"
    widths = (13, 7, 10, 13, 8, 8, 10)
    return " ".join([left, *(cell.rjust(width) for cell, width in zip(cells[3:], widths, strict=True))])


def _found(floor: Floor) -> str:
    if floor.found is None:
        return "-"
    return f"{floor.found:,.3g}" if floor.found < 10 else f"{floor.found:,.0f}"


def _wanted(floor: Floor) -> str:
    return f"{'≥' if floor.at_least else '≤'} {floor.wanted:,.0f} {floor.unit}"


def _floor(floor: Floor) -> str:
    return f"{_WORDS[floor.reached]:12} {floor.what:55} {_found(floor):>12} {_wanted(floor)}"


def _write(figures: list[Figure], found: list[Floor]) -> str:
    """DATE.json and DATE.md."""
    day, stem = next_stem("")
    about = machine()
    record: dict[str, Any] = {
        "date": day,
        "machine": about,
        "figures": [{**dataclasses.asdict(figure), "right": figure.right} for figure in figures],
        "floors": [{**dataclasses.asdict(floor), "reached": floor.reached} for floor in found],
    }
    (RECORD / f"{stem}.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    lines = [
        f"# Measured {day}", "",
        *(f"- {key}: {json.dumps(value).strip(chr(34))}" for key, value in about.items()),
        "",
        "## Floors", "", "| floor | wanted | found | |", "|---|---|---|---|",
        *(
            f"| {floor.what} | {_wanted(floor)} | "
            f"{_found(floor)} | {_WORDS[floor.reached]} |"
            for floor in found
        ), "",
        "## Figures", "", f"| {' | '.join(_HEADS)} |", "|" + "---|" * len(_HEADS),
        *("| " + " | ".join(_cells(figure)) + " |" for figure in figures), "",
    ]  # fmt: skip
    (RECORD / f"{stem}.md").write_text("\n".join(lines), encoding="utf-8")
    return f"benches/record/{stem}.json and .md"


def _taken(figure: Figure) -> str:
    return f"{figure.rules:,}" if figure.taken == figure.rules else f"{figure.taken:,} of {figure.rules:,}"


def _cells(figure: Figure) -> list[str]:
    return [
        figure.workload, figure.engine, figure.mode, _taken(figure), f"{figure.events:,}",
        f"{figure.events_per_s:,.0f}",
        f"{figure.ns_per_event:,.0f}", f"{figure.mb_per_s:,.1f}", f"{figure.build_s:.3f}",
        f"{figure.matches:,}" + ("" if figure.right else f" WRONG, {figure.expected:,} expected"),
    ]  # fmt: skip


if __name__ == "__main__":
    raise SystemExit(main())
