"""`rulebus.Pattern`: sources of every kind, equality, dicts, pickling, and what is refused."""

import copy
import json
import pickle
from typing import Any

import pytest

import rulebus

TEXT = '{"source": ["shop.cart"], "detail": {"total": [{"numeric": [">", 100]}]}}'


@pytest.mark.parametrize(
    "source",
    [
        TEXT,
        TEXT.encode(),
        bytearray(TEXT.encode()),
        memoryview(TEXT.encode()),
        json.loads(TEXT),
        rulebus.Pattern(TEXT),
    ],
    ids=lambda source: type(source).__name__,
)
def test_sources(source: Any) -> None:
    pattern = rulebus.Pattern(source)
    assert pattern == rulebus.Pattern(TEXT)
    assert pattern.matches(b'{"source": "shop.cart", "detail": {"total": 101}}') is True
    assert pattern.matches('{"source": "shop.cart", "detail": {"total": 100}}') is False


def test_equality_and_hash_go_by_meaning_not_by_spelling() -> None:
    spelt = rulebus.Pattern('{ "\\u0061" : { "b" : [ "x" ] } }')
    assert spelt == rulebus.Pattern({"a.b": ["x"]})
    assert hash(spelt) == hash(rulebus.Pattern({"a.b": ["x"]}))
    assert spelt != rulebus.Pattern({"a.b": ["y"]})
    assert spelt != '{"a.b":["x"]}'
    assert len({spelt, rulebus.Pattern({"a.b": ["x"]})}) == 1


def test_canonical_text_is_a_fixed_point() -> None:
    for text in (
        TEXT,
        '{"$or": [{"a": [null, true]}, {"b": {"c": [{"exists": false}, 1.50]}}]}',
        '{"é\\ud800": ["\\u0000"]}',
    ):
        pattern = rulebus.Pattern(text)
        assert rulebus.Pattern(pattern.json).json == pattern.json
        assert eval(repr(pattern), {"rulebus": rulebus}) == pattern


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a": {"b": [1, "x", null]}}', {"a.b": [1, "x", None]}),
        ('{"a": [1], "b": [2], "a": [3]}', {"b": [2], "a": [3]}),
        ('{"$or": [{"a": [1]}, {"b": [2]}], "c": [3]}', {"$or": [{"a": [1]}, {"b": [2]}], "c": [3]}),
        ('{"$or": ["x"]}', {"$or": ["x"]}),
    ],
)
def test_dicts(text: str, expected: dict[str, Any]) -> None:
    assert rulebus.Pattern(text).to_dict() == expected


def test_a_dict_keeps_every_or() -> None:
    text = (
        '{"x": {"$or": [{"a": [1]}, {"b": [2]}]}, "k": [0], "y": {"$or": [{"c": [3]}, {"d": [4]}]}, "z": [5]}'
    )
    pattern = rulebus.Pattern(text)
    again = rulebus.Pattern(pattern.to_dict())
    for number in range(64):
        bits = [number >> bit & 1 for bit in range(6)]
        event = {
            "x": {"a": bits[0], "b": 2 * bits[1]},
            "k": 1 - bits[2],
            "y": {"c": 3 * bits[3], "d": 4 * bits[4]},
            "z": 5 * bits[5],
        }
        assert pattern.matches(event) == again.matches(event)


def test_a_later_definition_counts_also_behind_an_or() -> None:
    text = '{"a": [1], "$or": [{"a": [2]}, {"b": [3]}], "a": [5]}'
    pattern, again = rulebus.Pattern(text), rulebus.Pattern(rulebus.Pattern(text).to_dict())
    for a in (1, 2, 5):
        for b in (0, 3):
            assert pattern.matches({"a": a, "b": b}) == again.matches({"a": a, "b": b})


def test_numbers_of_a_dict_keep_their_digits() -> None:
    assert rulebus.Pattern({"a": [12345678901234567890]}).matches(b'{"a": 12345678901234567890}')
    assert not rulebus.Pattern({"a": [12345678901234567890]}).matches(b'{"a": 12345678901234567891}')
    assert rulebus.Pattern({"a": [0.1, 1e22, -0.0]}).json == '{"a":[0.1,1e+22,-0.0]}'
    assert rulebus.Pattern({"a": [True, None]}).json == '{"a":[true,null]}'


