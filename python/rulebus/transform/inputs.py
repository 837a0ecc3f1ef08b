"""The kinds of transform: a constant, a part of the event, a template. Each makes bytes of an event, and nothing else.

Relies on the native `Splicer`; what it gets was checked by `compile`.
"""

from __future__ import annotations

import time

from rulebus._core import Splicer
from rulebus.errors import EventError
from rulebus.event import AcceptedEvent
from rulebus.origin import Origin
from rulebus.transform.path import Step
from rulebus.transform.protocol import TransformError
from rulebus.transform.template import Template

__all__ = ["ConstantInput", "PathInput", "TemplateInput"]


class ConstantInput:
    """The same for every event."""

    __slots__ = ("input", "warnings")

    def __init__(self, input: bytes) -> None:
        self.input = input
        self.warnings: tuple[str, ...] = ()

    def apply(self, event: AcceptedEvent, origin: Origin) -> bytes:
        """The constant, whatever the event."""
        return self.input


class PathInput:
    """The value on a path, as JSON."""

    __slots__ = ("_splice", "path", "warnings")

    def __init__(self, path: str, steps: tuple[Step, ...], longest: int) -> None:
        self.path = path
        self._splice = Splicer([(steps, "needed")], longest).splice
        self.warnings: tuple[str, ...] = ()

    def apply(self, event: AcceptedEvent, origin: Origin) -> bytes:
        """The value's bytes as they stand in the event. Raises `TransformError` if there is none."""
        try:
            made = self._splice(event.body)
        except EventError as error:
            raise _no_event(error) from None
        if isinstance(made, int):
            if made < 0:
                raise _too_long()
            raise TransformError(
                "INPUT_PATH_MISSING",
                f'the event has nothing at {self.path}; let the rule\'s pattern ask for it, as in {{...: [{{"exists": true}}]}}, '
                "or deliver the whole event",
            )
        return made


class TemplateInput:
    """A template filled from the event and its delivery."""

    __slots__ = ("_labels", "_needs_given", "_origin", "_second", "_splice", "warnings")

    def __init__(self, template: Template, longest: int) -> None:
        self._splice = Splicer(template.pieces, longest).splice
        self._labels = template.labels
        self._needs_given = template.needs_given
        # Last used, replaced as a whole: other threads see the old pair or the new one.
        self._origin: tuple[Origin | None, bytes, bytes] = (None, b"", b"")
        self._second = (-1, b"")
        self.warnings = tuple(template.warnings)

    def apply(self, event: AcceptedEvent, origin: Origin) -> bytes:
        """The filled template. Raises `TransformError` where that would be no JSON."""
        try:
            made = self._splice(event.body, self._given(event, origin) if self._needs_given else None)
        except EventError as error:
            raise _no_event(error) from None
        if isinstance(made, int):
            raise _misplaced(self._labels[made]) if made >= 0 else _too_long()
        return made

    def _given(self, event: AcceptedEvent, origin: Origin) -> tuple[bytes, bytes, bytes]:
        """The strings of `template.GIVEN`, without quotes, escaped."""
        known, arn, name = self._origin
        if known is not origin:
            from rulebus import _json

            arn, name = _json.dumps(origin.rule_arn)[1:-1], _json.dumps(origin.rule)[1:-1]
            self._origin = (origin, arn, name)
        second, text = self._second
        if second != int(event.accepted_at):
            second = int(event.accepted_at)
            text = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(second)).encode()
            self._second = (second, text)
        return arn, name, text


def _misplaced(label: str) -> TransformError:
    return TransformError(
        "INVALID_JSON",
        f"{label} stands inside quotes or as a name in the input template, but in this event it is not a string, number "
        "or word that can stand there; an object or array must stand outside quotes, a name must be a string",
    )


def _too_long() -> TransformError:
    return TransformError(
        "INPUT_TOO_LARGE",
        "the input template makes more of this event than max_input_bytes; name large parts of the event less often",
    )


def _no_event(error: EventError) -> TransformError:
    return TransformError("INVALID_JSON", f"the event is no JSON: {error.message} (byte {error.offset})")
