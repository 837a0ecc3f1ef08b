"""Every code under which a bus refuses is raised here, and documented. Relies on the package and docs/errors.md."""

from __future__ import annotations

import asyncio
import os
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

import rulebus
from integration.tree import ROOT
from rulebus.bus.refusals import REFUSALS, refusal
from rulebus.rule import Subscription
from rulebus.testing.clock import FakeClock

SHOP = {"source": ["shop"]}


def handler(event: Any) -> None:
    """Takes anything."""


@contextmanager
def opened(**options: Any) -> Iterator[rulebus.EventBus]:
    with rulebus.EventBus(clock=FakeClock(), **options) as bus:
        bus.put_rule("here", SHOP, Subscription(target=rulebus.FunctionTarget(handler), id="here"))
        yield bus


def entries(count: int, size: int = 10) -> list[dict[str, str]]:
    return [{"Source": "shop", "DetailType": "t", "Detail": '{"a":"' + "x" * size + '"}'}] * count


def option(**options: Any) -> Callable[[rulebus.EventBus], object]:
    return lambda bus: bus.put_targets(
        "here", Subscription(target=rulebus.FunctionTarget(handler), id="x", **options)
    )


def full(bus: rulebus.EventBus) -> None:
    gate = threading.Event()
    bus.put_rule(
        "slow",
        SHOP,
        Subscription(target=rulebus.FunctionTarget(lambda e: gate.wait(10)), id="slow", max_pending=1),
    )
    try:
        bus.publish(source="shop", detail_type="t", detail={})
        bus.publish(source="shop", detail_type="t", detail={})
    finally:
        gate.set()


def closed(bus: rulebus.EventBus) -> None:
    bus.close()
    bus.put_rule("r", SHOP)


def forked(bus: rulebus.EventBus) -> None:
    pid = os.getpid
    os.getpid = lambda: -1  # What a fork sees, without one.
    try:
        bus.put_events([])
    finally:
        os.getpid = pid


def wrong_loop(_bus: rulebus.EventBus) -> None:
    bus = rulebus.AsyncEventBus()
    asyncio.run(bus.wait_idle())
    try:
        asyncio.run(bus.wait_idle())
    finally:
        bus._hub.threads.stop()  # type: ignore[union-attr]


