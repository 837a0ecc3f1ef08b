"""Headers and query parameters of an HTTP target: names checked once, values checked for each event.

Relies on `targets.value`. Must never let a value of an event end a header.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from rulebus.attempt import Failure
from rulebus.errors import BusError
from rulebus.targets.value import DeliveryFault, Value

__all__ = ["FORBIDDEN_HEADERS", "check_header", "header_values", "query_values", "safe_header"]

FORBIDDEN_HEADERS = frozenset(
    {
        "connection", "content-length", "expect", "host", "keep-alive", "proxy-connection", "te", "trailer",
        "transfer-encoding", "upgrade",
    }
)  # fmt: skip
"""Headers that belong to the transport."""

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


def check_header(name: str) -> None:
    """Raises `BusError` for what cannot be the name of a header that users set."""
    if not isinstance(name, str) or not _TOKEN.fullmatch(name):
        raise BusError("target-parameter", f"{name!r} is no header name: letters, digits and -_.!#$%&'*+^`|~")
    if name.lower() in FORBIDDEN_HEADERS:
        raise BusError("target-parameter", f"the header {name} is the transport's own and cannot be set")


def header_values(given: Mapping[str, str]) -> dict[str, Value]:
    """Values by header name, checked."""
    values: dict[str, Value] = {}
    for name, text in given.items():
        check_header(name)
        values[name] = Value(text, f"header {name}")
        if not values[name].is_path and _CONTROL.search(text):
            raise BusError("target-parameter", f"the value of the header {name} has a control character")
    return values


def query_values(given: Mapping[str, str]) -> dict[str, Value]:
    """Values by query key."""
    return {str(name): Value(text, f"query parameter {name}") for name, text in given.items()}


def safe_header(value: Value, body: bytes) -> str:
    """A header's value for this event. Raises `DeliveryFault` for what would end the header."""
    text = value.of(body).strip(" \t")
    if _CONTROL.search(text):
        raise DeliveryFault(
            Failure("permanent", "PARAMETER_INVALID", f"the {value.what} would hold a control character")
        )
    return text
