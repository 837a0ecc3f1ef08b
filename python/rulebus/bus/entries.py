"""Reads the entries of a `put_events`: what each says, or why it is refused.

The usual entry (a known source and detail type, a detail as text, nothing else) takes a short way; every other
one goes through all checks, in the order in which the real service makes them. Every detail is checked as a text of
its own by the engine's strict reader, so that no detail can reach beyond its place in the envelope.
Relies on the native matcher, `limits`, `envelope` and `names`.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

from rulebus import _json
from rulebus.bus.envelope import Envelopes, read_time
from rulebus.bus.limits import BusLimits
from rulebus.bus.names import bus_name
from rulebus.bus.result import EntryFault
from rulebus.errors import EventError
from rulebus.matcher import Matcher

__all__ = ["EntryReader", "Readings", "entry_size_bytes"]

_KEYS = {"Time", "Source", "Resources", "DetailType", "Detail", "EventBusName", "TraceHeader"}
_BLANKS = " \t\r\n"
_MALFORMED = "Detail is malformed."


class Readings:
    """What the accepted entries of one call say, as parallel lists."""

    __slots__ = ("details", "faults", "heads", "others", "places")

    def __init__(self) -> None:
        self.places: list[int] = []
        """Index of each in the call."""
        self.heads: list[str] = []
        """See `Envelopes.head`."""
        self.details: list[str] = []
        """The text of each detail: one JSON object, no blanks around it."""
        self.others: dict[int, tuple[str | None, str, str | None]] = {}
        """Index in the call to time, resources' text and bus, where an entry has any of these."""
        self.faults: dict[int, EntryFault] = {}
        """Index in the call to what is wrong."""

    def refuse(self, faults: dict[int, EntryFault]) -> None:
        """Takes out entries, by their index in the call."""
        self.faults.update(faults)
        keep = [at for at, place in enumerate(self.places) if place not in faults]
        self.places = [self.places[at] for at in keep]
        self.heads = [self.heads[at] for at in keep]
        self.details = [self.details[at] for at in keep]


