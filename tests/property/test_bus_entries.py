"""Whatever texts an entry has, its envelope says exactly them, and no entry reaches beyond its own place.

Relies on hypothesis; the oracle is the standard library's JSON reader."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from rulebus.bus.entries import EntryReader
from rulebus.bus.envelope import Envelopes
from rulebus.bus.limits import BusLimits

KEYS = ["version", "id", "detail-type", "source", "account", "time", "region", "resources", "detail"]
TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)
OBJECTS = st.dictionaries(TEXT, VALUES, max_size=4)
NEARLY_JSON = st.text(st.sampled_from('{}[]",:\\ \n\t01eE+-.nulltruefalsesource'), max_size=40) | st.text(
    max_size=20
)


def envelope(entry: dict[str, Any], times: int = 1) -> bytes | None:
    """The envelope of an entry, None when it is refused; `times` above 1 goes the short way."""
    envelopes = Envelopes("000000000000", "local")
    reader = EntryReader(BusLimits(aws_sources=True), envelopes)
    for _ in range(times):
        readings = reader.read([entry])
    if readings.faults:
        return None
    resources = readings.others.get(0, (None, "[]", None))[1]
    tail = "2026-01-01T00:00:00Z" + envelopes.tail(resources)
    (body,) = envelopes.write_each(["id"], readings.heads, [tail], readings.details)
    if times > 1 and (usual := reader.read_usual(entry)) is not None:
        assert envelopes.write_one("id", usual[0], 1_767_225_600.0, usual[1]) == body
    return body


@given(TEXT, TEXT, OBJECTS, st.lists(TEXT, max_size=3), st.booleans(), st.sampled_from([1, 2]))
def test_an_envelope_says_what_the_entry_says(
    source: str, detail_type: str, detail: dict[str, Any], resources: list[str], as_text: bool, times: int
) -> None:
    given_detail: Any = json.dumps(detail) if as_text else detail
    entry = {"Source": source, "DetailType": detail_type, "Detail": given_detail}
    if resources:
        entry["Resources"] = resources
    body = envelope(entry, times)
    assert body is not None
    event = json.loads(body)
    assert list(event) == KEYS
    assert (event["source"], event["detail-type"], event["resources"]) == (source, detail_type, resources)
    assert event["detail"] == detail
    if as_text:
        assert body.endswith(b'"detail":' + given_detail.encode() + b"}")


@given(NEARLY_JSON, st.sampled_from([1, 2]))
def test_a_detail_is_one_object_or_refused(detail: str, times: int) -> None:
    body = envelope({"Source": "s", "DetailType": "t", "Detail": detail}, times)
    try:
        value = json.loads(detail, parse_constant=lambda name: 1 / 0)
        is_object = isinstance(value, dict)
        detail.encode()
    except (ValueError, ZeroDivisionError, RecursionError):
        is_object = False
    assert (body is not None) == is_object
    if body is not None:
        event = json.loads(body)
        assert list(event) == KEYS
        assert event["detail"] == value
        assert (event["source"], event["detail-type"]) == ("s", "t")
