"""Explanations: the tree of records, how it prints, and that its verdict is the matcher's."""

import dataclasses
import json
import pickle

import pytest

import rulebus

PATTERN = {
    "source": ["shop.cart"],
    "detail": {
        "total": [{"numeric": [">", 100]}],
        "$or": [{"tier": ["gold", "vip"]}, {"coupon": [{"exists": True}]}],
    },
}
EVENT = {"source": "shop.cart", "detail": {"total": 80, "tier": "silver"}}


def test_the_tree() -> None:
    explanation = rulebus.Pattern(PATTERN).explain(EVENT)
    assert explanation.matched is False
    source, total, either = explanation.conditions
    assert isinstance(source, rulebus.FieldCondition)
    assert (source.path, source.matched, source.found) == ("source", True, ("shop.cart",))
    assert isinstance(total, rulebus.FieldCondition)
    assert (total.path, total.matched, total.found) == ("detail.total", False, (80,))
    assert total.alternatives[0].operator == "numeric"
    assert total.alternatives[0].operand == [">", 100]
    assert total.hint
    assert isinstance(either, rulebus.OrCondition)
    assert either.matched is False
    tier = either.branches[0][0]
    assert isinstance(tier, rulebus.FieldCondition)
    assert [alternative.operand for alternative in tier.alternatives] == ["gold", "vip"]


def test_it_prints_as_a_tree() -> None:
    lines = str(rulebus.Pattern(PATTERN).explain(EVENT)).splitlines()
    assert lines[0] == "✗ the pattern does not match"
    assert lines[1].startswith('    ✓ source: equals "shop.cart"; found "shop.cart"')
    assert lines[2].startswith('    ✗ detail.total: numeric [">", 100]; found 80')
    assert lines[3].startswith("        → ")
    assert any(line.strip().startswith("✗ branch 2") for line in lines)
    assert str(rulebus.Pattern({"a": [1]}).explain({"a": 1})).startswith("✓ the pattern matches")


@pytest.mark.parametrize("event", [EVENT, {"source": "shop.cart", "detail": {"total": 101, "coupon": 1}}, {}])
def test_text_and_dict_are_explained_alike(event: dict[str, object]) -> None:
    pattern = rulebus.Pattern(PATTERN)
    assert (
        pattern.explain(event)
        == pattern.explain(json.dumps(event))
        == pattern.explain(json.dumps(event).encode())
    )
    assert pattern.explain(event).matched == pattern.matches(event)


def test_a_matcher_explains_its_rules() -> None:
    matcher = rulebus.Matcher({"rule": PATTERN})
    assert matcher.explain("rule", EVENT) == rulebus.Pattern(PATTERN).explain(EVENT)
    with pytest.raises(KeyError, match="other"):
        matcher.explain("other", EVENT)


def test_conditions_that_hold_only_apart_are_noted() -> None:
    explanation = rulebus.Pattern({"a": {"b": [1], "c": [2]}}).explain({"a": [{"b": 1}, {"c": 2}]})
    assert not explanation.matched
    assert all(condition.matched for condition in explanation.conditions)
    assert explanation.note
    assert explanation.note in str(explanation)


def test_what_cannot_be_printed_is_escaped_and_cut() -> None:
    explanation = rulebus.Pattern({"a": ["\ud800"]}).explain({"a": "\ud800" + "x" * 1000})
    text = str(explanation)
    text.encode()
    assert max(map(len, text.splitlines())) < 400


def test_bad_events_raise() -> None:
    with pytest.raises(rulebus.EventError):
        rulebus.Pattern(PATTERN).explain(b"{")
    with pytest.raises(rulebus.EventError) as caught:
        rulebus.Pattern(PATTERN).explain({"source": {1}})
    assert caught.value.pointer == "/source"
    with pytest.raises(TypeError):
        rulebus.Pattern(PATTERN).explain(None)  # type: ignore[arg-type]


def test_records_are_frozen_and_pickle() -> None:
    explanation = rulebus.Pattern(PATTERN).explain(EVENT)
    assert pickle.loads(pickle.dumps(explanation)) == explanation
    with pytest.raises(dataclasses.FrozenInstanceError):
        explanation.matched = True  # type: ignore[misc]
