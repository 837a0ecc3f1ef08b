"""Comparing texts: letter case as section 6 has it, wildcards as section 7 has them.

Relies on Python's Unicode tables (`str.lower`, `str.upper`). Must never fold a whole text at once: case is decided
code point by code point, only one-code-point mappings count, and the rule is not symmetric.
"""

from __future__ import annotations

import functools

__all__ = [
    "WildcardError",
    "accepted_code_points",
    "same_ignoring_case",
    "wildcard_matches",
    "wildcard_parts",
]


@functools.lru_cache(maxsize=10_000)
def accepted_code_points(letter: str) -> frozenset[str]:
    """What an event may hold where an ignore-case pattern holds `letter`.

    >>> kelvin = chr(0x212A)
    >>> "k" in accepted_code_points(kelvin), kelvin in accepted_code_points("k")
    (True, False)
    >>> sorted(accepted_code_points("ß"))
    ['ß']
    """
    others = {mapped for mapped in (letter.lower(), letter.upper()) if len(mapped) == 1}
    return frozenset(others | {letter})


def same_ignoring_case(wanted: str, found: str) -> bool:
    """Is `found` (from the event) a spelling of `wanted` (from the pattern)?

    >>> same_ignoring_case("aBc", "AbC"), same_ignoring_case("ς", "Σ"), same_ignoring_case("Σ", "ς")
    (True, True, False)
    """
    return len(wanted) == len(found) and all(
        there in accepted_code_points(here) for here, there in zip(wanted, found, strict=True)
    )


class WildcardError(ValueError):
    """A wildcard text that is refused; the message is AWS's, the index that of the offending character."""

    def __init__(self, message: str, index: int) -> None:
        super().__init__(message)
        self.index = index


@functools.lru_cache(maxsize=100_000)
def wildcard_parts(text: str) -> tuple[str, ...]:
    """The literal pieces between the stars, escapes resolved: n stars give n + 1 pieces.

    Positions in messages count UTF-8 bytes from the opening quote, which is 0.

    >>> wildcard_parts("a*b"), wildcard_parts(r"a\\*b"), wildcard_parts("")
    (('a', 'b'), ('a*b',), ('',))
    """
    pieces = [""]
    byte = 1
    index = 0
    while index < len(text):
        letter = text[index]
        if letter == "\\":
            if text[index + 1 : index + 2] not in ("*", "\\"):
                raise WildcardError(f"Invalid escape character at pos {byte}", index)
            pieces[-1] += text[index + 1]
            index += 1
            byte += 1
        elif letter == "*":
            if text[index + 1 : index + 2] == "*":
                raise WildcardError(f"Consecutive wildcard characters at pos {byte}", index)
            pieces.append("")
        else:
            pieces[-1] += letter
        index += 1
        byte += len(letter.encode("utf-8", "replace"))
    return tuple(pieces)


def wildcard_matches(pieces: tuple[str, ...], found: str) -> bool:
    """The leftmost place for every middle piece is always good enough, so no backtracking is needed.

    >>> wildcard_matches(("ab", "ba"), "aba"), wildcard_matches(("a", "", "c"), "abc")
    (False, True)
    """
    if len(pieces) == 1:
        return found == pieces[0]
    first, *middle, last = pieces
    if len(found) < len(first) + len(last) or not found.startswith(first) or not found.endswith(last):
        return False
    at, end = len(first), len(found) - len(last)
    for piece in middle:
        place = found.find(piece, at, end)
        if place < 0:
            return False
        at = place + len(piece)
    return True
