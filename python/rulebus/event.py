"""An event as handlers see it, and as the log keeps it.

The envelope is bytes, built once; `Event` reads it only when a handler asks, and each delivery has an `Event`
of its own, so that one handler's changes to the payload are nobody else's. Must never alter the bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["AcceptedEvent", "Event"]


class AcceptedEvent:
    """An event that a bus accepted: its envelope and its place in the log.

    Made by the bus, numbered by the store, shared by all of the event's deliveries; nobody changes it afterwards.
    """

    __slots__ = ("accepted_at", "body", "bus", "hops", "id", "replay", "seq")

    def __init__(
        self,
        bus: str,
        id: str,
        body: bytes,
        accepted_at: float,
        hops: int = 0,
        replay: str | None = None,
        seq: int = 0,
    ) -> None:
        self.bus = bus
        """Name of the bus it was put on."""
        self.id = id
        """The envelope's id; the same in every delivery of the event, on every bus it is forwarded to."""
        self.body = body
        """The envelope, compact JSON in UTF-8, as targets get it."""
        self.accepted_at = accepted_at
        """When the bus accepted it: seconds since 1970."""
        self.hops = hops
        """From how many buses it was forwarded."""
        self.replay = replay
        """Name of the replay that put it, else None. Replayed events are not archived again."""
        self.seq = seq
        """Place in the store's log; set by the store when it is appended, unique and rising."""

    def __repr__(self) -> str:
        return f"<AcceptedEvent {self.id} on {self.bus}, seq {self.seq}>"


class Event(Mapping[str, Any]):
    """An event: a mapping of the envelope's keys, and the usual ones as attributes.

    >>> event = Event(b'{"id":"1","detail-type":"OrderPlaced","source":"shop","detail":{"total":120}}')
    >>> event["detail"]["total"], event.detail_type, event.json[:8]
    (120, 'OrderPlaced', b'{"id":"1')
    >>> event
    Event(id='1', source='shop', detail_type='OrderPlaced')

    Numbers are Python's: an integer beyond 64 bits is a float, one beyond all floats (``1e400``) is infinite; whoever needs
    the digits reads `json`. Nothing is parsed until something is asked for. COST: then one parse of the envelope. `to_dict` gives a plain
    dict for code that wants one. Two events are equal when they are mappings with equal contents.
    """

    __slots__ = ("_parsed", "json")

    def __init__(self, json: bytes) -> None:
        self.json = json
        """The envelope's bytes, as they were accepted."""
        self._parsed: dict[str, Any] | None = None

    def _read(self) -> dict[str, Any]:
        parsed = self._parsed
        if parsed is None:
            from rulebus import _json

            parsed = self._parsed = _json.loads(self.json)
        return parsed

    def __getitem__(self, key: str) -> Any:
        return self._read()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._read())

    def __len__(self) -> int:
        return len(self._read())

    def to_dict(self) -> dict[str, Any]:
        """A new dict of the whole event, the caller's to change."""
        from rulebus import _json

        parsed: dict[str, Any] = _json.loads(self.json)
        return parsed

    @property
    def id(self) -> str:
        """The event's id; the same in every delivery of it."""
        return str(self._read()["id"])

    @property
    def source(self) -> str:
        """Who says it."""
        return str(self._read()["source"])

    @property
    def detail_type(self) -> str:
        """What kind of fact it is: the key ``detail-type``."""
        return str(self._read()["detail-type"])

    @property
    def time(self) -> str:
        """When it happened: ``2026-11-26T03:38:05Z``."""
        return str(self._read()["time"])

    @property
    def resources(self) -> list[str]:
        """What it is about, often ARNs."""
        return list(self._read()["resources"])

    @property
    def detail(self) -> dict[str, Any]:
        """The payload."""
        detail: dict[str, Any] = self._read()["detail"]
        return detail

    def __repr__(self) -> str:
        if self._parsed is None:
            self._read()
        shown = {"id": "id", "source": "source", "detail-type": "detail_type"}
        parts = (f"{name}={self._read()[key]!r}" for key, name in shown.items() if key in self._read())
        return f"Event({', '.join(parts)})"
