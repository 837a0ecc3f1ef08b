"""Properties of the reference itself, so that the oracle is not trusted blindly.

Relies on the strategies of `rulebus.testing`. Must stay quick: the engine's own properties are where the examples go.
"""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rulebus.reference import ReferenceEventError, ReferenceMatcher, ReferencePatternError, matches, parse
from rulebus.testing import events, events_for, patterns, respell, rule_sets

quick = settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


@quick
@given(st.data(), patterns())
def test_spelling_of_an_event_does_not_matter(data: st.DataObject, pattern: str) -> None:
    event = data.draw(events_for(pattern))
    assert matches(pattern, data.draw(respell(event))) == matches(pattern, event)


@quick
@given(st.data(), rule_sets())
def test_a_set_of_rules_is_the_sum_of_its_rules(data: st.DataObject, rules: dict[str, str]) -> None:
    event = data.draw(st.sampled_from(list(rules.values())).flatmap(events_for))
    assert ReferenceMatcher(rules).match(event) == [
        name for name, rule in rules.items() if matches(rule, event)
    ]


@quick
@given(st.data(), patterns(), patterns())
def test_or_matches_where_one_of_its_branches_does(data: st.DataObject, one: str, other: str) -> None:
    event = data.draw(events_for(one) | events_for(other))
    either = f'{{"$or": [{one}, {other}]}}'
    assert matches(either, event) == (matches(one, event) or matches(other, event))


@quick
@given(st.data(), patterns())
def test_a_value_and_a_list_of_it_are_the_same(data: st.DataObject, pattern: str) -> None:
    event = data.draw(events_for(pattern))
    inside_array = f'{{"d": [{event}]}}'
    assert matches(f'{{"d": {pattern}}}', inside_array) == matches(pattern, event)


@quick
@given(patterns(), events(duplicate_keys=True))
def test_bytes_and_text_are_read_alike(pattern: str, event: str) -> None:
    assert matches(pattern.encode(), event.encode()) == matches(pattern, event)


@quick
@given(st.data(), patterns(), events())
def test_a_python_object_is_the_event_it_was_read_from(data: st.DataObject, pattern: str, event: str) -> None:
    values = json.loads(event)
    again = json.dumps(values, allow_nan=True)
    if "Infinity" not in again:
        assert matches(pattern, values) == matches(pattern, again)


@pytest.mark.parametrize(
    "event", ["", "[]", '{"a":1} x', b"\xff{}", b'{"a":"\xed\xa0\x80"}', "\ufeff{}", '{"a":"\ud800"}']
)
def test_a_bad_event_is_refused(event: str | bytes) -> None:
    with pytest.raises(ReferenceEventError):
        matches('{"a":[1]}', event)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {1, 2}, object(), b"x"])
def test_a_python_object_without_json_form_is_refused(value: object) -> None:
    with pytest.raises(TypeError):
        matches('{"a":[1]}', {"a": value})


@pytest.mark.parametrize("depth", [1_000, 5_000])
def test_depth_is_bounded_by_memory_alone(depth: int) -> None:
    keys = [f"k{level}" for level in range(depth)]
    assert matches('{"a":[1]}', '{"z":' + "[" * depth + "]" * depth + ',"a":1}')
    if depth <= 1_000:
        opening = "".join(f'{{"{key}":' for key in keys)
        assert matches(opening + "[1]" + "}" * depth, opening + "1" + "}" * depth)


def test_a_refusal_tells_its_place() -> None:
    with pytest.raises(ReferencePatternError) as caught:
        parse('{\n "a": [{"numeric": ["=>", 1]}]\n}')
    error = caught.value
    assert (error.pointer, error.line, error.column) == ("/a/0/numeric/0", 2, 21)
    assert error.aws_message == "Unrecognized numeric range operator: =>"
