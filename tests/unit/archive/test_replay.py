"""Replays: order, window, pace on a fake clock, states, cancelling, going on after a crash, dry runs.

Relies on the harness beside; most tests step a replay themselves. Must never sleep."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

import pytest

from rulebus.archive.splice import with_replay_name
from rulebus.errors import BusError, StoreError
from rulebus.stores.protocol import Changes
from rulebus.testing import FakeClock
from unit.archive.harness import START, Bus, event, write

EVER = (float("-inf"), float("inf"))


def steps(replay: object, clock: FakeClock) -> list[float]:
    """Steps a replay to its end, letting the time pass that it asks for; the waits."""
    waits: list[float] = []
    while (wait := replay.step()) is not None:  # type: ignore[attr-defined]
        if wait > 0:
            waits.append(wait)
            clock.advance(wait)
    return waits


def test_events_come_in_order_with_their_ids_and_the_replays_name(bus: Bus, clock: FakeClock) -> None:
    bus.fill(1200)
    replay = bus.replays.start("all", *EVER, name="again", run=False)
    assert replay.status.state == "STARTING"
    assert steps(replay, clock) == []
    assert bus.ids == [f"e-{n}" for n in range(1200)]
    first = bus.put_events[0]
    assert json.loads(first.body)["replay-name"] == "again"
    assert list(json.loads(first.body))[6:9] == ["region", "replay-name", "resources"]
    assert (first.bus, first.replay, first.hops, first.accepted_at) == ("orders", "again", 0, START)
    plain = event(0).body
    assert first.body.replace(b'"replay-name":"again",', b"") == plain
    status = replay.status
    assert (status.state, status.events, status.last_event_time) == ("COMPLETED", 1200, START + 1199)
    assert (status.started_at, status.ended_at, status.ended) == (START, START, True)
    assert [call[2][3] for call in bus.calls] == [500, 1000, 1200]
    assert replay.step() is None
    assert replay.wait() == status


def test_a_window_a_bus_and_rules(bus: Bus, clock: FakeClock) -> None:
    bus.fill(100)
    window = (datetime.fromtimestamp(START + 10, UTC), START + 20)
    replay = bus.replays.start("all", *window, to="later", rules=["r1", "r2"], run=False)
    steps(replay, clock)
    assert bus.ids == [f"e-{n}" for n in range(10, 20)]
    assert [call[:2] for call in bus.calls] == [("later", ("r1", "r2"))]
    assert {one.bus for one in bus.put_events} == {"later"}
    assert replay.name == "all-replay-1"


def test_an_empty_window_completes(bus: Bus, clock: FakeClock) -> None:
    bus.fill(3)
    replay = bus.replays.start("all", START + 50, START + 60, run=False)
    assert replay.step() is None
    assert (replay.status.state, replay.status.events) == ("COMPLETED", 0)


def test_speed_keeps_the_distances(bus: Bus, clock: FakeClock) -> None:
    bus.fill(5, step=100)
    replay = bus.replays.start("all", *EVER, speed=10.0, run=False)
    assert steps(replay, clock) == pytest.approx([10.0] * 4)
    assert bus.put_at == pytest.approx([0, 10, 20, 30, 40])


def test_a_slow_bus_is_caught_up_with(bus: Bus, clock: FakeClock) -> None:
    bus.fill(5, step=100)
    replay = bus.replays.start("all", *EVER, speed=100.0, run=False)
    replay.step()
    clock.advance(3.5)
    assert replay.step() == 0.0
    assert bus.ids == ["e-0", "e-1", "e-2", "e-3"]
    assert replay.step() == pytest.approx(0.5)


@pytest.mark.parametrize(("rate", "batch"), [(50.0, 5), (3.0, 1), (0.5, 1), (100_000.0, 500)])
def test_a_rate_is_not_exceeded(bus: Bus, clock: FakeClock, rate: float, batch: int) -> None:
    bus.fill(1000 if rate > 1000 else 20)
    replay = bus.replays.start("all", *EVER, rate_per_s=rate, run=False)
    steps(replay, clock)
    count = len(bus.ids)
    assert {len([at for at in bus.put_at if at == moment]) for moment in set(bus.put_at)} == {batch}
    assert bus.put_at[-1] == pytest.approx((count - batch) / rate)
    for place, moment in enumerate(bus.put_at):
        assert place < batch + moment * rate + 1e-6


def test_cancelling_ends_before_the_next_event(bus: Bus, clock: FakeClock) -> None:
    bus.fill(1200)
    replay = bus.replays.start("all", *EVER, run=False)
    replay.step()
    replay.cancel()
    assert replay.status.state == "CANCELLING"
    assert replay.step() is None
    assert (replay.status.state, replay.status.events, len(bus.ids)) == ("CANCELLED", 500, 500)
    with pytest.raises(BusError) as caught:
        replay.cancel()
    assert caught.value.code == "replay-ended"
    assert "not in a valid state" in caught.value.aws_message


def test_a_put_that_fails_fails_the_replay_and_counts_nothing(bus: Bus, clock: FakeClock) -> None:
    bus.fill(600)
    replay = bus.replays.start("all", *EVER, run=False)
    replay.step()
    bus.fault = BusError("unknown-bus", "there is no bus 'orders'")
    assert replay.step() is None
    assert (replay.status.state, replay.status.events) == ("FAILED", 500)
    assert "unknown-bus" in replay.status.reason


def test_what_a_replay_cannot_be(bus: Bus) -> None:
    bus.fill(1)
    bus.replays.start("all", *EVER, name="n", run=False)
    for code, call in {
        "unknown-archive": lambda: bus.replays.start("none", *EVER),
        "replay-exists": lambda: bus.replays.start("all", *EVER, name="n"),
        "invalid-name": lambda: bus.replays.start("all", *EVER, name="a/b"),
        "replay-window": lambda: bus.replays.start("all", 5.0, 5.0),
        "replay-pace": lambda: bus.replays.start("all", *EVER, speed=0.0),
        "unknown-replay": lambda: bus.replays.replay("none"),
        "archive-in-use": lambda: bus.archives.delete("all"),
        "replay-running": lambda: bus.replays.forget("n"),
    }.items():
        with pytest.raises(BusError) as caught:
            call()
        assert caught.value.code == code
    with pytest.raises(BusError, match="no time zone"):
        bus.replays.start("all", datetime(2026, 1, 1), datetime(2027, 1, 1))
    for text in ("yesterday", "", "1772323200", "2026-13-01", "26 Nov 2026"):
        with pytest.raises(BusError, match="write 2026-11-26T03:38:05Z") as caught:
            bus.replays.start("all", text, 1e12)
        assert caught.value.code == "replay-window"
    with pytest.raises(BusError, match="rate_per_s"):
        bus.replays.start("all", *EVER, rate_per_s=float("nan"))
    assert [status.name for status in bus.replays.replays()] == ["n"]


def test_a_forgotten_replay_leaves_its_name_free(bus: Bus, clock: FakeClock) -> None:
    bus.fill(10)
    steps(bus.replays.start("all", *EVER, name="n", run=False), clock)
    bus.replays.forget("n")
    assert bus.replays.replays() == ()
    replay = bus.replays.start("all", *EVER, name="n", run=False)
    assert replay.status.events == 0
    steps(replay, clock)
    assert bus.ids == [f"e-{n}" for n in range(10)] * 2


@pytest.mark.parametrize("stop_after", range(4))
def test_a_replay_goes_on_exactly_behind_its_last_event(
    reopen: Callable[[], Bus], clock: FakeClock, stop_after: int
) -> None:
    bus = reopen()
    # Many events of one second: the place in between is by number.
    bus.archives.create("all", "orders")
    write(bus.store, Changes(archived=[("all", event(n, n // 300)) for n in range(1300)]))
    replay = bus.replays.start("all", *EVER, name="again", rules=("r",), run=False)
    for _ in range(stop_after):
        replay.step()
    seen = bus.ids
    bus = reopen()  # Nothing was said to the first one: as after a crash.
    (replay,) = bus.replays.resume() if stop_after < 4 else ()
    status = replay.wait(30)
    assert (status.state, status.events, status.rules) == ("COMPLETED", 1300, ("r",))
    assert seen + bus.ids == [f"e-{n}" for n in range(1300)]
    bus.replays.close()
    bus = reopen()
    assert bus.replays.resume() == ()
    assert bus.replays.replay("again").status == status


def test_a_cancelled_replay_does_not_go_on_after_a_crash(reopen: Callable[[], Bus]) -> None:
    bus = reopen()
    bus.fill(600)
    replay = bus.replays.start("all", *EVER, run=False)
    replay.step()
    replay.cancel()
    bus = reopen()
    (replay,) = bus.replays.resume()
    assert replay.wait(30).state == "CANCELLED"
    assert bus.ids == []


def test_a_thread_runs_it(bus: Bus) -> None:
    bus.fill(1200)
    replay = bus.replays.start("all", *EVER)
    assert replay.wait(30).state == "COMPLETED"
    assert bus.ids == [f"e-{n}" for n in range(1200)]


def test_a_clock_that_is_moved_wakes_it(bus: Bus, clock: FakeClock) -> None:
    bus.fill(4, step=3600)
    replay = bus.replays.start("all", *EVER, speed=1.0)
    for _ in range(200):
        clock.advance(60)
    assert replay.wait(30).state == "COMPLETED"
    assert bus.ids == ["e-0", "e-1", "e-2", "e-3"]


def test_a_waiting_replay_is_cancelled_at_once(bus: Bus) -> None:
    bus.fill(4, step=3600)
    replay = bus.replays.start("all", *EVER, speed=1.0)
    replay.cancel()
    assert replay.wait(30).state == "CANCELLED"


def test_close_stops_a_waiting_replay_and_leaves_it_running_in_the_store(bus: Bus, clock: FakeClock) -> None:
    bus.fill(4, step=3600)
    replay = bus.replays.start("all", *EVER, speed=1.0)
    bus.replays.close()
    assert not replay.status.ended
    (same,) = bus.replays.resume()
    assert same is replay
    clock.advance(4 * 3600)
    clock.advance(0)
    assert replay.wait(30).state == "COMPLETED"


@pytest.mark.parametrize("fault", [StoreError("store-closed", "closed"), BusError("bus-closed", "closed")])
def test_what_is_closed_stops_it_without_failing_it(bus: Bus, fault: BusError) -> None:
    bus.fill(4)
    replay = bus.replays.start("all", *EVER, run=False)
    bus.fault = fault
    with pytest.raises(BusError):
        replay.step()
    assert replay.status.state == "RUNNING"
    bus.fault = None
    assert replay.step() == 0.0
    assert bus.ids == ["e-0", "e-1", "e-2", "e-3"]


def test_a_dry_run_counts_and_puts_nothing(bus: Bus) -> None:
    bus.fill(1100)
    shown = bus.replays.dry_run("all", START + 10, START + 1070)
    even, three = len(range(10, 1070, 2)), len(range(12, 1070, 3))
    assert (shown.events, shown.matched) == (1060, 1060 - sum(n % 2 and n % 3 > 0 for n in range(10, 1070)))
    assert shown.rules == {"even": even, "three": three}
    assert shown.targets == {("even", "a"): even, ("even", "b"): even, ("three", "a"): three}
    assert shown.deliveries == 2 * even + three
    assert shown.unmatched == 1060 - shown.matched
    assert (shown.first_event_time, shown.last_event_time) == (START + 10, START + 1069)
    assert bus.replays.dry_run("all", *EVER, to="x", rules=["three"]).rules == {"three": 367}
    nothing = bus.replays.dry_run("all", START - 10, START)
    assert (nothing.events, nothing.rules, nothing.first_event_time) == (0, {}, None)
    assert bus.calls == []
    assert bus.replays.replays() == ()


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"region":"eu","resources":[],"detail":{}}', ["region", "replay-name", "resources", "detail"]),
        (b'{"detail":{"a":1,"resources":[]},"resources":[]}', ["replay-name", "detail", "resources"]),
        (b'{"id":"1","detail":{}}', ["replay-name", "id", "detail"]),
        (b"{}", ["replay-name"]),
        (b"{ }", ["replay-name"]),
    ],
)
def test_the_name_is_spliced_in(body: bytes, expected: list[str]) -> None:
    spliced = json.loads(with_replay_name(body, "n"))
    assert list(spliced) == expected
    assert spliced.pop("replay-name") == "n"
    assert spliced == json.loads(body)


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (START + 3, START + 5),
        (datetime.fromtimestamp(START + 3, UTC), datetime.fromtimestamp(START + 5, UTC)),
        (
            datetime.fromtimestamp(START + 3, UTC).isoformat(),
            datetime.fromtimestamp(START + 5, UTC).isoformat().replace("+00:00", "Z"),
        ),
        (
            datetime.fromtimestamp(START + 3, UTC).replace(tzinfo=None).isoformat(),
            datetime.fromtimestamp(START + 5, timezone(timedelta(hours=2))).isoformat(),
        ),
    ],
)
def test_a_window_is_given_in_any_of_three_ways(
    bus: Bus, start: float | datetime | str, end: float | datetime | str
) -> None:
    bus.fill(10)
    assert [one.id for one in bus.archives.events("all", start, end)] == ["e-3", "e-4"]
    assert bus.replays.dry_run("all", start, end).events == 2
    status = bus.replays.start("all", start, end, run=False).status
    assert (status.start, status.end) == (START + 3, START + 5)
