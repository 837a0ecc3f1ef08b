"""Amazon resource names, read as far as targets need them. Relies on nothing."""

from __future__ import annotations

import re
from dataclasses import dataclass

from rulebus.errors import BusError

__all__ = ["Arn"]

_FORM = re.compile(r"arn:([a-z0-9-]+):([a-z0-9-]+):([a-z0-9-]*):([0-9]*):(\S+)")


@dataclass(frozen=True, slots=True)
class Arn:
    """The parts of a name.

    >>> Arn.read("arn:aws:dynamodb:eu-central-1:123456789012:table/orders").last
    'orders'
    """

    partition: str
    service: str
    region: str
    account: str
    resource: str

    @classmethod
    def read(cls, text: str) -> Arn:
        """Raises `BusError` for what is no ARN."""
        match = _FORM.fullmatch(text)
        if match is None:
            raise BusError(
                "target-arn",
                f"{text[:120]!r} is no ARN; one reads arn:aws:sqs:eu-central-1:123456789012:orders",
            )
        return cls(*match.groups())

    @property
    def last(self) -> str:
        """The resource without its kind: what stands behind ``table/``, ``stream/``, ``log-group:``."""
        for prefix in ("table/", "stream/", "log-group:"):
            if self.resource.startswith(prefix):
                return self.resource.removeprefix(prefix).removesuffix(":*")
        return self.resource
