"""The core against the corpus of this folder, through `rulebus.Pattern` and `rulebus.Matcher` at every validation level.

Relies on `corpus` for the cases and the adapters. Must never except a case: what a level does not promise is written in
the case (`unchecked`, see README.md) or follows from the event having equal keys in one object.
"""

from __future__ import annotations

import contextlib
from typing import Any

import pytest

import rulebus
from corpus import (
    THEMES,
    Validation,
    corpus,
    has_unique_keys,
    matcher_answer,
    pattern_answer,
    reference_answer,
    wanted,
)

LEVELS: tuple[Validation, ...] = ("strict", "checked", "trusted")


def levels(case: dict[str, Any]) -> list[Validation]:
    """The levels at which a case's answer is promised."""
    if case.get("event_error"):  # nothing is promised of a bad event that a level does not look at
        return ["strict"] if case.get("unchecked") else ["strict", "checked"]
    if "event" in case and not has_unique_keys(case["event"]):
        return ["strict", "checked"]
    return list(LEVELS)


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("answer", [pattern_answer, matcher_answer], ids=["pattern", "matcher"])
def test_every_case_of_a_theme(theme: str, answer: Any) -> None:
    wrong = []
    for case in corpus(theme):
        right = wanted(case, codes=True)
        for level in levels(case):
            got = answer(case, level)
            if got != right:
                wrong.append((case["id"], level, right, got))
    assert wrong == []


def test_every_case_with_a_verdict_is_judged_by_all_engines_at_all_levels_that_promise_it() -> None:
    cases = [case for theme in THEMES for case in corpus(theme)]
    everywhere = [
        case
        for case in cases
        if reference_answer(case) == wanted(case, codes=False)
        and pattern_answer(case) == matcher_answer(case) == wanted(case, codes=True)
    ]
    assert len(everywhere) >= 600
    assert len(everywhere) == len(cases) - sum(bool(case.get("unchecked")) for case in cases)


def test_what_a_level_leaves_unchecked_does_no_harm() -> None:
    bad = [case for theme in THEMES for case in corpus(theme) if case.get("event_error")]
    assert bad
    for case in bad:
        matcher = rulebus.Matcher({"rule": case["pattern"]}, validation="trusted")
        for validation in ("checked", "trusted"):
            assert set(matcher_answer(case, validation)) <= {"match", "event_error"}
        with contextlib.suppress(rulebus.EventError):
            matcher.match(case["event"])
        # The same matcher answers the next event as if nothing had happened.
        assert matcher.match('{"a":1}') == (["rule"] if "exists" not in case["pattern"] else [])


def test_every_refusal_says_what_was_expected_and_shows_the_place() -> None:
    refused = [case for theme in THEMES for case in corpus(theme) if "refused" in case]
    for case in refused:
        with pytest.raises(rulebus.PatternError) as caught:
            rulebus.Pattern(case["pattern"])
        error = caught.value
        assert error.code == case["refused"]["code"], case["id"]
        assert error.message, case["id"]
        assert error.expected, case["id"]
        assert "^" in error.excerpt, case["id"]
        assert error.offset <= len(case["pattern"].encode("utf-8", "surrogatepass")), case["id"]


def test_all_rules_of_a_theme_in_one_matcher_answer_as_each_alone() -> None:
    cases = [case for theme in THEMES for case in corpus(theme) if "match" in case]
    matcher = rulebus.Matcher((number, case["pattern"]) for number, case in enumerate(cases))
    assert len(matcher) == len(cases)
    alone = {number: rulebus.Pattern(case["pattern"]) for number, case in enumerate(cases)}
    for number, case in enumerate(cases):
        matched = matcher.match(case["event"])
        assert (number in matched) == case["match"], case["id"]
        if number % 7 == 0:  # the whole square would take minutes
            assert matched == [name for name, rule in alone.items() if rule.matches(case["event"])], case[
                "id"
            ]
