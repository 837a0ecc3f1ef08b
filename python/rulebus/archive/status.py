"""How a replay stands: what was asked for, and how far it is. A record, and its document in the store.

Relies on `_json`. Must never be changed in place.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Literal, TypeAlias

from rulebus import _json
from rulebus.errors import BusError

__all__ = ["ENDED", "Moment", "ReplayState", "ReplayStatus", "seconds"]

ReplayState: TypeAlias = Literal["STARTING", "RUNNING", "CANCELLING", "COMPLETED", "CANCELLED", "FAILED"]
"""EventBridge's states of a replay."""

Moment: TypeAlias = float | datetime | str
"""Seconds since 1970, a `datetime` with a zone, or a text in ISO 8601's form."""

ENDED = frozenset({"COMPLETED", "CANCELLED", "FAILED"})
"""States that a replay does not leave."""


@dataclass(frozen=True, slots=True)
class ReplayStatus:
    """What a replay was asked for, and how far it is."""

    name: str
    """Letters, digits, ``.-_``, at most 64; each replayed event has it as ``replay-name``."""
    archive: str
    """Name of the archive."""
    to: str
    """Name of the bus that the events are put on."""
    start: float
    """First moment of the window, by the events' own time: seconds since 1970."""
    end: float
    """First moment behind the window."""
    rules: tuple[str, ...] | None = None
    """Only these rules of the bus get the events; None: all."""
    speed: float | None = None
    """How many times faster than they happened; None: as fast as the bus takes them."""
    rate_per_s: float | None = None
    """Events a second, at most; None: no bound."""
    description: str = ""
    state: ReplayState = "STARTING"
    reason: str = ""
    """Why it failed."""
    events: int = 0
    """How many events were put so far."""
    last_event_time: float | None = None
    """Time of the last event that was put: seconds since 1970."""
    started_at: float = 0.0
    """Seconds since 1970."""
    ended_at: float | None = None
    """Seconds since 1970; None while it goes on."""

    @property
    def ended(self) -> bool:
        """Whether nothing more will be put."""
        return self.state in ENDED

    def to_json(self) -> bytes:
        """As the store keeps it."""
        document = asdict(self)
        # JSON has no infinities.
        document["start"], document["end"] = repr(self.start), repr(self.end)
        return _json.dumps(document)

    @classmethod
    def from_json(cls, document: bytes) -> ReplayStatus:
        """From what the store kept."""
        fields = _json.loads(document)
        rules = fields.pop("rules")
        start, end = float(fields.pop("start")), float(fields.pop("end"))
        return cls(**fields, start=start, end=end, rules=None if rules is None else tuple(rules))


def seconds(moment: Moment) -> float:
    """A moment as seconds since 1970. Raises BusError ``replay-window`` for what is none.

    A text without a zone is UTC, as events' own times are. A `datetime` without one is refused: ``datetime.now()`` is in
    the machine's.

    >>> from datetime import timezone
    >>> seconds(datetime(2026, 11, 26, tzinfo=timezone.utc)), seconds("2026-11-26T01:00:00+01:00"), seconds("2026-11-26")
    (1795651200.0, 1795651200.0, 1795651200.0)
    """
    if isinstance(moment, str):
        try:
            read = datetime.fromisoformat(moment)
            return (read if read.tzinfo is not None else read.replace(tzinfo=UTC)).timestamp()
        except (ValueError, OverflowError):
            raise BusError(
                "replay-window", f"{moment!r} is no moment in ISO 8601's form; write 2026-11-26T03:38:05Z"
            ) from None
    if not isinstance(moment, datetime):
        if isinstance(moment, bool) or not isinstance(moment, int | float) or moment != moment:
            raise BusError(
                "replay-window",
                f"{moment!r} is no moment; give seconds since 1970, a datetime with a zone, or a text such as "
                "2026-11-26T03:38:05Z",
            )
        return float(moment)
    if moment.tzinfo is None:
        raise BusError(
            "replay-window", f"{moment!r} has no time zone; write datetime(..., tzinfo=timezone.utc)"
        )
    return moment.timestamp()
