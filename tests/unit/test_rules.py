"""Rules files: the three forms, places in them, and every way in which a file can be bad.

Relies on the installed package. Must never judge patterns: those are only carried here."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import rulebus
from rulebus.errors import RulebusError, RuleSetError
from rulebus.rules import RulesFileError, load_rules, parse_rules, read_rules


def names(content: str | bytes, file: str = "r.json") -> list[tuple[str, str]]:
    found = parse_rules(content.encode() if isinstance(content, str) else content, file)
    assert found.problems == ()
    return [(rule.name, rule.pattern) for rule in found.rules]


def problem(content: str | bytes, file: str = "r.json") -> RulesFileError:
    found = parse_rules(content.encode() if isinstance(content, str) else content, file)
    (error,) = found.problems
    assert isinstance(error, RulebusError)
    assert isinstance(error, ValueError)
    return error


def test_an_object_keeps_the_exact_texts_and_the_order() -> None:
    text = ' {\n "b" : {"x": [ 1e400, "\\u0041" ] } ,"a":{"y":[12345678901234567890]}\n}\n'
    assert names(text) == [("b", '{"x": [ 1e400, "\\u0041" ] }'), ("a", '{"y":[12345678901234567890]}')]


def test_json_lines() -> None:
    text = (
        '{"name": "a", "pattern": {"x": [1]}}\r\n\n{"pattern": {"y": ["\u2028"]}, "note": 1, "name": "b"}\n'
    )
    assert names(text) == [("a", '{"x": [1]}'), ("b", '{"y": ["\u2028"]}')]


def test_an_object_whose_rules_are_called_name_and_pattern() -> None:
    text = '{"name": {"x": [1]}, "pattern": {"y": [2]}}'
    assert [name for name, _ in names(text)] == ["name", "pattern"]


def test_a_folder(tmp_path: Path) -> None:
    for name, text in (("b", '{"x": [2]}'), ("a", '\n{"x": [1]}\n'), (".hidden", "{}")):
        (tmp_path / f"{name}.json").write_text(text)
    (tmp_path / "sub.json").mkdir()
    assert load_rules(tmp_path) == {"a": '\n{"x": [1]}\n', "b": '{"x": [2]}'}


def test_an_empty_folder(tmp_path: Path) -> None:
    (error,) = read_rules(tmp_path).problems
    assert (error.code, error.file) == ("rules-empty", str(tmp_path))


def test_a_byte_order_mark_is_no_harm() -> None:
    assert names(b'\xef\xbb\xbf{"a": {"x": [1]}}') == [("a", '{"x": [1]}')]


@pytest.mark.parametrize(
    ("text", "code", "line", "column"),
    [
        ("", "rules-empty", 1, 1),
        (" \n\t", "rules-empty", 1, 1),
        ("[]", "rules-json", 1, 1),
        ("nonsense", "rules-json", 1, 1),
        ('{"a": {"x": [1]}', "rules-json", 1, 16),
        ('{"a": {"x": [1]},\n}', "rules-json", 2, 1),
        ('{"a": {"x": [1]}\n "b": {}}', "rules-json", 2, 2),
        ('{"a" {"x": [1]}}', "rules-json", 1, 6),
        ('{"a": {"x": [1]}} {}', "rules-json", 1, 19),
        ('{1: {"x": [1]}}', "rules-json", 1, 2),
        ('{"a": {"x": [1,]}}', "rules-json", 1, 16),
        ('{"a": {"x": [1]},\n "a": {"x": [2]}}', "rules-duplicate", 2, 7),
        ('{"a": {"x": [1]}, "b": ' + "[" * 100_000, "rules-json", 1, 24),
    ],
)
def test_a_bad_object(text: str, code: str, line: int, column: int) -> None:
    error = problem(text)
    assert (error.code, error.line, error.column, error.file) == (code, line, column, "r.json")
    assert str(error).startswith(
        f"RulesFileError[{code}]: {error.message}\n  in r.json, line {line}, column {column}\n"
    )
    assert error.excerpt in str(error)
    assert str(error).splitlines()[-1].startswith("  expected ")


@pytest.mark.parametrize(
    ("line", "code", "column"),
    [
        ("[1]", "rules-json", 1),
        ('{"name": "b"}', "rules-entry", 1),
        ('{"pattern": {"x": [1]}}', "rules-entry", 1),
        ('{"name": 5, "pattern": {"x": [1]}}', "rules-entry", 10),
        ('{"name": "b", "pattern": {"x": [1}}', "rules-json", 34),
        ('{"name": "a", "pattern": {"x": [1]}}', "rules-duplicate", 26),
    ],
)
def test_a_bad_line_hides_no_other(line: str, code: str, column: int) -> None:
    good = '{"name": "%s", "pattern": {"x": [1]}}\n'
    found = parse_rules((good % "a" + line + "\n" + good % "c").encode(), "r.jsonl")
    assert [rule.name for rule in found.rules] == ["a", "c"]
    assert [(error.code, error.line, error.column) for error in found.problems] == [(code, 2, column)]


def test_not_utf8() -> None:
    error = problem(b'{"a": {\n"x": ["\xe9"]}}')
    assert (error.code, error.line, error.column) == ("rules-encoding", 2, 8)
    assert "byte 15 (0xe9)" in error.message


def test_the_engines_error_is_placed_in_the_file() -> None:
    text = '{"ok": {"x": [1]},\n "bäd": {"ä": ["ö"],\n   "y": [{"cidr": 5}]}}'
    found = parse_rules(text.encode(), "r.json")
    with pytest.raises(RuleSetError) as caught:
        rulebus.Matcher((rule.name, rule.pattern) for rule in found.rules)
    ((name, error),) = caught.value.errors
    rule = found.rules[1]
    assert name == rule.name == "bäd"
    line, column = rule.locate(error)
    assert (line, text.splitlines()[2][column - 1]) == (3, "5")
    assert 'in r.json, rule "bäd", at /y/0/cidr, line 3, column 19\n' in rule.report(error)


def test_loading_raises_the_first_problem_and_the_systems_own_errors(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load_rules(tmp_path / "absent.json")
    (tmp_path / "r.json").write_text("{")
    with pytest.raises(RulesFileError, match="rules-json"):
        load_rules(tmp_path / "r.json")


def test_many_rules_are_read_in_one_pass(tmp_path: Path) -> None:
    rules = {f"rule-{k}": {"x": [k]} for k in range(20_000)}
    (tmp_path / "r.json").write_text(json.dumps(rules, indent=1))
    loaded = load_rules(tmp_path / "r.json")
    assert {name: json.loads(text) for name, text in loaded.items()} == rules
