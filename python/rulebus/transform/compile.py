"""From a target's definition to its transform. Relies on `path`, `template` and `inputs`; everything that can be known
without an event is refused or warned of here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, Protocol

from rulebus.transform.definition_error import TransformDefinitionError, at
from rulebus.transform.inputs import ConstantInput, PathInput, TemplateInput
from rulebus.transform.json_text import check_json
from rulebus.transform.path import MAX_PATH_LENGTH, Step, read_path
from rulebus.transform.protocol import Transform
from rulebus.transform.template import read_template

__all__ = ["MAX_INPUT_BYTES", "MAX_INPUT_LENGTH", "MAX_NAMES", "MAX_NAME_LENGTH", "compile_transform"]

MAX_INPUT_LENGTH: Final = 8192
"""Longest constant input, in characters."""
MAX_NAMES: Final = 100
"""Most names in a paths map."""
MAX_NAME_LENGTH: Final = 256
"""Longest name in a paths map, in characters."""
MAX_INPUT_BYTES: Final = 16 << 20
"""Most that is made of one event: a template may name a large part of the event thousands of times."""

_NAME = re.compile(r"[A-Za-z0-9_-]+")


class TransformerDefinition(Protocol):
    """What an input transformer says; `rulebus.rule.InputTransformer` does."""

    @property
    def input_template(self) -> str:
        """1-8192 characters."""

    @property
    def input_paths_map(self) -> Mapping[str, str]:
        """Name to path."""


def compile_transform(
    *,
    input: str | None = None,
    input_path: str | None = None,
    input_transformer: TransformerDefinition | None = None,
    target_id: str = "ID",
    max_input_bytes: int = MAX_INPUT_BYTES,
) -> Transform | None:
    """What makes a target's input of an event; None when the target gets the event as it is.

    At most one of the three may be given. `target_id` stands in AWS's wording of errors. Raises
    `TransformDefinitionError`. What will probably go wrong is in the result's `warnings`.

    >>> from rulebus.event import AcceptedEvent
    >>> from rulebus.origin import Origin
    >>> event = AcceptedEvent("default", "1", b'{"id":"1","detail":{"total":1.50}}', 0.0)
    >>> compile_transform(input_path="$.detail").apply(event, Origin("default", "big", "billing"))
    b'{"total":1.50}'

    COST: about 1 µs for a template on an event of 1 KB; see `benches/transform.py`.
    """
    given = [value for value in (input, input_path, input_transformer) if value is not None]
    if len(given) > 1:
        raise TransformDefinitionError(
            "several-inputs",
            f"target {target_id} has {len(given)} of Input, InputPath and InputTransformer",
            f"Only one of Input, InputPath, or InputTransformer must be provided for target {target_id}.",
            expected="one of them, or none for the event as it is",
        )
    if input is not None:
        return _constant(input, target_id)
    if input_path is not None:
        steps = read_path(input_path, where="InputPath", aws_message=_path_message(input_path, target_id))
        return PathInput(input_path, steps, max_input_bytes) if steps else None
    if input_transformer is not None:
        paths = _paths(input_transformer.input_paths_map, target_id)
        template = read_template(input_transformer.input_template, paths, target_id)
        return TemplateInput(template, max_input_bytes)
    return None


def _constant(input: str, target_id: str) -> ConstantInput:
    if not isinstance(input, str):
        raise TypeError(
            f"an input is a str of JSON, not {type(input).__name__}; json.dumps makes one of a value"
        )
    if len(input) > MAX_INPUT_LENGTH:
        raise TransformDefinitionError(
            "input-too-long",
            f"an input of {len(input)} characters",
            _too_long(input, "input", MAX_INPUT_LENGTH),
            "Input",
            expected=f"at most {MAX_INPUT_LENGTH}",
        )
    fault = check_json(input)
    if fault is not None:
        offset, message = fault
        raise at(
            "input-not-json",
            f"the input is no JSON: {message}",
            where="Input",
            text=input,
            offset=offset,
            expected='one JSON value; text in quotes: "hello"',
            aws_message=f"JSON syntax error in input for target {target_id}.",
        )
    return ConstantInput(input.encode())


def _paths(named: Mapping[str, str], target_id: str) -> dict[str, tuple[Step, ...]]:
    if len(named) > MAX_NAMES:
        raise TransformDefinitionError(
            "too-many-names",
            f"a paths map with {len(named)} names",
            f"1 validation error detected: Value '{{{', '.join(map(str, named))}}}' at "
            "'targets.1.member.inputTransformer.inputPathsMap' failed to satisfy constraint: Member must have length "
            f"less than or equal to {MAX_NAMES}",
            "InputPathsMap",
            expected=f"at most {MAX_NAMES}",
        )
    paths: dict[str, tuple[Step, ...]] = {}
    for name, path in named.items():
        _check_name(name)
        where = f"InputPathsMap.{name}"
        paths[name] = read_path(path, where=where, aws_message=_path_message(path, target_id))
    return paths


def _check_name(name: str) -> None:
    if not isinstance(name, str):
        raise TypeError(f"a name in a paths map is a str, not {type(name).__name__}")
    rule = f"1 to {MAX_NAME_LENGTH} letters, digits, _ and -"
    message = (
        f"1 validation error detected: Value '{name}' at 'targets.1.member.inputTransformer.inputPathsMap' failed to "
        "satisfy constraint: Map keys must satisfy constraint: [Member must have length less than or equal to 256, "
        "Member must have length greater than or equal to 1, Member must satisfy regular expression pattern: "
        "[A-Za-z0-9\\_\\-]+]"
    )
    if name.upper().startswith("AWS."):
        raise TransformDefinitionError(
            "name-reserved",
            f"the name {name!r} begins with AWS., which is reserved",
            message,
            "InputPathsMap",
            expected=f"{rule}; <aws.events...> needs no path and may stand in any template",
        )
    valid = _NAME.match(name)
    end = valid.end() if valid else 0
    if end < len(name) or not name:
        what = f"the name {name!r} holds {name[end]!r}" if name else "a name is empty"
        raise at(
            "name-syntax",
            what,
            where="InputPathsMap",
            text=name,
            offset=end,
            expected=rule,
            aws_message=message,
        )
    if len(name) > MAX_NAME_LENGTH:
        raise TransformDefinitionError(
            "name-syntax", f"a name of {len(name)} characters", message, "InputPathsMap", expected=rule
        )


def _path_message(path: str, target_id: str) -> str:
    if isinstance(path, str) and len(path) > MAX_PATH_LENGTH:
        return _too_long(path, "inputPath", MAX_PATH_LENGTH)
    return f"InputPath for target {target_id} is invalid."


def _too_long(value: str, member: str, most: int) -> str:
    return (
        f"1 validation error detected: Value '{value}' at 'targets.1.member.{member}' failed to satisfy constraint: "
        f"Member must have length less than or equal to {most}"
    )
