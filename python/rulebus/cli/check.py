"""`rulebus check`: validates rules files and reports every bad rule at its line and column.

Relies on the engine's verdict alone; must never stop at the first bad rule.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import click

from rulebus.cli.inputs import rules_from
from rulebus.errors import PatternError, RuleSetError
from rulebus.matcher import Matcher
from rulebus.pattern import OPERATORS
from rulebus.rules import RulesFileError, RuleText

__all__ = ["check"]

_PLAIN_OR = re.compile(r'"\$or"[ \t\r\n]*:')


@click.command(short_help="Validate rules files.")
@click.option(
    "--json", "as_json", is_flag=True, help="One JSON line per finding, and a last one with the totals."
)
@click.argument("rules", nargs=-1, required=True)
def check(as_json: bool, rules: tuple[str, ...]) -> int:
    """Validate RULES (files or folders) and report every bad rule: place, what was expected, remedy.

    Exits with 1 when a rule is bad. Warnings do not change the exit status.

    \b
    Examples:
      rulebus check rules.json
      rulebus check --json rules/ | jq 'select(.code == "numeric-operator")'
    """
    good = bad = warnings = 0
    for path in rules:
        found = rules_from(path)
        errors = _errors(found.rules)
        for problem in found.problems:
            _show(_of_problem(problem), str(problem), as_json)
        for rule, error in errors:
            _show(_of_error(rule, error), rule.report(error), as_json)
        broken = {rule.name for rule, _ in errors}
        for rule in found.rules:
            if rule.name not in broken:
                for finding, text in _plain_or(rule):
                    warnings += 1
                    _show(finding, text, as_json)
        good += len(found.rules) - len(errors)
        bad += len(errors) + len(found.problems)
    if as_json:
        click.echo(json.dumps({"good": good, "bad": bad, "warnings": warnings}))
    else:
        click.echo(f"{good:,} good, {bad:,} bad, {warnings:,} {'warning' if warnings == 1 else 'warnings'}")
    return 1 if bad else 0


def _errors(rules: tuple[RuleText, ...]) -> list[tuple[RuleText, PatternError]]:
    by_name = {rule.name: rule for rule in rules}
    try:
        Matcher((rule.name, rule.pattern) for rule in rules)
    except RuleSetError as error:
        return [(by_name[str(name)], reason) for name, reason in error.errors]
    return []


def _show(finding: dict[str, Any], text: str, as_json: bool) -> None:
    click.echo(json.dumps(finding) if as_json else text + "\n")


def _of_problem(problem: RulesFileError) -> dict[str, Any]:
    return {
        "severity": "error", "file": problem.file, "rule": None, "code": problem.code,
        "message": problem.message, "pointer": None, "line": problem.line, "column": problem.column,
        "expected": problem.expected, "aws_message": None,
    }  # fmt: skip


def _of_error(rule: RuleText, error: PatternError) -> dict[str, Any]:
    line, column = rule.locate(error)
    return {
        "severity": "error", "file": rule.document.file, "rule": rule.name, "code": error.code,
        "message": error.message, "pointer": error.pointer, "line": line, "column": column,
        "expected": error.expected, "aws_message": error.aws_message,
    }  # fmt: skip


def _plain_or(rule: RuleText) -> Iterator[tuple[dict[str, Any], str]]:
    """Warnings for every "$or" that is an ordinary field, which its author almost never meant.

    The n-th "$or" of the tree is the n-th key of that spelling in the text, since both go in document order.
    """
    if "$or" not in rule.pattern:
        return
    places = _PLAIN_OR.finditer(rule.pattern)
    message = '"$or" is an ordinary field here, not the operator'
    expected = 'an array of at least two objects as the operator: "$or": [{"field": [...]}, {"other": [...]}]'
    for (pointer, plain), place in zip(_ors(rule.pattern), places, strict=False):
        if plain:
            offset = rule.offset + place.start()
            line, column = rule.document.place(offset)
            finding = {
                "severity": "warning", "file": rule.document.file, "rule": rule.name, "code": "plain-or",
                "message": message,
                "pointer": pointer, "line": line, "column": column,
                "expected": expected, "aws_message": None,
            }  # fmt: skip
            name = json.dumps(rule.name, ensure_ascii=False)
            yield (
                finding,
                (
                    f"Warning[plain-or]: {message}\n"
                    f"  in {rule.document.file}, rule {name}, at {pointer}, line {line}, column {column}\n"
                    f"{rule.document.excerpt(offset, 5)}\n  expected {expected}"
                ),
            )


class _Members(list[tuple[str, Any]]):
    """An object as its members in document order, duplicates included."""


def _ors(pattern: str) -> Iterator[tuple[str, bool]]:
    """(JSON pointer, is it an ordinary field) of every "$or" key in document order."""
    stack: list[tuple[str, Any]] = [("", json.loads(pattern, object_pairs_hook=_Members, parse_int=str))]
    while stack:
        pointer, value = stack.pop()
        if isinstance(value, _Members):
            below = [
                (f"{pointer}/{key.replace('~', '~0').replace('/', '~1')}", member) for key, member in value
            ]
            stack.extend(reversed(below))
        elif isinstance(value, list):
            stack.extend(reversed([(f"{pointer}/{index}", member) for index, member in enumerate(value)]))
        if pointer.endswith("/$or"):
            yield (
                pointer,
                not isinstance(value, list) or isinstance(value, _Members) or any(map(_no_branch, value)),
            )


def _no_branch(element: object) -> bool:
    """Whether an element of a "$or" array cannot be a branch of the operator."""
    return not isinstance(element, _Members) or any(key in OPERATORS for key, _ in element)
