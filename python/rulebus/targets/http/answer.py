"""What an HTTP answer says of a delivery: taken, permanent, retryable or throttled.

The table is that of the bus's specification, section 5; a subscription's `failure_kinds` overrides it by code. Relies
on nothing that talks to a network. Must never keep more than the beginning of an answer, or a secret in it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from email.utils import parsedate_to_datetime
from http import HTTPStatus

from rulebus.attempt import ANSWER_BYTES, Failure, FailureKind

__all__ = ["LONGEST_WAIT_S", "failure_of", "kind_of", "redacted", "wait_of"]

LONGEST_WAIT_S = 86_400.0
"""A longer Retry-After counts as this: no event is kept longer."""

_RETRYABLE = frozenset({404, 408, 409, 425})


def kind_of(status: int, wait_s: float = 0.0) -> FailureKind | None:
    """The class of a status; None for success.

    >>> [kind_of(status) for status in (204, 302, 400, 404, 410, 429, 500)]
    [None, 'permanent', 'permanent', 'retryable', 'permanent', 'throttled', 'retryable']
    >>> kind_of(503, wait_s=30)
    'throttled'
    """
    if 200 <= status < 300:
        return None
    if status == 429:
        return "throttled"
    if status >= 500 or status in _RETRYABLE:
        return "throttled" if wait_s > 0 else "retryable"
    return "permanent"


def wait_of(text: str | None, now: float) -> float:
    """The seconds that a Retry-After header asks for: a number, or a date. 0 for none, a past one, or nonsense.

    >>> wait_of("120", 0.0), wait_of("Wed, 21 Oct 2015 07:28:00 GMT", 1445412470.0), wait_of("soon", 0.0)
    (120.0, 10.0, 0.0)
    """
    if not text:
        return 0.0
    text = text.strip()
    if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,6})?", text):
        wait = float(text)
    else:
        try:
            wait = parsedate_to_datetime(text).timestamp() - now
        except (ValueError, TypeError, OverflowError, IndexError):
            return 0.0
    return min(max(wait, 0.0), LONGEST_WAIT_S) if math.isfinite(wait) else 0.0


def failure_of(what: str, status: int, retry_after: str | None, now: float, answer: bytes) -> Failure | None:
    """The outcome that a complete answer gives; `what` is the request, for people."""
    wait_s = wait_of(retry_after, now)
    kind = kind_of(status, wait_s)
    if kind is None:
        return None
    try:
        phrase = f" ({HTTPStatus(status).phrase})"
    except ValueError:
        phrase = ""
    hint = "; redirects are not followed, so give the URL that it leads to" if 300 <= status < 400 else ""
    return Failure(
        kind,
        f"HTTP_{status}",
        f"{what} answered {status}{phrase}{hint}",
        status=str(status),
        retry_after_s=wait_s if kind == "throttled" else 0.0,
        answer=answer,
    )


def redacted(answer: bytes, secrets: Iterable[bytes]) -> bytes:
    """The beginning of an answer, without the secrets that the server may have sent back."""
    for secret in secrets:
        if len(secret) >= 4:
            answer = answer.replace(secret, b"***")
    return answer[:ANSWER_BYTES]