class EntryReader:
    """Reads entries under the limits of a bus. Threads may share it."""

    __slots__ = ("_envelopes", "_limits", "_small", "_strict")

    def __init__(self, limits: BusLimits, envelopes: Envelopes) -> None:
        self._limits = limits
        self._envelopes = envelopes
        self._small = limits.entry_bytes // 8
        """Characters of a detail that make no entry too large, whatever they and the rest are."""
        # The envelope is one level, and some bytes, around the detail.
        self._strict = Matcher(
            validation="strict",
            max_event_bytes=max(limits.entry_bytes, 1) + 1,
            max_event_depth=limits.detail_depth - 1,
        )

    def read(self, entries: Sequence[Mapping[str, Any]]) -> Readings:
        """What the entries say. COST: a microsecond an entry of 1 KB, most of it the check of the detail."""
        readings = Readings()
        places, heads, details = readings.places, readings.heads, readings.details
        known, small = self._envelopes.heads, self._small
        for at, entry in enumerate(entries):
            try:
                detail = entry["Detail"]
                head = known[entry["Source"], entry["DetailType"]]
            except (KeyError, TypeError):
                head = ""
            if (
                head
                and type(detail) is str
                and len(entry) == 3
                and detail[:1] == "{"
                and detail[-1] == "}"
                and len(detail) < small
            ):
                places.append(at)
                heads.append(head)
                details.append(detail)
            else:
                self._read_with_care(readings, at, entry)
        if details:
            self._check_details(readings)
        return readings

    def read_usual(self, entry: Any) -> tuple[str, str] | None:
        """Head and detail of an entry without anything unusual in it; None: ask `read`, also for what is wrong."""
        try:
            detail = entry["Detail"]
            head = self._envelopes.heads[entry["Source"], entry["DetailType"]]
            if type(detail) is not str or len(entry) != 3 or len(detail) >= self._small:
                return None
            if detail[:1] != "{" or detail[-1] != "}":
                return None
            self._strict.match(detail)
        except (KeyError, TypeError, EventError):
            return None
        return (head, detail) if detail.isascii() else None

    def _read_with_care(self, readings: Readings, at: int, entry: Any) -> None:
        if not isinstance(entry, Mapping):
            readings.faults[at] = EntryFault(
                "InvalidArgument", f"An entry is a dict, not {type(entry).__name__}."
            )
            return
        source, detail_type, detail = entry.get("Source"), entry.get("DetailType"), entry.get("Detail")
        for name, value in (("Source", source), ("DetailType", detail_type), ("Detail", detail)):
            # An empty dict is a detail, an empty text is none.
            if value is None or value == "" or value == b"":
                readings.faults[at] = _invalid(name, f"{name} is a required argument.")
                return
        text, why = _text(detail)
        if text is None:
            readings.faults[at] = EntryFault("MalformedDetail", _MALFORMED, why)
            return
        fault, other = self._others(entry, source, detail_type)
        if fault is None:
            fault = self._size_fault(entry, text)
        if fault is not None:
            # A detail that is no JSON goes before whatever else is wrong.
            readings.faults[at] = self._detail_fault(text) or fault
            return
        assert isinstance(source, str)
        assert isinstance(detail_type, str)
        readings.places.append(at)
        head = self._envelopes.heads.get((source, detail_type)) or self._envelopes.head(source, detail_type)
        readings.heads.append(head)
        readings.details.append(text)
        if other is not None:
            readings.others[at] = other

    def _others(
        self, entry: Mapping[str, Any], source: Any, detail_type: Any
    ) -> tuple[EntryFault | None, tuple[str | None, str, str | None] | None]:
        """What is wrong beside the detail; time, resources and bus if the entry has any of them."""
        for name, value in (("Source", source), ("DetailType", detail_type)):
            if not isinstance(value, str) or not _encodable(value):
                return _invalid(name, f"{name} is a text, not {value!r}."), None
        limits = self._limits
        if source.startswith("aws.") and not limits.aws_sources:
            return EntryFault("NotAuthorizedForSourceException", "Not authorized for the source."), None
        if limits.detail_type_chars is not None and len(detail_type) > limits.detail_type_chars:
            return _invalid(
                "DetailType", f"DetailType is longer than {limits.detail_type_chars} characters."
            ), None
        if len(entry) == 3:
            return None, None
        if unknown := [key for key in entry if key not in _KEYS]:
            names = ", ".join(map(repr, unknown))
            return _invalid(
                str(unknown[0]), f"An entry has no {names}; it has {', '.join(sorted(_KEYS))}."
            ), None
        time, bus = entry.get("Time"), entry.get("EventBusName")
        try:
            when = None if time is None else read_time(time)
        except ValueError as error:
            return _invalid("Time", f"{error}."), None
        if bus is not None and not isinstance(bus, str):
            return _invalid("EventBusName", f"EventBusName is a text, not {bus!r}."), None
        resources = entry.get("Resources")
        if fault := self._resources_fault(resources):
            return fault, None
        listed = _json.dumps_text(list(resources)) if resources else "[]"
        return None, (when, listed, bus_name(bus) if bus else None)

    def _resources_fault(self, resources: Any) -> EntryFault | None:
        if resources is None:
            return None
        if isinstance(resources, str) or not isinstance(resources, Sequence):
            return _invalid("Resources", f"Resources is a list of texts, not {resources!r}.")
        most = self._limits.resource_chars
        for resource in resources:
            if not isinstance(resource, str) or not _encodable(resource):
                return _invalid("Resources", f"A resource is a text, not {resource!r}.")
            if most is not None and len(resource) > most:
                return _invalid("Resources", f"A resource is longer than {most} characters.")
        return None

    def _size_fault(self, entry: Mapping[str, Any], text: str) -> EntryFault | None:
        most = self._limits.entry_bytes
        if len(text) * 4 < most and len(entry) == 3:
            return None
        size = entry_size_bytes(entry, text)
        if size <= most:
            return None
        return _invalid("Detail", f"The entry has {size} bytes, {most} are allowed.")

    def _check_details(self, readings: Readings) -> None:
        """Takes out the entries whose detail is no JSON object or is too large."""
        answers = self._answers(readings.details)
        most = self._limits.entry_bytes
        faults: dict[int, EntryFault] = {}
        if any(answers):
            for place, answer in zip(readings.places, answers, strict=True):
                if isinstance(answer, Exception):
                    faults[place] = _detail_fault(answer, most)
        # The engine reads text that Python cannot encode; there is no such thing in JSON.
        if not all(map(str.isascii, readings.details)):
            for place, detail in zip(readings.places, readings.details, strict=True):
                if place not in faults and not _encodable(detail):
                    faults[place] = EntryFault(
                        "MalformedDetail", _MALFORMED, "it has half of a surrogate pair"
                    )
        if faults:
            readings.refuse(faults)

    def _answers(self, details: list[str]) -> list[Any]:
        """Of each detail an `EventError`, or something empty."""
        if len(details) > 1:
            return self._strict.match_many(details)
        try:
            return [self._strict.match(details[0])]
        except EventError as error:
            return [error]

    def _detail_fault(self, text: str) -> EntryFault | None:
        (answer,) = self._answers([text])
        return _detail_fault(answer, self._limits.entry_bytes) if isinstance(answer, Exception) else None


