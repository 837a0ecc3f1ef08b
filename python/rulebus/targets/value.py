"""A value that a target sends beside the input: a constant, or a ``$.path`` into the original event.

Header values, partition keys, message groups. Relies on `transform` for paths.
"""

from __future__ import annotations

import re
from typing import Any

from rulebus.attempt import Failure
from rulebus.errors import BusError

__all__ = ["DeliveryFault", "Value"]


class DeliveryFault(Exception):
    """A delivery failed, or could not be sent at all; carries its outcome. Never leaves a target."""

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
            raise BusError(
                "target-parameter", f"the {what} is a text, or a path such as '$.detail.id', not {text!r}"
            )
        if text == "$" or text.startswith(("$.", "$[")):
            from rulebus import transform

            self._one = transform.compile_path(text).one

    @property
    def is_path(self) -> bool:
        """Whether it depends on the event."""
        return self._one is not None

    def of(self, body: bytes) -> str:
        """The value for this event. Raises `DeliveryFault` when the path finds nothing."""
        if self._one is None:
            return self._constant
        found = self._one(body)
        if found is None:
            raise DeliveryFault(
                Failure(
                    "permanent",
                    "PARAMETER_MISSING",
                    f"the event has nothing at {self._constant}, which the {self.what} needs",
                )
            )
        text = bytes(found).decode("utf-8", "replace")
        if text.startswith('"'):
            from rulebus import _json

            try:
                return str(_json.loads(text))
            except _json.JsonError:  # Half a surrogate pair is JSON, and no text.
                raise DeliveryFault(
                    Failure(
                        "permanent", "PARAMETER_INVALID", f"what the event has at {self._constant} is no text"
                    )
                ) from None
        # Outside strings, JSON's line breaks and tabs mean nothing.
        return re.sub(r"[\r\n\t]+", " ", text)
