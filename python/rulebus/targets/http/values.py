"""Values of headers, query and path parameters: constants, or ``$.paths`` into the original event.

Relies on `transform` for paths. Must never let a value of an event end a header or leave its place in a URL.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from rulebus.attempt import Failure
from rulebus.errors import BusError

__all__ = ["FORBIDDEN_HEADERS", "RequestFault", "Value", "header_values", "query_values"]

FORBIDDEN_HEADERS = frozenset(
    {
        "connection", "content-length", "expect", "host", "keep-alive", "proxy-connection", "te", "trailer",
        "transfer-encoding", "upgrade",
    }
)  # fmt: skip
"""Headers that belong to the transport."""

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


class RequestFault(Exception):
    """A request cannot be made of this event; carries the delivery's outcome."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


class Value:
    """One value: a constant, or what a path finds."""

    __slots__ = ("_constant", "_one", "what")

    def __init__(self, text: str, what: str) -> None:
        self.what = what
        """Where it belongs, for messages: ``header X-Order``."""
        self._constant = text
        self._one: Any = None
        if not isinstance(text, str):
            raise BusError("target-parameter", f"the {what} is a text, or a path such as '$.detail.id', not {text!r}")
        if text == "$" or text.startswith(("$.", "$[")):
            from rulebus import transform

            self._one = transform.compile_path(text).one

    @property
    def is_path(self) -> bool:
        """Whether it depends on the event."""
        return self._one is not None

    def of(self, body: bytes) -> str:
        """The value for this event. Raises `RequestFault` when the path finds nothing."""
        if self._one is None:
            return self._constant
        found = self._one(body)
        if found is None:
            raise RequestFault(
                Failure(
                    "permanent",
                    "PARAMETER_MISSING",
                    f"the event has nothing at {self._constant}, which the {self.what} needs",
                )
            )
        text = bytes(found).decode("utf-8", "replace")
        if text.startswith('"'):
            from rulebus import _json

            return str(_json.loads(text))
        # Outside strings, JSON's line breaks and tabs mean nothing.
        return re.sub(r"[\r\n\t]+", " ", text)


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
    """A header's value for this event. Raises `RequestFault` for what would end the header."""
    text = value.of(body).strip(" \t")
    if _CONTROL.search(text):
        raise RequestFault(
            Failure("permanent", "PARAMETER_INVALID", f"the {value.what} would hold a control character")
        )
    return text
