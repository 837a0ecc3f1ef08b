"""What came of one try to deliver: an `Attempt` in the record, a `Failure` where it failed.

Targets return failures, the dispatcher classes and records them, dead letters carry them. Relies on nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

__all__ = ["ANSWER_BYTES", "Attempt", "Failure", "FailureKind"]

FailureKind: TypeAlias = Literal["permanent", "retryable", "throttled"]
"""Permanent: no further try. Retryable: by the policy. Throttled: by the policy, after the wait asked for."""

ANSWER_BYTES = 512
"""How much of a target's answer is kept."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a target did not take a delivery.

    >>> Failure("throttled", "HTTP_429", "too many requests", status="429", retry_after_s=2.0).kind
    'throttled'
    """

    kind: FailureKind
    """Whether another try makes sense."""
    code: str
    """Stable reason in capitals: ``HTTP_503``, ``HANDLER_ERROR``, ``TIMEOUT``, ``INVALID_JSON`` …"""
    message: str
    """A sentence for people."""
    status: str = ""
    """The answer's status where the target has one: ``503``, an exit code, an exception's name."""
    retry_after_s: float = 0.0
    """The wait that the target asked for."""
    answer: bytes = b""
    """The beginning of the answer, at most `ANSWER_BYTES`."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try, as a dead letter and the store keep it."""

    started_at: float
    """Seconds since 1970."""
    duration_s: float
    """How long it took."""
    failure: Failure
    """What was wrong. (A try that succeeded ends the delivery and its record.)"""
