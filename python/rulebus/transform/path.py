"""Paths into an event: ``$.detail.items[0].sku``. Read once; what they find is the event's own bytes.

Relies on the native `Selector`. Syntax: AWS's, and quoted names for keys with other characters.
"""

from __future__ import annotations

import re
from typing import Final

from rulebus._core import Selector
from rulebus.transform.definition_error import TransformDefinitionError, at

__all__ = ["MAX_PATH_LENGTH", "PathSelector", "Step", "compile_path", "read_path"]

MAX_PATH_LENGTH: Final = 256
"""Longest path, in characters."""

Step = str | int | None
"""A member's name, an element's place, or None for all elements."""

_NAME = re.compile(r"[A-Za-z0-9_/-]+")
_INDEX = re.compile(r"\[(0|[1-9][0-9]{0,8})\]")
_QUOTED = re.compile(r"""\[(?:'((?:[^'\\]|\\['\\])*)'|"((?:[^"\\]|\\["\\])*)")\]""")
_ESCAPE = re.compile(r"\\(.)")


def read_path(path: str, *, where: str = "path", aws_message: str = "") -> tuple[Step, ...]:
    """The steps of a path. Raises `TransformDefinitionError` with the place of what is wrong."""
    if not isinstance(path, str):
        raise TypeError(f"{where} is a str such as '$.detail.total', not {type(path).__name__}")
    if len(path) > MAX_PATH_LENGTH:
        raise TransformDefinitionError(
            "path-too-long",
            f"a path of {len(path)} characters",
            aws_message,
            where,
            expected=f"at most {MAX_PATH_LENGTH}",
        )

    def fault(offset: int, expected: str) -> TransformDefinitionError:
        return at(
            "path-syntax",
            _what(path, offset),
            where=where,
            text=path,
            offset=offset,
            expected=expected,
            aws_message=aws_message,
        )

    if not path.startswith("$"):
        raise fault(0, 'a path that begins with "$", the whole event: $.detail.total')
    steps: list[Step] = []
    offset = 1
    while offset < len(path):
        if path[offset] == ".":
            name = _NAME.match(path, offset + 1)
            if name is None:
                raise fault(offset + 1, "a name of letters, digits, _, - and /; quote any other: ['a name']")
            steps.append(name[0])
            offset = name.end()
        elif path.startswith("[*]", offset):
            steps.append(None)
            offset += 3
        elif index := _INDEX.match(path, offset):
            steps.append(int(index[1]))
            offset = index.end()
        elif quoted := _QUOTED.match(path, offset):
            steps.append(_ESCAPE.sub(r"\1", quoted[1] if quoted[1] is not None else quoted[2]))
            offset = quoted.end()
        elif path[offset] == "[":
            raise fault(offset + 1, "a place from 0, as in [0], [*] for all, or a quoted name as in ['a b']")
        else:
            raise fault(offset, "a dot, [0], [*] or the end; write a name with other characters as ['a b']")
    return tuple(steps)


def _what(path: str, offset: int) -> str:
    if offset >= len(path):
        return "the path ends too early" if path else "the path is empty"
    if path[offset] == " ":
        return "a blank cannot stand here"
    return f"{path[offset]!r} cannot stand here"


class PathSelector:
    """A path, ready to be used on events. Made by `compile_path`."""

    __slots__ = ("_selector", "one", "path", "steps")

    def __init__(self, path: str, steps: tuple[Step, ...]) -> None:
        self.path = path
        """As it was written."""
        self.steps = steps
        self._selector = Selector(steps)
        self.one = self._selector.one
        """``one(body)``: the JSON text of the first value (a string with its quotes), or None. Raises `EventError` for
        what is no JSON. COST: one scan of the body, about 1 µs for 1 KB."""

    def all(self, body: bytes) -> list[bytes]:
        """The JSON text of every value, in the event's order; more than one only with ``[*]``."""
        return self._selector.all(body)

    def __repr__(self) -> str:
        return f"PathSelector({self.path!r})"

    def __reduce__(self) -> tuple[type[PathSelector], tuple[str, tuple[Step, ...]]]:
        return PathSelector, (self.path, self.steps)


def compile_path(path: str, *, where: str = "path") -> PathSelector:
    """A selector for a path; `where` says in errors what the path belongs to.

    >>> total = compile_path("$.detail.items[0].total")
    >>> total.one(b'{"detail": {"items": [{"total": 1.50}, {"total": 2}]}}')
    b'1.50'
    >>> total.one(b'{"detail": {}}') is None
    True
    >>> compile_path("$.detail.items[*].total").all(b'{"detail": {"items": [{"total": 1.50}, {"total": 2}]}}')
    [b'1.50', b'2']

    Raises `TransformDefinitionError` with the place of what is wrong. Of members with one name the last counts.
    """
    return PathSelector(path, read_path(path, where=where))
