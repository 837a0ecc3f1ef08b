"""From the text of a pattern to its branches: one map of path to condition for every combination of "$or" choices.

Relies on `values` for what stands in arrays. The expansion is the plain one of section 10, overrides included, so its
size is the product of all "$or" lists. Must never recurse over the input: `_run` walks the steps with its own stack.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from rulebus.reference.errors import ReferencePatternError
from rulebus.reference.json_text import Array, JsonTextError, Member, Node, Object, position, read
from rulebus.reference.matchers import Condition
from rulebus.reference.values import Place, condition, is_plain_value, refusal

__all__ = ["Branch", "ReferencePattern", "parse"]

Branch = dict[str, Condition]
_Steps = Iterator["_Steps"]

PATHS_PER_BRANCH = 256
_OR = "$or"
_RESERVED_INSIDE_OR = frozenset(
    {
        "exactly",
        "equals-ignore-case",
        "prefix",
        "suffix",
        "anything-but",
        "exists",
        "wildcard",
        "numeric",
        "cidr",
        "=",
        "<",
        "<=",
        ">",
        ">=",
        "regex",
        "not-wildcard",
        "not-equals-ignore-case",
        "date-after",
        "date-on-or-after",
        "date-before",
        "date-on-or-before",
        "in-date-range",
        "ip-address-in-range",
        "ip-address-not-in-range",
    }
)


@dataclass(frozen=True, slots=True)
class ReferencePattern:
    """A pattern ready to match: it matches an event if one of its branches does."""

    text: str
    branches: tuple[Branch, ...]


def parse(pattern: str | bytes | Mapping[str, object]) -> ReferencePattern:
    """Read a pattern or raise `ReferencePatternError`.

    >>> sorted(parse('{"$or": [{"a": [1]}, {"b": {"c": ["x"]}}]}').branches[1])
    ['b.c']
    """
    source = json.dumps(pattern, allow_nan=False) if isinstance(pattern, Mapping) else pattern
    try:
        root, text = read(source)
    except JsonTextError as error:
        readable = source if isinstance(source, str) else bytes(source).decode("utf-8", "replace")
        line, column = position(readable, error.offset)
        raise ReferencePatternError(
            error.what, aws_message=None, pointer=None, line=line, column=column
        ) from None
    place = Place(text)
    if not isinstance(root, Object):
        raise refusal(place, root.start, "Filter is not an object")
    branches: list[Branch] = []
    _run(
        _Expansion(or_may_be_a_field=not _has_or_operator(root)).object(
            root, place, None, branches, inside_or=False
        )
    )
    for branch in branches:
        if len(branch) > PATHS_PER_BRANCH:
            # AWS limits the characters instead, so it has no words for this.
            raise refusal(place, root.start, None, f"more than {PATHS_PER_BRANCH} paths in one branch")
    return ReferencePattern(text, tuple(branches))


def _run(steps: _Steps) -> None:
    """Run steps that yield further steps, depth first, without using Python's own stack for the depth."""
    stack = [steps]
    while stack:
        try:
            stack.append(next(stack[-1]))
        except StopIteration:
            stack.pop()


def _could_be_a_field(value: Node) -> bool:
    """Can this value of "$or" only be meant as that of a plain field: an object, or literals and matchers?"""
    if isinstance(value, Array):
        return bool(value.items) and all(is_plain_value(item) for item in value.items)
    return isinstance(value, Object) and bool(value.members)


def _has_or_operator(root: Object) -> bool:
    pending: list[Node] = [root]
    while pending:
        node = pending.pop()
        if not isinstance(node, Object):
            continue
        for member in node.members:
            if member.key == _OR and not _could_be_a_field(member.value):
                return True
            pending.append(member.value)
    return False


@dataclass(frozen=True, slots=True)
class _Expansion:
    """Section 10, word for word: `branches` is the list R, changed in place.

    A pattern in which one "$or" is the operator takes every "$or" for the operator.
    """

    or_may_be_a_field: bool

    def object(
        self, node: Object, place: Place, prefix: str | None, branches: list[Branch], *, inside_or: bool
    ) -> _Steps:
        for member in node.members:
            here = place.at(member.key)
            value = member.value
            if member.key == _OR and not (self.or_may_be_a_field and _could_be_a_field(value)):
                if _could_be_a_field(value):
                    raise self._mixed(member, here)
                yield self._or(value, here, prefix, branches)
                continue
            if inside_or and member.key in _RESERVED_INSIDE_OR:
                message = f"{member.key} is Ruler reserved fieldName which cannot be used inside $or."
                raise refusal(here, member.key_start, message)
            path = member.key if prefix is None else f"{prefix}.{member.key}"
            if isinstance(value, Object):
                yield self.object(value, here, path, branches, inside_or=inside_or)
            elif isinstance(value, Array):
                _and(branches, path, condition(value, here))
            else:
                raise refusal(here, value.start, f'"{member.key}" must be an object or an array')
        if not node.members:
            raise refusal(place, node.start, "Empty objects are not allowed")

    def _mixed(self, member: Member, place: Place) -> ReferencePatternError:
        """A plain "$or" beside the operator: the name is the offender, AWS speaks of what is wrong with its value."""
        try:
            _run(self._or(member.value, place, None, []))
        except ReferencePatternError as error:
            return refusal(place, member.key_start, error.aws_message)
        raise AssertionError("what could be a plain field is never the operator")

    def _or(self, value: Node, place: Place, prefix: str | None, branches: list[Branch]) -> _Steps:
        if not isinstance(value, Array):
            raise refusal(place, value.start, "It must be an Array followed with $or.")
        expanded: list[Branch] = []
        for index, item in enumerate(value.items):
            here = place.at(index)
            if not isinstance(item, Object):
                raise refusal(here, item.start, "Only JSON object is allowed in array of $or relationship.")
            copies = [dict(branch) for branch in branches]
            yield self.object(item, here, prefix, copies, inside_or=True)
            expanded += copies
        if len(value.items) < 2:
            raise refusal(place, value.start, "There must have at least 2 Objects in $or relationship.")
        branches[:] = expanded


def _and(branches: list[Branch], path: str, found: Condition) -> None:
    if not branches:
        branches.append({})
    for branch in branches:
        branch[path] = found
