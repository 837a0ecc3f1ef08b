"""The key of a delivery: deliveries of one key go one after another.

Turns the option `order_by` into a function of the accepted event. Relies on `transform.path`, `event` and `errors`.
INVARIANT: a key is made of text, numbers, bytes and tuples alone, so that comparing two under the dispatcher's lock calls
no code of the user. COST: one scan of the envelope a delivery, only where an order is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any, Final

from rulebus import _json
from rulebus.errors import BusError
from rulebus.event import AcceptedEvent, Event
from rulebus.transform.definition_error import TransformDefinitionError
from rulebus.transform.path import compile_path

__all__ = ["NO_KEY", "KeyOf", "key_function"]

KeyOf = Callable[[AcceptedEvent], Hashable]

NO_KEY: Final = object()
"""Of deliveries that wait for no other. (`None` is a key: of events that have nothing at the path.)"""

_DEEPEST = 50
"""How far the members of a key may be nested."""
_AS_THEY_ARE = frozenset({str, bool, int, bytes, type(None)})
_BY_TEXT = frozenset({"datetime", "decimal", "fractions", "ipaddress", "pathlib", "uuid"})
"""Modules of the standard library whose values count by their text."""


def key_function(order_by: str | Callable[[Event], Any]) -> KeyOf:
    """The function that gives an event's key; what it raises is the caller's to handle.

    >>> key = key_function("$.detail.order")
    >>> key(AcceptedEvent("b", "1", b'{"detail":{"order":"A-1"}}', 0.0))
    'A-1'
    >>> key(AcceptedEvent("b", "2", b'{"detail":{}}', 0.0)) is None
    True

    Values that are equal are one key, however they are spelt: ``1`` and ``1.0``, ``"A"`` and ``"\\u0041"``.
    Raises `BusError` with the code ``order-by`` when the path is none.
    """
    if callable(order_by):
        function = order_by
        return lambda event: _usable(function(Event(event.body)))
    one = _one(order_by)

    def at_path(event: AcceptedEvent) -> Hashable:
        text = one(event.body)
        if text is None:
            return None
        if text[:1] == b'"' and b"\\" not in text:
            return text[1:-1].decode()
        return _usable(_json.loads(text))

    return at_path


def _one(path: Any) -> Callable[[bytes], bytes | None]:
    reason = ""
    if isinstance(path, str):
        try:
            selector = compile_path(path, where="order_by")
        except TransformDefinitionError as error:
            reason = f" ({str(error).splitlines()[0]})"
        else:
            if selector.steps and None not in selector.steps:
                return selector.one
    raise BusError(
        "order-by",
        f"order_by {path!r} is not a path to one value; write $ and then .name or [index] steps, such as "
        f"$.detail.order-id, or give a function of the event{reason}",
    )


def _usable(value: Any, depth: int = 0) -> Hashable:
    """The value as a key. Calls the value's own code, if it has any: never under the lock."""
    kind = type(value)
    if kind in _AS_THEY_ARE:
        key: Hashable = value
        return key
    if kind is float:
        # One that is no number would not even be equal to itself.
        return value if value == value else "NaN"
    if depth >= _DEEPEST:
        raise ValueError(f"order_by gave a value that is nested more than {_DEEPEST} deep")
    if isinstance(value, dict):
        # The order of members says nothing.
        members = [(_usable(name, depth + 1), _usable(one, depth + 1)) for name, one in value.items()]
        return ("{}", frozenset(members))
    if isinstance(value, (list, tuple)):
        return ("[]", *(_usable(one, depth + 1) for one in value))
    if isinstance(value, (set, frozenset)):
        return ("set", frozenset(_usable(one, depth + 1) for one in value))
    if isinstance(value, Enum):
        return ("enum", kind.__module__, kind.__qualname__, value.name)
    for base in (str, int, float, bytes):
        if isinstance(value, base):
            return _usable(_plain(value, base), depth + 1)
    if isinstance(value, (bytearray, memoryview)):
        return bytes(value)
    if kind.__module__.partition(".")[0] in _BY_TEXT:
        # 1.0 and 1.00 are one Decimal, and two texts.
        text = str(value.normalize() if kind.__module__ == "decimal" else value)
        return (kind.__module__, kind.__qualname__, _plain(text, str))
    if is_dataclass(value):
        parts = [_usable(getattr(value, field.name), depth + 1) for field in fields(value) if field.compare]
        return ("record", kind.__module__, kind.__qualname__, *parts)
    raise TypeError(
        f"order_by gave a {kind.__qualname__}; a key is text, a number, bytes, None, an enum member, a UUID, a date, or a "
        "list, tuple, dict or dataclass of such values"
    )


def _plain(value: Any, base: type) -> Any:
    """A value of a subclass as one of the class itself, without asking the subclass."""
    if base is str:
        return str.__str__(value)
    if base is int:
        return int.__int__(value)
    if base is float:
        return float.__float__(value)
    return bytes.__getitem__(value, slice(None))
