"""What an AWS service's error says of a delivery: permanent, retryable or throttled.

SOURCE: the services' lists of common errors, and botocore's own list of throttling codes. A missing resource or
permission is permanent, as EventBridge has it. Relies on nothing of boto3 but the shape of its errors.
"""

from __future__ import annotations

import re
from typing import Any

from rulebus.attempt import ANSWER_BYTES, Failure, FailureKind
from rulebus.targets.retry_after import wait_of

__all__ = ["failure_of", "item_failure", "kind_of", "stable_code"]

_THROTTLED = frozenset(
    {
        "BandwidthLimitExceeded", "EC2ThrottledException", "ExecutionLimitExceeded", "LimitExceededException",
        "OverLimit", "PriorRequestNotComplete", "ProvisionedThroughputExceededException", "RequestLimitExceeded",
        "SlowDown", "TooManyRequestsException", "TransactionInProgressException",
    }
)  # fmt: skip
_RETRYABLE = frozenset(
    {
        "EC2AccessDeniedException", "EFSMountTimeoutException", "EventLoopException", "ExpiredToken",
        "ExpiredTokenException", "InternalFailure", "InternalServerError", "InternalServerException",
        "KMSNotFoundException", "OperationAbortedException", "RequestExpired", "RequestTimeout",
        "RequestTimeoutException", "ResourceConflictException", "ServiceException", "ServiceUnavailable",
    }
)  # fmt: skip


def kind_of(code: str, status: int = 400, *, sender: bool | None = None) -> FailureKind:
    """The class of an error code with its HTTP status; `sender` is what a batch says of whose fault it is.

    >>> kind_of("ThrottlingException"), kind_of("AccessDeniedException"), kind_of("InternalFailure", 500)
    ('throttled', 'permanent', 'retryable')
    """
    if "Throttl" in code or code in _THROTTLED or status == 429:
        return "throttled"
    if code in _RETRYABLE or status >= 500 or sender is False or status in (408, 409):
        return "retryable"
    return "permanent"


def stable_code(code: str) -> str:
    """An error code as ours are written.

    >>> stable_code("AWS.SimpleQueueService.NonExistentQueue"), stable_code("KMSThrottlingException")
    ('AWS_SIMPLE_QUEUE_SERVICE_NON_EXISTENT_QUEUE', 'KMS_THROTTLING_EXCEPTION')
    """
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", code)
    return re.sub(r"[^A-Z0-9]+", "_", words.upper()).strip("_") or "AWS_ERROR"


def item_failure(service: str, code: str, message: str, *, sender: bool | None = None) -> Failure:
    """The outcome of one item of a batch that the service refused."""
    return Failure(
        kind_of(code, sender=sender),
        stable_code(code),
        f"{service} refused it: {message or code}",
        status=code,
        answer=message.encode()[:ANSWER_BYTES],
    )


def failure_of(service: str, error: Exception, now: float) -> Failure:
    """The outcome that an exception of boto3 gives, for the whole call."""
    response: Any = getattr(error, "response", None)
    if isinstance(response, dict) and "Error" in response:
        code = str(response["Error"].get("Code") or "Unknown")
        message = str(response["Error"].get("Message") or "")
        meta = response.get("ResponseMetadata", {})
        status = int(meta.get("HTTPStatusCode") or 400)
        wait_s = wait_of(meta.get("HTTPHeaders", {}).get("retry-after"), now)
        kind = kind_of(code, status)
        if kind == "retryable" and wait_s > 0:
            kind = "throttled"
        return Failure(
            kind,
            stable_code(code),
            f"{service} answered {code}: {message}",
            status=code,
            retry_after_s=wait_s if kind == "throttled" else 0.0,
            answer=message.encode()[:ANSWER_BYTES],
        )
    return _without_answer(service, error)


def _without_answer(service: str, error: Exception) -> Failure:
    from botocore import exceptions

    name = type(error).__name__
    if isinstance(error, exceptions.ReadTimeoutError | exceptions.ConnectTimeoutError | TimeoutError):
        return Failure("retryable", "TIMEOUT", f"{service} did not answer in time", status=name)
    if isinstance(error, exceptions.ParamValidationError):
        return Failure("permanent", "INVALID_INPUT", f"{service} cannot take it: {error}", status=name)
    if isinstance(error, exceptions.NoCredentialsError | exceptions.PartialCredentialsError):
        message = f"no credentials for {service} were found; set AWS_PROFILE or AWS_ACCESS_KEY_ID, or give a session"
        return Failure("retryable", "CREDENTIALS_MISSING", message, status=name)
    if isinstance(error, exceptions.HTTPClientError | exceptions.ConnectionError | OSError):
        return Failure("retryable", "CONNECTION_FAILED", f"{service} could not be reached", status=name)
    return Failure("retryable", "AWS_ERROR", f"{service} could not be asked: {error}", status=name)
