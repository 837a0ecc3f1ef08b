"""Groups the events that no rule matched by what kind of event they are.

The kind is source and detail type where an event has both, as EventBridge's have, and otherwise its top-level keys.
Relies on orjson; must never fail on an event that only the engine accepts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import orjson

from rulebus.matcher import Matcher
from rulebus.measure.report import Shape

__all__ = ["find_unmatched", "shape_of"]

_LOOKED_AT = 200_000
_SHOWN = 100
_KEYS = 8


def shape_of(event: bytes) -> str:
    """The kind of an event.

    >>> shape_of(b'{"source": "shop", "detail-type": "OrderPlaced", "detail": {}}')
    'shop · OrderPlaced'
    >>> shape_of(b'{"b": 1, "a": 2}')
    '{a, b}'
    """
    try:
        found: Any = orjson.loads(event)
    except ValueError:
        return "(orjson does not read it)"
    source, kind = found.get("source"), found.get("detail-type")
    if isinstance(source, str) and isinstance(kind, str):
        return f"{source} · {kind}"
    keys = sorted(found)
    return "{" + ", ".join(keys[:_KEYS]) + (", …" if len(keys) > _KEYS else "") + "}"


def find_unmatched(
    matcher: Matcher, chunks: Iterable[bytes], numbers: Sequence[int]
) -> tuple[int, list[Shape]]:
    """How many events no rule matched, and their kinds, the most frequent first; `numbers` are the lines' numbers."""
    shapes: dict[str, Shape] = {}
    found = at = 0
    for chunk in chunks:
        offsets = matcher.match_lines(chunk).offsets
        for number, line in enumerate(chunk.split(b"\n")):
            if offsets[number] == offsets[number + 1]:
                found += 1
                if found <= _LOOKED_AT:
                    kind = shape_of(line)
                    known = shapes.setdefault(kind, Shape(kind, 0, numbers[at + number]))
                    known.events += 1
        at += len(offsets) - 1
    return found, sorted(shapes.values(), key=lambda shape: -shape.events)[:_SHOWN]
