"""`rulebus.Matcher` against the verdicts recorded in the shared data: cases, rule sets, AWS's answers, real rules.

Relies on `data_shared`, which skips with the reason where the data is not there. Must never carry a list of exceptions:
AWS's refusal for wildcard complexity is reached through the limit that mirrors it.
"""

from __future__ import annotations

from typing import Any, Literal

import pytest

import rulebus
from data_shared import shared_lines

PREFIX = "Event pattern is not valid. Reason: "
# AWS accepts 7 and refuses 11 (section 7); the README of event-ruler suggests 10.
AWS_WILDCARD_COMPLEXITY = 10


def test_all_single_cases() -> None:
    wrong = []
    cases = list(shared_lines("cases-dev.jsonl"))
    for case in cases:
        valid, match = case.get("clean_valid", case["valid"]), case.get("clean_match", case["match"])
        matcher = rulebus.Matcher()
        try:
            matcher.put("rule", case["pattern_text"])
        except rulebus.PatternError as error:
            if valid or (
                "clean_valid" not in case and "pattern" in case and error.aws_message != case["error"]
            ):
                wrong.append((case["id"], error.code, error.aws_message, case["error"]))
        else:
            if not valid or matcher.match(case["event_text"]) != (["rule"] if match else []):
                wrong.append((case["id"], "accepted", match, case["error"]))
    assert wrong == []
    assert len(cases) >= 5_000


def test_all_single_cases_in_one_matcher() -> None:
    cases = [case for case in shared_lines("cases-dev.jsonl") if case.get("clean_valid", case["valid"])]
    matcher = rulebus.Matcher({case["id"]: case["pattern_text"] for case in cases})
    wrong = [
        case["id"]
        for case in cases
        if (case["id"] in matcher.match(case["event_text"])) != case.get("clean_match", case["match"])
    ]
    assert wrong == []


@pytest.mark.parametrize("validation", ["strict", "checked"])
def test_all_rule_sets(validation: Literal["strict", "checked"]) -> None:
    for case in shared_lines("multi-dev.jsonl"):
        rules = case["rules"]
        named = rules if isinstance(rules, dict) else {rule["name"]: rule["pattern"] for rule in rules}
        matcher = rulebus.Matcher(named, validation=validation)
        assert [sorted(matcher.match(event)) for event in case["events"]] == case["matched"], case["id"]
        assert [sorted(found) for found in matcher.match_many(case["events"])] == case["matched"], case["id"]


def test_all_edge_cases() -> None:
    wanted: dict[str, Any] = {"match": ["rule"], "no": [], "EVENT-ERROR": "event"}
    for case in shared_lines("edge_cases.jsonl"):
        got: Any
        try:
            got = rulebus.Matcher({"rule": case["pattern_text"]}, validation="strict").match(
                case["event_text"]
            )
        except rulebus.RuleSetError:
            got = "pattern"
        except rulebus.EventError:
            got = "event"
        assert got == wanted.get(case["clean"], "pattern"), case["id"]


def test_all_ruler_bugs() -> None:
    for case in shared_lines("ruler_bugs.jsonl"):
        if "rules" in case:
            matcher = rulebus.Matcher(case["rules"])
            assert [matcher.match(event) for event in case["events"]] == case["right"], case["id"]
            continue
        try:
            got = rulebus.Matcher({"rule": case["pattern_text"]}).match(case["event_text"]) == ["rule"]
        except rulebus.RuleSetError:
            got = False
        assert got == case["right"], case["id"]


def test_all_recorded_answers_of_aws() -> None:
    for case in shared_lines("aws/patterns.jsonl"):
        matcher = rulebus.Matcher(max_wildcard_complexity=AWS_WILDCARD_COMPLEXITY)
        expect = case["expect"]
        if isinstance(expect, bool):
            matcher.put("rule", case["pattern"])
            assert matcher.match(case["event"]) == (["rule"] if expect else []), case["name"]
            continue
        with pytest.raises(rulebus.PatternError) as caught:
            matcher.put("rule", case["pattern"])
        assert PREFIX + caught.value.aws_message == expect["message"].split("\n")[0], case["name"]


def test_all_real_rules_on_all_real_events() -> None:
    rules = list(shared_lines("real/rules-dev.jsonl"))
    valid = {rule["id"]: rule["pattern"] for rule in rules if rule["valid"]}
    matcher = rulebus.Matcher(valid)
    assert len(matcher) == len(valid)
    truth = {line["event"]: sorted(line["rules"]) for line in shared_lines("real/truth-dev.jsonl")}
    events = [*shared_lines("real/events-dev.jsonl"), *shared_lines("real/events_derived-dev.jsonl")]
    wrong = [event["id"] for event in events if sorted(matcher.match(event["event"])) != truth[event["id"]]]
    assert wrong == []
    for found, event in zip(matcher.match_many([event["event"] for event in events]), events, strict=True):
        assert not isinstance(found, rulebus.EventError)
        assert sorted(found) == truth[event["id"]]


def test_real_rules_that_are_invalid_are_refused_with_a_reason() -> None:
    for rule in shared_lines("real/rules-dev.jsonl"):
        if rule["valid"]:
            continue
        with pytest.raises(rulebus.PatternError) as caught:
            rulebus.Pattern(rule["pattern"])
        assert caught.value.code, rule["id"]
        assert caught.value.expected, rule["id"]


def test_verdicts_of_the_rules_own_authors() -> None:
    rules = {rule["id"]: rule["pattern"] for rule in shared_lines("real/rules-dev.jsonl") if rule["valid"]}
    matcher = rulebus.Matcher(rules)
    for label in shared_lines("real/panther_labels-dev.jsonl"):
        assert (label["rule"] in matcher.match(label["event"])) == label["expected"], label["test"]
        assert matcher.explain(label["rule"], label["event"]).matched == label["expected"], label["test"]
