"""The corpus in tests/conformance and how to ask each engine for its answer, in the corpus' own words.

Relies on the field names that tests/conformance/README.md explains. Must never make an engine's answer look like the
wanted one: what an engine says is compared as a whole, and a field that one engine has not (the reference has no codes)
is taken out of the wanted answer by `wanted`, not filled in.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

import rulebus
from rulebus.reference import ReferenceEventError, ReferencePatternError, matches, parse

HERE = Path(__file__).resolve().parent / "conformance"
THEMES = sorted(path.stem for path in HERE.glob("*.json"))

Validation = Literal["strict", "checked", "trusted"]


def corpus(theme: str) -> list[dict[str, Any]]:
    cases: list[dict[str, Any]] = json.loads((HERE / f"{theme}.json").read_text(encoding="utf-8"))
    return cases


def wanted(case: dict[str, Any], *, codes: bool) -> dict[str, Any]:
    """What a case wants, with or without the code of a refusal."""
    answer = {field: case[field] for field in ("match", "refused", "event_error") if field in case}
    if "refused" in answer and not codes:
        answer["refused"] = {key: value for key, value in answer["refused"].items() if key != "code"}
    return answer


def has_unique_keys(event: str) -> bool:
    """Whether every object of an event says each path once: only then do all validation levels promise the same.

    Joined keys count too: `{"a.b":1,"a":{"b":2}}` says a path twice, which is no duplicate key, and stays unique here.
    """
    unique = True

    def watch(pairs: list[tuple[str, Any]]) -> None:
        nonlocal unique
        unique = unique and len({key for key, _ in pairs}) == len(pairs)

    json.loads(event, object_pairs_hook=watch)
    return unique


def reference_answer(case: dict[str, Any]) -> dict[str, Any]:
    try:
        pattern = parse(case["pattern"])
    except ReferencePatternError as error:
        refused = {"line": error.line, "column": error.column}
        if error.pointer is not None:
            refused |= {"pointer": error.pointer}
        return {"refused": _refused(case, refused, error.aws_message, error.pointer is None)}
    if "event" not in case:
        return {"refused": None}
    try:
        return {"match": matches(pattern, case["event"])}
    except ReferenceEventError:
        return {"event_error": True}


def pattern_answer(case: dict[str, Any], validation: Validation = "checked") -> dict[str, Any]:
    """What `rulebus.Pattern` says."""
    try:
        pattern = rulebus.Pattern(case["pattern"], validation=validation)
    except rulebus.PatternError as error:
        return {"refused": _refused_by_core(case, error)}
    if "event" not in case:
        return {"refused": None}
    try:
        return {"match": pattern.matches(case["event"])}
    except rulebus.EventError:
        return {"event_error": True}


def matcher_answer(case: dict[str, Any], validation: Validation = "checked") -> dict[str, Any]:
    """What `rulebus.Matcher` says, of the text and of its bytes."""
    matcher = rulebus.Matcher(validation=validation)
    try:
        matcher.put("rule", case["pattern"])
    except rulebus.PatternError as error:
        assert len(matcher) == 0
        return {"refused": _refused_by_core(case, error)}
    if "event" not in case:
        return {"refused": None}
    text: str = case["event"]
    one = _matched(matcher, text)
    if not any("\ud800" <= character <= "\udfff" for character in text):
        assert _matched(matcher, text.encode()) == one
    return one


def _matched(matcher: rulebus.Matcher, event: str | bytes) -> dict[str, Any]:
    try:
        return {"match": matcher.match(event) == ["rule"]}
    except rulebus.EventError:
        return {"event_error": True}


def _refused_by_core(case: dict[str, Any], error: rulebus.PatternError) -> dict[str, Any]:
    syntax = bool(case.get("refused", {}).get("json_syntax"))
    place: dict[str, Any] = {"code": error.code, "line": error.line, "column": error.column}
    if not syntax:
        place["pointer"] = error.pointer
    return _refused(case, place, error.aws_message, syntax)


def _refused(
    case: dict[str, Any], place: dict[str, Any], aws_message: str | None, syntax: bool
) -> dict[str, Any]:
    """The fields in which the corpus speaks of a refusal.

    Where AWS has no words for what is wrong the corpus has none either, and of a syntax error it names the place only
    where one place is beyond doubt; there the engine's own are not judged.
    """
    refused = case.get("refused") or {}
    if syntax:
        place = {field: place[field] for field in place if field in ("code", *refused)}
        return {"json_syntax": True, **place}
    if aws_message and ("aws_message" in refused or not refused):
        place["aws_message"] = aws_message
    return place
