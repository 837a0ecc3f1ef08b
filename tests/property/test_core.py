"""Properties of the core: it agrees with the reference, and with itself however it is asked.

Relies on the strategies of `rulebus.testing` and on the profiles of tests/conftest.py (RULEBUS_PROFILE=long). Must never
weaken a property to let a disagreement pass: it is decided from the specification, and its case goes into the corpus.
"""

from __future__ import annotations

import json
import pickle
from typing import Any

from hypothesis import assume, given, note
from hypothesis import strategies as st

import rulebus
from corpus import has_unique_keys
from rulebus.reference import ReferenceMatcher
from rulebus.testing import events, events_for, patterns, respell, rule_sets


def near(rules: dict[str, str]) -> st.SearchStrategy[str]:
    """Events that nearly match one of the rules, at times events of their own."""
    return st.sampled_from(list(rules.values())).flatmap(events_for) | events()


def encoded(text: str) -> bytes:
    """The text as bytes; lone surrogates only ever stand escaped in what the strategies draw."""
    return text.encode()


def one_line(text: str) -> str:
    """The text without the line breaks that JSON allows between its tokens; within strings they are escaped."""
    return text.replace("\n", " ").replace("\r", " ")


@given(st.data(), rule_sets())
def test_core_agrees_with_the_reference(data: st.DataObject, rules: dict[str, str]) -> None:
    event = data.draw(near(rules), label="event")
    assert rulebus.Matcher(rules).match(event) == ReferenceMatcher(rules).match(event)


@given(rule_sets(), events(duplicate_keys=True))
def test_core_agrees_with_the_reference_on_repeated_keys(rules: dict[str, str], event: str) -> None:
    expected = ReferenceMatcher(rules).match(event)
    assert rulebus.Matcher(rules, validation="checked").match(event) == expected
    assert rulebus.Matcher(rules, validation="strict").match(event) == expected


@given(st.data(), rule_sets())
def test_a_set_matches_what_its_rules_match_alone(data: st.DataObject, rules: dict[str, str]) -> None:
    event = data.draw(near(rules), label="event")
    alone = [name for name, rule in rules.items() if rulebus.Pattern(rule).matches(event)]
    matcher = rulebus.Matcher(rules)
    assert matcher.match(event) == alone
    assert matcher.matches(event) == bool(alone)
    for name in rules:
        assert matcher.explain(name, event).matched == (name in alone)


@given(st.data(), rule_sets())
def test_order_of_putting_does_not_matter(data: st.DataObject, rules: dict[str, str]) -> None:
    event = data.draw(near(rules), label="event")
    names = data.draw(st.permutations(list(rules)), label="order")
    at_once = rulebus.Matcher({name: rules[name] for name in names})
    one_by_one = rulebus.Matcher()
    for name in names:
        one_by_one.put(name, rules[name])
    expected = set(rulebus.Matcher(rules).match(event))
    assert set(at_once.match(event)) == set(one_by_one.match(event)) == expected
    assert at_once.match(event) == one_by_one.match(event) == [name for name in names if name in expected]


@given(st.data(), rule_sets(), patterns())
def test_a_rule_put_and_removed_was_never_there(
    data: st.DataObject, rules: dict[str, str], extra: str
) -> None:
    event = data.draw(near({**rules, "extra": extra}), label="event")
    matcher = rulebus.Matcher(rules)
    before = matcher.match(event)
    matcher.put("extra", extra)
    assert [name for name in matcher.match(event) if name != "extra"] == before
    matcher.remove("extra")
    assert matcher.match(event) == before
    assert list(matcher) == list(rules)


@given(st.data())
def test_any_interleaving_of_changes_is_a_fresh_build(data: st.DataObject) -> None:
    pool = data.draw(st.lists(patterns(), min_size=2, max_size=5), label="patterns")
    names = st.integers(0, 4)
    change = st.one_of(
        st.tuples(st.just("put"), names, st.sampled_from(pool)),
        st.tuples(st.just("discard"), names, st.none()),
        st.tuples(st.just("update"), st.dictionaries(names, st.sampled_from(pool), max_size=3), st.none()),
    )
    changed, kept = rulebus.Matcher(), dict[int, str]()
    for what, name, pattern in data.draw(st.lists(change, min_size=1, max_size=14), label="changes"):
        if what == "put":
            changed.put(name, pattern)
            kept[name] = pattern
        elif what == "update":
            changed.update(name)
            kept.update(name)
        else:
            changed.discard(name)
            kept.pop(name, None)
    event = data.draw(st.sampled_from(pool).flatmap(events_for), label="event")
    fresh = rulebus.Matcher(kept)
    assert list(changed) == list(fresh) == list(kept)
    assert changed.match(event) == fresh.match(event) == ReferenceMatcher(kept).match(event)
    assert pickle.loads(pickle.dumps(changed)).match(event) == fresh.match(event)


