"""What the commands read: rules for a matcher, events in chunks of whole lines.

Relies on `rulebus.rules`; must never hold more of an event file in memory than a chunk and a line.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import click

from rulebus.errors import RuleSetError
from rulebus.matcher import Matcher, Validation
from rulebus.rules import RulesFile, parse_rules, read_rules

__all__ = ["Chunk", "InputError", "build_matcher", "chunks", "rules_from", "size_of"]

CHUNK_BYTES = 8 << 20
LEVELS = click.Choice(["strict", "checked", "trusted"])


class InputError(click.ClickException):
    """Bad input: reported on standard error, exit status 2."""

    exit_code = 2

    def show(self, file: object = None) -> None:
        click.echo(self.message, err=True)


def rules_from(path: str) -> RulesFile:
    """The rules of a file, a folder, or standard input ("-")."""
    if path == "-":
        return parse_rules(sys.stdin.buffer.read(), "-")
    try:
        return read_rules(path)
    except OSError as error:
        raise InputError(f"rulebus: cannot read {path}: {error.strerror}") from None


def build_matcher(path: str, validation: Validation, found: RulesFile | None = None) -> Matcher:
    """A matcher with the rules of a file, perhaps read before; every bad rule is reported before giving up."""
    found = found or rules_from(path)
    reports = [str(problem) for problem in found.problems]
    matcher = Matcher(validation=validation)
    try:
        matcher.update((rule.name, rule.pattern) for rule in found.rules)
    except RuleSetError as error:
        by_name = {rule.name: rule for rule in found.rules}
        reports += [by_name[str(name)].report(reason) for name, reason in error.errors]
    if reports:
        count = f"{len(reports)} of its rules are" if len(reports) > 1 else "a rule is"
        raise InputError("\n\n".join([*reports, f"rulebus: {path} was not used, {count} bad"]))
    return matcher


@dataclass(frozen=True, slots=True)
class Chunk:
    """Whole lines of an event file."""

    file: str
    first_line: int
    data: bytes

    def numbers(self, events: int) -> range | list[int]:
        """The line numbers of the chunk's events: blank lines hold none."""
        ends = self.data.count(b"\n") + (not self.data.endswith(b"\n"))
        if events == ends:
            return range(self.first_line, self.first_line + ends)
        lines = self.data.split(b"\n")
        return [number for number, line in enumerate(lines, self.first_line) if line.strip(b" \t\r")]

    def place(self, offset: int) -> tuple[int, int, bytes]:
        """The line number of an offset in the chunk, the offset within that line, and the line's text."""
        start = self.data.rfind(b"\n", 0, offset) + 1
        end = self.data.find(b"\n", start)
        line = self.data[start : len(self.data) if end < 0 else end]
        return self.first_line + self.data.count(b"\n", 0, start), offset - start, line


def chunks(paths: tuple[str, ...]) -> Iterator[Chunk]:
    """The lines of the files in order; what arrives in a pipe is passed on at once."""
    for path in paths:
        if not (path == "-" or os.access(path, os.R_OK)):
            reason = "permission denied" if os.path.exists(path) else "no such file"
            raise InputError(f"rulebus: cannot read {path}: {reason}")
        if path != "-" and os.path.isdir(path):
            raise InputError(
                f"rulebus: cannot read {path}: it is a folder; events come in files of JSON lines"
            )
    for path in paths:
        if path == "-":
            yield from _lines(sys.stdin.buffer, "-")
        else:
            with open(path, "rb") as stream:
                yield from _lines(stream, path)


def _lines(stream: BinaryIO, name: str) -> Iterator[Chunk]:
    read = getattr(stream, "read1", stream.read)
    number, held = 1, []
    while block := read(CHUNK_BYTES):
        end = block.rfind(b"\n") + 1
        if not end:
            held.append(block)
            continue
        data = b"".join([*held, block[:end]])
        yield Chunk(name, number, data)
        number += data.count(b"\n")
        held = [block[end:]] if end < len(block) else []
    if rest := b"".join(held):
        yield Chunk(name, number, rest)


def size_of(paths: tuple[str, ...]) -> int | None:
    """Bytes in all the files, if that can be known."""
    if "-" in paths or not all(os.path.isfile(path) for path in paths):
        return None
    return sum(os.path.getsize(path) for path in paths)
