"""Putting events: results, limits, back-pressure, forwarding, the end. Relies on the installed package."""

from __future__ import annotations

import json
import threading
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import rulebus
from rulebus.rule import Subscription
from rulebus.targets.function import FunctionTarget
from rulebus.testing.clock import FakeClock

SHOP = {"source": ["shop"]}
ENTRY = {"Source": "shop", "DetailType": "Order", "Detail": '{"n":1}'}


def ids() -> Any:
    made = iter(range(1_000_000))
    return lambda count: [f"id-{next(made)}" for _ in range(count)]


def sub(function: Any, id: str = "t", **options: Any) -> Subscription:
    return Subscription(target=FunctionTarget(function), id=id, **options)


# Results.


def test_results_by_entry() -> None:
    with rulebus.EventBus(ids=ids()) as bus:
        result = bus.put_events([ENTRY, {"Source": "shop"}, ENTRY, {**ENTRY, "Detail": "[]"}])
    assert [(e.event_id, e.error_code) for e in result] == [
        ("id-0", None),
        (None, "InvalidArgument"),
        ("id-1", None),
        (None, "MalformedDetail"),
    ]
    assert result.failed_entry_count == 2
    assert (len(result), result[-1].error_message) == (4, "Detail is malformed.")
    assert "event-not-an-object" in str(result[3].reason)
    assert [e.event_id for e in result[::2]] == ["id-0", "id-1"]
    assert result.to_dict() == {
        "FailedEntryCount": 2,
        "Entries": [
            {"EventId": "id-0"},
            {
                "ErrorCode": "InvalidArgument",
                "ErrorMessage": "Parameter DetailType is not valid. Reason: DetailType is a required argument.",
            },
            {"EventId": "id-1"},
            {"ErrorCode": "MalformedDetail", "ErrorMessage": "Detail is malformed."},
        ],
    }
    assert "4 entries, 2 failed" in repr(result)
    with pytest.raises(IndexError):
        result[4]


@pytest.mark.parametrize("nothing", [[], (), iter(())])
def test_nothing_is_put(nothing: Any) -> None:
    with rulebus.EventBus() as bus:
        assert bus.put_events(nothing).to_dict() == {"FailedEntryCount": 0, "Entries": []}


@pytest.mark.parametrize("bad", [ENTRY, "text", b"x", 5, None])
def test_what_is_no_list_of_entries(bad: Any) -> None:
    with rulebus.EventBus() as bus, pytest.raises(TypeError, match="takes a list of entries"):
        bus.put_events(bad)


def test_the_envelope_is_what_handlers_get() -> None:
    got: list[bytes] = []
    clock = FakeClock(now=1_790_000_000.9)
    with rulebus.EventBus(clock=clock, ids=ids(), account="111111111111", region="eu-west-1") as bus:
        bus.put_rule("all", SHOP, lambda event: got.append(event.json))
        id = bus.publish(source="shop", detail_type="Order", detail='{"n": 1.50}')
        assert bus.wait_idle(10)
    assert id == "id-0"
    assert got == [
        b'{"version":"0","id":"id-0","detail-type":"Order","source":"shop","account":"111111111111",'
        b'"time":"2026-09-21T14:13:20Z","region":"eu-west-1","resources":[],"detail":{"n": 1.50}}'
    ]


def test_a_detail_cannot_pretend_to_be_more(recwarn: pytest.WarningsRecorder) -> None:
    """Texts that would close the envelope early, or look like JSON to a lax reader, are refused by themselves."""
    with rulebus.EventBus() as bus:
        seen: list[Any] = []
        bus.put_rule("forged", {"source": ["bank"]}, seen.append)
        tries = [
            '{"a":1},"source":"bank","x":{}',
            '{}}{"source":"bank"}',
            '{"a":1}\x00',
            '{"a":1}//',
            "{'a':1}",
        ]
        result = bus.put_events([{**ENTRY, "Detail": text} for text in tries])
        assert bus.wait_idle(10)
    assert [e.error_code for e in result] == ["MalformedDetail"] * len(tries)
    assert seen == []


def test_compat_limits() -> None:
    with rulebus.EventBus(limits=rulebus.BusLimits.compat()) as bus:
        assert bus.put_events([ENTRY] * 10).failed_entry_count == 0
        dropped = bus.put_events([{**ENTRY, "EventBusName": "nowhere"}])
        assert dropped.failed_entry_count == 0
        assert dropped[0].event_id
        assert (bus.statistics().dropped, bus.statistics().events) == (1, 10)
        big = {**ENTRY, "Detail": '{"a":"' + "x" * ((1 << 20) - 1 - 9 - 8) + '"}'}
        with pytest.raises(rulebus.BusError, match="request-too-large"):
            bus.put_events([{**big, "Detail": big["Detail"].replace("{", '{"b":11,', 1)}])
        assert bus.put_events([big]).failed_entry_count == 0


