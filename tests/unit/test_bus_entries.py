"""What entries may say, what is refused and in which words. Relies on the installed package."""

from __future__ import annotations

import dataclasses
import json
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from rulebus.bus.entries import EntryReader, Readings, entry_size_bytes
from rulebus.bus.envelope import Envelopes
from rulebus.bus.limits import BusLimits

GOOD = {"Source": "shop.cart", "DetailType": "OrderPlaced", "Detail": '{"total":120}'}


def read(*entries: Any, limits: BusLimits | None = None) -> Readings:
    return EntryReader(limits or BusLimits(), Envelopes("000000000000", "local")).read(entries)


def fault(limits: BusLimits | None = None, /, **changes: Any) -> tuple[str, str]:
    entry = {key: value for key, value in {**GOOD, **changes}.items() if value is not ...}
    readings = read(entry, limits=limits)
    assert readings.places == []
    assert readings.heads == []
    assert readings.details == []
    return readings.faults[0].code, readings.faults[0].message


@pytest.mark.parametrize("name", ["Source", "DetailType", "Detail"])
@pytest.mark.parametrize("value", [..., None, ""])
def test_what_is_required(name: str, value: object) -> None:
    assert fault(**{name: value}) == (
        "InvalidArgument",
        f"Parameter {name} is not valid. Reason: {name} is a required argument.",
    )


def test_the_first_of_several_faults_is_told() -> None:
    assert "Source" in fault(Source=..., DetailType=..., Detail="{")[1]
    assert "DetailType" in fault(DetailType=..., Detail=...)[1]
    assert fault(Detail="{", Source="aws.s3")[0] == "MalformedDetail"
    assert fault(Detail="{", Time="yesterday")[0] == "MalformedDetail"


@pytest.mark.parametrize(
    "detail",
    [
        "not JSON", "[1]", "1", '"text"', "null", "{", '{"a":1}}', '{"a":1},"source":"other"', '{"a":01}',
        '{"a":NaN}', "{'a':1}", '{"a":1} {"b":2}', '{"a":"\x01"}', '{"a":"\ud800"}', b'{"a":"\xff"}', [1], 5, True,
        {"a": float("nan")}, {"a": [float("inf")]}, {1: 2}, {"a": {2: 3}, "b": 2**70}, {"a": object()},
        "{" + '"a":{' * 1000 + "}" * 1001,
    ],
)  # fmt: skip
def test_detail_that_is_no_json_object(detail: object) -> None:
    assert fault(Detail=detail) == ("MalformedDetail", "Detail is malformed.")


@dataclasses.dataclass
class Order:
    total: float
    note: str | None = None


@pytest.mark.parametrize(
    ("detail", "text"),
    [
        ('{"total": 1.50}', '{"total": 1.50}'),
        (' {"b":1,"a":2}\n', '{"b":1,"a":2}'),
        (b'{"a":"\xc3\xa9"}', '{"a":"é"}'),
        (bytearray(b"{}"), "{}"),
        ({}, "{}"),
        ({"a": None, "b": [1, 2.5]}, '{"a":null,"b":[1,2.5]}'),
        ({"n": 2**70}, '{"n":1180591620717411303424}'),
        (Order(1.5), '{"total":1.5,"note":null}'),
        ({"at": datetime(2026, 1, 2), "x": None}, '{"at":"2026-01-02T00:00:00","x":null}'),
    ],
)
def test_details_are_kept_as_given(detail: object, text: str) -> None:
    readings = read({**GOOD, "Detail": detail})
    assert readings.faults == {}
    assert readings.details == [text]


def test_deep_objects_are_written_too() -> None:
    detail: dict[str, Any] = {}
    for _ in range(400):
        detail = {"a": detail}
    (text,) = read({**GOOD, "Detail": detail}).details
    assert json.loads(text) == detail


def test_good_entries_stay_accepted_beside_bad_ones() -> None:
    readings = read(
        GOOD, {**GOOD, "Detail": "{"}, GOOD, {**GOOD, "Source": ""}, {**GOOD, "Detail": {"n": 1}}, "rubbish"
    )
    assert readings.places == [0, 2, 4]
    assert readings.details == ['{"total":120}', '{"total":120}', '{"n":1}']
    assert len(readings.heads) == 3
    assert {at: fault.code for at, fault in readings.faults.items()} == {
        1: "MalformedDetail",
        3: "InvalidArgument",
        5: "InvalidArgument",
    }


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"Time": "yesterday"}, "Parameter Time is not valid. Reason: a time is"),
        ({"Time": True}, "Parameter Time"),
        ({"Time": 1e20}, "Parameter Time"),
        ({"Resources": "arn"}, "Parameter Resources"),
        ({"Resources": [1]}, "A resource is a text, not 1"),
        ({"Resources": ["x" * 2049]}, "A resource is longer than 2048 characters."),
        ({"DetailType": "x" * 129}, "DetailType is longer than 128 characters."),
        ({"DetailType": 5}, "DetailType is a text, not 5"),
        ({"Source": ["a"]}, "Source is a text"),
        ({"Source": "\ud800"}, "Source is a text"),
        ({"EventBusName": 5}, "EventBusName is a text"),
        ({"detail_type": "x"}, "An entry has no 'detail_type'"),
    ],
)
def test_other_invalid_arguments(changes: dict[str, Any], words: str) -> None:
    code, message = fault(**changes)
    assert code == "InvalidArgument"
    assert words in message


def test_sources_of_aws_are_reserved() -> None:
    assert fault(Source="aws.s3") == ("NotAuthorizedForSourceException", "Not authorized for the source.")
    assert read({**GOOD, "Source": "aws.s3"}, limits=BusLimits(aws_sources=True)).faults == {}
    assert read({**GOOD, "Source": "awsome"}).faults == {}


def test_times_resources_and_bus() -> None:
    zone = timezone(timedelta(hours=2))
    readings = read(
        {**GOOD, "Time": datetime(2026, 1, 2, 3, 4, 5, tzinfo=zone), "Resources": ["a", 'b"']},
        {**GOOD, "EventBusName": "orders"},
        {**GOOD, "EventBusName": "arn:aws:events:eu-west-1:111111111111:event-bus/orders"},
        {**GOOD, "EventBusName": None, "Resources": []},
        GOOD,
    )
    assert readings.others == {
        0: ("2026-01-02T01:04:05Z", '["a","b\\""]', None),
        1: (None, "[]", "orders"),
        2: (None, "[]", "orders"),
        3: (None, "[]", None),
    }


def test_size_of_an_entry() -> None:
    limits = BusLimits(entry_bytes=60)
    fits = {**GOOD, "Detail": '{"a":"' + "x" * (60 - 9 - 11 - 8) + '"}'}
    assert entry_size_bytes(fits, fits["Detail"]) == 60
    assert read(fits, limits=limits).faults == {}
    assert fault(limits, Detail='{"a":"' + "x" * 33 + '"}') == (
        "InvalidArgument",
        "Parameter Detail is not valid. Reason: The entry has 61 bytes, 60 are allowed.",
    )
    assert "bytes" in fault(limits, Detail='{"a":"' + "x" * 1000 + '"}')[1]
    assert "bytes" in fault(limits, Detail=fits["Detail"], Time=0)[1]


def test_a_warm_reader_refuses_large_details_too() -> None:
    reader = EntryReader(BusLimits(entry_bytes=100), Envelopes("0", "local"))
    assert reader.read([GOOD]).faults == {}
    assert reader.read([{**GOOD, "Detail": '{"a":"' + "x" * 200 + '"}'}]).faults[0].code == "InvalidArgument"
