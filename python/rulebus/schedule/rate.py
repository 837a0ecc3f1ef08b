"""``rate(N unit)``: every so many minutes, hours or days, counted from an anchor. Relies on nothing."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from rulebus.schedule.error import ScheduleError

__all__ = ["Rate"]

_UNITS = {"minute": 60.0, "hour": 3600.0, "day": 86_400.0}
_FORM = re.compile(r"([0-9]+) ([a-z]+)")
_LONGEST_DIGITS = 9


@dataclass(frozen=True, slots=True)
class Rate:
    """Due at the anchor plus one period, plus two periods, and so on."""

    EXAMPLE: ClassVar[str] = "rate(5 minutes)"

    text: str
    period_s: float

    @classmethod
    def read(cls, text: str, start: int) -> Rate:
        """Reads what stands between the brackets."""
        inner = text[start:-1]

        def fault(code: str, message: str, offset: int, length: int, expected: str) -> ScheduleError:
            return ScheduleError(code, message, text, start + offset, length, expected)

        match = _FORM.fullmatch(inner)
        if match is None:
            raise fault("schedule-rate", *_misread(inner))
        digits, word = match[1], match[2]
        value = int(digits) if len(digits) <= _LONGEST_DIGITS else 0
        if value == 0:
            expected = f"a whole number from 1, of at most {_LONGEST_DIGITS} digits"
            raise fault("schedule-rate-value", f'"{digits}" is no number of {word}', 0, len(digits), expected)
        unit = word.removesuffix("s")
        at = match.start(2)
        if unit not in _UNITS or word.endswith("ss"):
            many = "" if value == 1 else "s"
            expected = (
                " or ".join(f"{one}{many}" for one in _UNITS) + "; nothing is due more often than each minute"
            )
            raise fault("schedule-rate-unit", f'"{word}" is no unit', at, len(word), expected)
        right = unit if value == 1 else f"{unit}s"
        if word != right:
            raise fault(
                "schedule-rate-plural", f'"{value} {word}" does not agree', at, len(word), f'"{right}"'
            )
        return cls(text, value * _UNITS[unit])

    def next_after(self, epoch_s: float, anchor_s: float = 0.0) -> float:
        """See `Schedule`."""
        count = max(1, math.floor((epoch_s - anchor_s) / self.period_s))
        while anchor_s + count * self.period_s <= epoch_s:  # Division rounds: once or twice at most.
            count += 1
        return anchor_s + count * self.period_s

    def between(self, after_s: float, until_s: float, anchor_s: float = 0.0) -> Iterator[float]:
        """See `Schedule`."""
        due = self.next_after(after_s, anchor_s)
        while due <= until_s:
            yield due
            due = self.next_after(due, anchor_s)


def _misread(inner: str) -> tuple[str, int, int, str]:
    """What is wrong with the form: message, offset, length, remedy."""
    form = "a whole number, one blank and a unit in lower case, as in rate(5 minutes)"
    blank = re.search(r"^\s|\s$|\s(?=\s)|[^\S ]", inner)
    if not inner.strip():
        return "there is nothing between the brackets", 0, len(inner), form
    if blank is not None:
        return "a blank cannot stand here", blank.start(), 1, form
    number, _, unit = inner.partition(" ")
    if not re.fullmatch(r"[0-9]+", number):
        return f'"{number}" is no whole number', 0, len(number), form
    if not unit:
        return "the unit is missing", len(inner), 0, form
    return f'"{unit}" is no unit', len(number) + 1, len(unit), form
