"""Compiles a values array into a condition, or refuses it at its first fault in document order.

Relies on `json_text` for nodes with offsets and on `matchers`. Must never let the order of checks drift from the order
of the text: which fault is reported first is part of the behaviour (AWS reads the pattern as a stream of tokens).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

from rulebus.reference import matchers as m
from rulebus.reference.addresses import CidrError, address, address_range
from rulebus.reference.errors import ReferencePatternError
from rulebus.reference.json_text import Array, Member, Node, Number, Object, ScalarNode, position
from rulebus.reference.numbers import comparable
from rulebus.reference.texts import WildcardError, wildcard_parts

__all__ = ["Place", "condition", "is_plain_value", "refusal"]

_ONE_KEY = "Only one key allowed in match expression"
_TOO_MANY = "Too many elements in numeric expression"
_ANYTHING_BUT_VALUE = "Value of anything-but must be an array or single string/number value."
_MIXED_LIST = "Inside anything but list, either all values are number or string, mixed type is not supported"


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the pattern we are: the whole text and the steps of the JSON pointer so far."""

    text: str
    steps: tuple[str, ...] = ()

    def at(self, *steps: str | int) -> Place:
        return Place(self.text, (*self.steps, *map(str, steps)))

    @property
    def pointer(self) -> str:
        return "".join("/" + step.replace("~", "~0").replace("/", "~1") for step in self.steps)


def refusal(
    place: Place, offset: int, aws_message: str | None, what: str | None = None
) -> ReferencePatternError:
    line, column = position(place.text, offset)
    return ReferencePatternError(
        what or aws_message or "refused",
        aws_message=aws_message,
        pointer=place.pointer,
        line=line,
        column=column,
    )


def condition(values: Array, place: Place) -> m.Condition:
    """The meaning of one values array."""
    found: list[m.Matcher] = []
    absent = False
    for index, item in enumerate(values.items):
        here = place.at(index)
        if isinstance(item, Array):
            raise refusal(here, item.start, "Match value must be String, number, true, false, or null")
        if isinstance(item, ScalarNode):
            found.append(_literal(item))
        else:
            matcher = _matcher(item, here)
            if matcher is None:
                absent = True
            else:
                found.append(matcher)
    if not values.items:
        raise refusal(place, values.start, "Empty arrays are not allowed")
    return m.Condition(tuple(found), absent)


def is_plain_value(item: Node) -> bool:
    """Could this stand in a values array? (decides whether "$or" is the operator)"""
    try:
        condition(Array([item], 0), Place(""))
    except ReferencePatternError:
        return False
    return True


def _literal(node: ScalarNode) -> m.Matcher:
    value = node.value
    if isinstance(value, Number):
        return m.SameNumber(value.text, comparable(value.text))
    if isinstance(value, str):
        wanted = address(value)
        return m.SameText(value) if wanted is None else m.SameAddress(wanted)
    return m.SameWord(value)


def _matcher(node: Object, place: Place) -> m.Matcher | None:
    """One matcher; None stands for `exists: false`, which accepts no leaf at all."""
    if not node.members:
        raise refusal(place, node.start, "Match expression name not found")
    member = node.members[0]
    here = place.at(member.key)
    second_key = _ONE_KEY
    matcher: m.Matcher | None
    match member.key:
        case "exists":
            matcher = _exists(member.value, here)
        case "numeric":
            matcher = _numeric(member.value, here)
            second_key = _TOO_MANY
        case "anything-but":
            matcher = _anything_but(member.value, here)
            second_key = _TOO_MANY
        case "prefix":
            matcher = _affix(member.value, here, "prefix", m.TextPrefix, m.TextPrefixIgnoringCase)
        case "suffix":
            matcher = _affix(member.value, here, "suffix", m.TextSuffix, m.TextSuffixIgnoringCase)
        case "exactly":
            matcher = m.SameText(_string(member.value, here, "exact match pattern must be a string"))
        case "equals-ignore-case":
            matcher = _ignoring_case(member.value, here)
        case "wildcard":
            matcher = _wildcard(member.value, here)
        case "cidr":
            matcher = _cidr(member.value, here)
        case _:
            raise refusal(here, member.key_start, f"Unrecognized match type {member.key}")
    _no_second_member(node, place, second_key)
    return matcher