def test_a_rule_whose_alternatives_are_replaced_within_each_other_is_kept_readable() -> None:
    text = '{"$or":[{"a":[1]},{"$or":[{"a":[2]},{"c":[3]}],"c":[4]}],"a":[5],"c":[6]}'
    matcher = rulebus.Matcher({"rule": text})
    again = pickle.loads(pickle.dumps(matcher))
    assert again.pattern("rule") == matcher.pattern("rule")
    for event in ('{"a":5,"c":6}', '{"a":5,"c":4}', '{"a":5}', '{"a":1,"c":6}'):
        assert again.match(event) == matcher.match(event) == ReferenceMatcher({"rule": text}).match(event)


@given(st.data(), rule_sets())
def test_every_way_to_ask_gives_the_same_answer(data: st.DataObject, rules: dict[str, str]) -> None:
    texts = data.draw(st.lists(near(rules), min_size=1, max_size=4), label="events")
    matcher = rulebus.Matcher(rules)
    answers = [matcher.match(text) for text in texts]
    raw = [encoded(text) for text in texts]
    assert [matcher.match(event) for event in raw] == answers
    assert [matcher.match(bytearray(event)) for event in raw] == answers
    assert [matcher.match(memoryview(event)) for event in raw] == answers
    assert matcher.match_many(texts) == matcher.match_many(raw, threads=2) == answers
    lines = matcher.match_lines(encoded("\n".join(map(one_line, texts))))
    assert list(lines) == answers
    expected = {name: count for name in rules if (count := sum(name in answer for answer in answers))}
    assert lines.count() == expected


@given(st.data(), rule_sets())
def test_a_dict_is_matched_as_its_text(data: st.DataObject, rules: dict[str, str]) -> None:
    text = data.draw(near(rules), label="event")
    event: dict[str, Any] = json.loads(text)
    again = json.dumps(event)
    assume("Infinity" not in again)  # a number beyond float is not kept by json
    matcher = rulebus.Matcher(rules)
    assert matcher.match(event) == matcher.match(again) == matcher.match_many([event])[0]


@given(st.data(), rule_sets(), st.booleans())
def test_all_validation_levels_agree_on_valid_events(
    data: st.DataObject, rules: dict[str, str], respelt: bool
) -> None:
    event = data.draw(near(rules), label="event")
    if respelt:
        event = data.draw(respell(event), label="respelt")
    assume(has_unique_keys(event))
    strict = rulebus.Matcher(rules, validation="strict").match(event)
    assert rulebus.Matcher(rules, validation="checked").match(event) == strict
    assert rulebus.Matcher(rules, validation="trusted").match(event) == strict


@given(st.data(), rule_sets())
def test_another_spelling_of_an_event_is_matched_alike(data: st.DataObject, rules: dict[str, str]) -> None:
    event = data.draw(near(rules), label="event")
    again = data.draw(respell(event), label="respelt")
    matcher = rulebus.Matcher(rules)
    assert matcher.match(again) == matcher.match(event)


@given(st.data(), patterns())
def test_the_canonical_pattern_means_the_same(data: st.DataObject, text: str) -> None:
    event = data.draw(events_for(text), label="event")
    pattern = rulebus.Pattern(text)
    note(pattern.json)
    again = rulebus.Pattern(pattern.json)
    assert again == pattern
    assert again.matches(event) == pattern.matches(event)


@given(st.data(), st.binary(max_size=40) | events().map(str.encode))
def test_bytes_are_answered_or_refused(data: st.DataObject, raw: bytes) -> None:
    """Damaged events: every level answers or raises EventError; strict refuses what json refuses."""
    at = data.draw(st.integers(0, len(raw)), label="at")
    damage = data.draw(
        st.sampled_from([b"", b"\x00", b"\xff", b"}", b'"', b"\\", b",", b"[", b"\xed\xa0\x80"])
    )
    text = raw[:at] + damage + raw[at + data.draw(st.integers(0, 2), label="cut") :]
    rules = {"a": '{"a":[1]}', "b": '{"a":{"b":[{"exists":false}]},"c":[{"anything-but":"x"}]}'}
    answers: dict[str, Any] = {}
    for validation in ("strict", "checked", "trusted"):
        try:
            answers[validation] = rulebus.Matcher(rules, validation=validation).match(text)
        except rulebus.EventError as error:
            answers[validation] = error.code
    try:
        valid = isinstance(json.loads(text.decode(), parse_constant=_refuse), dict)
    except (ValueError, RecursionError):
        valid = False
    assert isinstance(answers["strict"], list) == valid
    if valid:
        assert answers["checked"] == answers["strict"] == ReferenceMatcher(rules).match(text)


def _refuse(word: str) -> Any:
    raise ValueError(word)
