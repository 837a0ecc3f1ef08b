"""What an HTTP answer says of a delivery: taken, permanent, retryable or throttled.

The table is that of the bus's specification, section 5; a subscription's `failure_kinds` overrides it by code. Relies
on nothing that talks to a network. Must never keep more than the beginning of an answer, or a secret in it.
"""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus

from rulebus.attempt import ANSWER_BYTES, Failure, FailureKind
from rulebus.targets.retry_after import wait_of

__all__ = ["failure_of", "kind_of", "redacted"]

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
