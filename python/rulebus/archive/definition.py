"""What an archive is: a record, its checks, its document in the store.

Relies on `pattern`. Must never be changed in place: an update is a new record.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from rulebus import _json
from rulebus.errors import BusError
from rulebus.pattern import Pattern, PatternLike

__all__ = ["Archive", "checked_name", "checked_pattern", "checked_retention"]

_DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Archive:
    """A named selection of one bus's events that the store keeps.

    >>> Archive("orders", "default", retention_days=30).expires_before(now=30 * 86_400.0 + 5)
    5.0
    """

    name: str
    """Letters, digits, ``.-_``, at most 48."""
    bus: str
    """Name of the bus whose events it keeps."""
    pattern: str | None = None
    """Canonical text of the pattern that events must match; None: every event."""
    retention_days: int = 0
    """For how many days, by the event's own time; 0: for ever."""
    description: str = ""
    created_at: float = 0.0
    """Seconds since 1970."""

    def expires_before(self, now: float) -> float | None:
        """Events from before that moment are no longer kept; None: all are."""
        return now - self.retention_days * _DAY_S if self.retention_days else None

    def to_json(self) -> bytes:
        """As the store keeps it."""
        return _json.dumps(
            {
                "name": self.name,
                "bus": self.bus,
                "pattern": self.pattern,
                "retention_days": self.retention_days,
                "description": self.description,
                "created_at": self.created_at,
            }
        )

    @classmethod
    def from_json(cls, document: bytes) -> Archive:
        """From what the store kept."""
        return cls(**_json.loads(document))


def checked_name(name: str, what: str, longest: int) -> str:
    """The name, or BusError ``invalid-name``."""
    if not re.fullmatch(rf"[A-Za-z0-9._-]{{1,{longest}}}", name):
        raise BusError(
            "invalid-name",
            f"{what} name {name!r} is not 1 to {longest} letters, digits, dots, hyphens and underscores",
        )
    return name


def checked_pattern(pattern: PatternLike | None) -> str | None:
    """The pattern's canonical text. Raises PatternError."""
    return None if pattern is None else Pattern(pattern).json


def checked_retention(days: int) -> int:
    """The days, or BusError ``invalid-retention``."""
    if type(days) is not int or days < 0:
        raise BusError(
            "invalid-retention", f"retention_days is a whole number, 0 (for ever) or more, not {days!r}"
        )
    return days
