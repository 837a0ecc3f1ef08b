"""Every limit of a bus by name, with the library's own defaults and those that AWS documents.

A record without behaviour: whoever checks a limit asks it here, so that no number stands anywhere else.
Relies on nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["BusLimits"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BusLimits:
    """What a bus refuses. None means: no limit.

    >>> BusLimits().entries_per_call, BusLimits.compat().entries_per_call
    (None, 10)
    >>> BusLimits(max_hops=2).max_hops
    2
    """

    entries_per_call: int | None = None
    """Entries in one `put_events`."""
    request_bytes: int | None = None
    """Size of all entries of one `put_events` together, as AWS counts: 14 if Time is given, and the UTF-8 bytes of
    Source, DetailType, Detail and each resource. The size has to stay under it."""
    entry_bytes: int = 16 << 20
    """The same of one entry; the engine's own limit for an event lies there, too."""
    detail_depth: int = 1000
    """Nesting of an event, its envelope counted."""
    detail_type_chars: int | None = 128
    """Length of a DetailType."""
    resource_chars: int | None = 2048
    """Length of one resource."""
    targets_per_rule: int | None = None
    """Targets of one rule."""
    max_hops: int = 8
    """How often an event may be forwarded from bus to bus before it is held to go round in a cycle."""
    aws_sources: bool = False
    """Whether events may claim a source that begins with ``aws.``, which AWS keeps for its own services."""
    unknown_bus: Literal["refuse", "drop"] = "refuse"
    """What becomes of an entry for a bus that does not exist: an error for that entry, or it is accepted and
    dropped, as AWS does. Counted in either case."""
    schedules_anywhere: bool = True
    """Whether a rule of any bus may have a schedule; AWS has them on the default bus only."""

    @classmethod
    def compat(cls) -> BusLimits:
        """AWS's limits, where the library's own are wider."""
        return cls(
            entries_per_call=10,
            request_bytes=1 << 20,
            entry_bytes=1 << 20,
            targets_per_rule=5,
            unknown_bus="drop",
            schedules_anywhere=False,
        )
