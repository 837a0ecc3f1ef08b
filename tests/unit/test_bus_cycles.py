"""Which rules can forward in a cycle. Relies on the installed package."""

from __future__ import annotations

import pytest

from rulebus.bus.cycles import Way, cycles, fixed_texts

ANY = "{}"


def ways(*lines: tuple[str, str, str]) -> list[Way]:
    return [
        Way(bus, f"{bus}-{to}-{at}", to, fixed_texts(pattern)) for at, (bus, to, pattern) in enumerate(lines)
    ]


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        ([("a", "b", ANY), ("b", "c", ANY)], []),
        ([("a", "a", ANY)], [["a"]]),
        ([("a", "b", ANY), ("b", "a", ANY)], [["a", "b"]]),
        ([("b", "a", ANY), ("a", "c", ANY), ("c", "b", ANY), ("c", "a", ANY)], [["a", "c"], ["a", "c", "b"]]),
        ([("a", "b", '{"source":["x"]}'), ("b", "a", '{"source":["y"]}')], []),
        ([("a", "b", '{"source":["x","y"]}'), ("b", "a", '{"source":["y"]}')], [["a", "b"]]),
        ([("a", "b", '{"source":["x"]}'), ("b", "a", '{"source":[{"prefix":"y"}]}')], [["a", "b"]]),
        ([("a", "b", '{"source":["x"]}'), ("b", "a", '{"detail-type":["y"]}')], [["a", "b"]]),
        ([("a", "b", ANY), ("b", "c", ANY), ("c", "b", ANY)], [["b", "c"]]),
        ([("a", "b", ANY), ("a", "b", ANY), ("b", "a", ANY)], [["a", "b"], ["a", "b"]]),
    ],
)
def test_cycles(lines: list[tuple[str, str, str]], found: list[list[str]]) -> None:
    assert sorted([way.bus for way in cycle] for cycle in cycles(ways(*lines))) == sorted(found)


def test_what_is_fixed() -> None:
    assert fixed_texts(None) == {}
    assert fixed_texts(
        '{"source":["a"],"detail":{"source":["b"]},"region":["x",{"prefix":"y"}],"$or":[]}'
    ) == {"source": frozenset({"a"})}