def test_an_event_beyond_the_engines_measure_is_refused_by_itself() -> None:
    with rulebus.EventBus() as bus:
        got: list[str] = []
        bus.put_rule("deep", {"detail": {"a": {"n": [1]}}}, lambda event: got.append(event.id))
        values = json.dumps({"a": [{"n": 0}] * ((1 << 20) + 1)})
        result = bus.put_events([{**ENTRY, "Detail": '{"a":{"n":1}}'}, {**ENTRY, "Detail": values}])
        assert bus.wait_idle(10)
        assert result[1].error_code == "InvalidArgument"
        assert "max_event_values" in str(result[1].error_message)
        assert got == [result[0].event_id]
        stats = bus.statistics()
        assert (stats.events, stats.matched, stats.unmatched, stats.refused) == (1, 1, 0, 1)


def test_counters() -> None:
    with rulebus.EventBus() as bus:
        bus.put_rule("a", SHOP, lambda event: None)
        bus.put_rule("b", {"detail": {"n": [1]}}, [lambda event: None, print])
        bus.put_rule("c", {"detail": {"n": [1]}})
        bus.put_events([{**ENTRY, "Detail": json.dumps({"n": n % 2})} for n in range(10)])
        bus.put_events([{**ENTRY, "Source": "other", "Detail": "{}"}, {}])
        assert bus.wait_idle(10)
        stats = bus.statistics()
    assert (stats.events, stats.matched, stats.unmatched, stats.refused) == (11, 20, 1, 1)
    assert [(one.rule, one.created, one.successes) for one in stats.targets] == [
        ("a", 10, 10),
        ("b", 5, 5),
        ("b", 5, 5),
    ]
    assert stats.total.balanced


# Back-pressure.


