"""Errors of `rulebus`: their form, what they carry, that they pickle, and every kind of bad event by its code."""

import copy
import pickle
from typing import Any

import pytest

import rulebus

PATTERN = """{
  "detail": {
  "price": [{"numeric": ["=>", 10]}]
}}"""


def refused(pattern: Any) -> rulebus.PatternError:
    with pytest.raises(rulebus.PatternError) as caught:
        rulebus.Pattern(pattern)
    return caught.value


def bad_event(event: Any, **options: Any) -> rulebus.EventError:
    matcher = rulebus.Matcher({"rule": {"a": {"b": [1]}}}, **options)
    with pytest.raises(rulebus.EventError) as caught:
        matcher.match(event)
    assert matcher.match(b'{"a": {"b": 1}}') == ["rule"]
    return caught.value


def test_a_pattern_error_reads_as_documented() -> None:
    assert str(refused(PATTERN)) == (
        'PatternError[numeric-operator]: unknown numeric operator "=>"\n'
        "  at /detail/price/0/numeric/0, line 3, column 26\n"
        '    3 |   "price": [{"numeric": ["=>", 10]}]\n'
        "      |                          ^^^^\n"
        '  expected one of = < <= > >=; for "at least" write ">="'
    )


def test_a_pattern_error_carries_what_it_says() -> None:
    error = refused(PATTERN)
    assert (error.code, error.pointer, error.line, error.column) == (
        "numeric-operator",
        "/detail/price/0/numeric/0",
        3,
        26,
    )
    assert PATTERN.encode()[error.offset :].startswith(b'"=>"')
    assert error.aws_message == "Unrecognized numeric range operator: =>"
    assert isinstance(error, rulebus.RulebusError)
    assert isinstance(error, ValueError)


def test_an_event_error_shows_the_place() -> None:
    error = bad_event('{"name": "é", "a": tru}')
    assert str(error).splitlines()[1:] == [
        "  at line 1, column 23 (byte 23)",
        '    1 | {"name": "é", "a": tru}',
        "      |                       ^",
    ]
    assert error.pointer is None


def test_the_excerpt_of_a_long_line_is_short_and_cut_between_characters() -> None:
    error = bad_event('{"x": "' + "é" * 100_000 + '", "a": tru, "y": "' + "é" * 100_000 + '"}')
    line, caret = error.excerpt.splitlines()
    assert len(line) < 110
    assert "\ufffd" not in line
    assert line[: caret.index("^")].endswith('"a": tru')
    assert line.count("…") == 2


def test_control_characters_do_not_reach_the_terminal() -> None:
    error = bad_event(b'{"a": "\x1b[31m"}')
    assert error.code == "control-character"
    assert "\x1b" not in str(error)


@pytest.mark.parametrize(
    ("event", "code"),
    [
        (b"", "event-empty"),
        (b" \n", "event-empty"),
        (b"hello", "unexpected-byte"),
        (b"[1]", "event-not-an-object"),
        (b'"text"', "event-not-an-object"),
        (b"null", "event-not-an-object"),
        (b'{"a": {"b": 1}', "event-truncated"),
        (b'{"a": "b', "event-truncated"),
        (b'{"a": 1} x', "trailing-text"),
        (b'{"a": 1}{"a": 1}', "trailing-text"),
        (b'{"z": "\xff"}', "invalid-utf8"),
        (b'{"a": {"b": "\xc3"}}', "invalid-utf8"),
        (b'{"z": "a\x00b"}', "control-character"),
        (b'{"a": {"b": 01}}', "invalid-number"),
        (b'{"a": {"b": 1.}}', "invalid-number"),
        (b'{"a": {"b": nul}}', "invalid-literal"),
        (b'{"a": {"b": "\\x"}}', "invalid-escape"),
        (b'{"a": ' + b"[" * 10_000 + b"]" * 10_000 + b"}", "event-too-deep"),
        (b'{"a": ' + b'{"a":' * 10_000 + b"1" + b"}" * 10_000 + b"}", None),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_bad_texts(event: bytes, code: str | None) -> None:
    if code is None:  # what no rule asks for may be as deep as it likes, but not by default
        assert rulebus.Matcher({"rule": {"a": {"b": [1]}}}, validation="checked").match(event) == []
        code = "event-too-deep"
    error = bad_event(event)
    assert error.code == code
    assert error.code in str(error)
    assert 0 <= error.offset <= len(event)


@pytest.mark.parametrize(
    ("event", "code"),
    [
        (b'{"a": {"b": 1e999}}', None),
        (b'{"a": {"b": -0}}', None),
        (b'{"a": {"b": 123456789012345678901234567890}}', None),
        (b'{"a": {"b": "\\ud800"}}', None),
        (b'{"a": {"b": "\\u0000"}}', None),
        (b'{"a": [], "a": {"b": 1}}', None),
    ],
)
def test_strange_but_valid_texts(event: bytes, code: str | None) -> None:
    for validation in ("strict", "checked", "trusted"):
        rulebus.Matcher({"rule": {"a": {"b": [2]}}}, validation=validation).match(event)


def test_every_limit_has_its_error() -> None:
    assert bad_event(b'{"a": 1, "z": "' + b"x" * 100 + b'"}', max_event_bytes=64).code == "event-too-large"
    assert bad_event(b'{"a": {"b": [1, 2, 3]}}', max_event_values=2).code == "event-too-many-values"
    assert bad_event(b'{"a": [[[1]]]}', max_event_depth=3).code == "event-too-deep"


def test_a_large_event_is_no_trouble() -> None:
    event = b'{"z": "' + b"x" * 12_000_000 + b'", "a": {"b": 1}}'
    assert rulebus.Matcher({"rule": {"a": {"b": [1]}}}).match(event) == ["rule"]


def test_all_bad_rules_are_named_at_once() -> None:
    with pytest.raises(rulebus.RuleSetError) as caught:
        rulebus.Matcher({("no", 1): {"a": 1}, "yes": {"a": [1]}, "nor": "{"})
    error = caught.value
    assert [name for name, _ in error.errors] == [("no", 1), "nor"]
    assert [why.code for _, why in error.errors] == ["field-not-a-list", error.errors[1][1].code]
    assert str(error).startswith(
        "RuleSetError: 2 rules were refused; nothing was changed\nrule ('no', 1): PatternError["
    )


def test_a_long_list_of_bad_rules_is_cut() -> None:
    with pytest.raises(rulebus.RuleSetError) as caught:
        rulebus.Matcher(dict.fromkeys(range(1000), "x"))
    assert len(caught.value.errors) == 1000
    assert len(str(caught.value).splitlines()) < 80
    assert str(caught.value).endswith("... and 990 more, see .errors")


@pytest.mark.parametrize(
    "clone", [copy.copy, lambda error: pickle.loads(pickle.dumps(error))], ids=["copy", "pickle"]
)
def test_errors_can_be_pickled_and_copied(clone: Any) -> None:
    for error in (refused(PATTERN), bad_event(b"{"), bad_event({"a": {1}}), rulebus.RulebusError("text")):
        twin = clone(error)
        assert type(twin) is type(error)
        assert str(twin) == str(error)
        assert vars(twin) == vars(error)
    with pytest.raises(rulebus.RuleSetError) as caught:
        rulebus.Matcher({"bad": "{"})
    assert str(clone(caught.value)) == str(caught.value)
