"""The envelope, byte by byte. Relies on the installed package."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from rulebus.bus.envelope import Envelopes, read_time, stamp


def test_every_byte() -> None:
    envelopes = Envelopes("111111111111", "eu-west-1")
    head = envelopes.head("shop.cart", "OrderPlaced")
    (body,) = envelopes.write(["id-1"], [head], "2026-01-02T03:04:05Z", ['{"n": 1.50, "n": 2}'])
    assert body == (
        b'{"version":"0","id":"id-1","detail-type":"OrderPlaced","source":"shop.cart","account":"111111111111",'
        b'"time":"2026-01-02T03:04:05Z","region":"eu-west-1","resources":[],"detail":{"n": 1.50, "n": 2}}'
    )


def test_replay_name_stands_between_region_and_resources() -> None:
    envelopes = Envelopes("0", "local")
    tail = envelopes.tail('["a"]', replay='again"')
    (body,) = envelopes.write_each(["1"], [envelopes.head("s", "t")], ["2026-01-02T03:04:05Z" + tail], ["{}"])
    assert list(json.loads(body)) == [
        "version", "id", "detail-type", "source", "account", "time", "region", "replay-name", "resources", "detail",
    ]  # fmt: skip
    assert json.loads(body)["replay-name"] == 'again"'


def test_texts_are_quoted_and_heads_kept() -> None:
    envelopes = Envelopes("0", "local")
    source, detail_type = 'a"b\\c\n', "é\u2028"
    head = envelopes.head(source, detail_type)
    (body,) = envelopes.write(["1"], [head], "t", ["{}"])
    event = json.loads(body)
    assert (event["source"], event["detail-type"]) == (source, detail_type)
    assert envelopes.heads[source, detail_type] == head


def test_kept_heads_are_bounded() -> None:
    envelopes = Envelopes("0", "local")
    for number in range(10_000):
        envelopes.head("s", str(number))
    assert len(envelopes.heads) <= 4096
    assert ("s", "9999") in envelopes.heads
    envelopes.head("s" * 5000, "t")
    assert ("s" * 5000, "t") not in envelopes.heads


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ("2022-01-01", "2022-01-01T00:00:00Z"),
        ("2022-01-01 00:00:00Z", "2022-01-01T00:00:00Z"),
        ("2026-11-23 13:35:14.767815", "2026-11-23T13:35:14Z"),
        (datetime(1, 1, 1, tzinfo=UTC), "0001-01-01T00:00:00Z"),
        (-1.5, "1969-12-31T23:59:58Z"),
        (1_790_000_000, "2026-09-21T14:13:20Z"),
    ],
)
def test_times(given: object, text: str) -> None:
    assert read_time(given) == text


@pytest.mark.parametrize(
    "bad", ["", "soon", None, True, [], float("nan"), 1e300, datetime.max.replace(tzinfo=None)]
)
def test_what_is_no_time(bad: object) -> None:
    if isinstance(bad, datetime):
        assert read_time(bad).startswith("9999")
        return
    with pytest.raises(ValueError, match="a time is a datetime"):
        read_time(bad)


def test_stamp_cuts_off() -> None:
    assert stamp(0.999) == "1970-01-01T00:00:00Z"
