"""What a handler written for Lambda gets beside the event: the attributes of Lambda's context object, and ours.

Relies on `targets.protocol` and `clock`. Computes nothing before it is asked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rulebus.targets.protocol import Delivery

if TYPE_CHECKING:
    from rulebus.clock import Clock

__all__ = ["Context"]

_LONGEST_MS = 900_000


class Context:
    """The second argument of ``handler(event, context)``."""

    __slots__ = ("_clock", "_delivery", "function_name")

    function_version = "$LATEST"
    memory_limit_in_mb = "0"
    """No limit."""
    log_group_name = ""
    log_stream_name = ""
    identity = None
    client_context = None

    def __init__(self, function_name: str, delivery: Delivery, clock: Clock) -> None:
        self.function_name = function_name
        """The handler's own name."""
        self._delivery = delivery
        self._clock = clock

    @property
    def aws_request_id(self) -> str:
        """A UUID, the same in every try of the delivery, as Lambda's asynchronous calls have it."""
        import uuid

        return str(uuid.uuid5(uuid.NAMESPACE_OID, self._delivery.id))

    @property
    def invoked_function_arn(self) -> str:
        """In the form of an ARN; the account and region are those of the rule."""
        parts = self._delivery.origin.rule_arn.split(":")
        region, account = (parts[3], parts[4]) if len(parts) > 4 else ("local", "000000000000")
        return f"arn:aws:lambda:{region}:{account}:function:{self.function_name}"

    @property
    def delivery_id(self) -> str:
        """Names the delivery: event, rule and target."""
        return self._delivery.id

    @property
    def bus(self) -> str:
        """Name of the bus."""
        return self._delivery.origin.bus

    @property
    def rule(self) -> str:
        """Name of the rule."""
        return self._delivery.origin.rule

    @property
    def target(self) -> str:
        """Id of the target."""
        return self._delivery.origin.target

    @property
    def attempt(self) -> int:
        """1 for the first try."""
        return self._delivery.attempt

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the try is given up; Lambda's longest, 900,000, where the target has no timeout."""
        deadline = self._delivery.deadline
        if deadline is None:
            return _LONGEST_MS
        return max(0, int((deadline - self._clock.monotonic()) * 1000))

    def __repr__(self) -> str:
        return f"<Context of {self._delivery.id}, attempt {self.attempt}>"
