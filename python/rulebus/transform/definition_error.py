"""What can be wrong with an input, an input path or a template, as one exception with its place.

Imports `errors` only. Raised when a target is put, never for an event.
"""

from __future__ import annotations

from rulebus.errors import BusError

__all__ = ["TransformDefinitionError", "at", "excerpt"]

SHOWN = 100
"""Longest part of a line that an excerpt shows, in characters."""


class TransformDefinitionError(BusError, ValueError):
    """An input, input path or input transformer was refused.

    >>> from rulebus.transform import compile_transform
    >>> try:
    ...     compile_transform(input_path="$.detail.a b")
    ... except TransformDefinitionError as error:
    ...     print(error)
    TransformDefinitionError[path-syntax]: a blank cannot stand here
      in InputPath, line 1, column 11
        1 | $.detail.a b
          |           ^
      expected a dot, [0], [*] or the end; write a name with other characters as ['a b']
    """

    __module__ = "rulebus.transform"

    where: str
    """``Input``, ``InputPath``, ``InputTemplate`` or ``InputPathsMap.NAME``."""
    line: int
    """From 1."""
    column: int
    """In characters, from 1."""
    excerpt: str
    """The offending line and a caret below it; empty when the text as a whole is at fault."""
    expected: str
    """What would have been right, and how to mend it."""

    def __init__(
        self,
        code: str,
        message: str,
        aws_message: str = "",
        where: str = "",
        line: int = 1,
        column: int = 1,
        excerpt: str = "",
        expected: str = "",
    ) -> None:
        super().__init__(code, message, aws_message)
        self.where, self.line, self.column = where, line, column
        self.excerpt, self.expected = excerpt, expected
        # Pickle and copy call the class with these.
        self.args = (code, message, aws_message, where, line, column, excerpt, expected)

    def __str__(self) -> str:
        place = f", line {self.line}, column {self.column}" if self.excerpt else ""
        parts = (
            super().__str__(),
            f"  in {self.where}{place}" if self.where else "",
            self.excerpt,
            f"  expected {self.expected}" if self.expected else "",
        )
        return "\n".join(part for part in parts if part)


def excerpt(text: str, offset: int, length: int = 1) -> tuple[int, int, str]:
    """Line and column of an offset, both from 1, and the line with a caret below the place."""
    offset = min(offset, len(text))
    start = text.rfind("\n", 0, offset) + 1
    end = text.find("\n", offset)
    end = len(text) if end < 0 else end
    line, column = text.count("\n", 0, offset) + 1, offset - start + 1
    # A long line is clipped to a window that holds the place.
    left = max(start, min(offset - 2 * SHOWN // 3, end - SHOWN))
    right = min(end, left + SHOWN)
    before, after = ("…" if left > start else ""), ("…" if right < end else "")
    shown = "".join(c if c.isprintable() or c == "\t" else "\ufffd" for c in text[left:right])
    pad = " " * len(before) + "".join("\t" if c == "\t" else " " for c in text[left:offset])
    carets = "^" * max(1, min(length, right - offset))
    return line, column, f"{line:>5} | {before}{shown}{after}\n      | {pad}{carets}"


def at(
    code: str,
    message: str,
    *,
    where: str,
    text: str,
    offset: int,
    length: int = 1,
    expected: str,
    aws_message: str = "",
) -> TransformDefinitionError:
    """An error with its place in a text."""
    line, column, shown = excerpt(text, offset, length)
    return TransformDefinitionError(code, message, aws_message, where, line, column, shown, expected)
