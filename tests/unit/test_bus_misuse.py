"""What people who are new to the bus do by mistake: each is refused at once and named, none fails silently later.

Relies on the public surface alone.
"""

from __future__ import annotations

import functools
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import rulebus

SHOP = {"source": ["shop"]}


def taking(event: rulebus.Event) -> None:
    """Takes anything."""


class Shop:
    """A service with a method for events."""

    def __init__(self) -> None:
        self.got: list[Any] = []

    def handle(self, event: rulebus.Event) -> None:
        self.got.append(event.detail)


def test_a_misspelt_option_is_named_with_the_one_that_was_meant() -> None:
    wrong: Any = {"concurency": 2}
    with rulebus.EventBus() as bus:
        with pytest.raises(TypeError, match=r"no option 'concurency'; did you mean concurrency\?"):
            bus.on(SHOP, **wrong)
        assert bus.rules() == []


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"retry": 5}, "retry of target 'taking' is a RetryPolicy"),
        ({"retry": "v2"}, "retry of target 'taking' is a RetryPolicy"),
        ({"input_transformer": {"input_template": "<a>"}}, "an InputTransformer"),
        ({"order_by": 5}, "order_by of target 'taking' is a path"),
    ],
)
def test_an_option_of_the_wrong_kind_is_refused_before_the_first_failure(options: Any, what: str) -> None:
    with rulebus.EventBus() as bus, pytest.raises(rulebus.BusError, match=what):
        bus.on(SHOP, **options)(taking)


def test_a_replay_to_nowhere_is_refused() -> None:
    with rulebus.EventBus("orders") as bus:
        bus.create_archive("all")
        bus.put_rule("billing", SHOP, targets=[taking])
        for attempt in (bus.replay, bus.preview_replay):
            with pytest.raises(rulebus.BusError, match="no rule 'biling', but 'billing'"):
                attempt("all", 0, 1e12, rules=["biling"])
            with pytest.raises(rulebus.BusError, match="no bus called 'nowhere'"):
                attempt("all", 0, 1e12, to="nowhere")
            with pytest.raises(rulebus.BusError, match="is no moment"):
                attempt("all", "yesterday", 1e12)
            with pytest.raises(rulebus.BusError, match="is no moment"):
                attempt("all", None, 1e12)  # type: ignore[arg-type]
        assert bus.replay("all", 0, 1e12, rules="billing").wait(10).rules == ("billing",)
        for days in ("3", 1.5, True):
            with pytest.raises(rulebus.BusError, match="whole number"):
                bus.create_archive("other", retention_days=days)  # type: ignore[arg-type]


def test_on_without_parentheses_is_refused() -> None:
    wrong: Any = taking
    with rulebus.EventBus() as bus, pytest.raises(TypeError, match=r"@bus\.on\(\{"):
        bus.on(wrong)


def test_a_method_is_subscribed_with_its_object() -> None:
    shop = Shop()
    with rulebus.EventBus() as bus:
        with pytest.raises(TypeError, match=r"Shop\.handle is a method without its object"):
            bus.on(SHOP)(Shop.handle)
        listener = bus.on(SHOP)(shop.handle)
        bus.publish(source="shop", detail_type="t", detail={"n": 1})
    assert (listener.target, shop.got) == ("handle", [{"n": 1}])


@pytest.mark.parametrize(
    "function", [lambda: None, lambda *, event: None, functools.partial(lambda event: None, 1)]
)
def test_a_function_that_takes_no_event_is_refused(function: Any) -> None:
    with rulebus.EventBus() as bus, pytest.raises(TypeError, match="takes no argument"):
        bus.put_rule("r", SHOP, targets=[function])


def test_ids_are_plain_names() -> None:
    def within(event: rulebus.Event) -> None:
        """A function inside another."""

    with rulebus.EventBus() as bus:
        rule = bus.put_rule("r", SHOP, targets=[within, "https://shop.example/in", "log:orders"])
    assert [one.id for one in rule.subscriptions] == [
        "within",
        "POST-https-shop.example-in",
        "log-orders-at-INFO",
    ]


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"store": "orders.db"}, r"SqliteStore\('orders.db'\), not its path"),
        ({"store": Path("orders.db")}, "not its path"),
        ({"max_pending": 0}, "max_pending is a whole number from 1"),
        ({"max_pending": True}, "max_pending"),
        ({"put_timeout_s": -1}, "put_timeout_s is a number of seconds"),
        ({"put_timeout_s": float("inf")}, "put_timeout_s"),
    ],
)
def test_options_out_of_their_range(options: Any, what: str) -> None:
    for kind in (rulebus.EventBus, rulebus.AsyncEventBus):
        with pytest.raises(rulebus.BusError, match=what):
            kind("orders", **options)


def test_names_that_are_nearly_right_are_shown() -> None:
    with rulebus.EventBus("orders") as bus:
        bus.put_rule("big-orders", SHOP)
        with pytest.raises(rulebus.BusError, match="'order', but 'orders'"):
            bus.bus("order")
        with pytest.raises(rulebus.BusError, match="no rule 'big-order', but 'big-orders'"):
            bus.rule("big-order")


def test_a_result_shows_its_first_fault() -> None:
    with rulebus.EventBus() as bus:
        result = bus.put_events(
            [{"Source": "s", "DetailType": "t", "Detail": detail} for detail in ("{}", "{")]
        )
        good = bus.put_events([{"Source": "s", "DetailType": "t", "Detail": "{}"}])
    assert "2 entries, 1 failed (entry 1: MalformedDetail: " in repr(result)
    assert "1 entry, 0 failed, generation" in repr(good)


def test_rules_and_listeners_can_be_taken_away_from_a_closed_bus() -> None:
    with rulebus.EventBus() as bus:
        bus.put_rule("r", SHOP, targets=[taking])
        listener = bus.on(SHOP)(taking)
    listener.unsubscribe()
    bus.delete_rule("r", with_targets=True)
    assert bus.rules() == []


@pytest.mark.parametrize(("ending", "warned"), [("", True), ("bus.close()\n", False)])
def test_a_bus_that_nobody_closed_says_what_is_lost(ending: str, warned: bool) -> None:
    program = (
        "import rulebus, threading\n"
        "bus = rulebus.EventBus()\n"
        "go = threading.Event()\n"
        "bus.put_rule('r', {'source': ['s']}, targets=[lambda event: go.wait(60)])\n"
        "bus.publish(source='s', detail_type='t', detail={})\n"
    )
    program += "go.set()\n" + ending if ending else ""
    done = subprocess.run(
        [sys.executable, "-P", "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert ("RulebusWarning: 1 delivery lost" in done.stderr) == warned
