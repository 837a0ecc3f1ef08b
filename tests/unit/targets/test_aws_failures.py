"""AWS errors and names without a server: classes of codes, ARNs, sizes of batches. Relies on nothing but boto3."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest
from botocore.exceptions import ClientError

from rulebus.errors import BusError
from rulebus.targets.aws import KinesisTarget, LambdaTarget, SnsTarget, SqsTarget, target_of_arn
from rulebus.targets.aws.failures import failure_of, stable_code
from rulebus.targets.aws.logs import rejected
from rulebus.targets.aws.service import chunks
from rulebus.testing.targets_contract import delivery_of


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        ("ThrottlingException", 400, "throttled"),
        ("Throttling", 400, "throttled"),
        ("RequestThrottled", 400, "throttled"),
        ("KMSThrottlingException", 400, "throttled"),
        ("TooManyRequestsException", 429, "throttled"),
        ("ProvisionedThroughputExceededException", 400, "throttled"),
        ("ExecutionLimitExceeded", 400, "throttled"),
        ("SlowDown", 503, "throttled"),
        ("Whatever", 429, "throttled"),
        ("InternalServerError", 500, "retryable"),
        ("ServiceUnavailable", 503, "retryable"),
        ("ExpiredTokenException", 400, "retryable"),
        ("RequestTimeout", 408, "retryable"),
        ("ResourceConflictException", 409, "retryable"),
        ("AccessDeniedException", 400, "permanent"),
        ("ResourceNotFoundException", 404, "permanent"),
        ("AWS.SimpleQueueService.NonExistentQueue", 400, "permanent"),
        ("ValidationException", 400, "permanent"),
        ("InvalidExecutionInput", 400, "permanent"),
        ("RequestEntityTooLargeException", 413, "permanent"),
    ],
)
def test_error_codes_have_classes(code: str, status: int, kind: str) -> None:
    response = {"Error": {"Code": code, "Message": "why"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    failure = failure_of("sqs", ClientError(response, "Send"), 0.0)
    assert (failure.kind, failure.code, failure.status) == (kind, stable_code(code), code)
    assert "why" in failure.message


def test_retry_after_is_honoured() -> None:
    meta = {"HTTPStatusCode": 503, "HTTPHeaders": {"retry-after": "7"}}
    failure = failure_of(
        "sqs", ClientError({"Error": {"Code": "Busy"}, "ResponseMetadata": meta}, "Send"), 0.0
    )
    assert (failure.kind, failure.retry_after_s) == ("throttled", 7.0)


def test_what_boto3_says_without_an_answer() -> None:
    from botocore import exceptions

    for error, kind, code in (
        (exceptions.ReadTimeoutError(endpoint_url="x"), "retryable", "TIMEOUT"),
        (exceptions.EndpointConnectionError(endpoint_url="x"), "retryable", "CONNECTION_FAILED"),
        (exceptions.ConnectionClosedError(endpoint_url="x"), "retryable", "CONNECTION_FAILED"),
        (exceptions.ParamValidationError(report="too long"), "permanent", "INVALID_INPUT"),
        (exceptions.NoRegionError(), "retryable", "AWS_ERROR"),
        (ConnectionResetError(), "retryable", "CONNECTION_FAILED"),
    ):
        failure = failure_of("sqs", error, 0.0)
        assert (failure.kind, failure.code) == (kind, code), error


def test_chunks_stay_within_both_bounds() -> None:
    deliveries = [delivery_of(b"x" * size) for size in (3, 3, 3, 11, 1, 9, 1)]
    sizes = [[len(d.input) for d in piece] for piece in chunks(deliveries, 3, 10, lambda d: len(d.input))]
    assert sizes == [[3, 3, 3], [11], [1, 9], [1]]


def test_rejected_log_events() -> None:
    assert [one and one.code for one in rejected({"expiredLogEventEndIndex": 2}, 3)] == [
        "EXPIRED",
        "EXPIRED",
        None,
    ]
    assert rejected({}, 2) == [None, None]


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda: target_of_arn("arn:aws:s3:::bucket"), "target-arn"),
        (lambda: target_of_arn("arn:aws:sqs"), "target-arn"),
        (lambda: SqsTarget("arn:aws:sns:eu-central-1:123456789012:news"), "target-arn"),
        (lambda: SqsTarget(""), "target-arn"),
        (lambda: SqsTarget("orders", timeout_s=0), "target-timeout"),
        (lambda: SqsTarget("orders.fifo"), "target-options"),
        (lambda: SnsTarget("arn:aws:sns:eu-central-1:123456789012:news.fifo"), "target-options"),
        (lambda: LambdaTarget("bill", invocation="DryRun"), "target-options"),  # type: ignore[arg-type]
        (lambda: KinesisTarget("orders", partition_key=5), "target-parameter"),  # type: ignore[arg-type]
    ],
)
def test_what_cannot_be_a_target_is_refused(make: Callable[[], object], code: str) -> None:
    with pytest.raises(BusError) as caught:
        make()
    assert caught.value.code == code


def test_a_missing_library_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(BusError, match=r"rulebus\[aws\]") as caught:
        SqsTarget("orders")
    assert caught.value.code == "extra-missing"
