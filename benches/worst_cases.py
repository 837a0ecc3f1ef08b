"""Inputs made to hurt, each with a ceiling in time and memory, at a size and at twice that size: what is linear must stay
so.

Relies on `Matcher` alone, so that any engine behind it is judged; expected counts follow from how the input is made.
Must never raise a ceiling to make a case pass (targets.toml, `worst`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from rulebus import Matcher
from rulebus.measure.memory import allocated_bytes
from rulebus.workload.chance import Chance

__all__ = ["CASES", "Found", "measure"]

Rules = dict[str, str]
Case = Callable[[int], tuple[Rules, list[bytes], int]]
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True, slots=True)
class Found:
    """A case at one size."""

    size: int
    build_ms: float
    event_us: float
    """Processor time, the fastest of some rounds."""
    bytes_per_rule: float | None
    matches: int


def overlapping(size: int) -> tuple[Rules, list[bytes], int]:
    """`*x*y*z*` of single letters on one field, `*xy*z*w*` where there are not enough of them; values of 13 to 32
    letters that many of them could meet.
    """
    chance, parts = Chance("overlapping"), dict[str, tuple[str, ...]]()
    while len(parts) < size:
        x, y, z, w = (chance.one(_LETTERS[:13]) for _ in range(4))
        parts[x + y + z + w if size > 1_000 else x + y + z] = (x + y, z, w) if size > 1_000 else (x, y, z)
    rules = {name: f'{{"v": [{{"wildcard": "*{"*".join(part)}*"}}]}}' for name, part in parts.items()}
    values = ["".join(chance.one(_LETTERS) for _ in range(chance.between(13, 32))) for _ in range(500)]
    expected = sum(_in_order(value, *part) for value in values for part in parts.values())
    return rules, [f'{{"v": "{value}"}}'.encode() for value in values], expected


def _in_order(value: str, *parts: str) -> bool:
    at = 0
    for part in parts:
        found = value.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    return True


def anything_but(size: int) -> tuple[Rules, list[bytes], int]:
    """A different `anything-but` in each rule: all but one match."""
    rules = {str(number): f'{{"v": [{{"anything-but": ["v{number}"]}}]}}' for number in range(size)}
    return rules, [b'{"v": "v7"}'], size - 1


def long_array(size: int) -> tuple[Rules, list[bytes], int]:
    """Both values stand in the array, never in one element."""
    rules = {"never": '{"a": {"x": [1], "y": [1]}}', "once": '{"a": {"x": [1], "y": [2], "z": ["last"]}}'}
    elements = ['{"x":1,"y":2}', '{"x":2,"y":1}'] * (size // 2) + ['{"x":1,"y":2,"z":"last"}']
    return rules, [f'{{"a":[{",".join(elements)}]}}'.encode()], 1


def long_string(size: int) -> tuple[Rules, list[bytes], int]:
    """One value of `size` bytes that nearly meets a hundred wildcards; one meets it."""
    rules = {
        f"{x}{y}": f'{{"v": [{{"wildcard": "*a{x}*a{y}*b"}}]}}' for x in _LETTERS[:10] for y in _LETTERS[:10]
    }
    rules["met"] = '{"v": [{"wildcard": "*aa*aac"}]}'
    return rules, [b'{"v": "' + b"a" * (size - 1) + b'c"}'], 1


def many_keys(size: int) -> tuple[Rules, list[bytes], int]:
    """As many keys in the event as in the rules, all of one length and alike but for their middle."""
    keys = [f"key{number:08d}{'x' * 8}" for number in range(size)]
    rules = {key: f'{{"{key}": [1]}}' for key in keys}
    return (
        rules,
        [("{" + ",".join(f'"{key}":{number % 2}' for number, key in enumerate(keys)) + "}").encode()],
        size // 2,
    )


def one_rare_field(size: int) -> tuple[Rules, list[bytes], int]:
    """Rules that share three frequent conditions and differ in a rare one."""
    rules = {
        str(
            number
        ): f'{{"s": ["x"], "k": [{{"prefix": "a"}}], "n": [{{"numeric": [">", 1]}}], "id": ["i{number}"]}}'
        for number in range(size)
    }
    events = [
        f'{{"s": "x", "k": "ab", "n": 5, "id": "i{number * 37 % (2 * size)}"}}'.encode()
        for number in range(1_000)
    ]
    return rules, events, sum(number * 37 % (2 * size) < size for number in range(1_000))


def shared_value(size: int) -> tuple[Rules, list[bytes], int]:
    """A value that every rule asks for, beside ranges of which an event meets one."""
    rules = {
        str(number): f'{{"s": ["x"], "n": [{{"numeric": [">=", {number}, "<", {number + 1}]}}]}}'
        for number in range(size)
    }
    return rules, [f'{{"s": "x", "n": {number * 31 % size}.5}}'.encode() for number in range(1_000)], 1_000


# Name -> (case, sizes).
CASES: dict[str, tuple[Case, tuple[int, ...]]] = {
    "overlapping-wildcards": (overlapping, (100, 1_000, 10_000, 20_000)),
    "anything-but": (anything_but, (500_000, 1_000_000)),
    "long-array": (long_array, (32_768, 65_536)),
    "long-string": (long_string, (500_000, 1_000_000)),
    "many-keys": (many_keys, (25_000, 50_000)),
    "one-rare-field": (one_rare_field, (50_000, 100_000)),
    "shared-value": (shared_value, (50_000, 100_000)),
}


def measure(name: str, rounds: int) -> Iterator[Found]:
    """A case at each of its sizes."""
    case, sizes = CASES[name]
    for size in sizes:
        yield _measured(name, size, case, rounds)


def _measured(name: str, size: int, case: Case, rounds: int) -> Found:
    rules, events, expected = case(size)
    before = allocated_bytes()
    begin = time.perf_counter()
    matcher = Matcher(rules)
    build_s, after = time.perf_counter() - begin, allocated_bytes()
    buffer, best, matches = b"\n".join(events), 1e9, 0
    for _ in range(max(3, rounds)):
        begin = time.thread_time()
        result = matcher.match_lines(buffer)
        best = min(best, time.thread_time() - begin)
        matches = len(result.rules)
        if result.errors or matches != expected:
            raise RuntimeError(f"{name} at {size}: {matches} matches, not {expected}; {result.errors[:1]}")
    taken = None if before is None or after is None else (after - before) / len(rules)
    return Found(size, 1e3 * build_s, 1e6 * best / len(events), taken, matches)
