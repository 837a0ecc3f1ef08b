"""Retry policies: waits, bounds, the named ones. Pure values; no clock, no queue."""

from __future__ import annotations

import pickle

import pytest

from rulebus.retry import CLASSIC, V2, WEBHOOKS, RetryPolicy

DAY = 86_400


def test_the_default_is_eventbridges() -> None:
    assert (
        CLASSIC == RetryPolicy() == RetryPolicy(maximum_retry_attempts=185, maximum_event_age_in_seconds=DAY)
    )
    assert (V2.maximum_retry_attempts, V2.maximum_event_age_in_seconds) == (5, 300)


def test_waits_double_up_to_the_cap_and_chance_spreads_them() -> None:
    waits = [CLASSIC.wait_s(retry, chance=1.0) for retry in range(1, 13)]
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 512, 512]
    assert CLASSIC.wait_s(185, chance=0.25) == 128
    assert CLASSIC.wait_s(1_000_000, chance=1.0) == 512
    assert CLASSIC.wait_s(3, chance=0.0) == 0
    assert CLASSIC.wait_s(3, chance=0.0, asked_s=30.0) == 30
    assert CLASSIC.wait_s(10, chance=1.0, asked_s=30.0) == 512


def test_every_wait_of_webhooks_comes_to_pass() -> None:
    assert WEBHOOKS.waits_s is not None
    age = 0.0
    for retry, wait in enumerate(WEBHOOKS.waits_s, start=1):
        assert WEBHOOKS.exhausted(retries=retry - 1, age_s=age) is None
        assert WEBHOOKS.wait_s(retry, chance=0.0) == wait
        age += wait
    assert age > 3 * DAY
    assert WEBHOOKS.exhausted(retries=len(WEBHOOKS.waits_s), age_s=age) == "MaximumRetryAttempts"


def test_whichever_bound_comes_first_ends_it() -> None:
    policy = RetryPolicy(maximum_retry_attempts=2, maximum_event_age_in_seconds=60)
    assert policy.exhausted(retries=1, age_s=59.9) is None
    assert policy.exhausted(retries=2, age_s=0.0) == "MaximumRetryAttempts"
    assert policy.exhausted(retries=0, age_s=60.0) == "MaximumEventAgeInSeconds"
    assert RetryPolicy(maximum_retry_attempts=0).exhausted(retries=0, age_s=0.0) == "MaximumRetryAttempts"
    assert (
        RetryPolicy(maximum_retry_attempts=1, waits_s=(1.0, 2.0)).exhausted(retries=1, age_s=1.0) is not None
    )


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"maximum_retry_attempts": 186}, "0 to 185"),
        ({"maximum_retry_attempts": -1}, "0 to 185"),
        ({"maximum_event_age_in_seconds": 59}, "60 to 86400"),
        ({"maximum_event_age_in_seconds": DAY + 1}, "60 to 86400"),
        ({"maximum_event_age_in_seconds": 0}, "60 to 86400"),
        ({"maximum_event_age_in_seconds": 31 * DAY, "waits_s": (1.0,)}, "60 to 2592000"),
        ({"base_s": -1.0}, "not negative"),
        ({"factor": 0.5}, "at least 1"),
        ({"waits_s": (1.0, -1.0)}, "no negative"),
    ],
)
def test_what_no_policy_can_be_is_refused(options: dict[str, object], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        RetryPolicy(**options)  # type: ignore[arg-type]


def test_policies_are_values() -> None:
    assert pickle.loads(pickle.dumps(WEBHOOKS)) == WEBHOOKS
    assert hash(RetryPolicy()) == hash(CLASSIC)
