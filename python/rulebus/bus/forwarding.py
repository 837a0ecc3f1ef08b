"""What a bus answers to a rule of another bus that forwards events to it. Relies on `attempt` and `result`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rulebus.attempt import Failure
from rulebus.bus.result import EntryFault
from rulebus.targets.protocol import Delivery, Outcomes

__all__ = ["forward_outcomes"]


def forward_outcomes(deliveries: Sequence[Delivery], faults: Mapping[int, EntryFault], most: int) -> Outcomes:
    """Of each delivery whether it was taken: `faults` has what was wrong with those that had hops left, by their number
    among these; the others have been forwarded `most` times."""
    outcomes: list[Failure | None] = []
    place = 0
    for delivery in deliveries:
        if delivery.event.hops >= most:
            outcomes.append(
                Failure(
                    "permanent",
                    "LOOP",
                    f"the event was forwarded {most} times (max_hops); rules forward it in a cycle, see "
                    "EventBus.cycles()",
                )
            )
            continue
        fault = faults.get(place)
        place += 1
        if fault is None:
            outcomes.append(None)
        elif fault.code == "QueueFull":
            outcomes.append(Failure("throttled", "QUEUE_FULL", fault.message, retry_after_s=1.0))
        else:
            outcomes.append(Failure("permanent", "INVALID_EVENT", fault.message))
    return None if not any(outcomes) else outcomes
