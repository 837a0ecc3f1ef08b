"""Reading JSON: all that is valid is read, rarities too, and nothing else is. Relies on the installed package."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rulebus import _json
from rulebus.event import Event


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e400", math.inf),
        ("-1e400", -math.inf),
        ('"\\ud800"', "\ud800"),
        ('{"a":["\\udfff x"]}', {"a": ["\udfff x"]}),
        ("9" * 400, int("9" * 400)),
        ("-" + "9" * 400, -int("9" * 400)),
        ("9" * 10_000, math.inf),
        ("123456789012345678901234567890", 1.2345678901234568e29),
        ("[1e400,123456789012345678901234567890,18446744073709551615,-9223372036854775808,7]",
         [math.inf, 1.2345678901234568e29, 18446744073709551615, -9223372036854775808, 7]),
    ],
)  # fmt: skip
def test_rarities_are_read(text: str, value: Any) -> None:
    for given_text in (text, text.encode(), bytearray(text.encode()), memoryview(text.encode())):
        found = _json.loads(given_text)
        assert found == value
        assert type(found) is type(value)


@pytest.mark.parametrize(
    "text",
    [
        b"", b"{", b"NaN", b"Infinity", b"-Infinity", b"[1e400,NaN]", b"01", b'"\x01"', b"[1e400,]", b'"\xff"',
        b'"\xed\xa0\x80"', b"\xef\xbb\xbf1e400", b"1e400 x", b'{"a":1e400', b"[" * 5000 + b"]" * 5000,
    ],
)  # fmt: skip
def test_what_is_no_json_is_refused_as_ever(text: bytes) -> None:
    with pytest.raises(_json.JsonError):
        _json.loads(text)


@given(st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
))  # fmt: skip
def test_everything_that_the_standard_library_writes_is_read(value: Any) -> None:
    assert _near(_json.loads(json.dumps(value)), value)


def _near(found: Any, value: Any) -> bool:
    if isinstance(value, dict):
        return found.keys() == value.keys() and all(_near(found[name], value[name]) for name in value)
    if isinstance(value, list):
        return len(found) == len(value) and all(map(_near, found, value))
    if isinstance(value, int) and not -(1 << 63) <= value < 1 << 64:
        return bool(found == value or found == float(value))
    return bool(found == value)


def test_events_with_rarities_can_be_read() -> None:
    event = Event(b'{"id":"1","detail":{"a":1e400,"b":"\\ud800"}}')
    assert event.detail == {"a": math.inf, "b": "\ud800"}
    assert event.to_dict()["detail"]["a"] == math.inf