COMPAT = {"limits": rulebus.BusLimits.compat()}
CASES: list[tuple[str, dict[str, Any], Callable[[rulebus.EventBus], object]]] = [
    ("bus-name", {}, lambda bus: bus.create_bus("a b")),
    ("bus-name", {}, lambda bus: rulebus.EventBus("x" * 257)),
    ("unknown-bus", {}, lambda bus: bus.bus("nowhere")),
    ("bus-exists", {}, lambda bus: bus.create_bus("default")),
    ("default-bus", {}, lambda bus: bus.delete_bus("default")),
    ("bus-has-rules", {}, lambda bus: (bus.create_bus("b").put_rule("r", SHOP), bus.delete_bus("b"))),
    ("rule-name", {}, lambda bus: bus.put_rule("a/b", SHOP)),
    ("rule-name", {}, lambda bus: bus.put_rule("x" * 65, SHOP)),
    ("unknown-rule", {}, lambda bus: bus.disable_rule("nobody")),
    ("rule-exists", {}, lambda bus: bus.on({"source": ["x"]}, name="here")(handler)),
    ("rule-without-condition", {}, lambda bus: bus.put_rule("r")),
    ("rule-state", {}, lambda bus: bus.put_rule("r", SHOP, state="enabled")),  # type: ignore[arg-type]
    ("rule-has-targets", {}, lambda bus: bus.delete_rule("here")),
    ("schedule-expression", {}, lambda bus: bus.put_rule("r", schedule="rate(1 minutes)")),
    ("schedule-bus", COMPAT, lambda bus: bus.create_bus("b").put_rule("r", schedule="rate(1 minute)")),
    ("missed-ticks", {}, lambda bus: bus.put_rule("r", SHOP, missed_ticks="x")),  # type: ignore[arg-type]
    ("target-id", {}, lambda bus: bus.put_targets("here", Subscription(target=handler, id="a b"))),  # type: ignore[arg-type]
    ("target-kind", {}, lambda bus: bus.put_targets("here", 5)),  # type: ignore[arg-type]
    ("target-twice", {}, lambda bus: bus.put_targets("here", [*bus.targets("here"), *bus.targets("here")])),
    ("unknown-target", {}, lambda bus: bus.remove_targets("here", "nobody")),
    ("too-many-targets", COMPAT, lambda bus: bus.put_targets("here", [handler] * 5)),
    (
        "input-for-bus",
        {},
        lambda bus: bus.put_targets("here", Subscription(target=bus.as_target(), id="b", input="{}")),
    ),
    ("subscription-option", {}, option(concurrency=0)),
    ("subscription-option", {}, option(batch_size=True)),
    ("subscription-option", {}, option(batch_window_s=-1)),
    ("subscription-option", {}, option(rate_per_s=0)),
    ("subscription-option", {}, option(timeout_s=float("inf"))),
    ("subscription-option", {}, option(max_pending=0)),
    ("subscription-option", {}, option(failure_kinds={"HTTP_404": "fatal"})),
    ("subscription-option", {}, lambda bus: bus.remove_targets("here", "here", pending="drop")),  # type: ignore[arg-type]
    ("too-many-entries", COMPAT, lambda bus: bus.put_events(entries(11))),
    ("request-too-large", COMPAT, lambda bus: bus.put_events(entries(10, 110_000))),
    ("invalid-argument", {}, lambda bus: bus.publish(source="", detail_type="t", detail={})),
    ("malformed-detail", {}, lambda bus: bus.publish(source="s", detail_type="t", detail="[]")),
    ("source-reserved", {}, lambda bus: bus.publish(source="aws.s3", detail_type="t", detail={})),
    ("queue-full", {"when_full": "refuse"}, full),
    ("queue-full", {"put_timeout_s": 0.01}, full),
    ("bus-option", {}, lambda bus: rulebus.EventBus(when_full="drop")),  # type: ignore[arg-type]
    ("bus-option", {}, lambda bus: rulebus.EventBus(max_workers=0)),
    ("bus-closed", {}, closed),
    ("bus-closed", {}, lambda bus: (bus.close(), bus.put_events([]))),
    ("forked", {}, forked),
    ("wrong-loop", {}, wrong_loop),
]


@pytest.mark.parametrize(("code", "options", "call"), CASES, ids=[f"{case[0]}-{at}" for at, case in enumerate(CASES)])
def test_each_code(code: str, options: dict[str, Any], call: Callable[[rulebus.EventBus], object]) -> None:
    with opened(**options) as bus:
        with pytest.raises(rulebus.BusError) as caught:
            call(bus)
        error = caught.value
    assert error.code == code
    remedy = REFUSALS[code].remedy.replace("`", "")
    assert error.message.endswith(remedy)
    assert str(error).startswith(f"BusError[{code}]: ")
    assert "{" not in error.aws_message


def test_every_code_has_a_case() -> None:
    assert {code for code, _, _ in CASES} == set(REFUSALS)


def test_every_code_is_documented_as_the_table_says() -> None:
    page = (ROOT / "docs/errors.md").read_text(encoding="utf-8").split("\n## The bus\n")[1].split("\n##")[0]
    rows = [
        f"| `{code}` | {known.cause} | {known.remedy} |" for code, known in REFUSALS.items()
    ]
    assert re.findall(r"^\| `.*$", page, re.MULTILINE) == rows


def test_awss_wording() -> None:
    for code, words in {
        "default-bus": "Cannot delete event bus default.",
        "rule-has-targets": "Rule can't be deleted since it has targets.",
        "schedule-bus": "ScheduleExpression is supported only on the default event bus.",
        "schedule-expression": "Parameter ScheduleExpression is not valid.",
    }.items():
        assert refusal(code, "x").aws_message == words
    assert refusal("unknown-rule", "x", "r", "b").aws_message == "Rule r does not exist on EventBus b."
    assert refusal("unknown-bus", "x", "b").aws_message == "Event bus b does not exist."


def test_publish_says_what_exactly_is_wrong() -> None:
    with opened() as bus, pytest.raises(rulebus.BusError) as caught:
        bus.publish(source="s", detail_type="t", detail='{"a": 01}')
    assert caught.value.aws_message == "Detail is malformed."
    assert "column" in caught.value.message
