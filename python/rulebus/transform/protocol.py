"""What turns an event into the input of a target. Relies on `event` and `origin`."""

from __future__ import annotations

from typing import Protocol

from rulebus.errors import RulebusError
from rulebus.event import AcceptedEvent
from rulebus.origin import Origin

__all__ = ["Transform", "TransformError"]


class TransformError(RulebusError):
    """An input could not be made of an event; the delivery goes to the dead letters with this code, without a try."""

    __module__ = "rulebus"

    def __init__(self, code: str, message: str, input: bytes | None = None) -> None:
        super().__init__(code, message, input)
        self.code = code
        """Stable, in capitals: ``INPUT_PATH_MISSING``, ``INVALID_JSON``."""
        self.message = message
        """What is wrong and how to mend it."""
        self.input = input
        """What was made, where something was."""

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


class Transform(Protocol):
    """Makes the bytes that a target gets. Compiled once, when the target is put."""

    warnings: tuple[str, ...]
    """What will probably go wrong, as sentences; said when the target is put."""

    def apply(self, event: AcceptedEvent, origin: Origin) -> bytes:
        """The input, JSON in UTF-8 (or the text of a string template). Raises `TransformError`."""
