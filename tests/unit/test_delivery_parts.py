"""The small parts of delivery: places, bucket, window, keys, outcomes. Relies on nothing but them."""

from __future__ import annotations

from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rulebus.attempt import Failure
from rulebus.delivery.dedup import Window
from rulebus.delivery.ordering import key_function
from rulebus.delivery.outcome import classed, failure_of, read
from rulebus.delivery.places import Places
from rulebus.delivery.rate import Bucket
from rulebus.errors import BusError, PermanentError, RetryAfter
from rulebus.event import AcceptedEvent
from rulebus.statistics import Histogram, TargetStatistics, total


@given(
    st.lists(
        st.tuples(st.sampled_from(["append", "extend", "take", "back"]), st.integers(0, 9000)), max_size=30
    )
)
def test_places_are_a_queue(steps: list[tuple[str, int]]) -> None:
    places, model, last = Places(), list[int](), array("q")
    for step, count in steps:
        if step == "append":
            places.append(count)
            model.append(count)
        elif step == "extend":
            places.extend(range(count))
            model.extend(range(count))
        elif step == "take":
            last = places.take(count)
            assert list(last) == model[:count]
            del model[:count]
        else:
            places.put_back(array("q", last))
            model[:0] = list(last)
        assert len(places) == len(model)
    assert list(places.take(10**6)) == model


@given(
    rate=st.floats(0.01, 10_000),
    burst=st.integers(1, 100),
    pauses=st.lists(st.floats(0, 5), min_size=1, max_size=50),
)
def test_a_bucket_never_gives_more_than_its_rate(rate: float, burst: int, pauses: list[float]) -> None:
    now, bucket, spent = 1e6, Bucket(rate, burst, 1e6), 0
    for pause in pauses:
        now += pause
        got = bucket.available(now)
        bucket.spend(got, now)
        spent += got
        assert spent <= burst + rate * (now - 1e6) + 0.01
        assert bucket.available(now) == 0
        due = bucket.due(now)
        assert due > now
        later = max(due, now + 1e-5)
        assert Bucket.available(bucket, later) >= 1 or rate * (later - due) < 1
        now = later


def test_a_bucket_wants_a_rate() -> None:
    with pytest.raises(ValueError, match="rate_per_s"):
        Bucket(0, 1, 0.0)


def test_a_window_is_bounded_and_forgets_the_oldest_first() -> None:
    window = Window(60.0, most=3)
    for n in range(5):
        window.add(f"e{n}", float(n))
    assert [window.has(f"e{n}", 5.0) for n in range(5)] == [False, False, True, True, True]
    window.add("e4", 30.0)  # Known longer now.
    window.add("e5", 70.0)
    assert window.has("e4", 89.0)
    assert len(window) == 2


EVENT = AcceptedEvent("b", "1", b'{"a-b":{"c/d":[1,{"e":"x"},[2,3]],"n":null,"t":true}}', 0.0)


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("$.a-b.c/d[0]", 1),
        ("$.a-b.c/d[1].e", "x"),
        ("$.a-b.c/d[2]", b"[2,3]"),
        ("$.a-b.c/d[1]", b'{"e":"x"}'),
        ("$.a-b.c/d[9]", None),
        ("$.a-b.t", True),
        ("$.a-b.n", None),
        ("$.a-b.n.x", None),
        ("$.a-b[0]", None),
        ("$.missing", None),
    ],
)
def test_the_key_at_a_path(path: str, key: object) -> None:
    assert key_function(path)(EVENT) == key


@pytest.mark.parametrize(
    "path", ["", "$", "a", "$a", "$.", "$.a.", "$.a[*]", "$.a[b]", "$.a[0", "$..a", "$.a b"]
)
def test_what_is_no_path(path: str) -> None:
    with pytest.raises(BusError, match="order_by") as caught:
        key_function(path)
    assert caught.value.code == "order-by"


class Unprintable(Exception):
    def __str__(self) -> str:
        raise ValueError("not even that")


def test_exceptions_become_failures() -> None:
    assert failure_of(KeyError("total")) == Failure(
        "retryable", "HANDLER_ERROR", "KeyError: 'total'", "KeyError"
    )
    assert failure_of(PermanentError("no")).kind == "permanent"
    assert failure_of(RetryAfter(3)).retry_after_s == 3.0
    assert failure_of(RetryAfter("soon")).retry_after_s == 0.0  # type: ignore[arg-type]
    assert failure_of(RetryAfter(-5)).retry_after_s == 0.0
    assert "could not be made" in failure_of(Unprintable()).message
    assert len(failure_of(ValueError("x" * 100_000)).message) == 1000


