"""``cron(minute hour day-of-month month day-of-week year)``: due times by the calendar, in UTC.

Goes by years, months and days, never minute by minute; the days of a month come from `days`, the rest from `field`.
DIFFERS: from most cron libraries, weekdays count from SUN = 1, as AWS has them.
"""

from __future__ import annotations

import bisect
import datetime
import math
import re
from collections.abc import Iterator
from typing import ClassVar

from rulebus.schedule.days import DayRule, read_days
from rulebus.schedule.error import ScheduleError
from rulebus.schedule.field import HOUR, MINUTE, MONTH, YEAR, Word, read_field

__all__ = ["Cron"]

_EPOCH_DAY = datetime.date(1970, 1, 1).toordinal()
_DAY_MINUTES = 1440
_NAMES = ("minute", "hour", "day of month", "month", "day of week", "year")


class Cron:
    """Due at the minutes that all fields admit."""

    EXAMPLE: ClassVar[str] = "cron(0 10 ? * MON-FRI *)"

    __slots__ = ("_days", "_months", "_times", "_years", "text")

    def __init__(
        self, text: str, times: list[int], days: DayRule, months: list[int], years: list[int]
    ) -> None:
        self.text = text
        """The expression, as it was given."""
        self._times = times  # Minutes of the day.
        self._days = days
        self._months = months
        self._years = years

    @classmethod
    def read(cls, text: str, start: int) -> Cron:
        """Reads what stands between the brackets."""
        inner = text[start:-1]
        if odd := re.search(r"^\s|\s$|[^\S ]", inner):
            raise ScheduleError(
                "schedule-fields",
                "a blank cannot stand here",
                text,
                start + odd.start(),
                1,
                "blanks between fields only",
            )
        words = [Word(text, start + found.start(), found[0]) for found in re.finditer(r"[^ ]+", inner)]
        if len(words) != len(_NAMES):
            some = words[len(_NAMES)].offset if len(words) > len(_NAMES) else start + len(inner)
            length = start + len(inner) - some
            many = "field" if len(words) == 1 else "fields"
            raise ScheduleError(
                "schedule-fields",
                f"{len(words)} {many} instead of six",
                text,
                some,
                length,
                f"{', '.join(_NAMES)}, as in {cls.EXAMPLE}; AWS's cron has no seconds, but a year",
            )
        minute, hour, month_day, month, week_day, year = words
        minutes, hours = read_field(minute, MINUTE), read_field(hour, HOUR)
        months = read_field(month, MONTH)
        days = read_days(month_day, week_day)
        times = [60 * hour_ + minute_ for hour_ in hours for minute_ in minutes]
        return cls(text, times, days, months, read_field(year, YEAR))

    def next_after(self, epoch_s: float, anchor_s: float = 0.0) -> float | None:
        """See `Schedule`."""
        first = max(0, math.floor(epoch_s / 60) + 1)
        day, minute = divmod(first, _DAY_MINUTES)
        if day + _EPOCH_DAY >= datetime.date(YEAR.most + 1, 1, 1).toordinal():
            return None
        start = datetime.date.fromordinal(day + _EPOCH_DAY)
        for date in self._dates(start):
            at = bisect.bisect_left(self._times, minute) if date == start else 0
            if at < len(self._times):
                return 60.0 * ((date.toordinal() - _EPOCH_DAY) * _DAY_MINUTES + self._times[at])
        return None

    def between(self, after_s: float, until_s: float, anchor_s: float = 0.0) -> Iterator[float]:
        """See `Schedule`."""
        due = self.next_after(after_s)
        while due is not None and due <= until_s:
            yield due
            due = self.next_after(due)

    def _dates(self, start: datetime.date) -> Iterator[datetime.date]:
        """The days from this one on that the last four fields admit."""
        for year in self._years[bisect.bisect_left(self._years, start.year) :]:
            for month in self._months:
                if (year, month) < (start.year, start.month):
                    continue
                for day in self._days(year, month):
                    date = datetime.date(year, month, day)
                    if date >= start:
                        yield date

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Cron) and other.text == self.text

    def __hash__(self) -> int:
        return hash(self.text)

    def __reduce__(self) -> tuple[object, ...]:
        return Cron.read, (self.text, len("cron("))

    def __repr__(self) -> str:
        return f"Cron({self.text!r})"
