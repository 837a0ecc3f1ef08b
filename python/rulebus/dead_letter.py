"""A delivery that was given up, with everything that is known of it; nothing accepted is ever dropped instead.

Relies on `attempt` and `retry` for their words. Stores keep dead letters, targets may receive them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from rulebus.attempt import Attempt
from rulebus.event import AcceptedEvent
from rulebus.retry import Exhausted

__all__ = ["DeadLetter"]


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A delivery that was given up."""

    event: AcceptedEvent
    """The event as it was accepted."""
    rule: str
    """Name of the rule that matched it."""
    target: str
    """Id of the rule's target that did not take it."""
    input: bytes | None
    """What was sent, where that is not the event itself; None also when it could not be made."""
    reason: str
    """Code of the last failure, or of what forbade the delivery: ``HTTP_503``, ``INPUT_PATH_MISSING``, ``LOOP`` …"""
    message: str
    """The same as a sentence."""
    exhausted: Exhausted | None
    """The bound that ended it; None when no further try was allowed for another reason."""
    attempts: tuple[Attempt, ...]
    """Every try, oldest first."""
    dead_at: float
    """When it was given up: seconds since 1970."""
    id: int = field(default=0, compare=False)
    """Number in the store; 0 before it is stored."""

    def to_dict(self) -> dict[str, Any]:
        """As JSON shows it; the event and the input as text, AWS's attribute names beside ours."""
        return {
            "id": self.id,
            "bus": self.event.bus,
            "rule": self.rule,
            "target": self.target,
            "reason": self.reason,
            "message": self.message,
            "exhausted": self.exhausted,
            "dead_at": self.dead_at,
            "event": self.event.body.decode("utf-8", "replace"),
            "input": None if self.input is None else self.input.decode("utf-8", "replace"),
            "attempts": [
                {
                    "started_at": attempt.started_at,
                    "duration_s": attempt.duration_s,
                    "kind": attempt.failure.kind,
                    "code": attempt.failure.code,
                    "message": attempt.failure.message,
                    "status": attempt.failure.status,
                    "answer": attempt.failure.answer.decode("utf-8", "replace"),
                }
                for attempt in self.attempts
            ],
        }
