"""Events that are Python objects: the verdict is that of their JSON text, and every object has a clear end."""

import enum
import json
from collections import OrderedDict, defaultdict
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rulebus

KEYS = ["a", "b", "c", "a.b", "", "é"]
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.integers(),
    st.sampled_from([0.0, -0.0, 1.0, 1.5, 1e22, 1e16, 123456789012345678901234567890, 5e-324, 1e-7]),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(["", "x", "xy", "é", "10.0.0.1", "\ud800", "\ud83d\ude00", "😀"]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    ),
    max_leaves=20,
)
EVENTS = st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=5)

RULES: dict[str, Any] = {
    "one": {"a": [1, True, None, "x"]},
    "number": {"a": {"b": [{"numeric": [">=", -2, "<", 2]}, 123456789012345678901234567890]}},
    "pair": {"a": {"b": [{"exists": True}], "c": [{"exists": True}]}},
    "alone": {"a": {"b": [{"exists": True}], "c": [{"exists": False}]}},
    "deep": {"a": {"b": {"a": [{"anything-but": "x"}]}}, "b": [{"prefix": ""}]},
    "three": {"a": {"b": {"c": [{"exists": True}], "a": [{"exists": True}]}}},
    "empty": {"": [{"exists": True}]},
    "accent": {"é": [{"equals-ignore-case": "É"}, "\ud800", "😀", {"cidr": "10.0.0.0/8"}]},
    "float": {"b": [1e22, 5e-324, 1e-7, 0, 10000000000000000]},
    "or": {"$or": [{"a": [0]}, {"c": {"b": ["x"]}}]},
}


MATCHER = rulebus.Matcher(RULES)


@given(EVENTS)
@settings(max_examples=500, deadline=None)
def test_an_object_means_what_its_text_means(event: dict[str, Any]) -> None:
    matcher = MATCHER
    text = json.dumps(event)
    assert matcher.match(event) == matcher.match(text)
    assert matcher.matches(event) == bool(matcher.match(text))
    assert matcher.match_many([event]) == [matcher.match(text)]
    for name in ("pair", "alone", "deep"):
        assert matcher.explain(name, event) == matcher.explain(name, text)


def test_elements_of_arrays_stay_together() -> None:
    matcher = rulebus.Matcher({"pair": {"a": {"b": [1], "c": [2]}}})
    assert matcher.match({"a": [{"b": 1, "c": 2}]}) == ["pair"]
    assert matcher.match({"a": [{"b": 1}, {"c": 2}]}) == []
    assert matcher.match({"a": ({"b": [0, 1], "c": ({"d": 1}, 2)},)}) == ["pair"]
    assert matcher.match({"a": [[{"b": 1}], [{"b": 1, "c": 2}]]}) == ["pair"]


def test_subclasses_count_as_what_they_are() -> None:
    class Level(enum.IntEnum):
        HIGH = 3

    class Colour(enum.StrEnum):
        RED = "red"

    class Whole(int):
        def __repr__(self) -> str:
            return "whole"

    matcher = rulebus.Matcher({"level": {"a": [3]}, "colour": {"a": ["red"]}})
    assert matcher.match({"a": Level.HIGH}) == ["level"]
    assert matcher.match({"a": Whole(3)}) == ["level"]
    assert matcher.match({Colour.RED: 1, "a": Colour.RED}) == ["colour"]
    assert matcher.match(OrderedDict(a=3)) == ["level"]
    assert matcher.match(defaultdict(int, a=3)) == ["level"]
    big = rulebus.Matcher({"big": {"a": [10**30]}})
    assert big.match({"a": Whole(10**30)}) == ["big"]


@pytest.mark.parametrize(
    ("event", "code", "pointer"),
    [
        ({"a": {1}}, "unsupported-type", "/a"),
        ({"a": [1, {"b": object()}]}, "unsupported-type", "/a/1/b"),
        ({"a": [[], [Decimal(1)]]}, "unsupported-type", "/a/1/0"),
        ({"a": {"b": b"x"}}, "unsupported-type", "/a/b"),
        ({1: 2}, "unsupported-type", ""),
        ({"a": [{"c": 0}, {None: 1}]}, "unsupported-type", "/a/1"),
        ({"a": {"b/~": 1, "b": float("nan")}}, "number-not-finite", "/a/b"),
        ({"a": [float("-inf")]}, "number-not-finite", "/a/0"),
        ({"a": 10**5000}, "unsupported-type", "/a"),
    ],
    ids=["set", "object", "decimal", "bytes", "number-key", "none-key", "nan", "infinity", "endless-digits"],
)
def test_values_without_json(event: Any, code: str, pointer: str) -> None:
    matcher = rulebus.Matcher({"rule": {"a": [1], "a.b": [2]}})
    for call in (matcher.match, matcher.matches, rulebus.Pattern({"a": [1], "a.b": [2]}).matches):
        with pytest.raises(rulebus.EventError) as caught:
            call(event)
        assert (caught.value.code, caught.value.pointer) == (code, pointer)
        assert str(caught.value).endswith(f"\n  at {pointer or 'the top'}")
    assert matcher.match({"a": [1, {"b": 2}]}) == ["rule"]


def test_what_no_rule_asks_for_is_not_looked_at() -> None:
    endless: list[Any] = []
    endless.append(endless)
    assert rulebus.Matcher({"rule": {"a": [1]}}).match({"a": 1, "z": {1}, "y": endless, "x": {2: 3}}) == [
        "rule"
    ]


def test_depth() -> None:
    matcher = rulebus.Matcher({"rule": {"a": [1]}})
    nested: Any = 1
    for _ in range(999):
        nested = [nested]
    assert matcher.match({"a": nested}) == ["rule"]
    assert matcher.match('{"a": ' + "[" * 999 + "1" + "]" * 999 + "}") == ["rule"]
    for _ in range(9_001):
        nested = [nested]
    endless: list[Any] = []
    endless.append(endless)
    for deep in (nested, endless):
        with pytest.raises(rulebus.EventError) as caught:
            matcher.match({"a": deep})
        assert caught.value.code == "event-too-deep"
    knot: dict[str, Any] = {"b": 1}
    knot["a"] = knot
    assert rulebus.Matcher({"rule": {"a.a.a.b": [1]}}).match(knot) == ["rule"]


def test_limits() -> None:
    matcher = rulebus.Matcher(
        {"rule": {"a": ["x"]}}, max_event_values=3, max_event_bytes=100, max_event_depth=2
    )
    for event, code in [
        ({"a": [0] * 4}, "event-too-many-values"),
        ({"a": "x" * 101}, "event-too-large"),
        ({"a": [["x"]]}, "event-too-deep"),
    ]:
        with pytest.raises(rulebus.EventError) as caught:
            matcher.match(event)
        assert caught.value.code == code
    assert matcher.match({"a": ["x", 0, 0]}) == ["rule"]


def test_wide_objects() -> None:
    matcher = rulebus.Matcher({str(number): {"k": {str(number): [number]}} for number in range(2000)})
    event = {"k": {str(number): number for number in range(2000)}}
    assert matcher.match(event) == matcher.match(json.dumps(event)) == [str(number) for number in range(2000)]
