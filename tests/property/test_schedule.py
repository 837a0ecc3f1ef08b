"""Cron schedules judged by a naive evaluator that looks at every minute and knows no field but as a yes or no.

Expressions are drawn together with their meaning, so nothing here parses them. Relies on hypothesis.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from rulebus.schedule import ScheduleError, parse

DAY = 86_400
NAMES = {
    "month": ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"],
    "week": ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"],
}


@dataclass(frozen=True)
class Piece:
    """A spelling and what it admits."""

    text: str
    admits: Callable[[int], bool]

    def __repr__(self) -> str:
        return self.text


@st.composite
def items(
    draw: st.DrawFn, least: int, most: int, names: list[str] | None = None, wraps: bool = True
) -> Piece:
    value = st.integers(least, most)

    def spell(number: int) -> str:
        name = names[number - least] if names is not None else ""
        return draw(st.sampled_from([str(number), f"{number:02}", *([name, name.lower()] if name else [])]))

    kind = draw(st.sampled_from(["one", "one", "range", "every", "from", "range/step", "*"]))
    low, high, step = draw(value), draw(value), draw(st.integers(1, most))
    if not wraps and low > high:
        low, high = high, low
    one, span = spell(low), f"{spell(low)}-{spell(high)}"
    width = most - least + 1

    def inside(v: int) -> bool:
        return low <= v <= high if low <= high else v >= low or v <= high

    if kind == "one":
        return Piece(one, lambda v: v == low)
    if kind == "range":
        return Piece(span, inside)
    if kind == "range/step":
        return Piece(f"{span}/{step}", lambda v: inside(v) and (v - low) % width % step == 0)
    if kind == "from":
        return Piece(f"{one}/{step}", lambda v: v >= low and (v - low) % step == 0)
    if kind == "every":
        return Piece(f"*/{step}", lambda v: (v - least) % step == 0)
    return Piece("*", lambda v: True)


@st.composite
def fields(
    draw: st.DrawFn, least: int, most: int, names: list[str] | None = None, wraps: bool = True
) -> Piece:
    pieces = draw(st.lists(items(least, most, names, wraps), min_size=1, max_size=3))
    if len(pieces) > 1:
        pieces = [piece for piece in pieces if piece.text != "*"] or pieces[:1]
    return Piece(",".join(p.text for p in pieces), lambda v: any(p.admits(v) for p in pieces))


@dataclass(frozen=True)
class DayPiece:
    """A spelling and the days that it admits."""

    text: str
    admits: Callable[[datetime.date], bool]

    def __repr__(self) -> str:
        return self.text


def number(date: datetime.date) -> int:
    """Sunday is 1."""
    return date.isoweekday() % 7 + 1


def last(date: datetime.date) -> datetime.date:
    while (date + datetime.timedelta(1)).month == date.month:
        date += datetime.timedelta(1)
    return date


def nearest(date: datetime.date, day: int) -> bool:
    """Whether this date is the weekday nearest to a day of its own month, by looking at all of them."""
    month = [date.replace(day=n) for n in range(1, last(date).day + 1)]
    if day > len(month):
        return False
    work = [d for d in month if d.isoweekday() <= 5]
    return date == min(work, key=lambda d: (abs(d.day - day), d.day))


@st.composite
def month_days(draw: st.DrawFn) -> DayPiece:
    day = draw(st.integers(1, 31))
    plain = draw(fields(1, 31))
    return draw(
        st.sampled_from(
            [
                DayPiece(plain.text, lambda d: plain.admits(d.day)),
                DayPiece("L", lambda d: d == last(d)),
                DayPiece("LW", lambda d: nearest(d, last(d).day)),
                DayPiece(f"{day}W", lambda d: nearest(d, day)),
            ]
        )
    )


@st.composite
def week_days(draw: st.DrawFn) -> DayPiece:
    day, nth = draw(st.integers(1, 7)), draw(st.integers(1, 5))
    spelled = draw(st.sampled_from([str(day), NAMES["week"][day - 1]]))
    plain = draw(fields(1, 7, NAMES["week"]))
    return draw(
        st.sampled_from(
            [
                DayPiece(plain.text, lambda d: plain.admits(number(d))),
                DayPiece("L", lambda d: number(d) == 7),
                DayPiece(
                    f"{spelled}L", lambda d: number(d) == day and (d + datetime.timedelta(7)).month != d.month
                ),
                DayPiece(f"{spelled}#{nth}", lambda d: number(d) == day and (d.day + 6) // 7 == nth),
            ]
        )
    )


@st.composite
def crons(draw: st.DrawFn) -> tuple[str, Callable[[datetime.datetime], bool]]:
    minute, hour = draw(fields(0, 59)), draw(fields(0, 23))
    month, year = draw(fields(1, 12, NAMES["month"])), draw(fields(1970, 2199, wraps=False))
    by_month = draw(st.booleans())
    day = draw(month_days() if by_month else week_days())
    days = f"{day.text} {month.text} ?" if by_month else f"? {month.text} {day.text}"
    text = f"cron({minute.text} {hour.text} {days} {year.text})"

    def admits(moment: datetime.datetime) -> bool:
        date = moment.date()
        return (
            year.admits(date.year)
            and month.admits(date.month)
            and day.admits(date)
            and hour.admits(moment.hour)
            and minute.admits(moment.minute)
        )

    return text, admits


START = datetime.datetime(2023, 12, 1, tzinfo=datetime.UTC)


def naive(admits: Callable[[datetime.datetime], bool], after_s: float, until_s: float) -> float | None:
    """The first minute after a moment that is admitted, by looking at each."""
    minute = int(after_s // 60) + 1
    while minute * 60 <= until_s:
        moment = datetime.datetime.fromtimestamp(minute * 60, datetime.UTC)
        if admits(moment):
            return minute * 60.0
        minute += 1
    return None


@settings(max_examples=150)
@given(crons(), st.floats(0, 120 * DAY), st.integers(1, 12))
def test_the_next_time_is_the_first_minute_that_all_fields_admit(
    drawn: tuple[str, Callable[[datetime.datetime], bool]], into_s: float, days: int
) -> None:
    text, admits = drawn
    schedule = parse(text)
    after = START.timestamp() + into_s
    until = after + days * DAY
    due = schedule.next_after(after)
    expected = naive(admits, after, until)
    if due is None or due > until:
        assert expected is None, text
        if due is not None:  # Beyond what was looked at: at least it is admitted.
            assert admits(datetime.datetime.fromtimestamp(due, datetime.UTC)), text
    else:
        assert due == expected, text


@settings(max_examples=150)
@given(crons(), st.floats(0, 2000 * DAY), st.floats(0, 300 * DAY))
def test_a_later_moment_has_no_earlier_next_time(
    drawn: tuple[str, Callable[[datetime.datetime], bool]], into_s: float, more_s: float
) -> None:
    schedule = parse(drawn[0])
    first = schedule.next_after(START.timestamp() + into_s)
    second = schedule.next_after(START.timestamp() + into_s + more_s)
    if first is None:
        assert second is None
    elif second is not None:
        assert first <= second
        assert first % 60 == 0


@given(
    st.one_of(
        st.text(st.sampled_from("rate(cron) 0159?*LW#/-,MON minutes"), max_size=40),
        st.lists(
            st.text(st.sampled_from("0159?*LW#/-,MONSAT"), min_size=1, max_size=6), min_size=6, max_size=6
        ).map(lambda words: f"cron({' '.join(words)})"),
        st.text(max_size=20).map(lambda inner: f"rate({inner})"),
        st.text(max_size=40),
    )
)
def test_any_text_is_a_schedule_or_a_fault_with_a_place(text: str) -> None:
    fault = None
    try:
        due = parse(text).next_after(0.0)
    except ScheduleError as error:
        fault = error
    if fault is None:
        assert due is None or due > 0
    else:
        assert 0 <= fault.offset <= fault.offset + fault.length <= len(text)
        assert fault.expected
        assert str(fault)