def test_texts_of_a_dict_may_be_any() -> None:
    for text in ("é", "😀", '\x00\x1f"\\/', "\ud800", "\udc00x"):
        assert rulebus.Pattern({text: [text]}).matches({text: text})
        assert rulebus.Pattern({text: [text]}).matches(json.dumps({text: text}))
    assert rulebus.Pattern({"a": ["\ud83d\ude00"]}).matches('{"a": "😀"}')
    assert rulebus.Pattern('{"a": ["\ud800"]}').matches({"a": "\ud800"})


@pytest.mark.parametrize(
    ("source", "code", "pointer"),
    [
        ({"a": [{1}]}, "unsupported-type", "/a/0"),
        ({"a": {"b/~": [1, b"x"]}}, "unsupported-type", "/a/b~1~0/1"),
        ({"a": {1: [1]}}, "unsupported-type", "/a/1"),
        ({"a": [float("nan")]}, "number-not-finite", "/a/0"),
        ({"a": ({"numeric": (">", float("inf"))},)}, "number-not-finite", "/a/0/numeric/1"),
        ({}, None, ""),
        ({"a": 1}, "field-not-a-list", "/a"),
        ('{"a": [1]} x', None, None),
        ("", None, ""),
        (b"\xff", "invalid-utf8", ""),
        ("[" * 100_000, None, None),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_refused(source: Any, code: str | None, pointer: str | None) -> None:
    with pytest.raises(rulebus.PatternError) as caught:
        rulebus.Pattern(source)
    assert code is None or caught.value.code == code
    assert pointer is None or caught.value.pointer == pointer
    assert caught.value.line == 1
    assert caught.value.message
    assert caught.value.expected


def test_a_dict_without_end_is_refused() -> None:
    endless: dict[str, Any] = {}
    endless["a"] = endless
    with pytest.raises(rulebus.PatternError, match="max_pattern_depth"):
        rulebus.Pattern(endless)
    wide: list[Any] = [1]
    for _ in range(60):
        wide = [wide, wide]
    with pytest.raises(rulebus.PatternError, match="max_pattern_bytes"):
        rulebus.Pattern({"a": wide}, max_pattern_bytes=10_000)


@pytest.mark.parametrize(
    "source", [None, 1, 1.5, ["a"], {"a"}, object()], ids=lambda source: type(source).__name__
)
def test_wrong_types(source: Any) -> None:
    with pytest.raises(TypeError, match=r"^a pattern is str, bytes, dict or Pattern, not \w+$"):
        rulebus.Pattern(source)
    with pytest.raises(TypeError, match=r"^an event is bytes, bytearray, memoryview, str or dict, not "):
        rulebus.Pattern({"a": [1]}).matches(source)


def test_limits_are_the_callers() -> None:
    with pytest.raises(rulebus.PatternError, match="wildcard"):
        rulebus.Pattern({"a": [{"wildcard": "*:*:*:*:*:event-bus/*"}]}, max_wildcard_complexity=10)
    with pytest.raises(rulebus.PatternError, match="max_pattern_paths"):
        rulebus.Pattern({"a": [1], "b": [1]}, max_pattern_paths=1)
    with pytest.raises(ValueError, match=r"^max_pattern_paths is at most 256$"):
        rulebus.Pattern({"a": [1]}, max_pattern_paths=257)
    with pytest.raises(ValueError, match=r"^max_pattern_depth is at most 1000$"):
        rulebus.Pattern({"a": [1]}, max_pattern_depth=1001)
    with pytest.raises(TypeError, match="there is no such option"):
        rulebus.Pattern({"a": [1]}, limit=1)


def test_pickles_and_copies_are_equal() -> None:
    pattern = rulebus.Pattern(TEXT)
    for twin in (pickle.loads(pickle.dumps(pattern)), copy.copy(pattern), copy.deepcopy(pattern)):
        assert type(twin) is rulebus.Pattern
        assert twin == pattern
        assert twin.matches({"source": "shop.cart", "detail": {"total": 101}})
