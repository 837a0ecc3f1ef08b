"""The two day fields of a cron expression, of which one is ``?``: a rule that lists the days of a month.

``L``, ``LW``, ``nW`` for days of the month; ``L``, ``nL``, ``n#k`` for days of the week. These stand alone in their
field, as AWS says of ``#``. A day that a month does not have (31, ``31W``, ``2#5``) is no day of that month.
"""

from __future__ import annotations

import calendar
from collections.abc import Callable
from typing import TypeAlias

from rulebus.schedule.field import DAY, WEEKDAY, Word, read_field, read_number

__all__ = ["DayRule", "read_days"]

DayRule: TypeAlias = Callable[[int, int], list[int]]
"""From year and month to the days of that month, sorted."""


def read_days(month_day: Word, week_day: Word) -> DayRule:
    """The rule that both fields make. Raises `ScheduleError`."""
    marks = (month_day.text == "?", week_day.text == "?")
    if marks == (False, False):
        raise week_day.fault(
            "schedule-days",
            "both days are given",
            'a "?" for one of day of month and day of week; "*" is a value, too',
        )
    if marks == (True, True):
        raise week_day.fault(
            "schedule-days", "no day is given", 'a "?" for only one of day of month and day of week'
        )
    return _month_days(month_day) if marks[1] else _week_days(week_day)


def _month_days(word: Word) -> DayRule:
    text = word.text.upper()
    if text == "L":
        return lambda year, month: [_length(year, month)]
    if text == "LW":
        return lambda year, month: _nearest_weekday(year, month, _length(year, month))
    if text.endswith("W") and "," not in text:
        day = read_number(word.part(0, -1), DAY)
        return lambda year, month: _nearest_weekday(year, month, day)
    _no_letters(word, "L, LW or 15W", "LW")
    days = read_field(word, DAY)
    return lambda year, month: [day for day in days if day <= _length(year, month)]


def _week_days(word: Word) -> DayRule:
    text = word.text.upper()
    if text == "L":
        return _of_week({WEEKDAY.most})
    if "#" in text and "," not in text:
        place = text.index("#")
        weekday = read_number(word.part(0, place), WEEKDAY)
        which = word.part(place + 1)
        if which.text not in ("1", "2", "3", "4", "5"):
            raise which.fault(
                "schedule-days",
                f'"{which.text}" is no place in a month',
                "1-5, as in FRI#2, the second Friday",
            )
        nth = int(which.text)
        return lambda year, month: _all(year, month, weekday)[nth - 1 : nth]
    if text.endswith("L") and "," not in text:
        weekday = read_number(word.part(0, -1), WEEKDAY)
        return lambda year, month: _all(year, month, weekday)[-1:]
    _no_letters(word, "L, 6L or 6#3", "#L")
    return _of_week(set(read_field(word, WEEKDAY)))


def _no_letters(word: Word, forms: str, letters: str) -> None:
    """Refuses the special forms where they stand in a list or a range."""
    offset = 0
    for item in word.text.upper().split(","):
        bare = item.strip("0123456789")
        if bare and (
            bare in letters or bare.startswith("#") or (item[:-1] in WEEKDAY.names and item[-1] in letters)
        ):
            raise word.part(offset, offset + len(item)).fault(
                "schedule-days",
                f'"{item}" cannot stand here',
                f"{forms}, alone in the field; several of these are several rules",
            )
        offset += len(item) + 1


def _of_week(weekdays: set[int]) -> DayRule:
    def days(year: int, month: int) -> list[int]:
        first = _weekday(year, month, 1)
        return [day for day in range(1, _length(year, month) + 1) if (first + day - 2) % 7 + 1 in weekdays]

    return days


def _all(year: int, month: int, weekday: int) -> list[int]:
    first = 1 + (weekday - _weekday(year, month, 1)) % 7
    return list(range(first, _length(year, month) + 1, 7))


def _nearest_weekday(year: int, month: int, day: int) -> list[int]:
    """The day from Monday to Friday that is nearest, within the month."""
    length = _length(year, month)
    if day > length:
        return []
    weekday = _weekday(year, month, day)
    if weekday == 7:  # Saturday
        return [day - 1 if day > 1 else day + 2]
    if weekday == 1:  # Sunday
        return [day + 1 if day < length else day - 2]
    return [day]


def _weekday(year: int, month: int, day: int) -> int:
    """From SUN = 1 to SAT = 7."""
    return (calendar.weekday(year, month, day) + 1) % 7 + 1


def _length(year: int, month: int) -> int:
    return calendar.monthrange(year, month)[1]
