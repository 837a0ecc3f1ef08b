"""Measures transforms: `python benches/transform.py` prints the time for an event of 1 KB, 20 KB and 1 MB, by kind.

The first output of each is checked before it is timed. Fails when a typical template takes more than 5 µs on 1 KB.
Relies on the installed wheel; compares with parsing the event and writing the result, which is what others do.
"""

from __future__ import annotations

import json
import sys
import timeit
from collections.abc import Callable

from rulebus.event import AcceptedEvent
from rulebus.origin import Origin
from rulebus.rule import InputTransformer
from rulebus.transform import compile_path, compile_transform

FLOOR_US = 5.0
ORIGIN = Origin("default", "big-orders", "billing", "arn:aws:events:local:111111111111:rule/big-orders")
PATHS = {
    "order": "$.detail.order-id",
    "total": "$.detail.total",
    "mail": "$.detail.customer.email",
    "first": "$.detail.items[0].sku",
    "time": "$.time",
}
JSON_TEMPLATE = '{"order": <order>, "total": <total>, "text": "<mail> bought <first> at <time>"}'
TEXT_TEMPLATE = '"<mail> bought <first> (order <order>) at <time>, <aws.events.rule-name>"'


def event(items: int) -> bytes:
    """An order of so many items."""
    detail = {
        "order-id": "o-17",
        "customer": {"id": "c-1", "email": "zoe@example.com", "note": 'calls herself "Z"'},
        "items": [
            {"sku": f"SKU-{i:05d}", "quantity": i % 5 + 1, "price": 9.99 + i, "tags": ["new", "sale"]}
            for i in range(items)
        ],
        "total": 120.5,
    }
    envelope = {"version": "0", "id": "7bf73129-1428-4cd3-a780-95db273d1602", "detail-type": "OrderPlaced"}
    envelope |= {
        "source": "shop.cart",
        "account": "111111111111",
        "time": "2026-11-26T03:38:05Z",
        "region": "local",
    }
    return json.dumps({**envelope, "resources": [], "detail": detail}, separators=(",", ":")).encode()


def fastest_us(call: Callable[[], object]) -> float:
    """The least time of a call in µs, over seven rounds of a tenth of a second."""
    timer = timeit.Timer(call)
    number = max(1, int(0.1 / max(timer.timeit(3) / 3, 1e-9)))
    return min(timer.repeat(7, number)) / number * 1e6


def parse_and_write(body: bytes) -> bytes:
    """The JSON template by hand, with the fastest JSON library that Python has."""
    import orjson

    parsed = orjson.loads(body)
    detail = parsed["detail"]
    mail, first = detail["customer"]["email"], detail["items"][0]["sku"]
    text = f"{mail} bought {first} at {parsed['time']}"
    return orjson.dumps({"order": detail["order-id"], "total": detail["total"], "text": text})


def main() -> int:
    """Prints the table; 1 when the floor is not reached."""
    slow = False
    print(f"{'event':>8}  {'bytes':>8}  {'kind':<22}{'us':>9}")
    for name, items in (("1 KB", 8), ("20 KB", 260), ("1 MB", 12_500)):
        body = event(items)
        accepted = AcceptedEvent("default", "7bf73129", body, 1_795_664_286.9)
        made = {
            "JSON template": compile_transform(input_transformer=InputTransformer(JSON_TEMPLATE, PATHS)),
            "text template": compile_transform(input_transformer=InputTransformer(TEXT_TEMPLATE, PATHS)),
            "input path": compile_transform(input_path="$.detail"),
        }
        expected = {
            "order": "o-17",
            "total": 120.5,
            "text": "zoe@example.com bought SKU-00000 at 2026-11-26T03:38:05Z",
        }
        calls: dict[str, Callable[[], object]] = {"parse and write": lambda body=body: parse_and_write(body)}
        for kind, transform in made.items():
            assert transform is not None
            calls[kind] = lambda transform=transform, accepted=accepted: transform.apply(accepted, ORIGIN)
        first, text, path = (calls[kind]() for kind in made)
        assert isinstance(first, bytes)
        assert json.loads(first) == json.loads(parse_and_write(body)) == expected
        assert text == (
            b'"zoe@example.com bought SKU-00000 (order o-17) at 2026-11-26T03:38:05Z, big-orders"'
        )
        assert path == body[body.index(b'"detail":') + 9 : -1]
        order = compile_path("$.detail.order-id")
        assert order.one(body) == b'"o-17"'
        calls["one value"] = lambda body=body, order=order: order.one(body)
        for kind, call in calls.items():
            time = fastest_us(call)
            missed = name == "1 KB" and kind in made and time > FLOOR_US
            slow |= missed
            print(
                f"{name:>8}  {len(body):>8}  {kind:<22}{time:>9.2f}{'  NOT REACHED: 5 us' if missed else ''}"
            )
    return int(slow)


if __name__ == "__main__":
    sys.exit(main())
