"""A handler that tests open: what the bus's tests share. Relies on the installed package."""

from __future__ import annotations

import threading
from typing import Any

import rulebus
from rulebus.rule import Subscription
from rulebus.targets.function import FunctionTarget

SHOP = {"source": ["shop"]}
ENTRY = {"Source": "shop", "DetailType": "Order", "Detail": '{"n":1}'}


def ids() -> Any:
    """Ids that count: id-0, id-1, …"""
    made = iter(range(1_000_000))
    return lambda count: [f"id-{next(made)}" for _ in range(count)]


def sub(function: Any, id: str = "t", **options: Any) -> Subscription:
    """A subscription of a function."""
    return Subscription(target=FunctionTarget(function), id=id, **options)


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
