"""What can be wrong with a pattern, an event or a set of rules, as exceptions.

Each says what is wrong, where, what was expected and how to mend it, and carries the same as attributes.
All pickle. Imports nothing of the package, and must not: the native module raises these.
"""

from typing import Any

__all__ = [
    "BusError",
    "EventError",
    "PatternError",
    "PermanentError",
    "RetryAfter",
    "RuleSetError",
    "RulebusError",
    "RulebusWarning",
    "StoreError",
]


class RulebusError(Exception):
    """The base of all errors of rulebus."""

    __module__ = "rulebus"


class RulebusWarning(UserWarning):
    """Something will probably go wrong: a template that makes no JSON, rules that forward in a cycle."""

    __module__ = "rulebus"


class PatternError(RulebusError, ValueError):
    """A pattern was refused.

    >>> import rulebus
    >>> try:
    ...     rulebus.Pattern('{"price": [{"numeric": ["=>", 10]}]}')
    ... except rulebus.PatternError as error:
    ...     print(error.code, error.pointer, error.column)
    numeric-operator /price/0/numeric/0 25
    """

    __module__ = "rulebus"

    code: str
    """Stable, in kebab case: ``numeric-operator``."""
    message: str
    """What is wrong, with the offending text."""
    pointer: str
    """JSON pointer (RFC 6901) to the offending value; empty for the whole pattern."""
    offset: int
    """Offset of the offending text in the pattern's UTF-8, in bytes. For a dict: in its JSON text."""
    line: int
    """From 1."""
    column: int
    """In characters, from 1."""
    expected: str
    """What would have been right, and how to mend it."""
    aws_message: str
    """AWS's own wording, without its prefix."""
    excerpt: str
    """The offending line and a caret below it."""

    def __init__(
        self,
        code: str,
        message: str,
        pointer: str = "",
        offset: int = 0,
        line: int = 1,
        column: int = 1,
        expected: str = "",
        aws_message: str = "",
        excerpt: str = "",
    ) -> None:
        super().__init__(code, message, pointer, offset, line, column, expected, aws_message, excerpt)
        self.code, self.message, self.pointer = code, message, pointer
        self.offset, self.line, self.column = offset, line, column
        self.expected, self.aws_message, self.excerpt = expected, aws_message, excerpt

    def __str__(self) -> str:
        place = f"  at {self.pointer or 'the top'}, line {self.line}, column {self.column}"
        remedy = f"  expected {self.expected}" if self.expected else ""
        first = f"PatternError[{self.code}]: {self.message}"
        return "\n".join(part for part in (first, place, self.excerpt, remedy) if part)


class EventError(RulebusError, ValueError):
    """An event was refused.

    >>> import rulebus
    >>> try:
    ...     rulebus.Matcher().match(b'{"source": "shop.cart"} x')
    ... except rulebus.EventError as error:
    ...     print(error.code, error.offset)
    trailing-text 24
    """

    __module__ = "rulebus"

    code: str
    """Stable, in kebab case: ``trailing-text``."""
    message: str
    """What is wrong and how to mend it."""
    offset: int
    """Offset in the text that was given, in bytes. 0 when the event was a dict."""
    line: int
    """Line of that text, from 1. 0 when the event was a dict."""
    column: int
    """In characters, from 1. 0 when the event was a dict."""
    excerpt: str
    """A few words around the place and a caret below it. Empty when the event was a dict."""
    pointer: str | None
    """JSON pointer to the offending value when the event was a dict, else None."""

    def __init__(
        self,
        code: str,
        message: str,
        offset: int = 0,
        line: int = 0,
        column: int = 0,
        excerpt: str = "",
        pointer: str | None = None,
    ) -> None:
        super().__init__(code, message, offset, line, column, excerpt, pointer)
        self.code, self.message = code, message
        self.offset, self.line, self.column = offset, line, column
        self.excerpt, self.pointer = excerpt, pointer

    def __str__(self) -> str:
        if self.pointer is None:
            place = f"  at line {self.line}, column {self.column} (byte {self.offset})"
        else:
            place = f"  at {self.pointer or 'the top'}"
        first = f"EventError[{self.code}]: {self.message}"
        return "\n".join(part for part in (first, place, self.excerpt) if part)


class RuleSetError(RulebusError, ValueError):
    """Rules of an update were refused; none of them was put.

    >>> import rulebus
    >>> try:
    ...     rulebus.Matcher({"good": {"a": [1]}, "bad": {"a": 1}, "worse": "{"})
    ... except rulebus.RuleSetError as error:
    ...     print([name for name, why in error.errors])
    ['bad', 'worse']
    """

    __module__ = "rulebus"

    errors: tuple[tuple[Any, PatternError], ...]
    """The name and the error of each bad rule, in the order of the update."""

    def __init__(self, errors: tuple[tuple[Any, PatternError], ...]) -> None:
        super().__init__(errors)
        self.errors = errors

    def __str__(self) -> str:
        shown = 10
        many = "1 rule was refused" if len(self.errors) == 1 else f"{len(self.errors)} rules were refused"
        lines = [f"RuleSetError: {many}; nothing was changed"]
        lines += [f"rule {name!r}: {error}" for name, error in self.errors[:shown]]
        if len(self.errors) > shown:
            lines.append(f"... and {len(self.errors) - shown} more, see .errors")
        return "\n".join(lines)


class BusError(RulebusError):
    """A bus, rule, target, archive or replay was asked for something it cannot do."""

    __module__ = "rulebus"

    code: str
    """Stable, in kebab case: ``unknown-bus``, ``rule-has-targets``."""
    message: str
    """What is wrong and how to mend it."""
    aws_message: str
    """AWS's own wording where it has one."""

    def __init__(self, code: str, message: str, aws_message: str = "") -> None:
        super().__init__(code, message, aws_message)
        self.code, self.message, self.aws_message = code, message, aws_message

    def __str__(self) -> str:
        return f"{type(self).__name__}[{self.code}]: {self.message}"


class StoreError(BusError):
    """A store could not read or write: disk full, read-only, locked, damaged. What it had accepted is still there."""

    __module__ = "rulebus"


class PermanentError(RulebusError):
    """Raised by a handler: trying this delivery again makes no sense; it goes to the dead letters at once.

    >>> raise PermanentError("no such customer")
    Traceback (most recent call last):
    rulebus.PermanentError: no such customer
    """

    __module__ = "rulebus"


class RetryAfter(RulebusError):
    """Raised by a handler: try this delivery again, but not before so many seconds.

    >>> str(RetryAfter(30, "the ledger is closed"))
    'the ledger is closed (retry after 30 s)'
    """

    __module__ = "rulebus"

    def __init__(self, seconds: float, message: str = "the target asked to wait") -> None:
        super().__init__(seconds, message)
        self.seconds, self.message = seconds, message

    def __str__(self) -> str:
        return f"{self.message} (retry after {self.seconds:g} s)"
