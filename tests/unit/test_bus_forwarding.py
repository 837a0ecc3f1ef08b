"""From bus to bus, and what becomes of deliveries that were given up. Relies on the installed package."""

from __future__ import annotations

import json
import warnings
from typing import Any

import pytest

import rulebus
from rulebus.rule import Subscription
from rulebus.testing.clock import FakeClock
from unit.gate import ENTRY, SHOP, Gate, ids, sub

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
        for _ in range(1000):
            if len(bus.dead_letters()) == 3:
                break
            bus._hub.dispatcher.wait_idle(0.01)
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
