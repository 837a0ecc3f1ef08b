"""Bad input of every kind: each gets its clear error; none hangs, crashes or spoils the matcher or the rest of a batch.

Relies on the codes of docs/errors.md. Must never accept "some error" where the documentation names one.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest

import rulebus
from rulebus.rules import parse_rules

RULES = {"one": {"a": [1]}, "text": {"a": {"b": ["x"]}}, "none": {"z": [{"exists": False}]}}
GOOD = b'{"a":1}'
ANSWER = ["one", "none"]
LEVELS: tuple[Literal["strict", "checked", "trusted"], ...] = ("strict", "checked", "trusted")
MIB = 1 << 20

# What every checking level refuses, and with which code. `trusted` promises nothing but to stay alive.
REFUSED: dict[str, tuple[bytes, str]] = {
    "empty input": (b"", "event-empty"),
    "blank input": (b" \n\t", "event-empty"),
    "not JSON, a word": (b"hello", "unexpected-byte"),
    "not JSON, a value of a rule's field": (b'{"a":nope}', "invalid-literal"),
    "not JSON, single quotes": (b"{'a':1}", "unexpected-byte"),
    "not an object, an array": (b'[{"a":1}]', "event-not-an-object"),
    "not an object, a string": (b'"a"', "event-not-an-object"),
    "not an object, a number": (b"1", "event-not-an-object"),
    "not an object, null": (b"null", "event-not-an-object"),
    "truncated in an object": (b'{"a":1', "event-truncated"),
    "truncated in a string": (b'{"a":"x', "event-truncated"),
    "truncated in an unused part": (b'{"a":1,"q":[{', "event-truncated"),
    "trailing text": (b'{"a":1} x', "trailing-text"),
    "trailing object": (b'{"a":1}{"a":1}', "trailing-text"),
    "invalid UTF-8, a stray byte": (b'{"a":"\xff"}', "invalid-utf8"),
    "invalid UTF-8, Latin-1": (b'{"a":"\xe9t\xe9"}', "invalid-utf8"),
    "invalid UTF-8, in an unused part": (b'{"q":{"r":"\xc0\x80"},"a":1}', "invalid-utf8"),
    "invalid UTF-8, cut in a character": (b'{"a":"\xf0\x9f\x98"}', "invalid-utf8"),
    "lone surrogate, raw": (b'{"a":"\xed\xa0\x80"}', "invalid-utf8"),
    "NUL in a string": (b'{"a":"\x00"}', "control-character"),
    "10,000 levels deep where rules look": (
        b'{"a":' + b"[" * 10_000 + b"]" * 10_000 + b"}",
        "event-too-deep",
    ),
    "10,000 brackets never closed": (b'{"a":' + b"[" * 10_000, "event-too-deep"),
}


@pytest.fixture
def matcher() -> Iterator[rulebus.Matcher]:
    """A matcher that must answer as ever after the test."""
    found = rulebus.Matcher(RULES)
    yield found
    assert found.match(GOOD) == ANSWER
    assert list(found) == list(RULES)


def refusal(matcher: rulebus.Matcher, event: Any) -> rulebus.EventError:
    with pytest.raises(rulebus.EventError) as caught:
        matcher.match(event)
    return caught.value


@pytest.mark.parametrize("name", REFUSED)
def test_bad_text_is_refused_with_its_code_and_place(matcher: rulebus.Matcher, name: str) -> None:
    event, code = REFUSED[name]
    error = refusal(matcher, event)
    assert error.code == code
    assert 0 <= error.offset <= len(event)
    assert (error.line, error.column) >= (1, 1)
    assert error.message
    assert error.code in str(error)
    assert len(str(error)) < 2_000
    assert refusal(matcher, bytearray(event)).code == code
    assert refusal(matcher, memoryview(event)).code == code
    assert refusal(rulebus.Matcher(RULES, validation="strict"), event).code == code


@pytest.mark.parametrize("name", REFUSED)
def test_bad_text_is_survived_by_trusted(name: str) -> None:
    matcher = rulebus.Matcher(RULES, validation="trusted")
    with contextlib.suppress(rulebus.EventError):
        assert set(matcher.match(REFUSED[name][0])) <= set(RULES)
    assert matcher.match(GOOD) == ANSWER


@pytest.mark.parametrize(
    "event", [b'{"q":' * 10_000 + b"1" + b"}" * 10_000, b'{"q":%s}' % (b"[" * 10_000 + b"]" * 10_000)]
)
def test_10_000_levels_where_no_rule_looks_are_refused_by_strict_and_skipped_by_checked(event: bytes) -> None:
    strict = rulebus.Matcher(RULES, validation="strict")
    assert refusal(strict, event).code == "event-too-deep"
    assert strict.match(GOOD) == ANSWER
    for validation in ("checked", "trusted"):
        assert rulebus.Matcher(RULES, validation=validation).match(event) == ["none"]
    assert rulebus.Matcher(RULES, validation="strict", max_event_depth=20_000).match(event) == ["none"]


def test_bad_events_are_values_in_the_results_of_a_batch(matcher: rulebus.Matcher) -> None:
    for threads in (1, 2):
        batch: list[bytes] = []
        for event, _ in REFUSED.values():
            batch += [GOOD, event]
        found = matcher.match_many(batch, threads=threads)
        assert found[::2] == [ANSWER] * len(REFUSED)
        errors = found[1::2]
        assert [error.code for error in errors if isinstance(error, rulebus.EventError)] == [
            code for _, code in REFUSED.values()
        ]


def test_bad_lines_are_values_in_the_results_of_lines(matcher: rulebus.Matcher) -> None:
    # An empty or blank line is no event, and a line break ends one.
    bad = {name: pair for name, pair in REFUSED.items() if pair[1] != "event-empty" and b"\n" not in pair[0]}
    lines: list[bytes] = []
    for event, _ in bad.values():
        lines += [event, GOOD]
    for threads in (1, 2):
        found = matcher.match_lines(b"\n".join(lines) + b"\n", threads=threads)
        assert list(found)[1::2] == [ANSWER] * len(bad)
        assert [(index, error.code) for index, error in found.errors] == [
            (2 * at, code) for at, (_, code) in enumerate(bad.values())
        ]
        counted = matcher.count_lines(b"\n".join(lines), threads=threads)
        assert counted.counts == dict.fromkeys(ANSWER, len(bad))
        assert len(counted.errors) == len(bad)


@pytest.mark.parametrize("validation", LEVELS)
def test_lone_surrogates_as_escapes_are_text(validation: Any) -> None:
    matcher = rulebus.Matcher(
        {"same": r'{"a":["\ud800"]}', "other": r'{"a":["\udc00"]}'}, validation=validation
    )
    assert matcher.match(rb'{"a":"\ud800"}') == ["same"]
    assert matcher.match(rb'{"a":"\ud800\udc00"}') == []
    assert matcher.match({"a": "\ud800"}) == ["same"]


def test_a_lone_surrogate_in_a_str_is_taken_for_its_escape() -> None:
    # Such a str has no UTF-8; json.dumps(..., ensure_ascii=False) writes it for what json.loads reads from the escape.
    matcher = rulebus.Matcher({"text": '{"a":["\ud800"]}', "escape": r'{"a":["\ud800"]}'})
    assert matcher.match('{"a":"\ud800"}') == matcher.match(rb'{"a":"\ud800"}') == ["text", "escape"]
    assert matcher.match('{"a":"\ud83d"}') == []


@pytest.mark.parametrize("validation", LEVELS)
def test_nul_as_an_escape_is_text(validation: Any) -> None:
    matcher = rulebus.Matcher({"nul": r'{"a":["x\u0000y"]}', "short": '{"a":["x"]}'}, validation=validation)
    assert matcher.match(rb'{"a":"x\u0000y"}') == ["nul"]
    assert matcher.match({"a": "x\0y"}) == ["nul"]


def test_a_pattern_10_000_levels_deep_is_refused(matcher: rulebus.Matcher) -> None:
    for text in ('{"a":' * 10_000 + "[1]" + "}" * 10_000, '{"a":' * 10_000, '{"a":' + "[" * 10_000):
        with pytest.raises(rulebus.PatternError):
            matcher.put("deep", text)
    with pytest.raises(rulebus.PatternError) as caught:
        matcher.put("deep", '{"a":' * 10_000 + "[1]" + "}" * 10_000)
    assert caught.value.code == "pattern-too-deep"


def test_a_dict_10_000_levels_deep_is_refused_where_rules_look(matcher: rulebus.Matcher) -> None:
    deep: Any = 1
    for _ in range(10_000):
        deep = [deep]
    assert refusal(matcher, {"a": deep}).code == "event-too-deep"
    assert matcher.match({"a": 1, "q": deep}) == ANSWER
    endless: list[Any] = []
    endless.append(endless)
    assert refusal(matcher, {"a": endless}).code == "event-too-deep"
    assert matcher.match({"a": 1, "q": endless}) == ANSWER
    looped: dict[str, Any] = {}
    looped["a"] = [looped]
    assert matcher.match(looped) == ["none"]  # no rule asks for more than two levels of it
    with pytest.raises((rulebus.PatternError, RecursionError, ValueError)):
        matcher.put("deep", looped)


def test_100_mb_are_refused_at_once_and_read_when_allowed(matcher: rulebus.Matcher) -> None:
    big = b'{"q":"' + b"x" * (100 * MIB) + b'","a":1}'
    start = time.perf_counter()
    assert refusal(matcher, big).code == "event-too-large"
    assert time.perf_counter() - start < 1
    allowed = rulebus.Matcher(RULES, max_event_bytes=200 * MIB)
    assert allowed.match(big) == ANSWER
    assert refusal(allowed, big[:-1]).code == "event-truncated"
    assert rulebus.Matcher(RULES, max_event_bytes=200 * MIB, validation="strict").match(big) == ANSWER
    with pytest.raises(rulebus.PatternError) as caught:
        matcher.put("big", '{"a":["' + "x" * (20 * MIB) + '"]}')
    assert caught.value.code == "pattern-too-long"
    found = matcher.match_many([GOOD, big, GOOD])
    assert found[0] == found[2] == ANSWER
    assert isinstance(found[1], rulebus.EventError)


@pytest.mark.parametrize("validation", LEVELS)
def test_numbers_at_the_edges(validation: Any) -> None:
    rules = {
        "text": '{"a":[1e999]}',
        "long": '{"a":[123456789012345678901234567890]}',
        "zero": '{"a":[0]}',
        "range": '{"a":[{"numeric":[">=",0]}]}',
        "but": '{"a":[{"anything-but":0}]}',
        "there": '{"a":[{"exists":true}]}',
    }
    matcher = rulebus.Matcher(rules, validation=validation)
    # 1e999 is no double: it is in no range, equals its own text and is anything but every number.
    assert matcher.match(b'{"a":1e999}') == ["text", "but", "there"]
    assert matcher.match(b'{"a":1E999}') == ["but", "there"]
    assert matcher.match(b'{"a":-0}') == matcher.match(b'{"a":-0.0e5}') == ["zero", "range", "there"]
    assert matcher.match(b'{"a":123456789012345678901234567890}') == ["long", "but", "there"]
    assert matcher.match(b'{"a":123456789012345678901234567891}') == ["but", "there"]
    assert matcher.match({"a": 123456789012345678901234567890}) == ["long", "but", "there"]
    assert matcher.match({"a": -0.0}) == ["zero", "range", "there"]
    assert matcher.match(b'{"a":' + b"9" * 100_000 + b"}") == ["but", "there"]
    for operand in ("1e999", "123456789012345678901234567890"):
        with pytest.raises(rulebus.PatternError) as caught:
            matcher.put("bad", f'{{"a":[{{"numeric":[">",{operand}]}}]}}')
        assert caught.value.code == "number-not-comparable"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_floats_without_json_form_are_refused(matcher: rulebus.Matcher, value: float) -> None:
    error = refusal(matcher, {"q": 1, "a": value})
    assert (error.code, error.pointer) == ("number-not-finite", "/a")


@pytest.mark.parametrize("validation", ["strict", "checked"])
def test_of_duplicate_keys_with_arrays_the_last_counts(validation: Any) -> None:
    matcher = rulebus.Matcher(
        {
            "one": {"a": [1]},
            "two": {"a": [2]},
            "inner": {"a": {"b": ["x"]}},
            "none": {"a": [{"exists": False}]},
        },
        validation=validation,
    )
    assert matcher.match(b'{"a":[1,3],"a":[2]}') == ["two"]
    assert matcher.match(b'{"a":[2],"a":[{"b":"x"}]}') == ["inner", "none"]
    assert matcher.match(b'{"a":[{"b":"x"}],"a":[1]}') == ["one"]
    assert matcher.match(b'{"a":[{"b":"y","b":"x"},{"b":"x","b":"y"}]}') == ["inner", "none"]
    assert matcher.match(b'{"a":[1,2],"a":[]}') == ["none"]
    assert matcher.match(b'{"a":1,"\\u0061":2}') == ["two"]


def test_of_duplicate_keys_trusted_takes_one() -> None:
    matcher = rulebus.Matcher({"one": {"a": [1]}, "two": {"a": [2]}}, validation="trusted")
    assert len(matcher.match(b'{"a":[1],"a":[2]}')) == 1


@pytest.mark.parametrize("event", [None, 1, 1.5, True, ["a"], ("a",), {1, 2}, object(), [{"a": 1}]])
def test_events_of_a_wrong_type_are_a_type_error(matcher: rulebus.Matcher, event: Any) -> None:
    with pytest.raises(TypeError, match=type(event).__name__):
        matcher.match(event)
    with pytest.raises(TypeError):
        matcher.matches(event)
    with pytest.raises(TypeError):
        matcher.explain("one", event)


@pytest.mark.parametrize("value", [object(), {1}, b"x", 1j])
def test_values_without_json_form_are_refused_with_their_place(matcher: rulebus.Matcher, value: Any) -> None:
    error = refusal(matcher, {"a": [1, {"b": value}]})
    assert (error.code, error.pointer) == ("unsupported-type", "/a/1/b")


@pytest.mark.parametrize("pattern", [None, 1, ["a"], object(), {"a"}])
def test_patterns_of_a_wrong_type_are_a_type_error(matcher: rulebus.Matcher, pattern: Any) -> None:
    with pytest.raises(TypeError):
        matcher.put("bad", pattern)
    with pytest.raises(TypeError):
        rulebus.Pattern(pattern)
    with pytest.raises(TypeError):
        matcher.update({"good": {"a": [1]}, "bad": pattern})


@pytest.mark.parametrize("name", [[], {}, set(), ["x"], ([],)])
def test_unhashable_names_are_a_type_error(matcher: rulebus.Matcher, name: Any) -> None:
    for call in (
        lambda: matcher.put(name, {"a": [1]}),
        lambda: matcher.remove(name),
        lambda: matcher.discard(name),
        lambda: matcher.pattern(name),
        lambda: matcher.explain(name, GOOD),
        lambda: matcher.update([(name, {"a": [1]})]),
        lambda: name in matcher,
    ):
        with pytest.raises(TypeError, match="unhashable"):
            call()


def test_a_name_whose_hash_or_equality_fails_changes_nothing(matcher: rulebus.Matcher) -> None:
    class Bad:
        def __hash__(self) -> int:
            return hash("one")

        def __eq__(self, other: object) -> bool:
            raise RuntimeError("no comparing")

    with pytest.raises(RuntimeError, match="no comparing"):
        matcher.put(Bad(), {"a": [1]})


def test_wrong_options_are_refused() -> None:
    wrong: dict[str, Any]
    for wrong in ({"validation": "lax"}, {"max_event_bytes": -1}, {"max_event_depth": "x"}):
        with pytest.raises((TypeError, ValueError, OverflowError)):
            rulebus.Matcher(**wrong)


@pytest.mark.parametrize("arguments", [(None,), (1,), ("text",), (["text"],), ([1, 2],)])
def test_batches_of_a_wrong_type(matcher: rulebus.Matcher, arguments: tuple[Any]) -> None:
    given = arguments[0]
    if isinstance(given, list) or given == "text":  # each element is judged, as match would
        with pytest.raises((TypeError, AssertionError)):
            assert all(not isinstance(found, rulebus.EventError) for found in matcher.match_many(given))
    else:
        with pytest.raises(TypeError):
            matcher.match_many(given)
    with pytest.raises(TypeError):
        matcher.match_lines(given if not isinstance(given, str) else None)


@pytest.mark.parametrize("bad", ['{"a":1}', "{", '{"a":[{"prefix":1}]}', ""])
def test_one_bad_rule_among_thousands_changes_nothing_and_is_named(
    matcher: rulebus.Matcher, bad: str
) -> None:
    rules = {f"rule-{number}": f'{{"a":[{number}]}}' for number in range(5_000)}
    rules["rule-3210"] = bad
    with pytest.raises(rulebus.RuleSetError) as caught:
        matcher.update(rules)
    assert [name for name, _ in caught.value.errors] == ["rule-3210"]
    assert "rule-3210" in str(caught.value)
    rules["rule-4000"] = bad
    with pytest.raises(rulebus.RuleSetError) as caught:
        matcher.update(rules)
    assert [name for name, _ in caught.value.errors] == ["rule-3210", "rule-4000"]


def test_a_rules_file_with_one_bad_line_among_thousands(tmp_path: Path) -> None:
    lines = [json.dumps({"name": f"r{number}", "pattern": {"a": [number]}}) for number in range(5_000)]
    lines[1_234] = '{"name": "r1234", "pattern": {"a": [}'
    lines[2_345] = '{"name": "r2345", "pattern": {"a": 7}}'
    read = parse_rules("\n".join(lines).encode(), "rules.jsonl")
    assert [(problem.code, problem.line) for problem in read.problems] == [("rules-json", 1_235)]
    assert len(read.rules) == 4_999
    matcher = rulebus.Matcher()
    with pytest.raises(rulebus.RuleSetError) as caught:
        matcher.update({rule.name: rule.pattern for rule in read.rules})
    ((name, error),) = caught.value.errors
    assert name == "r2345"
    (where,) = [rule.locate(error) for rule in read.rules if rule.name == name]
    assert where[0] == 2_346
    assert len(matcher) == 0
    matcher.update({rule.name: rule.pattern for rule in read.rules if rule.name != name})
    assert matcher.match({"a": 17}) == ["r17"]
    assert len(matcher) == 4_998
