"""Hypothesis strategies for the pattern language, all drawn as JSON text.

Relies on `vocabulary` for what is drawn, on `nearly` for values close to a pattern's operands and on `spelling` for the
texts. Every pattern that is drawn is valid. Strategies are cached: to make one for each draw costs far more than to
draw. Must never draw an "$or" product that takes the reference seconds: "$or" nests at most twice, with at most three
alternatives.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache

from hypothesis import strategies as st

from rulebus.reference.json_text import Array, Member, Node, Number, Object, Scalar, ScalarNode, read
from rulebus.reference.numbers import comparable
from rulebus.testing import vocabulary
from rulebus.testing.nearly import near_values
from rulebus.testing.spelling import spell

__all__ = ["events", "events_for", "patterns", "rule_sets"]

_COMPARABLE = tuple(text for text in vocabulary.NUMBERS if comparable(text) is not None)


def patterns(*, depth: int = 3) -> st.SearchStrategy[str]:
    """Valid patterns as JSON text: all operators, nested fields, dotted keys, "$or" with overrides.

    >>> from hypothesis import find
    >>> from rulebus.reference import parse
    >>> len(parse(find(patterns(), lambda text: '"$or"' in text)).branches)
    2
    """
    return _pattern_object(depth, 2).map(spell)


def events(*, depth: int = 3, duplicate_keys: bool = False) -> st.SearchStrategy[str]:
    """Events as JSON text over the keys and values that patterns use.

    With `duplicate_keys`, an object may hold the same key more than once; the last one counts.

    >>> from hypothesis import find
    >>> find(events(), lambda text: "[" in text)
    '{"a":[]}'
    """
    return _members(_event_value(depth, duplicate_keys), duplicate_keys).map(spell)


@st.composite
def events_for(draw: st.DrawFn, pattern: str | Mapping[str, object], *, extra_fields: bool = True) -> str:
    """Events that match the pattern or nearly do: its paths, its operands and values just beside them.

    Fields are left out at times, objects become arrays of objects, keys are joined with a dot, so that consistency
    and absence are put to the test.

    >>> from hypothesis import find
    >>> from rulebus.reference import matches
    >>> pattern = '{"a": {"b": [{"prefix": "x"}], "c": [{"exists": false}]}}'
    >>> matches(pattern, find(events_for(pattern), lambda event: matches(pattern, event)))
    True
    """
    text = json.dumps(pattern) if isinstance(pattern, Mapping) else pattern
    root, _ = read(text)
    assert isinstance(root, Object)
    fields = _Fields()
    fields.add(root)
    event = draw(_object_for(fields))
    if extra_fields and draw(st.integers(0, 3)) == 3:
        event = Object([*event.members, *draw(_new_members(event))], 0)
    return spell(event)


@st.composite
def rule_sets(draw: st.DrawFn, *, max_size: int = 6) -> dict[str, str]:
    """Named patterns; some of them share operands, and some are the same pattern under two names.

    >>> from hypothesis import find
    >>> len(find(rule_sets(), lambda rules: len(rules) >= 2))
    2
    """
    found = draw(st.lists(patterns(), min_size=1, max_size=max_size))
    if len(found) < max_size and draw(st.integers(0, 4)) == 4:
        found.append(found[0])
    return {f"r{number}": pattern for number, pattern in enumerate(found)}


# -- patterns ---------------------------------------------------------------------------------------------------------


def _scalar(value: Scalar) -> ScalarNode:
    return ScalarNode(value, 0)


def _one(key: str, value: Node) -> Object:
    return Object([Member(key, 0, value)], 0)


@cache
def _keys() -> st.SearchStrategy[str]:
    return st.sampled_from(vocabulary.KEYS[:3]) | st.sampled_from(vocabulary.KEYS)


@cache
def _texts() -> st.SearchStrategy[str]:
    return st.sampled_from(vocabulary.TEXTS) | st.text(alphabet=vocabulary.LETTERS, max_size=4)


@cache
def _text_nodes() -> st.SearchStrategy[Node]:
    return _texts().map(_scalar)


def _some(nodes: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    """One of them or a list of one to three."""
    return nodes | st.lists(nodes, min_size=1, max_size=3).map(lambda items: Array(items, 0))


@cache
def _numbers(texts: tuple[str, ...]) -> st.SearchStrategy[Node]:
    return st.sampled_from(texts).map(lambda text: _scalar(Number(text)))


@cache
def _words() -> st.SearchStrategy[Node]:
    return st.sampled_from((True, False, None)).map(_scalar)


@cache
@st.composite
def _numeric(draw: st.DrawFn) -> Node:
    first, second = (draw(st.sampled_from(_COMPARABLE)) for _ in range(2))
    operator = draw(st.sampled_from(("=", "<", "<=", ">", ">=")))
    terms: list[Scalar] = [operator, Number(first)]
    low, high = comparable(first), comparable(second)
    assert low is not None
    assert high is not None
    if operator in (">", ">=") and low < high and draw(st.booleans()):
        terms += [draw(st.sampled_from(("<", "<="))), Number(second)]
    return _one("numeric", Array([_scalar(term) for term in terms], 0))


@cache
def _affixes() -> st.SearchStrategy[Node]:
    ignoring_case = _text_nodes().map(lambda text: _one("equals-ignore-case", text))
    return st.tuples(st.sampled_from(("prefix", "suffix")), _text_nodes() | ignoring_case).map(
        lambda pair: _one(*pair)
    )


@cache
def _wildcard_nodes() -> st.SearchStrategy[Node]:
    return st.sampled_from(vocabulary.WILDCARDS).map(_scalar)


@cache
def _anything_but() -> st.SearchStrategy[Node]:
    texts = _some(_text_nodes())
    affixes = _some(_texts().filter(bool).map(_scalar))
    return st.one_of(
        texts,
        _some(_numbers(_COMPARABLE)),
        affixes.map(lambda text: _one("prefix", text)),
        affixes.map(lambda text: _one("suffix", text)),
        texts.map(lambda text: _one("equals-ignore-case", text)),
        _some(_wildcard_nodes()).map(lambda text: _one("wildcard", text)),
    ).map(lambda argument: _one("anything-but", argument))


@cache
def _matchers() -> st.SearchStrategy[Node]:
    return st.one_of(
        _text_nodes(),
        _numbers(vocabulary.NUMBERS),
        _words(),
        _affixes(),
        _anything_but(),
        _numeric(),
        st.booleans().map(lambda there: _one("exists", _scalar(there))),
        _wildcard_nodes().map(lambda text: _one("wildcard", text)),
        _text_nodes().map(lambda text: _one("equals-ignore-case", text)),
        _text_nodes().map(lambda text: _one("exactly", text)),
        st.sampled_from(vocabulary.RANGES).map(lambda text: _one("cidr", _scalar(text))),
    )


@cache
def _values() -> st.SearchStrategy[Node]:
    return st.lists(_matchers(), min_size=1, max_size=3).map(lambda items: Array(items, 0))


@cache
@st.composite
def _pattern_object(draw: st.DrawFn, depth: int, ors: int) -> Object:
    members = []
    for _ in range(draw(st.integers(1, 3))):
        deeper = depth > 1 and draw(st.integers(0, 2)) == 2
        value = draw(_pattern_object(depth - 1, ors)) if deeper else draw(_values())
        members.append(Member(draw(_keys()), 0, value))
    if ors and draw(st.integers(0, 3)) == 3:
        branches = (
            st.lists(_pattern_object(depth - 1, ors - 1), min_size=2, max_size=3) if depth > 1 else None
        )
        if branches is not None:
            at = draw(st.integers(0, len(members)))
            members.insert(at, Member("$or", 0, Array([*draw(branches)], 0)))
    return Object(members, 0)


# -- events -----------------------------------------------------------------------------------------------------------


@cache
def _event_scalars() -> st.SearchStrategy[Node]:
    return _text_nodes() | _numbers(vocabulary.NUMBERS) | _words()


@st.composite
def _members(draw: st.DrawFn, values: st.SearchStrategy[Node], duplicate_keys: bool) -> Object:
    keys = draw(st.lists(_keys(), max_size=4, unique=not duplicate_keys))
    return Object([Member(key, 0, draw(values)) for key in keys], 0)


@cache
def _event_value(depth: int, duplicate_keys: bool) -> st.SearchStrategy[Node]:
    if depth <= 1:
        return _event_scalars()
    inner = st.deferred(lambda: _event_value(depth - 1, duplicate_keys))
    arrays = st.lists(inner, max_size=3).map(lambda items: Array(items, 0))
    return st.one_of(_event_scalars(), _members(inner, duplicate_keys), arrays)


class _Fields:
    """The keys that a pattern asks for, as a tree, with the values that are interesting at each."""

    def __init__(self) -> None:
        self.inner: dict[str, _Fields] = {}
        self.near: list[Scalar] = []

    def add(self, node: Object) -> None:
        for member in node.members:
            value = member.value
            if member.key == "$or" and isinstance(value, Array):
                for item in value.items:
                    if isinstance(item, Object):
                        self.add(item)
                continue
            field = self.inner.setdefault(member.key, _Fields())
            if isinstance(value, Object):
                field.add(value)
            elif isinstance(value, Array):
                field.near += [near for item in value.items for near in near_values(item)]


@st.composite
def _object_for(draw: st.DrawFn, fields: _Fields) -> Object:
    members: list[Member] = []
    for key, field in fields.inner.items():
        if draw(st.integers(0, 9)) == 9:
            continue
        value = draw(_value_for(field))
        if isinstance(value, Object) and draw(st.integers(0, 9)) == 9:
            members += [Member(f"{key}.{inner.key}", 0, inner.value) for inner in value.members]
        else:
            members.append(Member(key, 0, value))
    unique = {member.key: member for member in members}  # joined keys may meet
    return Object(list(unique.values()), 0)


@st.composite
def _value_for(draw: st.DrawFn, field: _Fields) -> Node:
    values: list[st.SearchStrategy[Node]] = []
    if field.near:
        values += [st.sampled_from(field.near).map(_scalar)]
    if field.inner:
        values += [_object_for(field)]
    one = st.one_of(values) if values else _event_scalars()
    shape = draw(st.integers(0, 19))
    if shape < 13:
        return draw(one)
    if shape < 18:
        return Array(draw(st.lists(one | one | _event_scalars(), max_size=3)), 0)
    if shape < 19:
        return Array([Array(draw(st.lists(one, max_size=2)), 0), draw(one)], 0)
    return draw(_event_value(2, False))


@st.composite
def _new_members(draw: st.DrawFn, event: Object) -> list[Member]:
    taken = {member.key for member in event.members}
    keys = draw(st.lists(_keys().filter(lambda key: key not in taken), max_size=2, unique=True))
    return [Member(key, 0, draw(_event_value(3, False))) for key in keys]
