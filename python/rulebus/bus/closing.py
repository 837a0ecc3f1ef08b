"""What was left when a bus closed. Relies on `statistics`."""

from __future__ import annotations

from dataclasses import dataclass

from rulebus.statistics import TargetStatistics

__all__ = ["CloseReport"]


@dataclass(frozen=True, slots=True)
class CloseReport:
    """What was left when a bus closed, on all buses of its hub."""

    pending: int
    """Deliveries that had not ended: they wait in a durable store for the next start, and are lost with a memory."""
    running: int
    """Calls of targets that had not come back in time; their deliveries are among the pending."""
    durable: bool
    """Whether the store keeps what is pending."""
    dead_letters: int
    """Dead letters in the store."""
    targets: tuple[TargetStatistics, ...]
    """The targets that deliveries were pending for."""

    @property
    def lost(self) -> int:
        """Deliveries that nobody will make."""
        return 0 if self.durable else self.pending
