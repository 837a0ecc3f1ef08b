"""Why a schedule expression was refused: what, where, what was expected. Relies on `errors`."""

from __future__ import annotations

from rulebus.errors import BusError

__all__ = ["AWS_MESSAGE", "ScheduleError"]

AWS_MESSAGE = "Parameter ScheduleExpression is not valid."
"""AWS's answer to every such fault."""


class ScheduleError(BusError, ValueError):
    """A schedule expression was refused.

    >>> from rulebus.schedule import parse
    >>> try:
    ...     parse("cron(71 8 1 * ? *)")
    ... except ScheduleError as error:
    ...     print(error)
    ScheduleError[schedule-value]: "71" is no minute
      at column 6
        cron(71 8 1 * ? *)
             ^^
      expected 0-59
    """

    expression: str
    """The whole expression."""
    offset: int
    """Place of the offending text in it, in characters, from 0."""
    length: int
    """Of the offending text; 0 where something is missing."""
    expected: str
    """What would have been right, and how to mend it."""

    def __init__(
        self,
        code: str,
        message: str,
        expression: str,
        offset: int = 0,
        length: int = 0,
        expected: str = "",
        aws_message: str = AWS_MESSAGE,
    ) -> None:
        super().__init__(code, message, aws_message)
        self.args = (code, message, expression, offset, length, expected, aws_message)
        self.expression, self.offset, self.length, self.expected = expression, offset, length, expected

    @property
    def column(self) -> int:
        """In characters, from 1."""
        return self.offset + 1

    @property
    def excerpt(self) -> str:
        """The expression and a caret below the offending text."""
        shown = "".join(char if char.isprintable() else " " for char in self.expression)
        return f"    {shown}\n    {' ' * self.offset}{'^' * max(1, self.length)}"

    def __str__(self) -> str:
        first = f"{type(self).__name__}[{self.code}]: {self.message}"
        return f"{first}\n  at column {self.column}\n{self.excerpt}\n  expected {self.expected}"
