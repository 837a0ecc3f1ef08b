"""Matching, the obvious way: for every branch try every choice of one leaf per path.

Relies on `pattern` and `event`. A branch matches if leaves can be chosen, one for every path or none where absence is
allowed, so that no array is used with two indices, and no path left without a leaf has one that would have fitted the
final choice. Cost: exponential in the worst case, quick in practice because choices are made where fewest are left.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from rulebus.reference.event import Leaf, Leaves, Membership, flatten
from rulebus.reference.pattern import Branch, ReferencePattern, parse

__all__ = ["ReferenceMatcher", "matches"]

Name = TypeVar("Name", bound=Hashable)


def matches(pattern: ReferencePattern | str | bytes | Mapping[str, object], event: object) -> bool:
    """Does the pattern match the event?

    >>> matches('{"a": {"b": [1], "c": [2]}}', '{"a": [{"b": 1}, {"c": 2}]}')
    False
    >>> matches({"a": [{"prefix": "x"}]}, {"a": ["y", "xy"]})
    True
    """
    ready = pattern if isinstance(pattern, ReferencePattern) else parse(pattern)
    return _matches(ready, flatten(event))


class ReferenceMatcher(Generic[Name]):
    """Named patterns, matched one after the other.

    >>> matcher = ReferenceMatcher({"ones": '{"a": [1]}', "any": '{"a": [{"exists": true}]}'})
    >>> matcher.match('{"a": 2}')
    ['any']
    """

    def __init__(
        self, patterns: Mapping[Name, ReferencePattern | str | bytes | Mapping[str, object]]
    ) -> None:
        self.patterns = {
            name: pattern if isinstance(pattern, ReferencePattern) else parse(pattern)
            for name, pattern in patterns.items()
        }

    def match(self, event: object) -> list[Name]:
        """The names of all patterns that match, in the order they were given."""
        leaves = flatten(event)
        return [name for name, pattern in self.patterns.items() if _matches(pattern, leaves)]


def _matches(pattern: ReferencePattern, leaves: Leaves) -> bool:
    return any(_branch_matches(branch, leaves) for branch in pattern.branches)


@dataclass(frozen=True, slots=True)
class _Choice:
    """What is left to decide for one path: a fitting leaf, or none."""

    fitting: list[Membership]
    may_be_absent: bool
    all: list[Membership]


def _branch_matches(branch: Branch, leaves: Leaves) -> bool:
    for path, condition in branch.items():
        if path not in leaves and not condition.absent:
            return False
    choices = []
    for path, condition in branch.items():
        found = leaves.get(path, [])
        fitting = _places([leaf for leaf in found if condition.accepts(leaf.value)])
        if not fitting and not condition.absent:
            return False
        if found:
            choices.append(_Choice(fitting, condition.absent, _places(found)))
    choices.sort(key=lambda choice: len(choice.fitting))
    return _choose(choices, {}, [])


def _places(leaves: list[Leaf]) -> list[Membership]:
    """Leaves with the same membership are interchangeable once they fit."""
    return list({tuple(leaf.membership.items()): leaf.membership for leaf in leaves}.values())


def _choose(choices: list[_Choice], fixed: Membership, without_leaf: list[_Choice]) -> bool:
    """Can the remaining choices be made, given the elements that are fixed so far?"""
    if not choices:
        return not any(_agree(place, fixed) for choice in without_leaf for place in choice.all)
    choice, *rest = choices
    for place in choice.fitting:
        if _agree(place, fixed) and _choose(rest, fixed | place, without_leaf):
            return True
    return choice.may_be_absent and _choose(rest, fixed, [*without_leaf, choice])


def _agree(place: Membership, fixed: Membership) -> bool:
    return all(fixed.get(array, index) == index for array, index in place.items())
