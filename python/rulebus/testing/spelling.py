"""Writing JSON trees, plainly or in one of the many other spellings that mean the same to the language.

Relies on the reference's reader for trees and on its exact decimal value of a number. Must never change a meaning:
members with equal keys keep their order, and a number that is not comparable keeps its text.
"""

from __future__ import annotations

from random import Random

from hypothesis import strategies as st

from rulebus.reference.json_text import Array, Member, Node, Number, Object, ScalarNode, read
from rulebus.reference.numbers import comparable, decimal_value

__all__ = ["respell", "spell"]

_SHORT = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def spell(node: Node) -> str:
    """The plain spelling of a tree.

    >>> spell(read('{"a" : [1.0, "\\\\u0041"]}')[0])
    '{"a":[1.0,"A"]}'
    """
    return _Writer(None).write(node)


@st.composite
def respell(draw: st.DrawFn, event: str) -> str:
    """Other spellings of the same event: key order, blanks, escapes, number spelling.

    >>> from hypothesis import find
    >>> find(respell('{"a": 1, "b": "x"}'), lambda text: text.startswith('{"b"'))
    '{"b":"x","a":1}'
    """
    return _Writer(draw(st.randoms(use_true_random=False))).write(read(event)[0])


class _Writer:
    """Writes with the choices of a random source, or without any."""

    def __init__(self, random: Random | None) -> None:
        self.random = random

    def write(self, node: Node) -> str:
        if isinstance(node, Array):
            return f"[{self._blanks()}{','.join(map(self.write, node.items))}{self._blanks()}]"
        if isinstance(node, Object):
            return f"{{{self._blanks()}{','.join(map(self._member, self._ordered(node.members)))}}}"
        return self._blanks() + self._scalar(node) + self._blanks()

    def _member(self, member: Member) -> str:
        return f"{self._blanks()}{self._string(member.key)}{self._blanks()}:{self.write(member.value)}"

    def _ordered(self, members: list[Member]) -> list[Member]:
        if not self._chance(3) or self.random is None:
            return members
        keys = [member.key for member in members]
        self.random.shuffle(keys)
        return (
            [next(member for member in members if member.key == key) for key in dict.fromkeys(keys)]
            if len(set(keys)) == len(keys)
            else members
        )

    def _scalar(self, node: ScalarNode) -> str:
        value = node.value
        if isinstance(value, Number):
            return self._number(value.text)
        if isinstance(value, str):
            return self._string(value)
        return {True: "true", False: "false", None: "null"}[value]

    def _number(self, text: str) -> str:
        exact = decimal_value(text)
        if self.random is None or not self._chance(2) or exact is None or comparable(text) is None:
            return text
        negative, digits, power = exact
        if not digits:
            return self.random.choice(("0", "-0", "0.0", "-0.00", "0e7", "0E-3"))
        digits += "0" * self.random.randrange(3)
        power -= len(digits) - len(exact[1])
        point = self.random.randrange(1, len(digits) + 1)
        power += len(digits) - point
        fraction = f".{digits[point:]}" if digits[point:] else ""
        exponent = self.random.choice(("e", "E")) + self.random.choice(("", "+", "+0"))
        tail = f"{exponent}{power}" if power > 0 else f"e{power}" if power else ""
        return ("-" if negative else "") + digits[:point] + fraction + tail

    def _string(self, text: str) -> str:
        return '"' + "".join(map(self._character, text)) + '"'

    def _character(self, character: str) -> str:
        must_escape = character in '"\\' or character < " " or "\ud800" <= character <= "\udfff"
        if not must_escape and not self._chance(4):
            return character
        if character in _SHORT and not self._chance(2):
            return _SHORT[character]
        if character == "/" and self._chance(2):
            return "\\/"
        units = character.encode("utf-16-be", "surrogatepass").hex()
        spelled = units.upper() if self._chance(2) else units
        return "".join(f"\\u{spelled[at : at + 4]}" for at in range(0, len(spelled), 4))

    def _blanks(self) -> str:
        return self.random.choice((" ", "\t", "\n", "\r\n", "  ")) if self.random and self._chance(6) else ""

    def _chance(self, one_in: int) -> bool:
        return self.random is not None and self.random.randrange(one_in) == one_in - 1
