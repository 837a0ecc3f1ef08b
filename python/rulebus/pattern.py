"""One event pattern by itself: read, checked, compared, matched against single events, explained.

Relies on the native module for all of it. For many patterns at once use `rulebus.matcher`.
"""

import json
from typing import Any, TypeAlias

from rulebus import _core
from rulebus.explanation import Explanation

__all__ = ["OPERATORS", "EventLike", "Pattern", "PatternLike"]

OPERATORS = (
    "exactly",
    "prefix",
    "suffix",
    "equals-ignore-case",
    "wildcard",
    "anything-but",
    "numeric",
    "cidr",
    "exists",
)
"""Names of the language's operators; a literal has none."""

EventLike: TypeAlias = "bytes | bytearray | memoryview | str | dict[str, Any]"
"""What an event may be given as: its JSON text, or the object that the text means."""

PatternLike: TypeAlias = "str | bytes | bytearray | memoryview | dict[str, Any] | _core.Pattern"
"""What a pattern may be given as."""


class Pattern(_core.Pattern):
    """An event pattern in the language of EventBridge.

    >>> pattern = Pattern({"source": ["shop.cart"], "detail": {"total": [{"numeric": [">", 100]}]}})
    >>> pattern.matches(b'{"source": "shop.cart", "detail": {"total": 120}}')
    True
    >>> pattern.matches({"source": "shop.cart", "detail": {"total": 80}})
    False

    Patterns are equal when their canonical texts are; spelling does not count:

    >>> Pattern('{ "a": { "\\u0062": [ 300 ] } }') == Pattern({"a.b": [300]})
    True

    The keyword arguments are those of `Matcher`. Raises `PatternError` for what is no pattern, `TypeError` for
    what cannot be one.
    """

    __slots__ = ()

    def to_dict(self) -> dict[str, Any]:
        """The canonical pattern as a dict.

        >>> Pattern('{"detail": {"total": [{"numeric": [">", 100]}]}}').to_dict()
        {'detail.total': [{'numeric': ['>', 100]}]}

        A definition that a later one of the same path replaces is left out. A number that Python's float cannot
        hold becomes the nearest float; `json` has it exactly.
        """
        result: dict[str, Any] = json.loads(self.json, object_pairs_hook=_merged)
        return result

    def explain(self, event: EventLike) -> Explanation:
        """Why the pattern matches the event or does not.

        >>> print(Pattern({"total": [{"numeric": [">", 100]}]}).explain({"total": 80}).matched)
        False
        """
        return Explanation.from_json(self._explain(event))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, _core.Pattern):
            return NotImplemented
        return self.json == other.json

    def __hash__(self) -> int:
        return hash(self.json)

    def __repr__(self) -> str:
        return f"rulebus.Pattern({self.json!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.json, self._options())


def _rebuild(cls: type[Pattern], text: str, options: dict[str, Any]) -> Pattern:
    return cls(text, **options)


def _merged(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of a canonical pattern as a dict, though its keys may repeat.

    Of a path the last definition counts, and where it stands. All `$or` count, so what follows the first, up to
    the last, is put into its alternatives.
    """
    ors = [at for at, (key, value) in enumerate(pairs) if key == "$or" and _is_operator(value)]
    if len(ors) > 1:
        first, last = ors[0], ors[-1]
        inner = pairs[first + 1 : last + 1]
        spread = [_merged([*alternative.items(), *inner]) for alternative in pairs[first][1]]
        pairs = [*pairs[:first], ("$or", spread), *pairs[last + 1 :]]
    result: dict[str, Any] = {}
    for key, value in pairs:
        result.pop(key, None)
        result[key] = value
    return result


def _is_operator(value: Any) -> bool:
    """Whether the value of a key `$or` makes it the operator rather than a plain field."""
    return isinstance(value, list) and all(isinstance(alternative, dict) for alternative in value)
