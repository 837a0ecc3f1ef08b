"""Lines as entries: both forms are read, the payload's bytes are kept, what is neither is refused with a sentence."""

from __future__ import annotations

import pytest

from rulebus.router.entries import EntryError, EntryLines


def test_an_event_becomes_an_entry() -> None:
    line = (
        b'{"id":"1","detail-type":"OrderPlaced","source":"shop","time":"2026-01-02T03:04:05Z","resources":["a"],'
        b'"detail":{"total":1.50,"big":123456789012345678901234567890}}'
    )
    assert EntryLines()(line) == {
        "Source": "shop",
        "DetailType": "OrderPlaced",
        "Time": "2026-01-02T03:04:05Z",
        "Resources": ["a"],
        "Detail": b'{"total":1.50,"big":123456789012345678901234567890}',
    }


def test_an_entry_stays_an_entry() -> None:
    line = b'{"Source":"shop","DetailType":"t","Detail":{"total": 1.50},"EventBusName":"orders"}'
    assert EntryLines()(line) == {
        "Source": "shop", "DetailType": "t", "Detail": b'{"total": 1.50}', "EventBusName": "orders",
    }  # fmt: skip
    assert EntryLines()(b'{"Source":"shop","DetailType":"t","Detail":"{}"}')["Detail"] == "{}"


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"nonsense", "not JSON"),
        (b"[1]", "expected an object"),
        (b'"text"', "expected an object"),
        (b"{}", "no source, detail-type, detail"),
        (b'{"source":"s","detail":{}}', "no detail-type"),
        (b'{"a":1', "not JSON"),
        (b"\xff\xfe", "not JSON"),
    ],
)
def test_what_is_neither_is_refused(line: bytes, why: str) -> None:
    with pytest.raises(EntryError, match=why):
        EntryLines()(line)
