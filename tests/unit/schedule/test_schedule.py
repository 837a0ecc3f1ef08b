"""Schedules: what AWS accepts and refuses, where errors point, due times by hand. Relies on nothing but the calendar."""

from __future__ import annotations

import datetime
import pickle

import pytest

from rulebus.schedule import ScheduleError, parse


def at(text: str) -> float:
    return datetime.datetime.fromisoformat(text + "+00:00").timestamp()


def dues(expression: str, after: str, count: int) -> list[str]:
    schedule, now, found = parse(expression), at(after), []
    for _ in range(count):
        due = schedule.next_after(now)
        if due is None:
            found.append("never")
            break
        found.append(datetime.datetime.fromtimestamp(due, datetime.UTC).strftime("%Y-%m-%d %H:%M"))
        now = due
    return found


# Recorded from the real service.
@pytest.mark.parametrize(
    "text",
    [
        "rate(10 seconds)", "rate(1 minutes)", "rate(10 minute)", "rate(0 minutes)", "rate( 10 minutes )",
        "rate(10 MINUTES)", "cron(0 1 * * * *)", "cron(71 8 1 * ? *)",
    ],
)  # fmt: skip
def test_what_aws_was_seen_to_refuse(text: str) -> None:
    with pytest.raises(ScheduleError) as caught:
        parse(text)
    assert caught.value.aws_message == "Parameter ScheduleExpression is not valid."


@pytest.mark.parametrize(
    "text",
    [
        "cron(0/5 8-17 ? * MON-FRI *)", "cron(15 10 ? * 6L 2002-2005)", "cron(0 2 ? * SAT#3 *)",
        "cron(1-31/30 1-1 ? * 1,7 *)", "rate(1 minute)", "rate(5 minutes)", "rate(1 hour)", "rate(12 hours)",
        "rate(1 day)", "rate(7 days)", "cron(0 10 * * ? *)", "cron(15 12 * * ? *)", "cron(0 18 ? * MON-FRI *)",
        "cron(0 8 1 * ? *)", "cron(0/15 * * * ? *)", "cron(0/30 20-23 ? * MON-FRI *)",
        "cron(0 9 L * ? *)", "cron(0 9 LW * ? *)", "cron(0 9 3W * ? *)", "cron(0 9 ? * L *)", "cron(0 9 ? * 2#1 *)",
        "cron(0 9 ? JAN-MAR,dec * 2024/2)", "cron(*/7 */3 */2 */4 ? *)",
    ],
)  # fmt: skip
def test_what_aws_accepts(text: str) -> None:
    schedule = parse(text)
    assert schedule.text == text
    assert parse(text) == schedule
    assert pickle.loads(pickle.dumps(schedule)) == schedule


