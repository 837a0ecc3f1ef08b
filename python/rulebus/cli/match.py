"""`rulebus match`: JSON lines of events in, one JSON line out per event with the rules that match.

Relies on `Matcher.match_lines` and `count_lines`; must never change the order of lines or lose one to a bad
neighbour.
"""

from __future__ import annotations

import json
import sys

import click

from rulebus.cli.inputs import LEVELS, Chunk, InputError, build_matcher, chunks, size_of
from rulebus.cli.terminal import Progress
from rulebus.errors import EventError
from rulebus.matcher import Matcher, Validation

__all__ = ["match"]


@click.command(short_help="Print which rules match each event.")
@click.option("--rules", "-r", required=True, metavar="R", help="Rules file or folder.")
@click.option("--count", "-c", is_flag=True, help="Print one JSON object of matches per rule instead.")
@click.option(
    "--threads",
    "-t",
    type=click.IntRange(min=0),
    default=1,
    show_default=True,
    help="0: one per processor.",
)
@click.option("--strict", is_flag=True, help="Stop at the first line that is no event.")
@click.option(
    "--validation", type=LEVELS, default="strict", show_default=True,
    help="How closely events are checked: the whole line, what rules could see, or nothing that costs time.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="JSON output; it is JSON in any case.")
@click.argument("events", nargs=-1)
def match(
    rules: str,
    count: bool,
    threads: int,
    strict: bool,
    validation: Validation,
    as_json: bool,
    events: tuple[str, ...],
) -> int:
    """Match JSON lines of EVENTS (files, or standard input) against rules.

    Prints {"line": 1, "rules": ["name", ...]} for each event, in the order of the input; with several files
    also "file". Blank lines are passed over. A line that is no event is reported on standard error and does
    not stop the run; the exit status is 1 then.

    \b
    Examples:
      rulebus match --rules rules.json events.jsonl
      tail -f app.log | rulebus match --rules rules/ -
      rulebus match --rules rules.json --count --threads 0 events.jsonl
    """
    paths = events or ("-",)
    if rules == "-" and "-" in paths:
        raise InputError("rulebus: rules and events cannot both come from standard input")
    matcher = build_matcher(rules, validation)
    run = _Run(matcher, threads, strict, several=len(paths) > 1)
    shown = count or not sys.stdout.isatty()
    with Progress("matching", size_of(paths), shown=shown) as progress:
        for chunk in chunks(paths):
            (run.count if count else run.match)(chunk)
            progress.advance(len(chunk.data))
            if run.stopped:
                break
    if count:
        click.echo(json.dumps(run.counts, ensure_ascii=False).encode("utf-8", "backslashreplace"))
    if run.bad:
        click.echo(f"rulebus: {run.bad:,} {'lines are' if run.bad > 1 else 'line is'} no event", err=True)
    return 1 if run.bad else 0


class _Run:
    """One pass over the input."""

    def __init__(self, matcher: Matcher, threads: int, strict: bool, *, several: bool) -> None:
        self.matcher, self.threads, self.strict, self.several = matcher, threads, strict, several
        self.texts = {
            name: json.dumps(name, ensure_ascii=False).encode("utf-8", "backslashreplace") for name in matcher
        }
        self.counts = dict.fromkeys(matcher, 0)
        self.bad = 0
        self.stopped = False

    def match(self, chunk: Chunk) -> None:
        """Print a line for each event of the chunk."""
        result = self.matcher.match_lines(chunk.data, threads=self.threads)
        head = b'{"line": '
        if self.several:
            head = b'{"file": ' + json.dumps(chunk.file).encode() + b', "line": '
        texts, lines = self.texts, []
        for number, names in zip(chunk.numbers(len(result)), result, strict=True):
            if isinstance(names, EventError):
                self._report(chunk, names)
                if self.stopped:
                    break
            else:
                lines.append(
                    b'%b%d, "rules": [%b]}\n' % (head, number, b", ".join([texts[name] for name in names]))
                )
        sys.stdout.buffer.write(b"".join(lines))
        sys.stdout.buffer.flush()

    def count(self, chunk: Chunk) -> None:
        """Add the chunk's matches to the counts; with `strict`, those before the first bad line."""
        result = self.matcher.count_lines(chunk.data, threads=self.threads)
        for _, error in result.errors:
            self._report(chunk, error)
            if self.stopped:
                before = chunk.data[: chunk.data.rfind(b"\n", 0, error.offset) + 1]
                result = self.matcher.count_lines(before, threads=self.threads)
                break
        for name, matches in result.counts.items():
            self.counts[name] += matches

    def _report(self, chunk: Chunk, error: EventError) -> None:
        self.bad += 1
        self.stopped = self.strict
        number, at, line = chunk.place(error.offset)
        where = f"  in {chunk.file}, line {number}, byte {at}"
        click.echo(
            f"EventError[{error.code}]: {error.message}\n{where}\n{_excerpt(number, line, at)}", err=True
        )


def _excerpt(number: int, line: bytes, at: int) -> str:
    """Up to 80 bytes of the line around the place, with a caret below it."""
    start = max(0, at - 50)
    before = line[start:at].decode("utf-8", "replace")
    after = line[at : start + 80].rstrip(b"\r").decode("utf-8", "replace")
    text = "".join(c if c.isprintable() else " " for c in before + after)
    return f"{number:5} | {text}\n      | {' ' * len(before)}^"
