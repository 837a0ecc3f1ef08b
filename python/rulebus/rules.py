"""Rules files: a JSON object name → pattern, JSON lines of {"name", "pattern"}, or a folder of NAME.json.

Every rule keeps the exact text of its pattern and where it stands, so that an error in a pattern is reported
at its line and column in the file. One bad rule or line does not hide the others. Relies on `errors`; must
never judge a pattern itself (that is the engine's work).
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rulebus.errors import PatternError, RulebusError

__all__ = ["RuleText", "RulesFile", "RulesFileError", "load_rules", "parse_rules", "read_rules"]

_BLANK = re.compile(r"[ \t\r\n]*")
_FIRST_OF_LINES = re.compile(r'[ \t\r\n]*\{[^\n]*?"name"[ \t]*:[ \t]*"')
_WIDTH = 96  # of an excerpt: longer lines are cut around the place


@dataclass(frozen=True, slots=True)
class Document:
    """The text of one file, for places in it."""

    file: str
    text: str

    def place(self, offset: int) -> tuple[int, int]:
        """Line and column (in characters) of an offset in the text, both from 1."""
        return self.text.count("\n", 0, offset) + 1, offset - self.text.rfind("\n", 0, offset)

    def excerpt(self, offset: int, length: int = 1) -> str:
        """The line of the place with carets below it."""
        line, column = self.place(offset)
        start = offset - column + 1
        end = self.text.find("\n", offset)
        shown = self.text[start : len(self.text) if end < 0 else end].rstrip("\r")
        at = column - 1
        if len(shown) > _WIDTH:
            left = max(0, min(at - _WIDTH // 2, len(shown) - _WIDTH))
            shown, at = shown[left : left + _WIDTH], at - left
            if left:
                shown = "…" + shown[1:]
        shown = "".join(c if c.isprintable() else " " for c in shown)
        carets = "^" * max(1, min(length, len(shown) - at))
        margin = " " * max(0, 5 - len(str(line)))
        return f"{margin}{line} | {shown}\n{' ' * len(margin + str(line))} | {' ' * at}{carets}"


class RulesFileError(RulebusError, ValueError):
    """A rules file, or one entry of it, that cannot be read. `str()` is the whole report.

    `code` is one of `rules-json`, `rules-entry`, `rules-duplicate`, `rules-encoding`, `rules-empty`.
    """

    def __init__(self, code: str, message: str, document: Document, offset: int, expected: str) -> None:
        self.code = code
        self.message = message
        self.file = document.file
        self.line, self.column = document.place(offset)
        self.excerpt = document.excerpt(offset)
        self.expected = expected
        where = f"  in {self.file}, line {self.line}, column {self.column}"
        super().__init__(f"RulesFileError[{code}]: {message}\n{where}\n{self.excerpt}\n  expected {expected}")


@dataclass(frozen=True, slots=True)
class RuleText:
    """A rule as it stands in a file: its name and the exact text of its pattern."""

    name: str
    pattern: str
    document: Document
    offset: int

    def locate(self, error: PatternError) -> tuple[int, int]:
        """Line and column in the file of an error that the engine found in this pattern."""
        return self.document.place(self._offset_of(error))

    def report(self, error: PatternError) -> str:
        """The error as it is printed, with its place in the file."""
        offset = self._offset_of(error)
        line, column = self.document.place(offset)
        return (
            f"PatternError[{error.code}]: {error.message}\n"
            f"  in {self.document.file}, rule {json.dumps(self.name, ensure_ascii=False)}, "
            f"at {error.pointer or 'the top'}, line {line}, column {column}\n"
            f"{self.document.excerpt(offset, error.excerpt.count('^'))}\n"
            f"  expected {error.expected}"
        )

    def _offset_of(self, error: PatternError) -> int:
        """Offset in the document's characters; the engine counts bytes within the pattern."""
        before = self.pattern.encode("utf-8", "surrogatepass")[: error.offset]
        return self.offset + len(before.decode("utf-8", "ignore"))


