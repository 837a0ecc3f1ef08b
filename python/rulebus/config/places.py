"""Where each key and value of a TOML text stands, so that a fault can be shown with line, column and caret.

`tomllib` reads the values but forgets the places; this walks the same text once more and notes them. Relies on the text
having passed `tomllib`, so that it never has to judge, only to skip. COST: linear in the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

__all__ = ["Path", "Place", "locate"]

Path = tuple[str | int, ...]
"""Keys and indices from the top: ``("rules", 0, "targets", 1, "id")``."""

Place = tuple[int, int]
"""Line and column (in characters), both from 1."""

_BLANK = re.compile(r"[ \t\r\n]*(?:#[^\n]*[ \t\r\n]*)*")
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_BASIC = re.compile(r'"((?:[^"\\\n]|\\.)*)"')
_LITERAL = re.compile(r"'([^'\n]*)'")
_LONG_BASIC = re.compile(r'"""(?:[^"\\]|\\.|"(?!"")|""(?!"))*"{3,5}', re.DOTALL)
_LONG_LITERAL = re.compile(r"'''(?:[^']|'(?!'')|''(?!'))*'{3,5}", re.DOTALL)
_SCALAR = re.compile(r"[^,\]}\n#]+")
_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|(.))")
_SHORT = {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r", '"': '"', "\\": "\\"}


def locate(text: str) -> dict[Path, Place]:
    """The place of every value, by its path; that of a table is its header or its first key.

    >>> locate('[store]\\npath = "a.db"\\n')[("store", "path")]
    (2, 8)
    """
    found = _Walk(text)
    found.document()
    starts = [0, *(match.end() for match in re.finditer("\n", text))]
    places: dict[Path, Place] = {}
    line = 0
    for offset, path in sorted((offset, path) for path, offset in found.offsets.items()):
        while line + 1 < len(starts) and starts[line + 1] <= offset:
            line += 1
        places[path] = line + 1, offset - starts[line] + 1
    return places


class _Walk:
    """One pass over the text."""

    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0
        self.offsets: dict[Path, int] = {}
        self.lengths: dict[Path, int] = {}

    def document(self) -> None:
        """Headers and key/value pairs to the end."""
        table: Path = ()
        self.blank()
        while self.at < len(self.text):
            if self.text.startswith("[", self.at):
                table = self.header()
            else:
                self.pair(table)
            self.blank()

    def blank(self) -> None:
        """Passes over blanks and comments."""
        match = _BLANK.match(self.text, self.at)
        self.at = match.end() if match else self.at

    def header(self) -> Path:
        """``[a.b]`` or ``[[a.b]]``; the path that the pairs below it belong to."""
        start = self.at
        many = self.text.startswith("[[", self.at)
        self.at += 2 if many else 1
        names = list(self.keys())
        self.at += 2 if many else 1
        path: Path = ()
        for number, name in enumerate(names):
            path = (*path, name)
            last = number == len(names) - 1
            self.offsets.setdefault(path, start)
            if last and many:
                count = self.lengths.get(path, 0)
                self.lengths[path] = count + 1
                path = (*path, count)
            elif path in self.lengths:
                # A header below an array of tables means the array's newest member.
                path = (*path, self.lengths[path] - 1)
        self.offsets.setdefault(path, start)
        return path

    def keys(self) -> Iterator[str]:
        """The parts of a dotted key, to the sign behind it."""
        while True:
            self.blank()
            yield self.key()
            self.blank()
            if not self.text.startswith(".", self.at):
                return
            self.at += 1

    def key(self) -> str:
        """One part: bare or quoted."""
        for form in (_BARE, _LITERAL, _BASIC):
            if match := form.match(self.text, self.at):
                self.at = match.end()
                if form is _BARE:
                    return match[0]
                return match[1] if form is _LITERAL else _ESCAPE.sub(_unescape, match[1])
        self.at += 1  # cannot be in a text that tomllib accepts; going on keeps the walk finite
        return ""

    def pair(self, table: Path) -> None:
        """``key = value``."""
        start = self.at
        path = table
        for name in self.keys():
            path = (*path, name)
            self.offsets.setdefault(path, start)
        self.at += 1  # =
        self.blank()
        self.offsets[path] = self.at
        self.value(path)

    def value(self, path: Path) -> None:
        """Passes over a value, noting what is in it."""
        text = self.text
        if text.startswith("[", self.at):
            self.members(path)
        elif text.startswith("{", self.at):
            self.inline(path)
        else:
            for form in (_LONG_BASIC, _LONG_LITERAL, _BASIC, _LITERAL, _SCALAR):
                if match := form.match(text, self.at):
                    self.at = match.end()
                    return
            self.at += 1

    def members(self, path: Path) -> None:
        """``[a, b]``."""
        self.at += 1
        number = 0
        while True:
            self.blank()
            if self.at >= len(self.text) or self.text[self.at] == "]":
                self.at += 1
                return
            if self.text[self.at] == ",":
                self.at += 1
                continue
            self.offsets[(*path, number)] = self.at
            self.value((*path, number))
            number += 1

    def inline(self, path: Path) -> None:
        """``{a = 1, b = 2}``."""
        self.at += 1
        while True:
            self.blank()
            if self.at >= len(self.text) or self.text[self.at] == "}":
                self.at += 1
                return
            if self.text[self.at] == ",":
                self.at += 1
                continue
            self.pair(path)


def _unescape(match: re.Match[str]) -> str:
    if digits := match[1] or match[2]:
        return chr(int(digits, 16))
    return _SHORT.get(match[3], match[3])
