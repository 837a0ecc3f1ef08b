"""Step Functions state machines as targets. The API starts one execution a call. Relies on `service`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from rulebus.attempt import Failure
from rulebus.targets.aws.service import AwsTarget, delivery_key
from rulebus.targets.protocol import Delivery

__all__ = ["StatesTarget"]


class StatesTarget(AwsTarget):
    """Starts an execution of a state machine with each delivery, by the machine's ARN.

    The execution is named after the delivery, so that a second try of what was started already starts nothing (standard
    machines; express ones run again). A replay, or a redrive from the dead letters, starts a new one.
    """

    service: ClassVar[str] = "stepfunctions"
    arn_service: ClassVar[str] = "states"
    defaults: ClassVar[Mapping[str, Any]] = {"concurrency": 8}

    def send(self, deliveries: Sequence[Delivery]) -> list[Failure | None]:
        """One execution each."""
        for delivery in deliveries:
            try:
                self.client.start_execution(
                    stateMachineArn=self.name,
                    name=execution_name(delivery),
                    input=delivery.input.decode("utf-8", "replace"),
                )
            except self.client.exceptions.ExecutionAlreadyExists:
                continue  # An earlier try started it, and its answer was lost.
        return [None] * len(deliveries)


def execution_name(delivery: Delivery) -> str:
    """At most 80 of the characters that the service allows, beginning with the event's id."""
    return re.sub(r"[^A-Za-z0-9_-]", "-", delivery.event.id)[:47] + "-" + delivery_key(delivery)