def _no_second_member(node: Object, place: Place, aws_message: str) -> None:
    if len(node.members) > 1:
        raise refusal(place.at(node.members[1].key), node.members[1].key_start, aws_message)


def _string(node: Node, place: Place, aws_message: str) -> str:
    if isinstance(node, ScalarNode) and isinstance(node.value, str):
        return node.value
    raise refusal(place, node.start, aws_message)


def _exists(node: Node, place: Place) -> m.Matcher | None:
    if not isinstance(node, ScalarNode) or not isinstance(node.value, bool):
        raise refusal(place, node.start, "exists match pattern must be either true or false.")
    return m.AnyLeaf() if node.value else None


def _ignoring_case(node: Node, place: Place) -> m.Matcher:
    return m.SameTextIgnoringCase(_string(node, place, "equals-ignore-case match pattern must be a string"))


def _affix(
    node: Node,
    place: Place,
    name: str,
    exact: Callable[[str], m.Matcher],
    ignoring_case: Callable[[str], m.Matcher],
) -> m.Matcher:
    if not isinstance(node, Object):
        return exact(_string(node, place, f"{name} match pattern must be a string"))
    if not node.members:
        raise refusal(place, node.start, f"{name.capitalize()} expression name not found")
    inner = node.members[0]
    if inner.key != "equals-ignore-case":
        raise refusal(place.at(inner.key), inner.key_start, f"Unsupported {name} pattern: {inner.key}")
    text = _string(inner.value, place.at(inner.key), "equals-ignore-case match pattern must be a string")
    _no_second_member(node, place, _ONE_KEY)
    return ignoring_case(text)


def _wildcard(node: Node, place: Place) -> m.Matcher:
    text = _string(node, place, "wildcard match pattern must be a string")
    try:
        return m.Wildcard(wildcard_parts(text))
    except WildcardError as error:
        plainly_spelt = "\\" not in text and place.text.startswith(f'{text}"', node.start + 1)
        offset = node.start + 1 + error.index if plainly_spelt else node.start
        raise refusal(place, offset, str(error)) from None


def _cidr(node: Node, place: Place) -> m.Matcher:
    text = _string(node, place, "prefix match pattern must be a string")  # AWS's slip, kept for the wire
    try:
        return m.InAddressRange(address_range(text))
    except CidrError as error:
        raise refusal(place, node.start, str(error)) from None


def _operand(node: Node, place: Place) -> float:
    assert isinstance(node, ScalarNode)
    assert isinstance(node.value, Number)
    number = comparable(node.value.text)
    if number is None:
        raise refusal(place, node.start, f"Cannot compare number : {node.value.text}")
    return number


def _is_number(node: Node) -> bool:
    return isinstance(node, ScalarNode) and isinstance(node.value, Number)


def _token(node: Node) -> str:
    """The text of a node's first token, as AWS quotes it."""
    if isinstance(node, Array):
        return "["
    if isinstance(node, Object):
        return "{"
    if isinstance(node.value, Number):
        return node.value.text
    return node.value if isinstance(node.value, str) else json.dumps(node.value)


def _numeric(node: Node, place: Place) -> m.Matcher:
    if not isinstance(node, Array):
        raise refusal(place, node.start, "Value of numeric must be an array.")
    terms = node.items
    if not terms:
        raise refusal(place, node.start, "Invalid member in numeric match: ]")
    operator = _string(terms[0], place.at(0), f"Invalid member in numeric match: {_token(terms[0])}")
    number = _term(node, 1, "equals" if operator == "=" else operator, place)
    match operator:
        case "=":
            _no_term(terms, 2, place, _TOO_MANY)
            return m.InRange(number, True, number, True)
        case "<" | "<=":
            _no_term(terms, 2, place, _TOO_MANY)
            return m.InRange(None, False, number, operator == "<=")
        case ">" | ">=":
            if len(terms) == 2:
                return m.InRange(number, operator == ">=", None, False)
            top, included = _upper_bound(node, place)
            if number >= top:
                raise refusal(place.at(1), terms[1].start, "Bottom must be less than top")
            return m.InRange(number, operator == ">=", top, included)
    raise refusal(place.at(0), terms[0].start, f"Unrecognized numeric range operator: {operator}")


