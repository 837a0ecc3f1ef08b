"""A strict JSON reader that keeps what the language needs: number texts, every duplicate member, offsets.

Relies on RFC 8259 and the standard library's `re`. It keeps its own stack, so depth is bounded by memory alone; it
accepts lone surrogate escapes and refuses byte order marks, NaN, control characters and any text after the value.
Must never turn a number into a float or drop a duplicate member: both decide verdicts further up.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

__all__ = [
    "Array",
    "JsonTextError",
    "Member",
    "Node",
    "Number",
    "Object",
    "Scalar",
    "ScalarNode",
    "from_python",
    "position",
    "read",
]


@dataclass(frozen=True, slots=True)
class Number:
    """A JSON number by its text; two numbers are the same object of the language only as the matchers say."""

    text: str


Scalar = str | Number | bool | None


@dataclass(frozen=True, slots=True)
class ScalarNode:
    value: Scalar
    start: int


@dataclass(frozen=True, slots=True)
class Array:
    items: list[Node]
    start: int


@dataclass(frozen=True, slots=True)
class Member:
    key: str
    key_start: int
    value: Node


@dataclass(frozen=True, slots=True)
class Object:
    members: list[Member]
    start: int


Node = ScalarNode | Array | Object


class JsonTextError(ValueError):
    """The text is not JSON; `offset` is the character where reading stopped."""

    def __init__(self, what: str, offset: int) -> None:
        super().__init__(f"{what} at character {offset}")
        self.what = what
        self.offset = offset


_BLANKS = re.compile(r"[ \t\n\r]*")
_STRING = re.compile(r'"[^"\\\x00-\x1f]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*)*"')
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_WORD = re.compile(r"true|false|null")
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))")
_PAIR = re.compile("[\ud800-\udbff][\udc00-\udfff]")
_SHORT_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_WORDS: dict[str, bool | None] = {"true": True, "false": False, "null": None}


def read(source: str | bytes | bytearray | memoryview) -> tuple[Node, str]:
    """Read one JSON text; return its tree and the text that the offsets in the tree count in.

    >>> node, text = read(b'{"a": 1.0}')
    >>> node.members[0].value.value.text
    '1.0'
    """
    text = _decoded(source)
    reader = _Reader(text)
    return reader.value(), text


def position(text: str, offset: int) -> tuple[int, int]:
    """Line and column of a character, both from 1.

    >>> position('{\\n  "a"', 4)
    (2, 3)
    """
    line_start = text.rfind("\n", 0, offset) + 1
    return text.count("\n", 0, offset) + 1, offset - line_start + 1


def _decoded(source: str | bytes | bytearray | memoryview) -> str:
    if isinstance(source, str):
        try:
            source.encode("utf-8")
        except UnicodeEncodeError as error:
            raise JsonTextError("a surrogate that is not escaped cannot be UTF-8", error.start) from None
        return source
    try:
        return bytes(source).decode("utf-8")
    except UnicodeDecodeError as error:
        before = bytes(source)[: error.start].decode("utf-8")
        raise JsonTextError("not UTF-8", len(before)) from None


class _Reader:
    """One pass over the text with a stack of the arrays and objects that are still open."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def value(self) -> Node:
        root = node = self._start_of_value()
        open_nodes: list[Array | Object] = []
        while True:
            if not isinstance(node, ScalarNode) and not self._closes(node):
                open_nodes.append(node)
            else:  # a value is complete: go on in the innermost array or object that is not
                while open_nodes and not self._comma(open_nodes[-1]):
                    open_nodes.pop()
            if not open_nodes:
                self._nothing_follows()
                return root
            parent = open_nodes[-1]
            if isinstance(parent, Object):
                key_start, key = self._key()
                node = self._start_of_value()
                parent.members.append(Member(key, key_start, node))
            else:
                node = self._start_of_value()
                parent.items.append(node)

    def _start_of_value(self) -> Node:
        self._blanks()
        start = self.at
        first = self.text[start : start + 1]
        if first == "{":
            self.at += 1
            return Object([], start)
        if first == "[":
            self.at += 1
            return Array([], start)
        if first == '"':
            return ScalarNode(self._string(), start)
        if (number := _NUMBER.match(self.text, start)) is not None:
            self.at = number.end()
            return ScalarNode(Number(number.group()), start)
        if (word := _WORD.match(self.text, start)) is not None:
            self.at = word.end()
            return ScalarNode(_WORDS[word.group()], start)
        raise self._unexpected("a value")

    def _closes(self, node: Array | Object) -> bool:
        """Is the array or object that was just opened empty?"""
        self._blanks()
        if self.text[self.at : self.at + 1] != ("]" if isinstance(node, Array) else "}"):
            return False
        self.at += 1
        return True

    def _comma(self, node: Array | Object) -> bool:
        """After an element: True when another follows, False when `node` ends here."""
        close = "]" if isinstance(node, Array) else "}"
        self._blanks()
        found = self.text[self.at : self.at + 1]
        if found not in (",", close) or not found:
            raise self._unexpected(f"',' or '{close}'")
        self.at += 1
        return found == ","

    def _key(self) -> tuple[int, str]:
        self._blanks()
        start = self.at
        if self.text[start : start + 1] != '"':
            raise self._unexpected("a key in double quotes")
        key = self._string()
        self._blanks()
        if self.text[self.at : self.at + 1] != ":":
            raise self._unexpected("':'")
        self.at += 1
        return start, key

    def _string(self) -> str:
        found = _STRING.match(self.text, self.at)
        if found is None:
            raise JsonTextError(
                "a string that is not closed, or holds a bad escape or a control character", self.at
            )
        self.at = found.end()
        inner = found.group()[1:-1]
        return _unescaped(inner) if "\\" in inner else inner

    def _nothing_follows(self) -> None:
        self._blanks()
        if self.at < len(self.text):
            raise self._unexpected("nothing after the value")

    def _blanks(self) -> None:
        found = _BLANKS.match(self.text, self.at)
        assert found is not None  # the expression matches the empty text
        self.at = found.end()

    def _unexpected(self, expected: str) -> JsonTextError:
        found = repr(self.text[self.at]) if self.at < len(self.text) else "the end of the text"
        return JsonTextError(f"expected {expected}, found {found}", self.at)


