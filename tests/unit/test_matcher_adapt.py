"""A matcher that adapts to its events: rules move away from what most events hold, and no answer changes.

Must never rely on when a background thread is done, only on its being done before so many events went by.
"""

from __future__ import annotations

import copy
import time
from typing import Any

import pytest

import rulebus

CROWD = 10_000
ENOUGH = 100_000


def rules() -> dict[Any, str]:
    """One tenant in ten rules, one kind in ten rules; in the end the same rules ask for both."""
    crowd = {
        n: f'{{"tenant":["big"],"kind":["k0"],"note":[{{"anything-but":"x{n}"}}]}}' for n in range(CROWD)
    }
    others = {f"t{n}": f'{{"tenant":["t{n}"],"kind":["k{1 + n % 9}"]}}' for n in range(9 * CROWD)}
    return {**crowd, **others}


COMMON = b'{"tenant":"big","kind":"k3","note":"y"}'
FULL = b'{"tenant":"big","kind":"k0","note":"x7"}'
OTHER = b'{"tenant":"t77","kind":"k6"}'


def seconds(matcher: rulebus.Matcher) -> float:
    """What a common event takes; the least of many."""
    times = []
    for _ in range(200):
        start = time.perf_counter()
        matcher.match(COMMON)
        times.append(time.perf_counter() - start)
    return min(times)


@pytest.mark.parametrize("how", ["match", "matches", "match_many", "match_lines", "dict"])
def test_an_event_that_met_ten_thousand_rules_in_vain_meets_few(how: str) -> None:
    matcher = rulebus.Matcher(rules())
    want = [matcher.match(event) for event in (COMMON, FULL, OTHER)]
    assert [len(names) for names in want] == [0, CROWD - 1, 1]
    before = seconds(matcher)
    as_dict = {"tenant": "big", "kind": "k3", "note": "y"}
    calls = {
        "match": lambda: [matcher.match(COMMON) for _ in range(500)],
        "matches": lambda: [matcher.matches(COMMON) for _ in range(500)],
        "match_many": lambda: matcher.match_many([COMMON] * 500),
        "match_lines": lambda: matcher.match_lines((COMMON + b"\n") * 500),
        "dict": lambda: [matcher.match(as_dict) for _ in range(500)],
    }
    for _ in range(ENOUGH // 500):
        calls[how]()
        if matcher.stats().adapted:
            break
    stats = matcher.stats()
    assert stats.adapted == 1
    assert 0 < stats.observed < ENOUGH // 10
    assert 5 * seconds(matcher) < before
    assert [matcher.match(event) for event in (COMMON, FULL, OTHER)] == want


def test_without_adapt_nothing_is_observed() -> None:
    matcher = rulebus.Matcher(rules(), adapt=False)
    for _ in range(10):
        matcher.match_lines((COMMON + b"\n") * 500)
    stats = matcher.stats()
    assert (stats.observed, stats.adapted) == (0, 0)
    # What it was made with goes with it.
    other = copy.copy(rulebus.Matcher({"one": {"tenant": ["big"]}}, adapt=False))
    for _ in range(5_000):
        other.match(COMMON)
    assert other.stats().observed == 0
    with pytest.raises(TypeError, match="adapt"):
        rulebus.Matcher(adapt="no")  # type: ignore[arg-type]
