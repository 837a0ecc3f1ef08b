"""`rulebus.measure`: rounds, patterns taken apart, looks, the reference's time limit, and the documented JSON keys.

Relies on the installed package. Must never assert a speed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from integration.tree import ROOT
from rulebus import Pattern
from rulebus.measure import Plan, Spread, alternate, compare, page, study
from rulebus.measure.charts import Bar, bars, growth_curve, percentiles
from rulebus.measure.conditions import conditions, families, take_apart
from rulebus.measure.judgement import judge
from rulebus.measure.looks import count_looks
from rulebus.measure.memory import allocated_bytes
from rulebus.measure.rounds import differences
from rulebus.measure.unmatched import shape_of
from rulebus.reference import ReferenceMatcher
from rulebus.workload import MIXES, rules

SPREADS = {"median", "low", "high", "rounds"}


def test_rounds_alternate_and_go_backwards_every_other_time() -> None:
    ran: list[str] = []
    times = iter(range(1000))
    taken = alternate(
        {"a": lambda: ran.append("a"), "b": lambda: ran.append("b")},
        rounds=3,
        clock=lambda: float(next(times)),
    )
    assert "".join(ran) == "ab" + "ab" + "ba" + "ab"
    assert taken == {"a": [1.0] * 3, "b": [1.0] * 3}


def test_one_disturbed_round_does_not_widen_the_spread() -> None:
    spread = Spread.of([10, 11, 12, 13, 9000])
    assert (spread.median, spread.low, spread.high) == (12, 11, 13)
    assert Spread.of([10, 11, 12, 13, 14]).noise == pytest.approx(1 / 12)
    assert differences([5, 50, 7], [4, 49, 5]).median == 1


def test_patterns_are_taken_apart_as_the_engine_reads_them() -> None:
    text = """{"a": {"b": ["x", {"anything-but": {"prefix": "y"}}]}, "$or": [{"c": [{"cidr": "10.0.0.0/8"}]},
        {"d": [null], "e.f": [{"exists": false}]}], "g/h~i": [{"equals-ignore-case": "z"}, {"suffix": "w"}]}"""
    node = take_apart(text)
    assert [one.field for one in conditions(node)] == ["/a/b", "/c", "/d", "/e.f", "/g~1h~0i"]
    assert families(node) == {
        "exact",
        "anything-but",
        "cidr",
        "exists",
        "equals-ignore-case",
        "suffix",
        "$or",
    }
    ordinary = take_apart('{"$or": [{"numeric": ["=", 1]}, {"prefix": "x"}]}')
    assert [one.field for one in conditions(ordinary)] == ["/$or"]
    assert families(ordinary) == {"numeric", "prefix"}


def test_conditions_keep_the_spelling_of_numbers_and_odd_strings() -> None:
    text = r"""{"n": [1e400, 123456789012345678901234567890, 1.0, -0], "s": ["\ud800", "ß", "\u0000", true, null]}"""
    numbers, strings = conditions(take_apart(text))
    assert numbers.values == "[1e400,123456789012345678901234567890,1.0,-0]"
    assert strings.values == r'["\ud800","ß","\u0000",true,null]'
    for one in (numbers, strings):
        assert Pattern(one.pattern()).matches(b'{"n": 1, "s": "\xc3\x9f"}')


def test_every_real_kind_of_pattern_can_be_taken_apart() -> None:
    """Taken apart and put together again, a pattern is the same to the engine."""
    for mix in MIXES:
        for _, pattern in rules(mix, 60):
            node = take_apart(json.dumps(pattern))
            for one in conditions(node):
                Pattern(one.pattern())
            if "$or" not in families(node):
                assert {one.field for one in conditions(node)} == set(_fields(pattern))


def _fields(value: dict[str, Any], above: str = "") -> Iterator[str]:
    for key, below in value.items():
        if isinstance(below, dict):
            yield from _fields(below, f"{above}/{key}")
        else:
            yield f"{above}/{key}"


def test_looks_follow_the_rarest_condition_and_add_up_over_alternatives() -> None:
    rules = {
        "both": '{"a": [1, 2], "b": [1]}',
        "either": '{"$or": [{"a": [1]}, {"b": [1]}]}',
        "absent": '{"c": [{"exists": false}]}',
    }
    nodes = {name: take_apart(text) for name, text in rules.items()}
    events = [{"a": 1}, {"a": 1, "b": 1}, {"a": 2, "c": 0}, {"a": 3}]
    looks = count_looks(nodes, b"\n".join(json.dumps(event).encode() for event in events), "checked")
    assert looks.events == 4
    assert {name: looks.of(node) for name, node in nodes.items()} == {"both": 1, "either": 3, "absent": 3}


def test_the_reference_gives_up_in_time_and_judges_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """One event takes it for ever, as products of arrays do."""
    real = ReferenceMatcher.match

    def match(self: Any, event: Any) -> Any:
        while event == b'{"x": 2}':
            pass
        return real(self, event)

    monkeypatch.setattr(ReferenceMatcher, "match", match)
    events = [b'{"x": 1}', b'{"x": 2}', b"{}"]
    found = judge(lambda event: ["a"] if b"1" in event else [], {"a": '{"x": [1]}'}, events, budget_s=0.4)
    assert (found.events, found.given_up, found.disagreed, found.matches) == (2, 1, 0, 1)


def test_shapes_of_events_that_orjson_does_not_read() -> None:
    assert shape_of(b'{"a": "\\ud800"}') == "(orjson does not read it)"
    assert shape_of(b'{"source": 1, "detail-type": "x"}') == "{detail-type, source}"


def test_allocated_memory_is_counted_over_all_heaps() -> None:
    before = allocated_bytes()
    if before is None:
        pytest.skip("this C library does not tell what it has handed out")
    held = bytes(50_000_000)
    after = allocated_bytes()
    assert after is not None
    assert 49_000_000 < after - before < 60_000_000
    del held


RULES = {"a": '{"x": [1]}', "b": '{"y": [2], "x": [3]}'}
LINES = [b'{"x": 1}', b'{"x": 3}', b'{"z": 1}']


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    plan = Plan(RULES, LINES, numbers=range(1, 4), rounds=3, bad_events=0)
    found = study(plan).document()
    return {**found, "comparison": compare(found, found, 0.1).document()}


def keys(value: Any, above: str = "") -> Iterator[str]:
    """Every key of a document as the documentation writes it; a Spread is one key."""
    if isinstance(value, dict) and not (above and set(value) == SPREADS):
        for key, below in value.items():
            yield from keys(below, f"{above}.{key}" if above else key)
    elif isinstance(value, list):
        if any(isinstance(one, dict) for one in value):
            for one in value:
                yield from keys(one, f"{above}[]")
        elif value or above in {"comparison.warnings", "comparison.regressions"}:
            yield f"{above}[]"
        else:
            yield above
    else:
        yield above


def test_every_key_of_the_json_is_documented_and_there(document: dict[str, Any]) -> None:
    text = (ROOT / "docs" / "measuring.md").read_text(encoding="utf-8").split("\n## The JSON\n")[1]
    documented = re.findall(r"^\| `([^`]+)` \|", text, re.MULTILINE)
    known = re.compile("|".join(re.escape(key).replace(r"\*", r"[^.]+") for key in documented))
    found = set(keys(json.loads(json.dumps(document))))
    assert {key for key in found if not known.fullmatch(key)} == {"reference.disagreements"}
    # What an agreeing run cannot hold: its list of disagreements is empty.
    absent = {
        "reference.disagreements[].event",
        "reference.disagreements[].rule",
        "reference.disagreements[].rulebus",
    }
    for key in documented:
        pattern = re.compile(re.escape(key).replace(r"\*", r"[^.]+"))
        assert key in absent or any(pattern.fullmatch(one) for one in found), key


def test_a_run_compared_with_itself_has_not_changed(document: dict[str, Any]) -> None:
    comparison = compare(document, document, 0.0)
    assert {change.verdict for change in comparison.changes} == {"same"}
    assert (comparison.regressions, comparison.warnings) == ([], [])


def test_a_slower_machine_is_no_regression(document: dict[str, Any]) -> None:
    """Everything, the control too, takes half as long again: that is the machine."""
    slower = json.loads(json.dumps(document))
    for part in ("lines", "calls", "control"):
        for key in ("ns_per_event", "cpu_ns_per_event"):
            for place in ("median", "low", "high"):
                slower[part][key][place] *= 1.5
    comparison = compare(document, slower, 0.1)
    timed = [
        change for change in comparison.changes if change.what.startswith(("match_lines", "match(bytes)"))
    ]
    assert {change.verdict for change in timed} == {"same"}
    assert any("the machine is 50 % slower than then" in warning for warning in comparison.warnings)


@pytest.mark.parametrize("threads", [1, 2])
def test_time_on_the_wall_is_judged_with_threads_only(document: dict[str, Any], threads: int) -> None:
    slower = json.loads(json.dumps(document))
    slower["input"]["threads"] = threads
    for part in ("lines", "calls"):
        for place in ("median", "low", "high"):
            slower[part]["ns_per_event"][place] *= 100
    regressions = [change.what for change in compare(document, slower, 0.1).regressions]
    assert regressions == (["match_lines"] if threads == 2 else [])


def test_memory_that_grew_is_a_regression(document: dict[str, Any]) -> None:
    larger = json.loads(json.dumps(document))
    larger["memory"]["index_bytes"] *= 2
    assert [change.what for change in compare(document, larger, 0.1).regressions] == ["memory, index"]


def test_the_page_shows_an_old_document(document: dict[str, Any]) -> None:
    text = page(json.loads(json.dumps(document)))
    assert "Every answer agrees with the reference" in text
    assert "Compared with" not in text
    assert "Compared with" in page(document, document["comparison"])


def test_charts_stay_inside_their_frames() -> None:
    extremes = [Bar("long" * 40, -5.0, -9.0, 2.0, "n"), Bar("", 1e9, 0.5e9, 3e9), Bar("zero", 0.0, 0.0, 0.0)]
    for text in (
        bars(extremes, "ns"),
        growth_curve([{"rules": 1, "cpu_ns_per_event": {"median": 5.0, "low": 1.0, "high": 1e7}}]),
        percentiles(dict.fromkeys(("p50", "p90", "p99", "p999", "max"), 100.0), {"p50": 1, "p90": 2, "p99": 3, "p999": 4, "max": 9e9}),
    ):  # fmt: skip
        assert "nan" not in text
        for name in ("x1", "x2", "x", "cx", "width"):
            for value in re.findall(rf' {name}="([-\d.]+)"', text):
                assert 0 <= float(value) <= 400
