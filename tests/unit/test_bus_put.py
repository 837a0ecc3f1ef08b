"""Putting events: results, limits, counters, back-pressure. Relies on the installed package."""

from __future__ import annotations

import asyncio
import json
import threading
from pathlib import Path
from typing import Any

import pytest

import rulebus
from rulebus.rule import Subscription
from rulebus.targets.function import FunctionTarget
from rulebus.testing.clock import FakeClock
from unit.gate import ENTRY, SHOP, Gate, ids, sub

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


# Threads.


@pytest.mark.parametrize("durable", [False, True], ids=["memory", "sqlite"])
def test_many_threads_put_and_every_event_is_counted_once(tmp_path: Path, durable: bool) -> None:
    store = rulebus.SqliteStore(tmp_path / "bus.db") if durable else None
    got: list[str] = []
    put: list[str | None] = []
    with rulebus.EventBus(store=store) as bus:
        bus.put_rule("odd", {"detail": {"n": [1]}}, sub(lambda event: got.append(event.id), concurrency=4))
        many = FunctionTarget(lambda events: got.extend(event.id for event in events), batch=True)
        bus.put_rule("all", SHOP, Subscription(target=many, id="many", batch_size=50))

        def publish(thread: int) -> None:
            for number in range(40):
                entries = [{**ENTRY, "Detail": f'{{"n":{n % 2}}}'} for n in range(number % 5 + 1)]
                put.extend(bus.put_events(entries).event_ids)

        threads = [threading.Thread(target=publish, args=(at,)) for at in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert bus.wait_idle(30)
        stats = bus.statistics()
    assert len(set(put)) == len(put) == stats.events == 8 * 40 * 3
    assert stats.matched == len(got) == stats.total.successes == stats.total.created
    assert set(got) == set(put)
    assert stats.total.balanced


def test_the_entries_may_be_given_by_boto3s_name(tmp_path: Path) -> None:
    with rulebus.EventBus() as bus:
        result = bus.put_events(Entries=[ENTRY, {}])
        assert result.to_dict()["FailedEntryCount"] == 1
        assert bus.put_events(entries=[ENTRY]).failed_entry_count == 0
        with pytest.raises(
            TypeError, match="takes its entries once: by position, as entries=, or as Entries="
        ):
            bus.put_events([ENTRY], Entries=[ENTRY])
        with pytest.raises(TypeError, match="takes a list of entries"):
            bus.put_events()

    async def main() -> None:
        async with rulebus.AsyncEventBus() as bus:
            assert (await bus.put_events(Entries=[ENTRY])).failed_entry_count == 0

    asyncio.run(main())
