"""The two refusals of the reference: a bad pattern and a bad event.

Relies on the standard library only. Must never guess AWS's wording: where AWS would not refuse, or where the text is
not JSON at all, `aws_message` is None.
"""

from __future__ import annotations

__all__ = ["ReferenceEventError", "ReferencePatternError"]


class ReferencePatternError(ValueError):
    """A pattern that is refused: what is wrong, where, and AWS's own wording.

    `pointer` is the JSON pointer of the offending value (None when the text is not JSON), `line` and `column` count
    from 1, in characters, and name the first character of the offending token.

    >>> from rulebus.reference import parse
    >>> try:
    ...     parse('{"a": [{"prefix": 1}]}')
    ... except ReferencePatternError as error:
    ...     print(error.aws_message, error.pointer, error.line, error.column)
    prefix match pattern must be a string /a/0/prefix 1 19
    """

    def __init__(
        self, what: str, *, aws_message: str | None, pointer: str | None, line: int, column: int
    ) -> None:
        place = "" if pointer is None else f"{pointer or 'the pattern'}, "
        super().__init__(f"{what} (at {place}line {line}, column {column})")
        self.what = what
        self.aws_message = aws_message
        self.pointer = pointer
        self.line = line
        self.column = column


class ReferenceEventError(ValueError):
    """An event that is not one JSON object in strict JSON."""
