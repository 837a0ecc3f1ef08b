"""What a call of a target came to: from an answer or an exception to one outcome a delivery.

Whatever a target returns or raises ends here as `None` or a `Failure` for each of its deliveries; nothing is trusted to
have the right shape. Relies on `attempt` and `errors`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rulebus.attempt import ANSWER_BYTES, Failure, FailureKind
from rulebus.errors import PermanentError, RetryAfter

__all__ = ["classed", "failure_of", "read", "timed_out"]

_LONGEST_MESSAGE = 1000
_BAD = "BAD_OUTCOME"


def failure_of(error: BaseException) -> Failure:
    """The failure that an exception of a target stands for: retryable unless it says something else.

    >>> failure_of(KeyError("total")).kind, failure_of(PermanentError("no such customer")).kind
    ('retryable', 'permanent')
    """
    name = type(error).__name__
    try:
        text = str(error)
    except BaseException as worse:
        text = f"(its message could not be made: {type(worse).__name__})"
    message = f"{name}: {text}" if text else name
    message = message[:_LONGEST_MESSAGE]
    if isinstance(error, PermanentError):
        return Failure("permanent", "HANDLER_ERROR", message, status=name)
    if isinstance(error, RetryAfter):
        try:
            seconds = max(0.0, float(error.seconds))
        except (TypeError, ValueError):
            seconds = 0.0
        return Failure("throttled", "HANDLER_ERROR", message, status=name, retry_after_s=seconds)
    return Failure("retryable", "HANDLER_ERROR", message, status=name)


def timed_out(seconds: float, begun: bool = True) -> Failure:
    """The failure of a try that took too long."""
    if begun:
        return Failure("retryable", "TIMEOUT", f"the target did not answer within {seconds:g} s")
    return Failure(
        "retryable",
        "TIMEOUT",
        f"the target was not called for {seconds:g} s, because too many earlier calls of it have not come back; "
        "end what they wait for, or give the target's own work a shorter timeout",
    )


def read(outcome: object, count: int) -> list[Failure | None] | None:
    """One outcome for each of `count` deliveries, from whatever a target returned or raised; None: all were taken.

    >>> read(None, 2) is None, read([None, None], 2) is None
    (True, True)
    >>> [failure and failure.code for failure in read([None, ValueError("x")], 2)]
    [None, 'HANDLER_ERROR']
    >>> read("taken", 1)[0].message
    'the target returned a str, but None or a list of 1 outcome was expected (None or a Failure for each delivery)'
    """
    if outcome is None:
        return None
    if isinstance(outcome, BaseException):
        return [failure_of(outcome)] * count
    if isinstance(outcome, Failure):
        return [_sound(outcome)] * count
    expected = f"None or a list of {count} outcome{'s' if count != 1 else ''} was expected (None or a Failure for each delivery)"
    if not isinstance(outcome, Sequence) or isinstance(outcome, (str, bytes, bytearray, memoryview)):
        return [
            Failure("retryable", _BAD, f"the target returned a {type(outcome).__name__}, but {expected}")
        ] * count
    try:
        found = list(outcome)
    except BaseException as error:
        return [failure_of(error)] * count
    if len(found) != count:
        return [
            Failure("retryable", _BAD, f"the target returned {len(found)} outcomes, but {expected}")
        ] * count
    clean = True
    for place, one in enumerate(found):
        if one is None:
            continue
        clean = False
        if isinstance(one, BaseException):
            found[place] = failure_of(one)
        elif isinstance(one, Failure):
            found[place] = _sound(one)
        else:
            found[place] = Failure(
                "retryable", _BAD, f"the target returned a {type(one).__name__} as an outcome, but {expected}"
            )
    return None if clean else found


def _sound(failure: Failure) -> Failure:
    """The failure, with fields of the types that they should have."""
    texts = (failure.code, failure.message, failure.status)
    if (
        all(type(text) is str for text in texts)
        and type(failure.retry_after_s) in (float, int)
        and type(failure.answer) is bytes
    ):
        return failure
    try:
        code, message, status = (str(text) for text in texts)
        answer = failure.answer
        kept = bytes(answer) if isinstance(answer, (bytes, bytearray, memoryview)) else str(answer).encode()
        return Failure(failure.kind, code, message, status, float(failure.retry_after_s), kept)
    except Exception as error:
        return failure_of(error)


def classed(failure: Failure, kinds: Mapping[str, FailureKind]) -> Failure:
    """The failure with the class that the subscription gives to its code, and its answer cut to size."""
    kind = kinds.get(failure.code, failure.kind) if kinds else failure.kind
    if kind not in ("permanent", "retryable", "throttled"):
        kind = "retryable"
    message = failure.message
    if not message.isascii():
        # Exceptions of Python may carry halves of characters, which no JSON can hold.
        message = message.encode("utf-8", "replace").decode()
    if (
        kind == failure.kind
        and message == failure.message
        and len(failure.answer) <= ANSWER_BYTES
        and len(message) <= _LONGEST_MESSAGE
    ):
        return failure
    return Failure(
        kind,
        failure.code,
        message[:_LONGEST_MESSAGE],
        failure.status,
        failure.retry_after_s,
        failure.answer[:ANSWER_BYTES],
    )
