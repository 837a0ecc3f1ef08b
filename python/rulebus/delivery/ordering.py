"""The key of a delivery: deliveries of one key go one after another.

Turns the option `order_by` into a function of the accepted event. Relies on `event` and `errors`.
COST: one parse of the envelope a delivery, only where an order is asked for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable
from typing import Any, Final

from rulebus import _json
from rulebus.errors import BusError
from rulebus.event import AcceptedEvent, Event

__all__ = ["NO_KEY", "KeyOf", "key_function"]

KeyOf = Callable[[AcceptedEvent], Hashable]

NO_KEY: Final = object()
"""Of deliveries that wait for no other. (`None` is a key: of events that have nothing at the path.)"""

_STEP = re.compile(r"\.([A-Za-z0-9_/-]+)|\[(\d+)\]")


def key_function(order_by: str | Callable[[Event], Any]) -> KeyOf:
    """The function that gives an event's key; what it raises is the caller's to handle.

    >>> key = key_function("$.detail.order")
    >>> key(AcceptedEvent("b", "1", b'{"detail":{"order":"A-1"}}', 0.0))
    'A-1'
    >>> key(AcceptedEvent("b", "2", b'{"detail":{}}', 0.0)) is None
    True

    A path has dot names and indexes; an array or object as key counts by its JSON text.
    Raises `BusError` with the code ``order-by`` when the path is none.
    """
    if callable(order_by):
        function = order_by
        return lambda event: _hashable(function(Event(event.body)))
    steps = _steps(order_by)

    def at_path(event: AcceptedEvent) -> Hashable:
        value: Any = _json.loads(event.body)
        for step in steps:
            if isinstance(step, str):
                value = value.get(step) if isinstance(value, dict) else None
            else:
                value = value[step] if isinstance(value, list) and step < len(value) else None
            if value is None:
                return None
        return _hashable(value)

    return at_path


def _steps(path: str) -> tuple[str | int, ...]:
    steps: list[str | int] = []
    place = 1
    while path.startswith("$") and place < len(path):
        match = _STEP.match(path, place)
        if not match:
            break
        steps.append(match[1] if match[1] is not None else int(match[2]))
        place = match.end()
    if not steps or place != len(path):
        raise BusError(
            "order-by",
            f"order_by {path!r} is not a path to one value; write $ and then .name or [index] steps, such as "
            "$.detail.order-id, or give a function of the event",
        )
    return tuple(steps)


def _hashable(value: Any) -> Hashable:
    if isinstance(value, (dict, list)):
        return bytes(_json.dumps(value))
    hash(value)
    key: Hashable = value
    return key
