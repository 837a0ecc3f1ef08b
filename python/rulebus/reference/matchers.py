"""What can stand in a values array, each as a small class that accepts or does not accept one scalar of an event.

Relies on `numbers`, `addresses` and `texts` for the three kinds of comparison. Must never see a path or an array: a
matcher judges one leaf alone, and absence is no matcher's business (see `Condition.absent`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from rulebus.reference.addresses import Address, AddressRange, address
from rulebus.reference.json_text import Number, Scalar
from rulebus.reference.numbers import comparable
from rulebus.reference.texts import same_ignoring_case, wildcard_matches

__all__ = [
    "AnyLeaf",
    "AnythingBut",
    "AnythingButNumbers",
    "Condition",
    "InAddressRange",
    "InRange",
    "Matcher",
    "SameAddress",
    "SameNumber",
    "SameText",
    "SameTextIgnoringCase",
    "SameWord",
    "TextPrefix",
    "TextPrefixIgnoringCase",
    "TextSuffix",
    "TextSuffixIgnoringCase",
    "Wildcard",
]


class Matcher(Protocol):
    def accepts(self, value: Scalar) -> bool: ...


@dataclass(frozen=True, slots=True)
class SameText:
    text: str

    def accepts(self, value: Scalar) -> bool:
        return isinstance(value, str) and value == self.text


@dataclass(frozen=True, slots=True)
class SameAddress:
    """A plain string that is an IP address: every spelling of the same address is accepted."""

    wanted: Address

    def accepts(self, value: Scalar) -> bool:
        return isinstance(value, str) and address(value) == self.wanted


@dataclass(frozen=True, slots=True)
class SameWord:
    """true, false or null."""

    word: bool | None

    def accepts(self, value: Scalar) -> bool:
        return value is self.word


@dataclass(frozen=True, slots=True)
class SameNumber:
    """A number literal: equal by value if both are comparable, else only the very same text."""

    text: str
    value: float | None

    def accepts(self, value: Scalar) -> bool:
        if not isinstance(value, Number):
            return False
        return value.text == self.text or (self.value is not None and comparable(value.text) == self.value)


@dataclass(frozen=True, slots=True)
class InRange:
    """`numeric`: a bound that is None is open; `=` is a range that includes its only value."""

    bottom: float | None
    bottom_included: bool
    top: float | None
    top_included: bool

    def accepts(self, value: Scalar) -> bool:
        number = comparable(value.text) if isinstance(value, Number) else None
        if number is None:
            return False
        if self.bottom is not None and (
            number < self.bottom or (number == self.bottom and not self.bottom_included)
        ):
            return False
        return self.top is None or number < self.top or (number == self.top and self.top_included)


@dataclass(frozen=True, slots=True)
class InAddressRange:
    wanted: AddressRange

    def accepts(self, value: Scalar) -> bool:
        found = address(value) if isinstance(value, str) else None
        return found is not None and self.wanted.holds(found)


@dataclass(frozen=True, slots=True)
class TextPrefix:
    text: str

    def accepts(self, value: Scalar) -> bool:
        return isinstance(value, str) and value.startswith(self.text)


@dataclass(frozen=True, slots=True)
class TextSuffix:
    text: str

    def accepts(self, value: Scalar) -> bool:
        return isinstance(value, str) and value.endswith(self.text)


@dataclass(frozen=True, slots=True)
class SameTextIgnoringCase:
    text: str

    def accepts(self, value: Scalar) -> bool:
        return isinstance(value, str) and same_ignoring_case(self.text, value)


@dataclass(frozen=True, slots=True)
class TextPrefixIgnoringCase:
    text: str

    def accepts(self, value: Scalar) -> bool:
        return isinstance(value, str) and same_ignoring_case(self.text, value[: len(self.text)])


@dataclass(frozen=True, slots=True)
class TextSuffixIgnoringCase:
    text: str

    def accepts(self, value: Scalar) -> bool:
        if not isinstance(value, str) or len(value) < len(self.text):
            return False
        return same_ignoring_case(self.text, value[len(value) - len(self.text) :])


@dataclass(frozen=True, slots=True)
class Wildcard:
    pieces: tuple[str, ...]

    def accepts(self, value: Scalar) -> bool:
        return isinstance(value, str) and wildcard_matches(self.pieces, value)


@dataclass(frozen=True, slots=True)
class AnythingBut:
    """Any leaf that none of the forbidden text matchers accepts; what is not a string is never forbidden."""

    forbidden: tuple[Matcher, ...]

    def accepts(self, value: Scalar) -> bool:
        return not any(matcher.accepts(value) for matcher in self.forbidden)


@dataclass(frozen=True, slots=True)
class AnythingButNumbers:
    """Any leaf that is not numerically equal; a number that is not comparable is never equal."""

    forbidden: frozenset[float]

    def accepts(self, value: Scalar) -> bool:
        return not isinstance(value, Number) or comparable(value.text) not in self.forbidden


@dataclass(frozen=True, slots=True)
class AnyLeaf:
    """`exists: true`."""

    def accepts(self, value: Scalar) -> bool:
        return True


@dataclass(frozen=True, slots=True)
class Condition:
    """A values array: one of the matchers accepts a leaf, or, if `absent`, there is no leaf."""

    matchers: tuple[Matcher, ...]
    absent: bool

    def accepts(self, value: Scalar) -> bool:
        return any(matcher.accepts(value) for matcher in self.matchers)
