"""The reference against the corpus of this folder and against the verdicts recorded in the shared data.

Relies on `corpus` for the cases and on `data_shared` for the latter, which skips where the data is not there. Must never carry a list of exceptions
beyond AWS's wildcard complexity, which is a limit of the service and not part of the language.
"""

from __future__ import annotations

from collections import Counter

import pytest

from corpus import THEMES, corpus, reference_answer, wanted
from data_shared import shared_lines
from rulebus.reference import ReferenceMatcher, ReferencePatternError, matches, parse

COMPLEXITY_IS_NOT_THE_LANGUAGE = "content_wildcard_complex_EXC"


@pytest.mark.parametrize("theme", THEMES)
def test_every_case_of_a_theme(theme: str) -> None:
    wrong = []
    for case in corpus(theme):
        if reference_answer(case) != wanted(case, codes=False):
            wrong.append((case["id"], wanted(case, codes=False), reference_answer(case)))
    assert wrong == []


def test_corpus_is_well_formed() -> None:
    cases = [case for theme in THEMES for case in corpus(theme)]
    assert len(cases) >= 600
    assert [name for name, count in Counter(case["id"] for case in cases).items() if count > 1] == []
    for case in cases:
        assert case["spec"]
        assert ("match" in case) + ("refused" in case) + ("event_error" in case) == 1


def test_all_single_cases() -> None:
    wrong = []
    for case in shared_lines("cases-dev.jsonl"):
        valid, match = case.get("clean_valid", case["valid"]), case.get("clean_match", case["match"])
        got = reference_answer({"pattern": case["pattern_text"], "event": case["event_text"]})
        refused = got.get("refused") or {}
        message_differs = "pointer" in refused and refused.get("aws_message") != case["error"]
        if got.get("match") != (match if valid else None) or message_differs:
            wrong.append((case["id"], got))
    assert wrong == []


def test_all_rule_sets() -> None:
    for case in shared_lines("multi-dev.jsonl"):
        rules = case["rules"]
        matcher = ReferenceMatcher(
            rules if isinstance(rules, dict) else {rule["name"]: rule["pattern"] for rule in rules}
        )
        assert [sorted(matcher.match(event)) for event in case["events"]] == case["matched"], case["id"]


def test_all_edge_cases() -> None:
    words = {"match": {"match": True}, "no": {"match": False}, "EVENT-ERROR": {"event_error": True}}
    for case in shared_lines("edge_cases.jsonl"):
        got = reference_answer({"pattern": case["pattern_text"], "event": case["event_text"]})
        assert got == words[case["clean"]] if case["clean"] in words else "refused" in got, case["id"]


def test_all_ruler_bugs() -> None:
    for case in shared_lines("ruler_bugs.jsonl"):
        if "rules" in case:
            matcher = ReferenceMatcher(case["rules"])
            assert [matcher.match(event) for event in case["events"]] == case["right"], case["id"]
        else:
            got = reference_answer({"pattern": case["pattern_text"], "event": case["event_text"]})
            assert got.get("match", False) == case["right"], case["id"]


def test_all_recorded_answers_of_aws() -> None:
    for case in shared_lines("aws/patterns.jsonl"):
        if case["name"] == COMPLEXITY_IS_NOT_THE_LANGUAGE:
            continue
        got = reference_answer(case)
        if isinstance(case["expect"], bool):
            assert got == {"match": case["expect"]}, case["name"]
        else:
            message = "Event pattern is not valid. Reason: " + got["refused"]["aws_message"]
            assert message == case["expect"]["message"], case["name"]


def test_all_real_rules_on_all_real_events() -> None:
    rules = list(shared_lines("real/rules-dev.jsonl"))
    for rule in rules:
        if not rule["valid"]:
            with pytest.raises(ReferencePatternError):
                parse(rule["pattern"])
    matcher = ReferenceMatcher({rule["id"]: rule["pattern"] for rule in rules if rule["valid"]})
    truth = {line["event"]: sorted(line["rules"]) for line in shared_lines("real/truth-dev.jsonl")}
    events = [*shared_lines("real/events-dev.jsonl"), *shared_lines("real/events_derived-dev.jsonl")]
    wrong = [event["id"] for event in events if sorted(matcher.match(event["event"])) != truth[event["id"]]]
    assert wrong == []
    for label in shared_lines("real/panther_labels-dev.jsonl"):
        assert matches(matcher.patterns[label["rule"]], label["event"]) == label["expected"], label["test"]
