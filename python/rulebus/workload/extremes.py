"""Rule sets that stall other engines, each with events that hurt: needle lists, clone families, products of
arrays.

Invented data. Every function returns (rules, events): rules as (name, pattern) pairs, events as JSON texts.
Relies on `chance` only; must never need more than a few megabytes for what it returns by default.
"""

from __future__ import annotations

import json
from typing import Any

from rulebus.workload.chance import Chance

__all__ = ["clone_family", "killers", "needles"]

Rules = list[tuple[str, dict[str, Any]]]
Workload = tuple[Rules, list[bytes]]


def needles(n: int, events: int = 2_000, seed: int = 5) -> Workload:
    """One rule: one field, `n` wildcards of the form `*literal*`, as lists of known bad file hashes are
    published.

    A fifth of the events carry one of the hashes.

    >>> rules, events = needles(100, events=50)
    >>> len(rules), len(rules[0][1]["detail"]["hashes"]), len(events)
    (1, 100, 50)
    """
    chance = Chance(f"needles-{seed}")
    known = [chance.hexadecimal(32) for _ in range(n)]
    pattern = {
        "source": ["sensor.process"],
        "detail": {"hashes": [{"wildcard": f"*{text}*"} for text in known]},
    }

    def event() -> bytes:
        h = chance.hexadecimal
        md5 = chance.one(known) if chance.random() < 0.2 else h(32)
        hashes = f"SHA1={h(40)},MD5={md5},SHA256={h(64)},IMPHASH={h(32)}"
        image = f"C:\\\\Users\\\\{h(6)}\\\\AppData\\\\Local\\\\Temp\\\\{h(8)}.exe"
        detail = f'"image":"{image}","pid":{chance.bits(16)},"hashes":"{hashes}"'
        return f'{{"source":"sensor.process","detail":{{{detail}}}}}'.encode()

    return [("known-bad-hashes", pattern)], [event() for _ in range(events)]


def clone_family(n: int, events: int = 10_000, seed: int = 6) -> Workload:
    """`n` rules with the same six fields that differ in one value, as multi-tenant systems stamp them out.

    Half of the events belong to one of the tenants.

    >>> rules, events = clone_family(10, events=5)
    >>> rules[3][1]["detail"]["tenant"]
    ['tenant-00003']
    """
    chance = Chance(f"clones-{seed}")
    rules: Rules = []
    for number in range(n):
        detail = {
            "tenant": [f"tenant-{number:05d}"],
            "status": ["FAILED", "TIMED_OUT"],
            "attempt": [{"numeric": [">=", 3]}],
            "queue": [{"prefix": "jobs-"}],
        }
        rules.append(
            (
                f"tenant-{number:05d}",
                {"source": ["acme.jobs"], "detail-type": ["Job Finished"], "detail": detail},
            )
        )

    def event() -> bytes:
        detail = {
            "tenant": f"tenant-{chance.below(2 * n):05d}",
            "job": chance.hexadecimal(32),
            "status": chance.one(("SUCCEEDED", "FAILED", "TIMED_OUT")),
            "attempt": chance.between(1, 5),
            "queue": f"jobs-{chance.one(('mail', 'video', 'export'))}",
        }
        return json.dumps(
            {"source": "acme.jobs", "detail-type": "Job Finished", "detail": detail}, separators=(",", ":")
        ).encode()

    return rules, [event() for _ in range(events)]


def killers() -> dict[str, Workload]:
    """Small inputs with a product hidden in them, by name; each costs a plain engine milliseconds to minutes
    an event.

    >>> sorted(killers())
    ['anything-but-crowd', 'or-product', 'overlapping-wildcards', 'sibling-arrays']
    """
    return {
        "sibling-arrays": _sibling_arrays(arrays=4, length=30),
        "or-product": _or_product(blocks=7, width=4),
        "overlapping-wildcards": _overlapping_wildcards(200),
        "anything-but-crowd": _anything_but_crowd(2_000),
    }


def _sibling_arrays(arrays: int, length: int) -> Workload:
    """Every array holds the wanted object `length` times; the last field fails, so all combinations would
    be tried.
    """
    names = [f"a{k}" for k in range(arrays)]
    wanted: dict[str, Any] = {name: {"x": [1]} for name in names}
    crowd: dict[str, Any] = {name: [{"x": 1}] * length for name in names}
    rules: Rules = [("fails-late", {**wanted, "z": ["absent"]}), ("matches", {**wanted, "z": ["present"]})]
    return rules, [json.dumps({**crowd, "z": "present"}, separators=(",", ":")).encode()]


def _or_product(blocks: int, width: int) -> Workload:
    """`$or` after `$or`: `width` to the power of `blocks` branches when it is expanded."""
    rule: dict[str, Any] = {}
    for block in range(blocks):
        rule[f"b{block}"] = {"$or": [{f"c{block}{k}": [f"v{k}"]} for k in range(width)]}
    hit = {f"b{block}": {f"c{block}{width - 1}": f"v{width - 1}"} for block in range(blocks)}
    miss = {**hit, f"b{blocks - 1}": {"c00": "v0"}}
    return [("product", rule)], [json.dumps(event).encode() for event in (hit, miss)]


def _overlapping_wildcards(count: int) -> Workload:
    """Wildcards whose stars can divide one text in many ways."""
    letters = "abcdefgh"
    rules: Rules = []
    for number in range(count):
        x, y, z = letters[number % 8], letters[number // 8 % 8], letters[number // 64 % 8]
        rules.append((f"wild-{number:03d}", {"text": [{"wildcard": f"*{x}*{y}*{z}*"}]}))
    texts = ("abcdefgh" * 8, "a" * 64, "hgfedcba" * 8, "-" * 64)
    return rules, [json.dumps({"text": text}).encode() for text in texts]


def _anything_but_crowd(count: int) -> Workload:
    """Conditions that nearly every event satisfies, one different value each."""
    rules: Rules = [
        (f"not-{k}", {"user": [{"anything-but": [f"user-{k}"]}], "hot": [f"h{k}"]}) for k in range(count)
    ]
    return rules, [
        json.dumps({"user": f"user-{k}", "hot": f"h{k + k % 2}"}).encode() for k in range(0, count, 50)
    ]