@pytest.mark.parametrize(
    ("text", "code", "offset", "length"),
    [
        ("", "schedule-kind", 0, 0),
        ("every 5 minutes", "schedule-kind", 0, 15),
        ("RATE(5 minutes)", "schedule-kind", 0, 4),
        (" rate(5 minutes)", "schedule-kind", 0, 5),
        ("rate(5 minutes) ", "schedule-kind", 15, 0),
        ("rate(5 minutes", "schedule-kind", 14, 0),
        ("cron(0 10 * * ? *)x", "schedule-kind", 19, 0),
        ("at(2026-01-01T00:00:00)", "schedule-kind", 0, 2),
        ("rate()", "schedule-rate", 5, 0),
        ("rate( 10 minutes )", "schedule-rate", 5, 1),
        ("rate(10  minutes)", "schedule-rate", 7, 1),
        ("rate(10\tminutes)", "schedule-rate", 7, 1),
        ("rate(ten minutes)", "schedule-rate", 5, 3),
        ("rate(-1 minutes)", "schedule-rate", 5, 2),
        ("rate(1.5 hours)", "schedule-rate", 5, 3),
        ("rate(٥ minutes)", "schedule-rate", 5, 1),
        ("rate(10)", "schedule-rate", 7, 0),
        ("rate(10 MINUTES)", "schedule-rate", 8, 7),
        ("rate(0 minutes)", "schedule-rate-value", 5, 1),
        ("rate(9999999999 days)", "schedule-rate-value", 5, 10),
        ("rate(10 seconds)", "schedule-rate-unit", 8, 7),
        ("rate(10 minutess)", "schedule-rate-unit", 8, 8),
        ("rate(10 minute)", "schedule-rate-plural", 8, 6),
        ("rate(1 minutes)", "schedule-rate-plural", 7, 7),
        ("cron()", "schedule-fields", 5, 0),
        ("cron(0 10 * * ?)", "schedule-fields", 15, 0),
        ("cron(0 0 10 * * ? *)", "schedule-fields", 18, 1),
        ("cron( 0 10 * * ? *)", "schedule-fields", 5, 1),
        ("cron(0\t10 * * ? *)", "schedule-fields", 6, 1),
        ("cron(60 10 * * ? *)", "schedule-value", 5, 2),
        ("cron(0 24 * * ? *)", "schedule-value", 7, 2),
        ("cron(0 10 0 * ? *)", "schedule-value", 10, 1),
        ("cron(0 10 32 * ? *)", "schedule-value", 10, 2),
        ("cron(0 10 * 13 ? *)", "schedule-value", 12, 2),
        ("cron(0 10 * FOO ? *)", "schedule-value", 12, 3),
        ("cron(0 10 ? * 0 *)", "schedule-value", 14, 1),
        ("cron(0 10 ? * 8 *)", "schedule-value", 14, 1),
        ("cron(0 10 * * ? 1969)", "schedule-value", 16, 4),
        ("cron(0 10 * * ? 2200)", "schedule-value", 16, 4),
        ("cron(0,,5 10 * * ? *)", "schedule-value", 7, 0),
        ("cron(5- 10 * * ? *)", "schedule-value", 7, 0),
        ("cron(1-2-3 10 * * ? *)", "schedule-value", 7, 3),
        ("cron(0 10 * * ? 2030-2020)", "schedule-range", 16, 9),
        ("cron(0/0 10 * * ? *)", "schedule-step", 7, 1),
        ("cron(0/60 10 * * ? *)", "schedule-step", 7, 2),
        ("cron(0/ 10 * * ? *)", "schedule-step", 7, 0),
        ("cron(0/5/5 10 * * ? *)", "schedule-step", 7, 3),
        ("cron(0 1 * * * *)", "schedule-days", 13, 1),
        ("cron(0 1 1 * MON *)", "schedule-days", 13, 3),
        ("cron(0 1 ? * ? *)", "schedule-days", 13, 1),
        ("cron(? 1 ? * 1 *)", "schedule-days", 5, 1),
        ("cron(0 1 1,L * ? *)", "schedule-days", 11, 1),
        ("cron(0 1 1,15W * ? *)", "schedule-days", 11, 3),
        ("cron(0 1 5L * ? *)", "schedule-days", 9, 2),
        ("cron(0 1 32W * ? *)", "schedule-value", 9, 2),
        ("cron(0 1 L-3 * ? *)", "schedule-value", 9, 1),
        ("cron(0 1 ? * 3#1,6#3 *)", "schedule-days", 13, 3),
        ("cron(0 1 ? * 1,6L *)", "schedule-days", 15, 2),
        ("cron(0 1 ? * MON,FRIL *)", "schedule-days", 17, 4),
        ("cron(0 1 ? * 3#6 *)", "schedule-days", 15, 1),
        ("cron(0 1 ? * 3# *)", "schedule-days", 15, 0),
        ("cron(0 1 ? * #3 *)", "schedule-value", 13, 0),
        ("cron(0 1 ? * LW *)", "schedule-value", 13, 2),
        ("cron(0 1 ? * 3W *)", "schedule-value", 13, 2),
        ("x" * 300, "schedule-too-long", 0, 0),
    ],
)
def test_errors_have_a_code_and_a_place(text: str, code: str, offset: int, length: int) -> None:
    with pytest.raises(ScheduleError) as caught:
        parse(text)
    error = caught.value
    assert (error.code, error.offset, error.length) == (code, offset, length), str(error)
    assert error.expected
    assert error.aws_message == "Parameter ScheduleExpression is not valid."
    said = str(error)
    assert said.startswith(f"ScheduleError[{code}]: ")
    assert said.splitlines()[3] == "    " + " " * offset + "^" * max(1, length)
    again = pickle.loads(pickle.dumps(error))
    assert str(again) == said


