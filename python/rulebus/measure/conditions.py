"""A pattern taken apart: which fields it asks for, with which operators, and how its conditions are joined.

Relies on patterns that the engine has accepted (it is not judged again here). Must never decide whether an event
matches: that is the engine's word.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from rulebus.pattern import OPERATORS

__all__ = ["Both", "Condition", "Either", "Node", "conditions", "families", "take_apart"]


class _Number(str):
    """A number as it was spelt: a double would lose digits, and 1e400 altogether."""

    __slots__ = ()


_decoder = json.JSONDecoder(parse_int=_Number, parse_float=_Number, parse_constant=_Number)


def _text(value: Any) -> str:
    """Compact JSON, numbers as they were spelt."""
    if isinstance(value, _Number):
        return str(value)
    if isinstance(value, list):
        return f"[{','.join(map(_text, value))}]"
    if isinstance(value, dict):
        return "{" + ",".join(f"{_text(key)}:{_text(below)}" for key, below in value.items()) + "}"
    # Half of a surrogate pair can only be written escaped.
    readable = (
        not isinstance(value, str) or value.isascii() or value.encode("utf-8", "ignore").decode() == value
    )
    return json.dumps(value, ensure_ascii=not readable)


@dataclass(frozen=True, slots=True)
class Condition:
    """One field with its list of values."""

    path: tuple[str, ...]
    values: str
    """The list, as compact JSON."""

    @property
    def field(self) -> str:
        """The path as a JSON pointer.

        >>> Condition(("detail", "a/b"), "[1]").field
        '/detail/a~1b'
        """
        return "".join("/" + key.replace("~", "~0").replace("/", "~1") for key in self.path)

    def pattern(self) -> str:
        """The text of a pattern of this condition alone.

        >>> Condition(("detail", "n"), "[1e400]").pattern()
        '{"detail":{"n":[1e400]}}'
        """
        return "".join(f"{{{_text(key)}:" for key in self.path) + self.values + "}" * len(self.path)

    def __str__(self) -> str:
        shown = self.values if len(self.values) <= 60 else self.values[:57] + "…"
        return f"{self.field} {shown}"


@dataclass(frozen=True, slots=True)
class Either:
    """`$or`: one of the alternatives must hold."""

    alternatives: tuple[Both, ...]


@dataclass(frozen=True, slots=True)
class Both:
    """Everything in it must hold."""

    parts: tuple[Node, ...]


Node = Condition | Either | Both


def take_apart(pattern: str) -> Both:
    """The conditions of a pattern's text and how they are joined.

    >>> both = take_apart('{"a": [1], "b": {"c": [{"prefix": "x"}]}}')
    >>> [str(condition) for condition in conditions(both)]
    ['/a [1]', '/b/c [{"prefix":"x"}]']
    """
    return _object(_decoder.decode(pattern), ())


def conditions(node: Node) -> Iterator[Condition]:
    """All conditions, in the order of the text."""
    if isinstance(node, Condition):
        yield node
        return
    for part in node.parts if isinstance(node, Both) else node.alternatives:
        yield from conditions(part)


def families(node: Node) -> set[str]:
    """The operator families that a pattern uses; plain values are `exact`, alternatives `$or`.

    >>> sorted(families(take_apart('{"$or": [{"a": [1]}, {"b": [{"exists": true}]}]}')))
    ['$or', 'exact', 'exists']
    """
    found: set[str] = set()
    if isinstance(node, Condition):
        for value in json.loads(node.values):
            found.add(
                next((name for name in OPERATORS if name in value and name != "exactly"), "exact")
                if isinstance(value, dict)
                else "exact"
            )
        return found
    if isinstance(node, Either):
        found.add("$or")
    for part in node.parts if isinstance(node, Both) else node.alternatives:
        found |= families(part)
    return found


def _object(members: dict[str, Any], above: tuple[str, ...]) -> Both:
    parts: list[Node] = []
    for key, value in members.items():
        if key == "$or" and _is_operator(value):
            parts.append(Either(tuple(_object(alternative, above) for alternative in value)))
        elif isinstance(value, dict):
            parts.extend(_object(value, (*above, key)).parts)
        else:
            parts.append(Condition((*above, key), _text(value)))
    return Both(tuple(parts))


def _is_operator(value: Any) -> bool:
    """Whether `$or` is the operator and not an ordinary field of that name."""
    return (
        isinstance(value, list)
        and len(value) > 1
        and all(isinstance(one, dict) and one and not set(one).intersection(OPERATORS) for one in value)
    )