def test_failures_with_fields_of_wrong_types_are_mended() -> None:
    odd = Failure("retryable", 404, None, 404, "2.5", "not bytes")  # type: ignore[arg-type]
    (mended,) = read(odd, 1) or [None]
    assert mended == Failure("retryable", "404", "None", "404", 2.5, b"not bytes")
    worse = Failure("retryable", "X", "y", retry_after_s="soon")  # type: ignore[arg-type]
    (mended,) = read([worse], 1) or [None]
    assert mended is not None
    assert mended.code == "HANDLER_ERROR"


class Treacherous(list):  # type: ignore[type-arg]
    def __iter__(self) -> object:  # type: ignore[override]
        raise RuntimeError("no iteration")


@pytest.mark.parametrize(
    ("outcome", "codes"),
    [
        (None, None),
        ([None, None], None),
        ((None, None), None),
        ([None, KeyError("x")], [None, "HANDLER_ERROR"]),
        ([Failure("permanent", "HTTP_400", "bad"), None], ["HTTP_400", None]),
        (Failure("permanent", "HTTP_400", "bad"), ["HTTP_400", "HTTP_400"]),
        (ValueError(), ["HANDLER_ERROR"] * 2),
        ([None], ["BAD_OUTCOME"] * 2),
        ([None] * 3, ["BAD_OUTCOME"] * 2),
        ("ok", ["BAD_OUTCOME"] * 2),
        (b"ok", ["BAD_OUTCOME"] * 2),
        (True, ["BAD_OUTCOME"] * 2),
        ({1: 2}, ["BAD_OUTCOME"] * 2),
        ([None, False], [None, "BAD_OUTCOME"]),
        (Treacherous(), ["HANDLER_ERROR"] * 2),
    ],
    ids=repr,
)
def test_whatever_is_returned_is_read(outcome: object, codes: list[str | None] | None) -> None:
    found = read(outcome, 2)
    assert (found and [failure and failure.code for failure in found]) == codes


def test_failures_are_classed_and_cut() -> None:
    long = Failure("retryable", "HTTP_404", "half a character \ud800", answer=b"x" * 1000)
    cut = classed(long, {"HTTP_404": "permanent"})
    assert (cut.kind, cut.message, len(cut.answer)) == ("permanent", "half a character ?", 512)
    fine = Failure("throttled", "HTTP_429", "slowly")
    assert classed(fine, {}) is fine
    assert classed(Failure("silly", "X", "y"), {}).kind == "retryable"  # type: ignore[arg-type]


@given(st.lists(st.floats(0, 200_000), min_size=1, max_size=200))
def test_quantiles_are_at_most_an_eighth_too_high(values: list[float]) -> None:
    histogram = Histogram()
    for value in values:
        histogram.add(value)
    latency = histogram.record()
    values.sort()
    assert latency.count == len(values)
    assert latency.longest_s == values[-1]
    assert sum(count for _, count in latency.buckets()) == len(values)
    for share in (0.5, 0.9, 1.0):
        exact = values[max(0, -(-int(share * len(values) * 1000) // 1000) - 1)]
        assert latency.quantile_s(share) >= exact - 1e-6
    assert latency.quantile_s(1.0) <= values[-1] * 1.126 + 2e-6


def test_sums_of_histograms_and_statistics() -> None:
    histogram = Histogram()
    histogram.add(-3.0)  # The clock was set back.
    histogram.add(1e9)
    latency = histogram.record()
    assert (latency.count, latency.sum_s) == (2, 1e9)
    assert latency.quantile_s(1.0) == 1e9
    assert Histogram().record().quantile_s(0.5) == 0.0
    one = TargetStatistics(bus="b", rule="r", target="t", created=2, successes=1, pending=1, success=latency)
    two = TargetStatistics(bus="b", rule="s", target="t", created=1, in_flight=1, oldest_pending_s=5.0)
    both = total([one, two])
    assert (both.bus, both.rule, both.target) == ("b", "", "t")
    assert (both.created, both.success.count, both.oldest_pending_s) == (3, 2, 5.0)
    assert both.balanced
    assert not TargetStatistics(created=1).balanced
    assert total([]) == TargetStatistics()
