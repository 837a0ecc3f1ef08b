"""Templates of an input transformer: read once into literals and places, checked for everything that can be known then.

A template whose first character is ``"`` makes text; any other makes JSON, and whether a placeholder stands inside
quotes is decided by JSON's own rules. Relies on `path`. What the pieces mean is the native `Splicer`'s.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from rulebus.transform.definition_error import TransformDefinitionError, at
from rulebus.transform.json_text import check_json
from rulebus.transform.path import Step

__all__ = ["GIVEN", "MAX_TEMPLATE_LENGTH", "Piece", "Template", "read_template"]

MAX_TEMPLATE_LENGTH: Final = 8192
"""Longest template, in characters."""

GIVEN: Final = ("aws.events.rule-arn", "aws.events.rule-name", "aws.events.event.ingestion-time")
"""Reserved names whose values come with the delivery, as strings; a piece names them by their place here."""
WHOLE: Final = "aws.events.event.json"
EVENT: Final = "aws.events.event"
# SOURCE: recorded from the service, key by key.
EVENT_KEYS: Final = {
    "id": "id",
    "account": "account",
    "detailType": "detail-type",
    "time": "time",
    "source": "source",
    "region": "region",
    "resources": "resources",
    "version": "version",
}

Piece = bytes | int | tuple[tuple[Step, ...], str]
"""A literal, a given string by its place, or the steps of a path and how its value stands there."""

_PLACEHOLDER = re.compile(r"<([A-Za-z0-9_.-]+)>")
_NEARLY = re.compile(r"<(?! )[^<>\"\n]{1,100}(?<! )>")
_QUOTED_LINES = re.compile(r'[ \t\r\n]*(?:"(?:[^"\\\n\r]|\\.)*"[ \t\r\n]*)+')
_NEVER: Final = (
    "an object or array cannot stand inside quotes or as a name, so every delivery will be a dead letter"
)


class Template:
    """A template that was read: pieces, their placeholders (parallel; "" for literals), what needs the delivery."""

    __slots__ = ("is_json", "labels", "needs_given", "pieces", "warnings")

    def __init__(self, is_json: bool) -> None:
        self.is_json = is_json
        self.pieces: list[Piece] = []
        self.labels: list[str] = []
        self.warnings: list[str] = []
        self.needs_given = False

    def literal(self, text: str) -> None:
        if text:
            self.pieces.append(text.encode())
            self.labels.append("")

    def put(self, piece: Piece, label: str) -> None:
        self.pieces.append(piece)
        self.labels.append(label)


def read_template(template: str, paths: Mapping[str, tuple[Step, ...]], target_id: str) -> Template:
    """Reads a template whose placeholders are the names of `paths` and the reserved ones."""
    _check_text(template, target_id)
    found = [(match.start(), match.end(), match[1]) for match in _PLACEHOLDER.finditer(template)]
    for start, end, name in found:
        if name not in paths and name not in GIVEN and name not in (WHOLE, EVENT):
            raise at(
                "unknown-placeholder",
                f"the template names <{name}>, which the paths map does not define",
                where="InputTemplate",
                text=template,
                offset=start,
                length=end - start,
                expected=_choice(paths),
                aws_message=f"InputTemplate for target {target_id} contains invalid placeholder {name}.",
            )
    is_json = template.lstrip(" \t\r\n")[:1] != '"'
    read = Template(is_json)
    inside = _inside_quotes(template) if is_json else b""
    forms = [_form(template, inside, start, end) if is_json else "bare" for start, end, _ in found]
    if is_json:
        _check_shape(template, found, inside, target_id)
    elif _QUOTED_LINES.fullmatch(template) is None:
        read.warnings.append(
            'the input template begins with a quote, so it makes text, but it is not a line or lines of "quoted text"; '
            "it is delivered as it stands"
        )
    end = 0
    for (start, stop, name), form in zip(found, forms, strict=True):
        read.literal(template[end:start])
        _place(read, name, form, paths)
        end = stop
    read.literal(template[end:])
    read.warnings += [
        f"{nearly[0]} in the input template is no placeholder (a name has letters, digits, _ and -) and is delivered as "
        "it stands"
        for nearly in _NEARLY.finditer(template)
        if _PLACEHOLDER.fullmatch(nearly[0]) is None
    ]
    return read


def _check_text(template: str, target_id: str) -> None:
    if not isinstance(template, str):
        raise TypeError(f"an input template is a str, not {type(template).__name__}")
    try:
        template.encode()
    except UnicodeEncodeError as error:
        raise at(
            "template-encoding",
            "half of a surrogate pair stands in the input template",
            where="InputTemplate",
            text=template,
            offset=error.start,
            expected="text that has a form in UTF-8; write half a pair as an escape, \\ud83d",
            aws_message=f"Invalid InputTemplate for target {target_id}.",
        ) from None
    if 1 <= len(template) <= MAX_TEMPLATE_LENGTH:
        return
    most = len(template) > MAX_TEMPLATE_LENGTH
    raise TransformDefinitionError(
        "template-too-long" if most else "template-empty",
        f"an input template of {len(template)} characters",
        f"1 validation error detected: Value '{template}' at 'targets.1.member.inputTransformer.inputTemplate' failed to "
        "satisfy constraint: Member must have length "
        + (f"less than or equal to {MAX_TEMPLATE_LENGTH}" if most else "greater than or equal to 1"),
        "InputTemplate",
        expected=f"1 to {MAX_TEMPLATE_LENGTH} characters",
    )


def _choice(paths: Mapping[str, tuple[Step, ...]]) -> str:
    names = [f"<{name}>" for name in list(paths)[:5]] or ["a name that the paths map defines"]
    return f"{', '.join(names)} or one of <aws.events...>; write a literal < as \\u003c"


def _inside_quotes(template: str) -> bytes:
    """Of each character whether it stands inside a JSON string (1), its quotes not counted."""
    inside = bytearray(len(template))
    quoted = escaped = False
    for i, char in enumerate(template):
        inside[i] = quoted and char != '"'
        if quoted and escaped:
            inside[i] = 1
            escaped = False
        elif quoted and char == "\\":
            escaped = True
        elif char == '"':
            quoted = not quoted
    return bytes(inside)


def _form(template: str, inside: bytes, start: int, end: int) -> str:
    if inside[start]:
        return "inside"
    return "name" if template[end:].lstrip(" \t\r\n")[:1] == ":" else "value"


def _check_shape(template: str, found: list[tuple[int, int, str]], inside: bytes, target_id: str) -> None:
    """Refuses what is no JSON whatever the event: with text in place of each placeholder it must be."""
    text, end = [], 0
    for start, stop, _ in found:
        length = stop - start
        # As long as what it stands for, so that places stay the same.
        filler = "x" * length if inside[start] else '"' + "x" * (length - 2) + '"'
        text += [template[end:start], filler]
        end = stop
    fault = check_json("".join(text) + template[end:])
    if fault is not None:
        offset, message = fault
        error = at(
            "template-not-json",
            f"the input template is no JSON, whatever its placeholders stand for: {message}",
            where="InputTemplate",
            text=template,
            offset=offset,
            expected='JSON with <name> wherever a value or a part of a string may stand; for text, begin with a quote: "..."',
        )
        error.aws_message = (
            f'Invalid InputTemplate for target {target_id} : [Source: (String)"{template}"; '
            f"line: {error.line}, column: {error.column}]"
        )
        raise error


def _place(read: Template, name: str, form: str, paths: Mapping[str, tuple[Step, ...]]) -> None:
    label = f"<{name}>"
    if name in GIVEN:
        read.needs_given = True
        quote = '"' if form in ("value", "name") else ""
        read.literal(quote)
        read.put(GIVEN.index(name), label)
        read.literal(quote)
        return
    steps = paths.get(name, ())
    if form in ("inside", "name") and (not steps or None in steps or steps in (("detail",), ("resources",))):
        read.warnings.append(f"{label} in the input template: {_NEVER}")
    if name != EVENT or form in ("inside", "name"):
        read.put((steps, form), label)
        return
    quote = '"' if form == "value" else ""
    for i, (key, member) in enumerate(EVENT_KEYS.items()):
        read.literal(f"{',' if i else '{'}{quote}{key}{quote}:")
        read.put(((member,), "part" if form == "bare" else form), label)
    read.literal("}")