def test_it_takes_text_only() -> None:
    with pytest.raises(TypeError):
        parse(5)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("expression", "after", "expected"),
    [
        ("cron(0 10 * * ? *)", "2026-01-31T10:00:00", ["2026-02-01 10:00", "2026-02-02 10:00"]),
        ("cron(0 10 * * ? *)", "2026-01-31T09:59:59.999", ["2026-01-31 10:00"]),
        (
            "cron(15 10 ? * 6L 2002-2005)",
            "2002-01-01",
            ["2002-01-25 10:15", "2002-02-22 10:15", "2002-03-29 10:15"],
        ),
        ("cron(15 10 ? * 6L 2002-2005)", "2005-12-30T10:15:00", ["never"]),
        # The weekdays that other libraries get wrong by a day: first Monday, third Friday.
        ("cron(0 2 ? * 2#1 *)", "2026-01-01", ["2026-01-05 02:00", "2026-02-02 02:00"]),
        ("cron(0 2 ? * 6#3 *)", "2026-01-01", ["2026-01-16 02:00", "2026-02-20 02:00"]),
        ("cron(0 2 ? * SAT#3 *)", "2026-01-01", ["2026-01-17 02:00"]),
        ("cron(0 2 ? * 1 *)", "2026-01-01", ["2026-01-04 02:00"]),
        ("cron(0 2 ? * L *)", "2026-01-01", ["2026-01-03 02:00", "2026-01-10 02:00"]),
        ("cron(0 2 ? * FRIL *)", "2026-01-01", ["2026-01-30 02:00"]),
        ("cron(0 2 ? * 5#5 *)", "2026-01-01", ["2026-01-29 02:00", "2026-04-30 02:00"]),
        ("cron(0 0 L * ? *)", "2024-02-01", ["2024-02-29 00:00", "2024-03-31 00:00", "2024-04-30 00:00"]),
        ("cron(0 0 LW * ? *)", "2026-01-01", ["2026-01-30 00:00", "2026-02-27 00:00", "2026-03-31 00:00"]),
        ("cron(0 0 1W * ? *)", "2026-08-01", ["2026-08-03 00:00"]),  # A Saturday, but not into July.
        (
            "cron(0 0 31W * ? *)",
            "2026-05-01",
            ["2026-05-29 00:00", "2026-07-31 00:00"],
        ),  # A Sunday; June has no 31st.
        ("cron(0 0 15W * ? *)", "2026-08-01", ["2026-08-14 00:00", "2026-09-15 00:00"]),
        ("cron(0 0 29 2 ? *)", "2097-01-01", ["2104-02-29 00:00"]),
        ("cron(0 0 31 2 ? *)", "2026-01-01", ["never"]),
        (
            "cron(1-31/30 1-1 ? * 1,7 *)",
            "2026-01-01",
            ["2026-01-03 01:01", "2026-01-03 01:31", "2026-01-04 01:01"],
        ),
        ("cron(50/5 23 31 12 ? 2199)", "2026-01-01", ["2199-12-31 23:50", "2199-12-31 23:55", "never"]),
        (
            "cron(0 22-2/2 * * ? *)",
            "2026-01-01T20:00:00",
            ["2026-01-01 22:00", "2026-01-02 00:00", "2026-01-02 02:00"],
        ),
        (
            "cron(0 0 ? * FRI-MON *)",
            "2026-01-05",
            ["2026-01-09 00:00", "2026-01-10 00:00", "2026-01-11 00:00"],
        ),
        ("cron(0 0 ? NOV-FEB/2 2 *)", "2026-02-01", ["2026-11-02 00:00"]),
        ("cron(0 0 1 1 ? 2020/4)", "2021-01-01", ["2024-01-01 00:00", "2028-01-01 00:00"]),
    ],
)
def test_due_times_by_hand(expression: str, after: str, expected: list[str]) -> None:
    assert dues(expression, after, len(expected)) == expected


def test_moments_outside_of_the_calendar() -> None:
    every = parse("cron(* * * * ? *)")
    assert every.next_after(-1e12) == 0.0 or every.next_after(-1e12) == 60.0
    assert every.next_after(1e12) is None
    assert every.next_after(at("2199-12-31T23:59:00")) is None


def test_a_rate_counts_from_its_anchor() -> None:
    rate = parse("rate(5 minutes)")
    assert [rate.next_after(now, 1000.0) for now in (0.0, 1000.0, 1299.9, 1300.0, 1300.1)] == [
        1300,
        1300,
        1300,
        1600,
        1600,
    ]
    assert parse("rate(7 days)").next_after(0.0) == 7 * 86_400
    assert parse("rate(1 hour)").next_after(0.0, 10.5) == 3610.5


@pytest.mark.parametrize("anchor", [0.0, 0.1, 1_700_000_000.123456, 1e9 + 1 / 3])
def test_a_rate_never_stands_still(anchor: float) -> None:
    rate, now = parse("rate(1 minute)"), anchor
    for n in range(1, 2000):
        due = rate.next_after(now, anchor)
        assert due is not None
        assert due > now
        assert due == anchor + n * 60.0
        now = due


def test_missed_times_are_listed() -> None:
    rate = parse("rate(1 hour)")
    assert list(rate.between(0.0, 7200.0)) == [3600.0, 7200.0]
    assert list(rate.between(0.0, 7200.0, anchor_s=1800.0)) == [5400.0]
    assert list(parse("cron(0 0 * * ? 1970)").between(0.0, 2 * 86_400)) == [86_400.0, 172_800.0]
    assert list(parse("cron(0 0 1 1 ? 1971)").between(at("1971-06-01"), 1e12)) == []
