"""The small parts of delivery: places, bucket, window, keys, outcomes. Relies on nothing but them."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

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
from rulebus.retry import RetryPolicy
from rulebus.statistics import BusStatistics, Histogram, TargetStatistics, total


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
        ("$.a-b.c/d[2]", ("[]", 2, 3)),
        ("$.a-b.c/d[1]", ("{}", frozenset({("e", "x")}))),
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


@pytest.mark.parametrize(
    "spellings",
    [
        ("1", "1.0", "10e-1"),
        ('"A"', '"\\u0041"'),
        ('"\\u00e9"', '"é"'),
        ('[1,{"a":2,"b":"x"}]', '[ 1.0, {"b": "\\u0078", "a": 2} ]'),
        ("1e400", "2e400"),
        ("0", "-0.0"),
    ],
)
def test_equal_values_are_one_key_however_they_are_spelt(spellings: tuple[str, ...]) -> None:
    key = key_function("$.k")
    bodies = [f'{{"k":{text}}}'.encode() for text in spellings]
    assert len({key(AcceptedEvent("b", "1", body, 0.0)) for body in bodies}) == 1


@pytest.mark.parametrize("pair", [('"1"', "1"), ("[1,2]", "[2,1]"), ('"[]"', "[]"), ('{"a":1}', '{"a":2}')])
def test_other_values_are_other_keys(pair: tuple[str, str]) -> None:
    key = key_function("$.k")
    first, second = (key(AcceptedEvent("b", "1", f'{{"k":{text}}}'.encode(), 0.0)) for text in pair)
    assert first != second


class Key:
    """Hashable, and yet of no use: comparing it runs code that may do anything."""

    def __init__(self, fails: bool = True) -> None:
        self.fails = fails

    def __hash__(self) -> int:
        return 1

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("no comparison")


class Colour(Enum):
    RED = 1


class Loud(str):
    def __eq__(self, other: object) -> bool:
        raise RuntimeError("no comparison")

    def __hash__(self) -> int:
        raise RuntimeError("no hash")


@dataclass(frozen=True)
class Point:
    x: int
    y: str


@pytest.mark.parametrize(
    "make",
    [
        lambda: "a",
        lambda: 1.5,
        lambda: float("nan"),
        lambda: b"x",
        lambda: bytearray(b"x"),
        lambda: (1, "a", None, [2, {"b": {3}}]),
        lambda: Colour.RED,
        lambda: Loud("a"),
        lambda: Point(1, "a"),
        lambda: UUID(int=7),
        lambda: Decimal("1.50"),
        lambda: date(2026, 11, 26),
    ],
)
def test_what_a_function_may_give_as_a_key(make: Callable[[], object]) -> None:
    key = key_function(lambda event: make())
    first, second = key(EVENT), key(EVENT)
    assert first == second
    assert hash(first) == hash(second)
    assert type(first) in {str, float, bytes, tuple}


@pytest.mark.parametrize("bad", [Key(), object(), (1, [Key()])])
def test_what_is_no_key(bad: object) -> None:
    with pytest.raises(TypeError, match="order_by gave a"):
        key_function(lambda event: bad)(EVENT)


@pytest.mark.parametrize("bad", [17, None, b"$.a", "$"])
def test_what_is_neither_a_path_nor_a_function(bad: Any) -> None:
    with pytest.raises(BusError, match="order_by") as caught:
        key_function(bad)
    assert caught.value.code == "order-by"


@pytest.mark.parametrize(
    "fields",
    [
        {"retry_after_s": "soon"},
        {"retry_after_s": float("nan")},
        {"code": 503},
        {"message": None},
        {"answer": "no"},
        {"status": 503},
    ],
)
def test_a_failure_with_rubbish_in_it_has_fields_that_can_be_reckoned_with(fields: dict[str, Any]) -> None:
    good: dict[str, Any] = {"kind": "throttled", "code": "HTTP_503", "message": "no"}
    for outcome in (Failure(**{**good, **fields}), [Failure(**{**good, **fields})]):
        (failure,) = read(outcome, 1) or []
        assert failure is not None
        failure = classed(failure, {"HTTP_503": "permanent"})
        assert [type(text) for text in (failure.code, failure.message, failure.status)] == [str] * 3
        assert type(failure.answer) is bytes
        wait = RetryPolicy().wait_s(1, chance=1.0, asked_s=failure.retry_after_s)
        assert 0.0 <= wait < 1000.0


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


def test_every_duration_is_counted_in_its_bucket() -> None:
    """The short ways, by a table, and the long one meet without a gap."""
    last = 0.0
    for micros in sorted(
        {(8 + part << octave) + step for octave in range(33) for part in range(8) for step in (-1, 0)}
    ):
        histogram = Histogram()
        histogram.add((micros + 0.5) / 1e6)
        ((bound, count),) = histogram.record().buckets()
        assert count == 1
        assert last <= bound
        assert micros / 1e6 < bound <= (micros * 1.125 + 2) / 1e6
        last = bound


def test_statistics_are_printed_as_a_table() -> None:
    histogram = Histogram()
    histogram.add(0.002, 3)
    first = TargetStatistics(
        bus="shop", rule="big-orders", target="billing", created=1200, successes=3, success=histogram.record()
    )
    other = TargetStatistics(bus="shop", rule="all", target="log", created=7, pending=7, waiting=2)
    lines = str(BusStatistics(bus="shop", events=1207, targets=(first, other))).splitlines()
    assert lines[0].startswith("bus shop: 1,207 events, ")
    assert [line.split()[0] for line in lines[1:]] == [
        "rule/target",
        "big-orders/billing",
        "all/log",
        "(total)",
    ]
    assert lines[2].split()[1:3] == ["1,200", "3"]
    assert lines[2].endswith("2 ms  2 ms")
    assert lines[3].endswith("-     -")
    assert len({len(line) for line in lines[1:]}) == 1
    assert str(first).splitlines()[1].split()[0] == "big-orders/billing"
    assert str(first.success) == "3: median 2 ms, 99 % within 2 ms, longest 2 ms"
    assert str(other.success) == "none"
    assert str(BusStatistics(bus="quiet")).count("\n") == 0
    many = str(BusStatistics(bus="shop", targets=(other,) * 130, removed=first)).splitlines()
    assert len(many) == 1 + 1 + 100 + 2 + 1
    assert many[-1].startswith("30 more targets")
    assert repr(first).startswith("TargetStatistics(")