def _unescaped(inner: str) -> str:
    def one(found: re.Match[str]) -> str:
        code, short = found.groups()
        return chr(int(code, 16)) if code else _SHORT_ESCAPES.get(short, short)

    return _joined(_ESCAPE.sub(one, inner))


def _joined(text: str) -> str:
    """Put surrogate pairs together; a lone half stays what it is."""
    return _PAIR.sub(lambda pair: pair.group().encode("utf-16", "surrogatepass").decode("utf-16"), text)


def from_python(value: object) -> Node:
    """The tree of an event that is already a Python object; floats and integers are spelled as `json` spells them.

    >>> from_python({"a": 1.50}).members[0].value.value.text
    '1.5'
    """
    root, pending = _opened(value)
    while pending:
        node, content = pending.pop()
        if isinstance(node, Array):
            assert isinstance(content, Sequence)
            for item in content:
                child, more = _opened(item)
                node.items.append(child)
                pending.extend(more)
        else:
            assert isinstance(content, Mapping)
            for key, item in content.items():
                if not isinstance(key, str):
                    raise TypeError(f"a key of an event must be a str, not {type(key).__name__}")
                child, more = _opened(item)
                node.members.append(Member(_joined(key), 0, child))
                pending.extend(more)
    return root


def _opened(value: object) -> tuple[Node, list[tuple[Array | Object, object]]]:
    if isinstance(value, Mapping):
        empty_object = Object([], 0)
        return empty_object, [(empty_object, value)]
    if isinstance(value, (list, tuple)):
        empty_array = Array([], 0)
        return empty_array, [(empty_array, value)]
    if value is None or isinstance(value, bool):
        return ScalarNode(value, 0), []
    if isinstance(value, str):
        return ScalarNode(_joined(value), 0), []
    if isinstance(value, int):
        return ScalarNode(Number(int.__repr__(value)), 0), []
    if isinstance(value, float) and math.isfinite(value):
        return ScalarNode(Number(float.__repr__(value)), 0), []
    raise TypeError(f"{value!r} has no JSON form")
