"""Where a delivery comes from: the bus, the rule and the target's id.

A module of its own because the transform needs it, and the targets that read paths of the event need the transform.
Relies on nothing.
"""

from __future__ import annotations

__all__ = ["Origin"]


class Origin:
    """Where a delivery comes from: constant for all deliveries of one subscription."""

    __slots__ = ("bus", "rule", "rule_arn", "target")

    def __init__(self, bus: str, rule: str, target: str, rule_arn: str = "") -> None:
        self.bus = bus
        """Name of the bus."""
        self.rule = rule
        """Name of the rule."""
        self.target = target
        """Id of the target within the rule."""
        self.rule_arn = rule_arn
        """The rule's ARN, as AWS would write it."""

    def __repr__(self) -> str:
        return f"<Origin {self.bus}/{self.rule}/{self.target}>"
