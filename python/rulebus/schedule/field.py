"""One field of a cron expression as a list of numbers: ``*``, values and names, ranges, steps, lists of these.

Relies on nothing but its text. A range may run over the end (``FRI-MON``), except for years.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from rulebus.schedule.error import ScheduleError

__all__ = ["DAY", "HOUR", "MINUTE", "MONTH", "WEEKDAY", "YEAR", "Kind", "Word", "read_field", "read_number"]


@dataclass(frozen=True, slots=True)
class Kind:
    """What a field may hold."""

    name: str
    least: int
    most: int
    names: tuple[str, ...] = ()
    """In order, from `least` on."""
    wraps: bool = True

    @property
    def values(self) -> str:
        """For people."""
        return f"{self.least}-{self.most}" + (f" or {self.names[0]}-{self.names[-1]}" if self.names else "")


MINUTE = Kind("minute", 0, 59)
HOUR = Kind("hour", 0, 23)
DAY = Kind("day of the month", 1, 31)
MONTH = Kind(
    "month", 1, 12, ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
)
WEEKDAY = Kind("day of the week", 1, 7, ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"))
YEAR = Kind("year", 1970, 2199, wraps=False)


@dataclass(frozen=True, slots=True)
class Word:
    """A piece of the expression and its place."""

    whole: str
    offset: int
    text: str

    def part(self, start: int, end: int | None = None) -> Word:
        """A piece of the piece."""
        return Word(self.whole, self.offset + start, self.text[start:end])

    def fault(self, code: str, message: str, expected: str) -> ScheduleError:
        """An error at this place."""
        return ScheduleError(code, message, self.whole, self.offset, len(self.text), expected)


def read_field(word: Word, kind: Kind) -> list[int]:
    """The numbers that a field admits, sorted. Raises `ScheduleError`."""
    found: set[int] = set()
    start = 0
    for item in word.text.split(","):
        found.update(_read_item(word.part(start, start + len(item)), kind))
        start += len(item) + 1
    return sorted(found)


def _read_item(word: Word, kind: Kind) -> list[int]:
    span, slash, step = word.text.partition("/")
    width = kind.most - kind.least + 1
    by = 1
    if slash:
        at = word.part(len(span) + 1)
        if not re.fullmatch(r"[0-9]{1,4}", step) or not 1 <= int(step) <= kind.most:
            expected = f"a step from 1 to {kind.most}, as in 0/5"
            raise at.fault("schedule-step", f'"{step}" is no step of {kind.name}s', expected)
        by = int(step)
    if span == "*":
        return list(range(kind.least, kind.most + 1, by))
    low, dash, _ = span.partition("-")
    first = read_number(word.part(0, len(low)), kind)
    if not dash:
        return list(range(first, kind.most + 1, by)) if slash else [first]
    last = read_number(word.part(len(low) + 1, len(span)), kind)
    if last >= first:
        return list(range(first, last + 1, by))
    if not kind.wraps:
        expected = f"the earlier {kind.name} first, {last}-{first}"
        raise word.part(0, len(span)).fault("schedule-range", f'"{span}" runs backwards', expected)
    return [(value - kind.least) % width + kind.least for value in range(first, last + width + 1, by)]


def read_number(word: Word, kind: Kind) -> int:
    """A value, by number or name. Raises `ScheduleError`."""
    if word.text.upper() in kind.names:
        return kind.names.index(word.text.upper()) + kind.least
    if re.fullmatch(r"[0-9]{1,4}", word.text) and kind.least <= int(word.text) <= kind.most:
        return int(word.text)
    if not word.text:
        raise word.fault("schedule-value", f"a {kind.name} is missing", kind.values)
    if word.text == "?":
        raise word.fault("schedule-days", f'"?" cannot stand for a {kind.name}', '"*" for any value')
    raise word.fault("schedule-value", f'"{word.text}" is no {kind.name}', kind.values)