@dataclass(frozen=True, slots=True)
class RulesFile:
    """What was found: the rules in the order of the file, and what could not be read."""

    rules: tuple[RuleText, ...]
    problems: tuple[RulesFileError, ...]


def load_rules(path: str | os.PathLike[str]) -> dict[str, str]:
    """Name → text of the pattern, ready for `Matcher`; raises the file's first `RulesFileError` if it has
    one.

    >>> import tempfile, pathlib
    >>> file = pathlib.Path(tempfile.mkdtemp(), "rules.json")
    >>> _ = file.write_text('{"gone": {"state": ["terminated"]}}')
    >>> load_rules(file)
    {'gone': '{"state": ["terminated"]}'}
    """
    found = read_rules(path)
    if found.problems:
        raise found.problems[0]
    return {rule.name: rule.pattern for rule in found.rules}


def read_rules(path: str | os.PathLike[str]) -> RulesFile:
    """Read a rules file or folder. Raises `OSError` when it cannot be opened."""
    place = Path(path)
    if place.is_dir():
        return _folder(place)
    return parse_rules(place.read_bytes(), str(path))


def parse_rules(content: bytes, file: str) -> RulesFile:
    """Read rules from the bytes of a file; `file` is its name in reports.

    >>> found = parse_rules(b'{"name": "gone", "pattern": {"state": ["terminated"]}}', "-")
    >>> [(rule.name, rule.pattern) for rule in found.rules]
    [('gone', '{"state": ["terminated"]}')]
    """
    document, problem = _decode(content, file)
    if problem:
        return RulesFile((), (problem,))
    if not document.text.strip():
        return RulesFile((), (_empty(document, "the file is empty"),))
    lines = file.endswith((".jsonl", ".ndjson")) or _FIRST_OF_LINES.match(document.text)
    return _collect(_line_entries(document) if lines else _members(document))


def _empty(document: Document, message: str) -> RulesFileError:
    lines = 'lines of {"name": "NAME", "pattern": PATTERN}'
    expected = f'an object {{"NAME": PATTERN, …}}, {lines}, or a folder of NAME.json'
    return RulesFileError("rules-empty", message, document, 0, expected)


def _decode(content: bytes, file: str) -> tuple[Document, RulesFileError | None]:
    try:
        return Document(file, content.decode("utf-8-sig")), None
    except UnicodeDecodeError as error:
        document = Document(file, content.decode("utf-8-sig", "replace"))
        offset = len(content[: error.start].decode("utf-8-sig", "replace"))
        message = f"byte {error.start} (0x{content[error.start]:02x}) is not UTF-8"
        return document, RulesFileError("rules-encoding", message, document, offset, "JSON text in UTF-8")


def _folder(folder: Path) -> RulesFile:
    rules: list[RuleText] = []
    problems: list[RulesFileError] = []
    files = sorted(file for file in folder.glob("*.json") if file.is_file() and not file.name.startswith("."))
    for file in files:
        document, problem = _decode(file.read_bytes(), str(file))
        if problem:
            problems.append(problem)
        else:
            rules.append(RuleText(file.stem, document.text, document, 0))
    if not files:
        problems.append(_empty(Document(str(folder), ""), "the folder holds no NAME.json"))
    return RulesFile(tuple(rules), tuple(problems))


def _collect(entries: Iterator[RuleText | RulesFileError]) -> RulesFile:
    """Separate rules from problems; a name that stands twice is a problem at its second place."""
    rules: dict[str, RuleText] = {}
    problems: list[RulesFileError] = []
    for entry in entries:
        if isinstance(entry, RulesFileError):
            problems.append(entry)
        elif first := rules.get(entry.name):
            line, _ = first.document.place(first.offset)
            message = f"the name {json.dumps(entry.name, ensure_ascii=False)} already stands at line {line}"
            expected = "every name once; rename one of the two, or remove it"
            problems.append(
                RulesFileError("rules-duplicate", message, entry.document, entry.offset, expected)
            )
        else:
            rules[entry.name] = entry
    return RulesFile(tuple(rules.values()), tuple(problems))


