"""Finds rules that may forward an event in a cycle, before any event does.

A bus is a place, a rule with a bus as target is a way from one to another. A cycle counts when one event could take
all its ways: rules whose patterns name different sources (or detail types, accounts, regions) cannot follow one
another, since those are texts that forwarding does not change. What patterns say beyond that is not weighed, so a
cycle may be reported that no event takes; none is missed. Relies on `rule`; the guard at run time is the hop count.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

__all__ = ["Way", "cycles", "fixed_texts"]

_TEXTS = ("source", "detail-type", "account", "region")


class Way(NamedTuple):
    """A rule that forwards from one bus to another."""

    bus: str
    rule: str
    to: str
    texts: Mapping[str, frozenset[str]]
    """Of the envelope's fixed texts those that the pattern names one by one, with the values it accepts."""


def fixed_texts(pattern: str | None) -> dict[str, frozenset[str]]:
    """What a pattern demands of texts that never change on an event's way.

    >>> fixed_texts('{"source": ["shop", "cart"], "detail-type": [{"prefix": "x"}]}')["source"] == {"shop", "cart"}
    True
    """
    fields = {} if pattern is None else json.loads(pattern)
    return {
        name: frozenset(fields[name])
        for name in _TEXTS
        if isinstance(fields.get(name), list) and all(isinstance(value, str) for value in fields[name])
    }


def cycles(ways: Iterable[Way]) -> Iterator[tuple[Way, ...]]:
    """Every cycle once, beginning at its smallest bus. COST: of finding cycles in a graph of buses; they are few."""
    by_bus: dict[str, list[Way]] = {}
    for way in ways:
        by_bus.setdefault(way.bus, []).append(way)
    for start in sorted(by_bus):
        yield from _from(start, by_bus)


def _from(start: str, by_bus: Mapping[str, list[Way]]) -> Iterator[tuple[Way, ...]]:
    waiting: list[tuple[Way, ...]] = [(way,) for way in by_bus[start]]
    while waiting:
        path = waiting.pop()
        here = path[-1].to
        if here == start:
            yield path
            continue
        # Cycles through a smaller bus were found from there; a bus twice would be a cycle of its own.
        if here < start or any(way.bus == here for way in path):
            continue
        waiting.extend((*path, way) for way in by_bus.get(here, ()) if _may_follow(path, way))


def _may_follow(path: tuple[Way, ...], way: Way) -> bool:
    """Whether one event can go all these ways."""
    return all(
        not before.texts.keys() & way.texts.keys()
        or all(before.texts[name] & way.texts[name] for name in before.texts.keys() & way.texts.keys())
        for before in path
    )
