"""`rulebus bench`: measures a set of rules on events and says what costs what, what never matches, and what changed.

Relies on `rulebus.measure` for every figure; must never report one when engine and reference disagree without saying
so and ending with status 1.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from rulebus import workload as generators
from rulebus.cli.bench_print import print_report
from rulebus.cli.inputs import LEVELS, InputError, build_matcher, chunks, rules_from
from rulebus.cli.terminal import Progress
from rulebus.matcher import Matcher, Validation
from rulebus.measure import Comparison, DocumentError, Plan, Report, WrongCountError, compare, page, study

__all__ = ["bench"]

_STAGES = 11
_DEFAULT_WORKLOAD = "full-3000"


@click.command(short_help="Measure rules on events: speed, memory, what costs what.")
@click.option("--rules", "-r", metavar="R", help="Rules file or folder.")
@click.option(
    "--workload", "-w", "workload", metavar="NAME",
    help="Generated rules and events instead: full-3000, lots-EXACT, needles-4432 …",
)  # fmt: skip
@click.option("--events", "-n", "most", type=click.IntRange(min=1), default=100_000, show_default=True, help="At most so many events, the first ones.")  # fmt: skip
@click.option("--threads", "-t", type=click.IntRange(min=0), default=1, show_default=True, help="For match_lines; 0: one per processor.")  # fmt: skip
@click.option(
    "--validation", type=LEVELS, default="strict", show_default=True, help="How closely events are checked."
)
@click.option(
    "--rounds", type=click.IntRange(min=3), default=9, show_default=True, help="More rounds, less noise."
)
@click.option("--report", "html", type=click.Path(dir_okay=False, writable=True), help="Write one HTML file with charts.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Everything as one JSON object (docs/measuring.md).")
@click.option("--compare", "old", metavar="OLD.json", help="Compare with the --json of an earlier run.")
@click.option("--threshold", type=click.FloatRange(min=0), default=10.0, show_default=True, help="Percent that --compare lets pass.")  # fmt: skip
@click.argument("events", nargs=-1)
def bench(
    rules: str | None,
    workload: str | None,
    most: int,
    threads: int,
    validation: Validation,
    rounds: int,
    html: str | None,
    as_json: bool,
    old: str | None,
    threshold: float,
    events: tuple[str, ...],
) -> int:
    """Measure rules on JSON lines of EVENTS (files, or standard input); without either, a generated workload.

    Every figure is the median of rounds that alternate with what it is compared with. The answers are compared
    with the reference matcher on a sample.

    Exits with 1 when they disagree, when --compare finds something worse beyond noise and --threshold, or when a
    line is no event; such lines are left out of the figures.

    \b
    Examples:
      rulebus bench
      rulebus bench --rules rules.json events.jsonl --report report.html
      rulebus bench --rules rules/ events.jsonl --json > before.json
      rulebus bench --rules rules/ events.jsonl --compare before.json --threshold 5
      rulebus bench --workload hard-100000

    \b
    Workloads: MIX-N with MIX one of simple, exact, common, full, hard, wild; lots-SET (lots-EXACT,
    lots-COMBO …); needles-N; clones-N.
    """
    before = _earlier(old) if old else None
    if html and not Path(html).absolute().parent.is_dir():
        raise InputError(f"rulebus: cannot write {html}: there is no folder {Path(html).parent}")
    if rules and workload:
        raise InputError("rulebus: --rules and --workload cannot both be given")
    if events and not rules:
        raise InputError("rulebus: events are given but no rules; add --rules R")
    given = _from_files(rules, events or ("-",), most, validation) if rules else _generated(workload, most)
    texts, lines, numbers, rules_name, events_name, bad, cut = given
    if not texts:
        raise InputError(f"rulebus: {rules_name} holds no rule")
    if not lines:
        raise InputError(f"rulebus: {events_name} holds no event")
    plan = Plan(
        texts, lines, numbers, rules_name, events_name, bad, cut, validation, threads, rounds, matcher=Matcher
    )
    try:
        report = _measured(plan)
    except WrongCountError as error:
        click.echo(f"rulebus: WRONG ANSWERS: {error}; this is a fault of rulebus, please report it", err=True)
        return 1
    document = report.document()
    comparison = _compared(before, document, threshold / 100, old)
    changes = comparison.document() if comparison else None
    if html:
        Path(html).write_text(page(document, changes), encoding="utf-8")
    if as_json:
        click.echo(json.dumps({**document, "comparison": changes} if comparison else document))
    else:
        print_report(document, comparison)
    if html:
        click.echo(f"rulebus: the report was written to {html}", err=True)
    return _status(report, comparison)


Given = tuple[dict[str, str], list[bytes], list[int], str, str, int, bool]


def _from_files(rules: str, paths: tuple[str, ...], most: int, validation: Validation) -> Given:
    if rules == "-" and "-" in paths:
        raise InputError("rulebus: rules and events cannot both come from standard input")
    found = rules_from(rules)
    matcher = build_matcher(rules, validation, found)
    lines: list[bytes] = []
    numbers: list[int] = []
    bad, cut = 0, False
    for chunk in chunks(paths):
        refused = dict(matcher.match_lines(chunk.data).errors)
        texts = [line.rstrip(b"\r") for line in chunk.data.split(b"\n")]
        texts = [line for line in texts if line.strip(b" \t\r")]
        for index, (number, line) in enumerate(zip(chunk.numbers(len(texts)), texts, strict=True)):
            if len(lines) == most:
                cut = True
                break
            if error := refused.get(index):
                bad += 1
                if bad <= 5:
                    click.echo(
                        f"EventError[{error.code}]: {error.message}\n  in {chunk.file}, line {number}",
                        err=True,
                    )
            else:
                lines.append(line)
                numbers.append(number)
        if cut:
            break
    if bad:
        click.echo(
            f"rulebus: {bad:,} {'lines are' if bad > 1 else 'line is'} no event and left out", err=True
        )
    return (
        {rule.name: rule.pattern for rule in found.rules},
        lines,
        numbers,
        rules,
        ", ".join(paths),
        bad,
        cut,
    )


def _generated(name: str | None, most: int) -> Given:
    name = name or _DEFAULT_WORKLOAD
    rules, events = _workload(name, most)
    texts = {rule: json.dumps(pattern, ensure_ascii=False) for rule, pattern in rules}
    lines = list(events)
    return texts, lines, list(range(1, len(lines) + 1)), f"workload {name}", f"workload {name}", 0, False


def _workload(name: str, most: int) -> tuple[Iterable[tuple[str, dict[str, Any]]], Iterable[bytes]]:
    if (found := re.fullmatch(r"lots-(\w+)", name)) and found[1] in generators.LOTS_SETS:
        return generators.lots_rules(found[1]), generators.lots(min(most, 50_000))
    if (found := re.fullmatch(r"([a-z]+)-([1-9]\d*)", name)) and (number := int(found[2])) <= 10_000_000:
        if found[1] in generators.MIXES:
            entities = max(10_000, 2 * number)
            return (
                generators.rules(found[1], number, entities=entities),
                generators.envelopes(min(most, 50_000), entities=entities),
            )
        if found[1] == "needles":
            return generators.needles(number, events=min(most, 2_000))
        if found[1] == "clones":
            return generators.clone_family(number, events=min(most, 20_000))
    mixes, sets = ", ".join(f"{mix}-N" for mix in generators.MIXES), ", ".join(generators.LOTS_SETS)
    raise InputError(
        f"rulebus: there is no workload {name!r}\n  expected {mixes}, needles-N, clones-N, or lots-SET with SET one of {sets}"
    )


def _earlier(path: str) -> Any:
    try:
        return json.loads(Path(path).read_bytes())
    except OSError as error:
        raise InputError(f"rulebus: cannot read {path}: {error.strerror}") from None
    except ValueError as error:
        raise InputError(
            f"rulebus: {path} is not JSON ({error})\n  expected what an earlier `rulebus bench --json` printed"
        ) from None


def _compared(before: Any, after: dict[str, Any], threshold: float, path: str | None) -> Comparison | None:
    if path is None:
        return None
    try:
        return compare(before, after, threshold)
    except DocumentError as error:
        raise InputError(f"rulebus: cannot compare with {path}: {error}") from None


def _measured(plan: Plan) -> Report:
    with Progress("measuring", _STAGES, patience_s=0.3) as progress:
        return study(plan, tick=lambda stage: progress.advance(1))


def _status(report: Report, comparison: Comparison | None) -> int:
    failed = False
    if report.reference.disagreed:
        failed = True
        click.echo(
            f"rulebus: WRONG ANSWERS: engine and reference disagree on {report.reference.disagreed:,} pairs of rule and "
            "event; trust no figure of this run, and report it",
            err=True,
        )
        for one in report.reference.disagreements[:3]:
            says = "match" if one.rulebus else "no match"
            click.echo(f"  rule {json.dumps(one.rule)}: rulebus says {says} for {one.event[:200]}", err=True)
    if comparison and comparison.regressions:
        failed = True
        names = ", ".join(f"{one.what} {100 * one.change:+.1f} %" for one in comparison.regressions)
        click.echo(f"rulebus: worse than before, beyond noise and threshold: {names}", err=True)
    return 1 if failed or report.input.bad_events else 0