class Gate:
    """A function that holds its events until it is opened."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.entered = threading.Event()
        self.got: list[str] = []

    def __call__(self, event: rulebus.Event) -> None:
        self.entered.set()
        assert self.open.wait(10)
        self.got.append(event.id)


def test_refuse() -> None:
    gate = Gate()
    with rulebus.EventBus(when_full="refuse", ids=ids()) as bus:
        bus.put_rule("slow", {"detail": {"n": [1]}}, sub(gate, max_pending=2))
        result = bus.put_events([ENTRY, ENTRY, ENTRY, {**ENTRY, "Detail": "{}"}, ENTRY])
        assert [e.error_code for e in result] == [None, None, "QueueFull", None, "QueueFull"]
        assert "slow/t" in str(result[2].error_message)
        stats = bus.statistics()
        assert (stats.refused, stats.events, stats.targets[0].refused) == (2, 3, 2)
        gate.open.set()
        assert bus.wait_idle(10)
        assert bus.put_events([ENTRY])[0].event_id == "id-5"
    assert gate.got == ["id-0", "id-1", "id-5"]


def test_wait_until_there_is_room() -> None:
    gate = Gate()
    with rulebus.EventBus(ids=ids()) as bus:
        bus.put_rule("slow", SHOP, sub(gate, max_pending=2))
        done = threading.Event()

        def publish() -> None:
            results.append(bus.put_events([ENTRY] * 7))
            done.set()

        results: list[rulebus.PutResult] = []
        publisher = threading.Thread(target=publish)
        publisher.start()
        assert gate.entered.wait(10)
        assert not done.wait(0.05), "it waits"
        gate.open.set()
        publisher.join(10)
        assert bus.wait_idle(10)
        stats = bus.statistics()
    assert results[0].failed_entry_count == 0
    assert gate.got == [f"id-{n}" for n in range(7)]
    assert (stats.events, stats.refused, stats.targets[0].refused) == (7, 0, 0)


def test_wait_no_longer_than_asked() -> None:
    gate = Gate()
    with rulebus.EventBus(put_timeout_s=0.02) as bus:
        bus.put_rule("slow", SHOP, sub(gate, max_pending=2))
        result = bus.put_events([ENTRY] * 3)
        assert [e.error_code for e in result] == [None, None, "QueueFull"]
        gate.open.set()


def test_a_slow_queue_delays_no_other() -> None:
    gate = Gate()
    fast: list[str] = []
    arrived = threading.Event()

    def quick(event: rulebus.Event) -> None:
        fast.append(event.id)
        if len(fast) == 50:
            arrived.set()

    with rulebus.EventBus() as bus:
        bus.put_rule("slow", SHOP, sub(gate))
        bus.put_rule("fast", SHOP, sub(quick))
        bus.put_events([ENTRY] * 50)
        assert arrived.wait(10)
        assert gate.got == []
        gate.open.set()


def test_a_handler_never_waits_for_room_that_it_is_to_make() -> None:
    answers: list[str | None] = []
    with rulebus.EventBus() as bus:

        @bus.on(SHOP, max_pending=1)
        def chain(event: rulebus.Event) -> None:
            answers.extend(e.error_code for e in bus.put_events([ENTRY]))

        bus.put_events([ENTRY])
        assert bus.wait_idle(10)
    assert answers == ["QueueFull"]


# Forwarding.


def test_forwarded_events_keep_id_and_bytes() -> None:
    here: list[bytes] = []
    there: list[bytes] = []
    with rulebus.EventBus() as bus:
        orders = bus.create_bus("orders")
        bus.put_rule("on", SHOP, [orders, lambda event: here.append(event.json)])
        orders.put_rule("all", SHOP, lambda event: there.append(event.json))
        bus.put_events([ENTRY, ENTRY])
        assert bus.wait_idle(10)
        assert sorted(here) == sorted(there)
        assert len(there) == 2
        assert bus.targets("on")[0].id == "bus-orders"
        assert (bus.statistics().events, orders.statistics().events) == (2, 2)
        bus.put_targets("on", orders.arn)
        assert bus.targets("on")[0].id == "bus-orders"
        assert len(bus.targets("on")) == 2, "the same bus again is the same target"


def test_a_cycle_is_warned_of_and_ends_in_a_dead_letter() -> None:
    with rulebus.EventBus(limits=rulebus.BusLimits(max_hops=3)) as bus:
        other = bus.create_bus("other")
        bus.put_rule("there", SHOP, other)
        with pytest.warns(
            rulebus.RulebusWarning, match="default -> other .rule there., other -> default .rule back."
        ):
            other.put_rule("back", SHOP, bus)
        assert bus.cycles() == [(("default", "there", "other"), ("other", "back", "default"))]
        id = bus.publish(source="shop", detail_type="t", detail={})
        assert bus.wait_idle(10)
        (letter,) = other.dead_letters()
        assert (letter.reason, letter.event.id, letter.event.hops, letter.exhausted) == ("LOOP", id, 3, None)
        assert "3 times" in letter.message
        assert bus.dead_letters() == []
        assert (bus.statistics().events, other.statistics().events) == (2, 2)


def test_no_warning_where_sources_differ() -> None:
    with rulebus.EventBus() as bus, warnings.catch_warnings():
        warnings.simplefilter("error")
        other = bus.create_bus("other")
        bus.put_rule("there", {"source": ["a"]}, other)
        other.put_rule("back", {"source": ["b"]}, bus)
        assert bus.cycles() == []


def test_forwarding_to_a_bus_that_is_gone_or_full() -> None:
    gate = Gate()
    with rulebus.EventBus(clock=FakeClock()) as bus:
        gone = bus.create_bus("gone")
        full = bus.create_bus("full")
        full.put_rule("slow", SHOP, sub(gate, max_pending=1))
        bus.put_rule("to-gone", SHOP, gone)
        bus.put_rule(
            "to-full",
            SHOP,
            Subscription(target=full, id="full", retry=rulebus.RetryPolicy(maximum_retry_attempts=0)),
        )  # type: ignore[arg-type]
        bus.delete_bus("gone")
        bus.put_events([ENTRY, ENTRY])
        assert gate.entered.wait(10)
        bus._hub.dispatcher.wait_idle(0.2)
        reasons = sorted(letter.reason for letter in bus.dead_letters())
        gate.open.set()
        assert bus.wait_idle(10)
    assert reasons == ["QUEUE_FULL", "UNKNOWN_BUS", "UNKNOWN_BUS"]


def test_forwarding_to_another_hub() -> None:
    got: list[str] = []
    with rulebus.EventBus() as one, rulebus.EventBus("far") as two:
        two.put_rule("r", SHOP, lambda event: got.append(event.id))
        one.put_rule("r", SHOP, two)
        id = one.publish(source="shop", detail_type="t", detail={})
        assert one.wait_idle(10)
        assert two.wait_idle(10)
    assert got == [id]


# Dead letters.


def test_dead_letters_and_redrive() -> None:
    broken = True
    got: list[str] = []

    def handler(event: rulebus.Event) -> None:
        if broken:
            raise rulebus.PermanentError(f"no such customer in {event.id}")
        got.append(event.id)

    with rulebus.EventBus(ids=ids()) as bus:
        bus.put_rule("a", SHOP, sub(handler, "one"))
        bus.put_rule("b", SHOP, sub(handler, "two"))
        other = bus.create_bus("other")
        other.put_rule("a", SHOP, sub(handler, "one"))
        bus.put_events([ENTRY, ENTRY, {**ENTRY, "EventBusName": "other"}])
        assert bus.wait_idle(10)
        assert len(bus.dead_letters()) == 4
        assert {letter.target for letter in bus.dead_letters(rule="a")} == {"one"}
        assert bus.dead_letters(reason="TIMEOUT") == []
        first, second = bus.dead_letters(target="two")
        assert bus.dead_letters(target="two", after=first.id) == [second]
        assert bus.dead_letters(limit=1) == bus.dead_letters()[:1]
        broken = False
        trial = bus.redrive(rule="a", dry_run=True)
        assert (trial.matched, trial.sent, len(bus.dead_letters())) == (2, 2, 4)
        assert bus.redrive(rule="a").sent == 2
        assert bus.redrive(where=lambda letter: letter.event.id == "id-0").sent == 1
        assert bus.wait_idle(10)
        assert sorted(got) == ["id-0", "id-0", "id-1"]
        assert [letter.event.id for letter in bus.dead_letters()] == ["id-1"]
        assert len(other.dead_letters()) == 1


def test_dead_letters_go_to_their_target() -> None:
    letters: list[Any] = []

    def handler(event: rulebus.Event) -> None:
        raise rulebus.PermanentError("no")

    with rulebus.EventBus() as bus:
        bus.on(SHOP, name="r", target_id="t", dead_letter=letters.append)(handler)
        bus.publish(source="shop", detail_type="t", detail={"n": 1})
        assert bus.wait_idle(10)
        assert bus.dead_letters() == []
    (letter,) = letters
    assert (letter["rule"], letter["target"], letter["reason"]) == ("r", "t", "HANDLER_ERROR")


def test_a_bus_gets_dead_letters_as_events_of_their_own() -> None:
    got: list[rulebus.Event] = []

    def handler(event: rulebus.Event) -> None:
        raise rulebus.PermanentError("no")

    with rulebus.EventBus() as bus:
        letters = bus.create_bus("letters")
        letters.put_rule("all", {"source": ["rulebus.dead-letters"]}, got.append)
        bus.on(SHOP, name="r", target_id="t", dead_letter=letters)(handler)
        id = bus.publish(source="shop", detail_type="Order", detail={"n": 1})
        assert bus.wait_idle(10)
        assert bus.dead_letters() == letters.dead_letters() == []
    (event,) = got
    assert (event.detail_type, event.detail["reason"], event.detail["target"]) == (
        "Dead Letter",
        "HANDLER_ERROR",
        "t",
    )
    assert event.resources == ["arn:aws:events:local:000000000000:rule/r"]
    assert event.id != id == json.loads(event.detail["event"])["id"]


def test_counters_of_removed_targets_stay_in_the_sum() -> None:
    with rulebus.EventBus() as bus:
        bus.on(SHOP, name="a")(lambda event: None)
        bus.on(SHOP, name="b")(lambda event: None)
        bus.put_events([ENTRY] * 5)
        assert bus.wait_idle(10)
        bus.delete_rule("a", with_targets=True)
        bus.put_events([ENTRY])
        assert bus.wait_idle(10)
        stats = bus.statistics()
    assert [(one.rule, one.successes) for one in stats.targets] == [("b", 6)]
    assert (stats.removed.successes, stats.total.successes, stats.total.balanced) == (5, 11, True)


# The end.


def test_close_delivers_what_is_pending() -> None:
    got: list[str] = []
    bus = rulebus.EventBus()
    bus.put_rule("a", SHOP, lambda event: got.append(event.id))
    sent = bus.put_events([ENTRY] * 500).event_ids
    report = bus.close()
    assert got == sent
    assert (report.pending, report.lost, report.running, report.durable) == (0, 0, 0, False)
    assert bus.close() is report
    assert bus.is_closed


def test_a_handler_may_publish_while_the_bus_closes() -> None:
    got: list[str] = []
    gate = threading.Event()
    bus = rulebus.EventBus()

    @bus.on({"detail-type": ["first"]})
    def first(event: rulebus.Event) -> None:
        assert gate.wait(10)
        bus.publish(source="shop", detail_type="second", detail={})

    @bus.on({"detail-type": ["second"]})
    def second(event: rulebus.Event) -> None:
        got.append(event.detail_type)

    bus.publish(source="shop", detail_type="first", detail={})
    closing = threading.Thread(target=bus.close)
    closing.start()
    while not bus._hub.is_draining:
        closing.join(0.001)
    with pytest.raises(rulebus.BusError, match="bus-closed"):
        bus.publish(source="shop", detail_type="first", detail={})
    gate.set()
    closing.join(10)
    assert got == ["second"]


def test_what_a_memory_loses_is_said() -> None:
    def handler(event: rulebus.Event) -> None:
        raise OSError("down")

    bus = rulebus.EventBus(clock=FakeClock())
    bus.on(SHOP, name="r", target_id="t")(handler)
    bus.put_events([ENTRY, ENTRY])
    with pytest.warns(rulebus.RulebusWarning, match=r"2 deliveries that had not ended: r/t \(2\)"):
        report = bus.close()
    assert (report.lost, [one.target for one in report.targets]) == (2, ["t"])


def test_close_in_time_though_a_handler_hangs() -> None:
    gate = Gate()
    bus = rulebus.EventBus()
    bus.put_rule("slow", SHOP, sub(gate))
    bus.put_events([ENTRY])
    assert gate.entered.wait(10)
    with pytest.warns(rulebus.RulebusWarning, match="1 deliveries"):
        report = bus.close(timeout_s=0.05)
    assert (report.running, report.pending) == (1, 1)
    gate.open.set()


def test_a_handler_may_close_the_bus() -> None:
    closed = threading.Event()
    bus = rulebus.EventBus()

    @bus.on(SHOP)
    def last(event: rulebus.Event) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", rulebus.RulebusWarning)
            bus.close(timeout_s=5)
        closed.set()

    bus.put_events([ENTRY])
    assert closed.wait(10)
    assert bus.is_closed


def test_a_durable_store_keeps_what_is_pending(tmp_path: Path) -> None:
    path = tmp_path / "bus.db"
    up = False
    got: list[str] = []

    def handler(event: rulebus.Event) -> None:
        if not up:
            raise OSError("down")
        got.append(event.id)

    def opened(clock: FakeClock) -> rulebus.EventBus:
        bus = rulebus.EventBus("orders", store=rulebus.SqliteStore(path), clock=clock)
        bus.on(SHOP, name="bill", target_id="bill")(handler)
        return bus

    with opened(FakeClock()) as bus:
        sent = bus.put_events([ENTRY] * 20).event_ids
        bus._hub.dispatcher.wait_idle(10, retries=False)
    report = bus.close()
    assert (report.pending, report.lost, report.durable) == (20, 0, True)
    up = True
    clock = FakeClock()
    with opened(clock) as bus:
        clock.advance(600)
        assert bus.wait_idle(10)
        assert bus.statistics().targets[0].successes == 20
    assert sorted(got) == sorted(str(id) for id in sent)


def test_what_is_pending_for_a_target_that_is_not_there(tmp_path: Path) -> None:
    def opened() -> rulebus.EventBus:
        return rulebus.EventBus(store=rulebus.SqliteStore(tmp_path / "bus.db"), clock=FakeClock())

    def down(event: rulebus.Event) -> None:
        raise OSError("down")

    got: list[str] = []
    with opened() as bus:
        bus.on(SHOP, name="bill")(down)
        sent = bus.put_events([ENTRY] * 3).event_ids
        assert bus.orphans() == {}
    with opened() as bus:
        assert bus.orphans() == {("default", "bill", "bill"): 3}
        bus.put_rule("bill", SHOP, lambda event: None)
        assert bus.orphans() == {("default", "bill", "bill"): 3}, (
            "another target of the same rule gets none of it"
        )
        bus.on(SHOP, name="bill", target_id="bill")(lambda event: got.append(event.id))
        assert bus.orphans() == {}
        bus._hub.clock.advance(600)  # type: ignore[attr-defined]
        assert bus.wait_idle(10)
    assert sorted(got) == sorted(map(str, sent))


def test_events_are_durable_when_put_returns(tmp_path: Path) -> None:
    path = tmp_path / "bus.db"
    bus = rulebus.EventBus(store=rulebus.SqliteStore(path))
    gate = Gate()
    bus.put_rule("slow", SHOP, sub(gate))
    bus.put_events([ENTRY] * 3)
    other: Sequence[Any] = [bus.put_events([ENTRY])[0]]
    assert other[0].event_id
    gate.open.set()
    bus.close()
    assert len(gate.got) == 4
