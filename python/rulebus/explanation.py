"""Why a pattern matched an event or did not: the pattern's conditions as a tree of frozen records.

Made from the native module's JSON text; prints as an indented tree. Knows nothing of patterns or matching.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

__all__ = ["Alternative", "Explanation", "FieldCondition", "OrCondition"]

_SHOWN = 72


@dataclass(frozen=True, slots=True)
class Alternative:
    """One of the values or matchers that a field may meet."""

    operator: str
    """``equals``, ``prefix``, ``numeric`` ..."""
    operand: Any
    """What the operator is given, as in the pattern."""
    matched: bool
    """Whether a value of the event meets it."""

    def __str__(self) -> str:
        return f"{self.operator} {_text(self.operand)}"


@dataclass(frozen=True, slots=True)
class FieldCondition:
    """A field of the pattern."""

    path: str
    """The keys joined with dots."""
    matched: bool
    """Whether one of the alternatives holds."""
    alternatives: tuple[Alternative, ...]
    """One of them must hold."""
    found: tuple[Any, ...]
    """The event's values at the path; none if it has none."""
    hint: str | None
    """The nearest value that would have matched, where that can be said."""

    def lines(self) -> Iterator[str]:
        """The lines of the tree, not indented."""
        found = ", ".join(_text(value) for value in self.found) if self.found else "nothing"
        if len(self.alternatives) == 1:
            yield f"{_mark(self.matched)} {self.path}: {self.alternatives[0]}; found {found}"
        else:
            yield f"{_mark(self.matched)} {self.path}: one of {len(self.alternatives)}; found {found}"
            for alternative in self.alternatives:
                yield f"    {_mark(alternative.matched)} {alternative}"
        if self.hint is not None and not self.matched:
            yield f"    → {self.hint}"


@dataclass(frozen=True, slots=True)
class OrCondition:
    """A ``$or`` of the pattern."""

    matched: bool
    """Whether all conditions of one branch hold."""
    branches: tuple[tuple["FieldCondition | OrCondition", ...], ...]
    """The alternatives, each a list of conditions."""

    def lines(self) -> Iterator[str]:
        """The lines of the tree, not indented."""
        yield f"{_mark(self.matched)} $or: one of {len(self.branches)} branches"
        for number, branch in enumerate(self.branches, 1):
            yield f"    {_mark(all(condition.matched for condition in branch))} branch {number}"
            for condition in branch:
                for line in condition.lines():
                    yield f"        {line}"


@dataclass(frozen=True, slots=True)
class Explanation:
    """The verdict and what led to it.

    >>> import rulebus
    >>> pattern = rulebus.Pattern({"source": ["shop.cart"], "detail": {"total": [{"numeric": [">", 100]}]}})
    >>> explanation = pattern.explain({"source": "shop.cart", "detail": {"total": 80}})
    >>> explanation.matched, [condition.matched for condition in explanation.conditions]
    (False, [True, False])
    >>> explanation.conditions[1].found
    (80,)
    """

    matched: bool
    """Whether the pattern matches the event."""
    conditions: tuple[FieldCondition | OrCondition, ...]
    """All of them must hold."""
    note: str | None
    """Says so when every condition holds, but not within one array element."""

    @classmethod
    def from_json(cls, text: str) -> "Explanation":
        """Reads the native module's text."""
        tree = json.loads(text)
        return cls(tree["matched"], _conditions(tree["conditions"]), tree["note"])

    def __str__(self) -> str:
        lines = [f"{_mark(self.matched)} the pattern {'matches' if self.matched else 'does not match'}"]
        lines += [f"    {line}" for condition in self.conditions for line in condition.lines()]
        if self.note is not None:
            lines.append(f"    → {self.note}")
        return "\n".join(lines)


def _conditions(nodes: list[dict[str, Any]]) -> tuple[FieldCondition | OrCondition, ...]:
    return tuple(_condition(node) for node in nodes)


def _condition(node: dict[str, Any]) -> FieldCondition | OrCondition:
    if node["kind"] == "or":
        return OrCondition(node["matched"], tuple(_conditions(branch) for branch in node["branches"]))
    alternatives = tuple(Alternative(a["operator"], a["operand"], a["matched"]) for a in node["alternatives"])
    return FieldCondition(node["path"], node["matched"], alternatives, tuple(node["found"]), node["hint"])


def _mark(matched: bool) -> str:
    return "✓" if matched else "✗"


def _text(value: Any) -> str:
    """A value as JSON, cut when it is long, printable whatever it holds."""
    text = json.dumps(value, ensure_ascii=False).encode("utf-8", "backslashreplace").decode()
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
