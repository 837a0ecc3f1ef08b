"""Rules with schedules, on a clock that the test moves. Relies on the installed package."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest

import rulebus
from rulebus.testing.clock import FakeClock

START = 1_767_225_600.0  # 2026-01-01T00:00:00Z, a Thursday.


def test_the_event_of_a_tick() -> None:
    clock = FakeClock(now=START)
    got: list[dict[str, Any]] = []
    with rulebus.EventBus(clock=clock, account="111111111111", region="eu-west-1") as bus:
        bus.put_rule("five", schedule="rate(5 minutes)", targets=lambda event: got.append(event.to_dict()))
        bus.put_rule("others", {"source": ["aws.events"]}, targets=lambda event: got.append({}))
        clock.advance(299)
        assert bus.wait_idle(10)
        assert got == []
        clock.advance(2)
        assert bus.wait_idle(10)
        (event,) = got
        del event["id"]
        assert event == {
            "version": "0",
            "detail-type": "Scheduled Event",
            "source": "aws.events",
            "account": "111111111111",
            "time": "2026-01-01T00:05:00Z",
            "region": "eu-west-1",
            "resources": ["arn:aws:events:eu-west-1:111111111111:rule/five"],
            "detail": {},
        }
        stats = bus.statistics()
        assert (stats.events, stats.matched, stats.unmatched) == (1, 1, 0)


def test_cron_state_and_changes() -> None:
    clock = FakeClock(now=START)
    ticks: list[str] = []
    with rulebus.EventBus("orders", clock=clock) as bus:
        bus.put_rule(
            "ten", schedule="cron(0 10 ? * MON-FRI *)", targets=lambda event: ticks.append(event.time)
        )
        clock.advance(86_400)
        bus.disable_rule("ten")
        clock.advance(86_400)
        bus.enable_rule("ten")
        clock.advance(3 * 86_400)
        assert bus.wait_idle(10)
        # Thursday; Friday is disabled; the weekend has none; Monday.
        assert ticks == ["2026-01-01T10:00:00Z", "2026-01-05T10:00:00Z"]
        bus.put_rule("ten", schedule="rate(1 hour)")
        clock.advance(3600)
        assert bus.wait_idle(10)
        assert len(ticks) == 3
        bus.put_rule("ten", {"source": ["shop"]})
        clock.advance(86_400)
        bus.delete_rule("ten", with_targets=True)
        clock.advance(86_400)
        assert bus.wait_idle(10)
        assert len(ticks) == 3


def test_putting_the_same_schedule_again_keeps_its_pace() -> None:
    clock = FakeClock(now=START)
    ticks: list[str] = []
    with rulebus.EventBus(clock=clock) as bus:
        for _ in range(5):
            bus.put_rule("r", schedule="rate(5 minutes)")
            clock.advance(60)
        bus.put_targets("r", lambda event: ticks.append(event.time))
        clock.advance(300)
        assert bus.wait_idle(10)
    assert ticks == ["2026-01-01T00:10:00Z"]


def test_a_rule_may_have_both_a_pattern_and_a_schedule() -> None:
    clock = FakeClock(now=START)
    got: list[str] = []
    with rulebus.EventBus(clock=clock) as bus:

        @bus.on({"source": ["shop"]}, name="both", schedule="rate(1 minute)")
        def handler(event: rulebus.Event) -> None:
            got.append(event.source)

        bus.publish(source="shop", detail_type="t", detail={})
        clock.advance(60)
        assert bus.wait_idle(10)
    assert sorted(got) == ["aws.events", "shop"]


@pytest.mark.parametrize(
    ("missed", "times"),
    [
        ("skip", ["2026-01-01T03:00:00Z"]),
        ("catch_up", ["2026-01-01T01:00:00Z", "2026-01-01T02:00:00Z", "2026-01-01T03:00:00Z"]),
    ],
)
def test_ticks_that_the_clock_jumped_over(missed: Any, times: list[str]) -> None:
    clock = FakeClock(now=START)
    got: list[str] = []
    with rulebus.EventBus(clock=clock) as bus:
        bus.put_rule(
            "r", schedule="rate(1 hour)", missed_ticks=missed, targets=lambda event: got.append(event.time)
        )
        clock.jump(3.5 * 3600)
        assert bus.wait_idle(10)
        clock.jump(-3 * 3600)
        clock.advance(60)
        assert bus.wait_idle(10)
    assert got == times, "and none is made twice when the clock goes back"


@pytest.mark.parametrize(("missed", "count"), [("skip", 0), ("catch_up", 3)])
def test_ticks_that_were_missed_while_no_process_was_there(tmp_path: Path, missed: Any, count: int) -> None:
    got: list[str] = []

    def opened(now: float) -> tuple[rulebus.EventBus, FakeClock]:
        clock = FakeClock(now=now)
        bus = rulebus.EventBus(store=rulebus.SqliteStore(tmp_path / "bus.db"), clock=clock)
        bus.put_rule(
            "r", schedule="rate(1 hour)", missed_ticks=missed, targets=lambda event: got.append(event.time)
        )
        return bus, clock

    bus, clock = opened(START)
    clock.advance(3600)
    bus.wait_idle(10)
    bus.close()
    assert got == ["2026-01-01T01:00:00Z"]
    bus, clock = opened(START + 4 * 3600 + 60)
    clock.advance(1)
    bus.wait_idle(10)
    missed_ones = [f"2026-01-01T0{hour}:00:00Z" for hour in (2, 3, 4)][:count]
    assert got[1:] == missed_ones
    clock.advance(3600)
    bus.wait_idle(10)
    bus.close()
    assert len(got) == 2 + count


def test_a_tick_never_waits_for_room() -> None:
    clock = FakeClock(now=START)
    gate = threading.Event()
    got: list[str] = []
    with rulebus.EventBus(clock=clock) as bus:

        @bus.on(schedule="rate(1 minute)", name="r", max_pending=1)
        def slow(event: rulebus.Event) -> None:
            assert gate.wait(10)
            got.append(event.time)

        for _ in range(3):
            clock.advance(60)
        gate.set()
        assert bus.wait_idle(10)
    assert len(got) == 3


def test_the_machines_clock_ticks_too() -> None:
    """A clock of real time, set so that the minute is over at once."""

    class Near:
        def __init__(self) -> None:
            self._begun = time.monotonic()

        def now(self) -> float:
            return START + 59.98 + time.monotonic() - self._begun

        def monotonic(self) -> float:
            return time.monotonic()

    ticked = threading.Event()
    with rulebus.EventBus(clock=Near()) as bus:
        bus.put_rule("r", schedule="cron(* * * * ? *)", targets=lambda event: ticked.set())
        assert ticked.wait(10)


def test_only_on_the_default_bus_under_awss_limits() -> None:
    with rulebus.EventBus("orders", limits=rulebus.BusLimits.compat()) as bus:
        bus.bus("default").put_rule("r", schedule="rate(1 minute)")
        with pytest.raises(rulebus.BusError) as caught:
            bus.put_rule("r", schedule="rate(1 minute)")
    assert caught.value.aws_message == "ScheduleExpression is supported only on the default event bus."


@pytest.mark.parametrize(
    "expression",
    [
        "rate(10 seconds)", "rate(1 minutes)", "rate(10 minute)", "rate(0 minutes)", "rate( 10 minutes )",
        "rate(10 MINUTES)", "cron(0 1 * * * *)", "cron(71 8 1 * ? *)", "", "every day",
    ],
)  # fmt: skip
def test_what_the_real_service_refuses(expression: str) -> None:
    with rulebus.EventBus() as bus, pytest.raises(rulebus.BusError) as caught:
        bus.put_rule("r", schedule=expression)
    assert (caught.value.code, caught.value.aws_message) == (
        "schedule-expression",
        "Parameter ScheduleExpression is not valid.",
    )