def _term(node: Array, index: int, name: str, place: Place) -> float:
    """The number after an operator; where there is none, it is the list that lacks something."""
    message = f"Value of {name} must be numeric"
    if index >= len(node.items):
        raise refusal(place, node.start, message)
    term = node.items[index]
    if not _is_number(term):
        raise refusal(place.at(index), term.start, message)
    return _operand(term, place.at(index))


def _no_term(terms: list[Node], index: int, place: Place, aws_message: str) -> None:
    if len(terms) > index:
        raise refusal(place.at(index), terms[index].start, aws_message)


def _upper_bound(node: Array, place: Place) -> tuple[float, bool]:
    terms = node.items
    operator = _string(terms[2], place.at(2), f"Bad value in numeric range: {_token(terms[2])}")
    top = _term(node, 3, operator, place)
    _no_term(terms, 4, place, "Too many terms in numeric range expression")
    if operator not in ("<", "<="):
        raise refusal(place.at(2), terms[2].start, f"Bad numeric range operator: {operator}")
    return top, operator == "<="


def _anything_but(node: Node, place: Place) -> m.Matcher:
    if isinstance(node, Object):
        return _anything_but_matcher(node, place)
    if isinstance(node, Array):
        return _anything_but_list(node, place)
    if _is_number(node):
        return m.AnythingButNumbers(frozenset({_operand(node, place)}))
    return m.AnythingBut((m.SameText(_string(node, place, _ANYTHING_BUT_VALUE)),))


def _anything_but_list(node: Array, place: Place) -> m.Matcher:
    texts: list[m.Matcher] = []
    numbers: list[float] = []
    odd_one: int | None = None
    for index, item in enumerate(node.items):
        if _is_number(item):
            numbers.append(_operand(item, place.at(index)))
        else:
            message = "Inside anything but list, start|null|boolean is not supported."
            texts.append(m.SameText(_string(item, place.at(index), message)))
        if odd_one is None and texts and numbers:
            odd_one = index
    if odd_one is not None:
        raise refusal(place.at(odd_one), node.items[odd_one].start, _MIXED_LIST)
    if not node.items:
        raise refusal(place, node.start, _MIXED_LIST)
    return m.AnythingBut(tuple(texts)) if texts else m.AnythingButNumbers(frozenset(numbers))


def _anything_but_matcher(node: Object, place: Place) -> m.Matcher:
    if not node.members:
        raise refusal(place, node.start, "Anything-But expression name not found")
    member = node.members[0]
    here = place.at(member.key)
    match member.key:
        case "prefix":
            forbidden = _each(member, here, lambda item, at: _forbidden_affix(item, at, m.TextPrefix))
        case "suffix":
            forbidden = _each(member, here, lambda item, at: _forbidden_affix(item, at, m.TextSuffix))
        case "equals-ignore-case":
            forbidden = _each(member, here, _forbidden_ignoring_case)
        case "wildcard":
            forbidden = _each(member, here, _wildcard)
        case _:
            raise refusal(here, member.key_start, f"Unsupported anything-but pattern: {member.key}")
    _no_second_member(node, place, _TOO_MANY)
    return m.AnythingBut(forbidden)


def _each(member: Member, place: Place, one: Callable[[Node, Place], m.Matcher]) -> tuple[m.Matcher, ...]:
    """A single text or a list of them. An empty list is refused; event-ruler lets it pass and fails later (B13)."""
    if not isinstance(member.value, Array):
        return (one(member.value, place),)
    if not member.value.items:
        raise refusal(place, member.value.start, None, f"the list of {member.key} is empty")
    return tuple(one(item, place.at(index)) for index, item in enumerate(member.value.items))


def _forbidden_affix(node: Node, place: Place, affix: Callable[[str], m.Matcher]) -> m.Matcher:
    if isinstance(node, Object):
        raise refusal(place, node.start, _ANYTHING_BUT_VALUE)
    text = _string(node, place, "prefix/suffix match pattern must be a string")
    if not text:
        raise refusal(place, node.start, "Null prefix/suffix not allowed")
    return affix(text)


def _forbidden_ignoring_case(node: Node, place: Place) -> m.Matcher:
    message = "Inside anything-but/equals-ignore-case list, number|start|null|boolean is not supported."
    return m.SameTextIgnoringCase(_string(node, place, message))