# Numbers stay texts: the values are thrown away, and Python's limit on digits does not concern rules.
_decoder = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=str)


class _BadJsonError(Exception):
    """What is wrong with the JSON text around the patterns, and where."""

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(message)
        self.message, self.offset = message, offset


def _value(text: str, start: int) -> tuple[object, int]:
    """The JSON value at `start` and where it ends."""
    try:
        return _decoder.raw_decode(text, start)
    except json.JSONDecodeError as error:
        raise _BadJsonError(
            error.msg[0].lower() + error.msg[1:], min(error.pos, max(0, len(text) - 1))
        ) from None
    except RecursionError:
        raise _BadJsonError("nested too deeply to be read", start) from None


def _skip(text: str, start: int) -> int:
    blank = _BLANK.match(text, start)
    return blank.end() if blank else start


def _object(text: str, start: int) -> Iterator[tuple[str, int, int]]:
    """(key, start, end) of the members' values of the object at `start`; what follows it must be blank."""
    at = _skip(text, start)
    if text[at : at + 1] != "{":
        raise _BadJsonError("not a JSON object", at)
    at = _skip(text, at + 1)
    while text[at : at + 1] != "}":
        key, end = _value(text, at)
        if not isinstance(key, str) or text[at] != '"':
            raise _BadJsonError("a key must be a string", at)
        at = _skip(text, end)
        if text[at : at + 1] != ":":
            raise _BadJsonError("a colon is missing after the key", min(at, len(text) - 1))
        at = _skip(text, at + 1)
        _, end = _value(text, at)
        yield key, at, end
        at = _skip(text, end)
        if text[at : at + 1] == ",":
            at = _skip(text, at + 1)
            if text[at : at + 1] == "}":
                raise _BadJsonError("a comma stands before the closing brace", at)
        elif text[at : at + 1] != "}":
            raise _BadJsonError("a comma or the closing brace is missing", min(at, max(0, len(text) - 1)))
    at = _skip(text, at + 1)
    if at < len(text):
        raise _BadJsonError("text stands after the closing brace", at)


def _members(document: Document) -> Iterator[RuleText | RulesFileError]:
    """The rules of an object name → pattern; nothing can be read after a mistake outside the patterns."""
    try:
        for name, start, end in _object(document.text, 0):
            yield RuleText(name, document.text[start:end], document, start)
    except _BadJsonError as error:
        expected = 'valid JSON: an object {"NAME": PATTERN, …}'
        yield RulesFileError("rules-json", error.message, document, error.offset, expected)


def _line_entries(document: Document) -> Iterator[RuleText | RulesFileError]:
    """The rules of JSON lines; a bad line is a problem of its own."""
    start = 0
    for line in document.text.split("\n"):
        if line.strip(" \t\r"):
            yield _line_entry(document, line, start)
        start += len(line) + 1


def _line_entry(document: Document, line: str, start: int) -> RuleText | RulesFileError:
    form = '{"name": "NAME", "pattern": PATTERN} on one line'
    name, pattern = None, None
    try:
        for key, begin, end in _object(line, 0):
            if key == "name":
                name, _ = _value(line, begin)
                if line[begin] != '"':
                    return RulesFileError(
                        "rules-entry", "the name is not a string", document, start + begin, form
                    )
            elif key == "pattern":
                pattern = (begin, end)
    except _BadJsonError as error:
        return RulesFileError("rules-json", error.message, document, start + error.offset, form)
    if not isinstance(name, str) or pattern is None:
        missing = "name" if name is None else "pattern"
        return RulesFileError("rules-entry", f'"{missing}" is missing', document, start, form)
    return RuleText(name, line[pattern[0] : pattern[1]], document, start + pattern[0])
