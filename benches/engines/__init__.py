"""Engines under one protocol: rulebus, its reference, and the matchers that Python users have today.

An adapter is built with rules and then asked, event by event, how many of them match. Must never make a
rival slower than its own public interface makes it; what an adapter does beyond one call is said in its
docstring.
"""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any, Protocol

__all__ = ["ENGINES", "Engine", "missing", "open_engine"]

# Name and pattern, a dict; for rulebus its text.
Rules = list[tuple[str, Any]]
# Name -> (module of the adapter, module that it needs, how to get that).
ENGINES = {
    "rulebus": ("benches.engines.rulebus_engine", "rulebus", "make test"),
    "reference": ("benches.engines.reference_engine", "rulebus.reference", "make test"),
    "event-ruler": ("benches.engines.event_ruler_engine", "event_ruler", "pip install event-ruler"),
    "moto": ("benches.engines.moto_engine", "moto.events", "pip install 'moto[events]'"),
}


class Engine(Protocol):
    """One engine with its rules."""

    name: str

    def build(self, rules: Rules) -> int:
        """Take the rules, called once; how many of them went in."""

    def match(self, event: bytes) -> int:
        """How many rules match the event."""


def missing(name: str) -> str | None:
    """Why an engine cannot be had here, or None if it can."""
    _, needed, remedy = ENGINES[name]
    parent = needed.split(".")[0]
    if importlib.util.find_spec(parent) is None or importlib.util.find_spec(needed) is None:
        return f"{name} is not installed here: {remedy}"
    return None


def open_engine(name: str) -> Engine:
    """A fresh engine without rules."""
    engine: Engine = importlib.import_module(ENGINES[name][0]).Adapter()
    return engine