def entry_size_bytes(entry: Mapping[str, Any], detail: str) -> int:
    """The size of an entry as AWS counts it.

    >>> entry_size_bytes({"Source": "shop", "DetailType": "Order", "Resources": ["a", "bc"], "Time": 0}, "{}")
    28
    """
    size = 14 if entry.get("Time") is not None else 0
    texts = [entry.get("Source"), entry.get("DetailType"), detail, *(entry.get("Resources") or ())]
    return size + sum(len(text.encode("utf-8", "replace")) for text in texts if isinstance(text, str))


def _invalid(parameter: str, reason: str) -> EntryFault:
    return EntryFault("InvalidArgument", f"Parameter {parameter} is not valid. Reason: {reason}")


def _detail_fault(error: Exception, most: int) -> EntryFault:
    if getattr(error, "code", "") == "event-too-large":
        return _invalid("Detail", f"The entry has more than the {most} bytes that are allowed.")
    return EntryFault("MalformedDetail", _MALFORMED, str(error))


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _text(detail: Any) -> tuple[str | None, str]:
    """A detail as text without blanks around it, or None and why there is none."""
    if isinstance(detail, str):
        return detail.strip(_BLANKS), ""
    if isinstance(detail, bytes | bytearray | memoryview):
        try:
            return bytes(detail).decode().strip(_BLANKS), ""
        except UnicodeDecodeError as error:
            return None, f"it is not UTF-8: {error}"
    try:
        text = _json.dumps_text(detail)
        # The library writes NaN and the infinities as null, so a null asks for a second look.
        if "null" in text:
            json.dumps(detail, allow_nan=False, default=_plain)
    except (TypeError, ValueError, RecursionError) as error:
        return _text_of_unusual(detail, error)
    return text, ""


def _text_of_unusual(detail: Any, first: Exception) -> tuple[str | None, str]:
    """What the fast library does not write but JSON can hold: integers beyond 64 bits, deep nesting."""
    try:
        text = json.dumps(detail, allow_nan=False, ensure_ascii=False, separators=(",", ":"), default=_plain)
    except (TypeError, ValueError, RecursionError) as error:
        return None, f"it has no JSON form: {error}"
    if not _has_text_keys(detail):
        return None, f"it has no JSON form: {first}"
    return text, ""


def _has_text_keys(value: Any) -> bool:
    """Whether all keys are texts: the standard library would turn others into texts without a word."""
    waiting = [value]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            if not all(isinstance(key, str) for key in value):
                return False
            waiting.extend(value.values())
        elif isinstance(value, list | tuple):
            waiting.extend(value)
    return True


def _plain(value: Any) -> Any:
    """What the fast library writes by itself and the standard library does not."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    written = _json.dumps_text(value)
    if written.startswith(("{", "[")):
        raise TypeError(f"{type(value).__name__} has no JSON form")
    return json.loads(written)
