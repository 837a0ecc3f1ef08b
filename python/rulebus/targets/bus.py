"""A bus as a target: the event goes on to another bus as it is, with its id, counting its hops.

Relies on a function that the bus gives, so that targets know no buses.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rulebus.targets.protocol import Delivery, Outcomes

__all__ = ["BusTarget"]


class BusTarget:
    """Forwards events to a bus. Made by the bus when another bus is put as a target."""

    __slots__ = ("_forward", "bus", "owner")

    def __init__(
        self, bus: str, owner: object, forward: Callable[[str, Sequence[Delivery]], Outcomes]
    ) -> None:
        self.bus = bus
        """Name of the bus that gets the events."""
        self.owner = owner
        """What the bus belongs to: two targets of the same bus and owner lead to the same place."""
        self._forward = forward

    def deliver(self, deliveries: Sequence[Delivery]) -> Outcomes:
        """Puts the events on the other bus; taken when that bus has accepted them."""
        return self._forward(self.bus, deliveries)

    def describe(self) -> str:
        """The bus's name."""
        return f"bus {self.bus}"

    def close(self) -> None:
        """Nothing to give back: the other bus is closed by its owner."""

    def __repr__(self) -> str:
        return f"<BusTarget {self.bus}>"
