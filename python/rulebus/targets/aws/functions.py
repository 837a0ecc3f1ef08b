"""Lambda functions as targets. The API takes one event a call. Relies on `service`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

from rulebus.attempt import ANSWER_BYTES, Failure
from rulebus.errors import BusError
from rulebus.targets.aws.service import AwsTarget
from rulebus.targets.protocol import Delivery

__all__ = ["LambdaTarget"]


class LambdaTarget(AwsTarget):
    """Invokes a function with each delivery.

    `name` is an ARN, a name or ``name:alias``. With ``invocation="Event"``, EventBridge's way, the delivery is taken
    when Lambda has queued it. With ``"RequestResponse"`` it is taken when the function has returned; an exception in it
    is retryable, ``FUNCTION_ERROR``. Give a longer `timeout_s` then.
    """

    service: ClassVar[str] = "lambda"
    defaults: ClassVar[Mapping[str, Any]] = {"concurrency": 8}

    def __init__(
        self, name: str, *, invocation: Literal["Event", "RequestResponse"] = "Event", **options: Any
    ) -> None:
        super().__init__(name, **options)
        if invocation not in ("Event", "RequestResponse"):
            raise BusError(
                "target-options", f"invocation is 'Event' or 'RequestResponse', not {invocation!r}"
            )
        self._invocation = invocation

    def send(self, deliveries: Sequence[Delivery]) -> list[Failure | None]:
        """One invocation each."""
        return [self._invoke(delivery) for delivery in deliveries]

    def _invoke(self, delivery: Delivery) -> Failure | None:
        answer = self.client.invoke(
            FunctionName=self.name, InvocationType=self._invocation, Payload=delivery.input
        )
        payload = answer.get("Payload")
        text = b"" if payload is None else payload.read(ANSWER_BYTES)
        error = answer.get("FunctionError")
        if not error:
            return None
        message = f"the function {self.name} failed ({error})"
        return Failure("retryable", "FUNCTION_ERROR", message, status=str(error), answer=text)
