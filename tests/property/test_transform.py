"""For every event and template: a JSON template makes JSON or a dead letter, and what is made is what a plain model
makes with Python's own JSON library. For every bytes: no crash.

Relies on rulebus.testing for events. The model works on parsed values and must never look at the event's bytes."""

from __future__ import annotations

import json
import pickle
import re
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from rulebus.event import AcceptedEvent
from rulebus.origin import Origin
from rulebus.rule import InputTransformer
from rulebus.testing import events
from rulebus.transform import TransformDefinitionError, TransformError, compile_path, compile_transform

MISSING = object()
ORIGIN = Origin("default", "big-orders", "billing", 'arn:rule/"big"')
AT = "2001-09-09T01:46:40Z"


class Number(str):
    """A number by its spelling: 1.50 is not 1.5."""


def parse(text: str) -> Any:
    return json.loads(text, parse_int=Number, parse_float=Number)


def spell(value: Any) -> str:
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(k)}:{spell(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(spell, value)) + "]"
    return json.dumps(value)


def find(value: Any, path: list[str | int | None]) -> Any:
    """The value on a path; a list where the path has a wildcard; MISSING."""
    for i, step in enumerate(path):
        if step is None:
            if not isinstance(value, list):
                return MISSING
            found = (find(element, path[i + 1 :]) for element in value)
            inner = None in path[i + 1 :]
            return [x for f in found if f is not MISSING for x in (f if inner else [f])]
        if not isinstance(value, dict if isinstance(step, str) else list):
            return MISSING
        try:
            value = value[step]
        except (KeyError, IndexError):
            return MISSING
    return value


def unquoted(value: Any) -> str:
    """An object or array as texts show it: no quotes, not even those of its strings' contents."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{unquoted(k)}:{unquoted(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(unquoted, value)) + "]"
    return json.dumps(value.replace('"', ""))[1:-1] if type(value) is str else spell(value)


class DeadLetterError(Exception):
    """The model can make nothing of this event."""


def model(template: str, values: dict[str, Any], is_json: bool) -> str | None:
    """The template filled, placeholder by placeholder; quotes are counted from the template's beginning."""

    def fill(match: re.Match[str]) -> str:
        value = values[match[1]]
        before = re.sub(r"\\.", "", template[: match.start()])
        within = before.count('"') % 2
        if not is_json or within:
            if value is MISSING:
                return ""
            if isinstance(value, dict | list):
                if is_json:
                    raise DeadLetterError
                return unquoted(value)
            return spell(value)[1:-1] if type(value) is str else spell(value)
        if (
            template[match.end() :].lstrip().startswith(":")
            and value is not MISSING
            and type(value) is not str
        ):
            raise DeadLetterError
        return '""' if value is MISSING else spell(value)

    try:
        return re.sub(r"<([A-Za-z0-9_.-]+)>", fill, template)
    except DeadLetterError:
        return None


def write(path: list[str | int | None]) -> str:
    parts = []
    for step in path:
        if step is None:
            parts.append("[*]")
        elif isinstance(step, int):
            parts.append(f"[{step}]")
        elif re.fullmatch(r"[A-Za-z0-9_/-]+", step):
            parts.append(f".{step}")
        else:
            quoted = step.replace("\\", "\\\\").replace("'", "\\'")
            parts.append(f"['{quoted}']")
    return "$" + "".join(parts)


@st.composite
def envelopes(draw: st.DrawFn, *, duplicate_keys: bool = True) -> str:
    resources = draw(st.sampled_from(["[]", '["arn:a"]', '["a","b\\"c"]']))
    detail = draw(events(duplicate_keys=duplicate_keys))
    return (
        '{"version":"0","id":"e-1","detail-type":"T \\"x\\"","source":"s","account":"1","time":"2026-11-26T03:38:05Z",'
        f'"region":"r","resources":{resources},"detail":{detail}}}'
    )


@st.composite
def paths(draw: st.DrawFn, event: Any) -> list[str | int | None]:
    """A path that leads somewhere in the event, or nearly."""
    path: list[str | int | None] = []
    value = event
    for _ in range(draw(st.integers(0, 6))):
        if isinstance(value, dict) and value:
            key = draw(st.sampled_from(sorted(value)))
            if draw(st.integers(0, 3)) == 0 and not path:
                key = "detail"
            path.append(key)
            value = value[key]
        elif isinstance(value, list) and value:
            index = draw(st.integers(0, len(value) - 1))
            path.append(draw(st.sampled_from([index, index, None])))
            value = value[index]
        else:
            break
    if draw(st.integers(0, 4)) == 0:
        path.append(draw(st.sampled_from(["nothing", 0, 7, None])))
    return (
        path
        if len(write(path)) <= 256 and all(isinstance(s, int | None) or surrogate_free(s) for s in path)
        else []
    )


def surrogate_free(text: str) -> bool:
    return not any(0xD800 <= ord(c) < 0xE000 for c in text)


PIECES = st.sampled_from(["x", " ", "é", "\\n", '\\"', "\\\\", "\\u0041", "{", "]", ":", "<", "> "])


@st.composite
def quoted(draw: st.DrawFn, names: list[str]) -> str:
    parts = draw(st.lists(st.one_of(PIECES, st.sampled_from(names).map("<{}>".format)), max_size=5))
    return '"' + "".join(parts) + '"'


def json_templates(names: list[str]) -> st.SearchStrategy[str]:
    leaf = st.one_of(
        st.sampled_from(names).map("<{}>".format),
        quoted(names),
        st.sampled_from(["1", "-1.50", "null", " true "]),
    )
    name = st.one_of(quoted(names), quoted(names), st.sampled_from(names).map("<{}>".format))

    def inner(values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        members = st.lists(st.tuples(name, values).map(" : ".join), max_size=3).map(", ".join)
        return st.one_of(
            members.map("{{{}}}".format), st.lists(values, max_size=3).map(",\n".join).map("[{}]".format)
        )

    return st.recursive(leaf, inner, max_leaves=6)


@st.composite
def cases(draw: st.DrawFn, *, text: bool) -> tuple[str, dict[str, str], str, dict[str, Any]]:
    """An event, a paths map, a template, and the values of its names."""
    # A text shows members that come twice, since bytes are spliced; a parsed value does not.
    event = draw(envelopes(duplicate_keys=not text))
    parsed = parse(event)
    wanted = draw(st.lists(paths(parsed), min_size=1, max_size=5))
    names = [f"n{i}" for i in range(len(wanted))]
    values: dict[str, Any] = {name: find(parsed, path) for name, path in zip(names, wanted, strict=True)}
    values |= {
        "aws.events.rule-name": "big-orders",
        "aws.events.rule-arn": 'arn:rule/"big"',
        "aws.events.event.ingestion-time": AT,
        "aws.events.event.json": parsed,
        "aws.events.event": {
            key: parsed[member]
            for key, member in (
                ("id", "id"),
                ("account", "account"),
                ("detailType", "detail-type"),
                ("time", "time"),
                ("source", "source"),
                ("region", "region"),
                ("resources", "resources"),
                ("version", "version"),
            )
        },
    }
    every = [*names, *names, *values]
    template = draw(quoted(every) if text else json_templates(every))
    assume(text or template.lstrip()[:1] != '"')
    return event, {name: write(path) for name, path in zip(names, wanted, strict=True)}, template, values


def outcome(event: bytes, map_: dict[str, str], template: str) -> bytes | TransformError:
    transform = compile_transform(input_transformer=InputTransformer(template, map_))
    assert transform is not None
    try:
        return transform.apply(AcceptedEvent("default", "e-1", event, 1e9), ORIGIN)
    except TransformError as error:
        return error


def made(event: str, map_: dict[str, str], template: str) -> str | None:
    result = outcome(event.encode(), map_, template)
    if isinstance(result, TransformError):
        assert result.code == "INVALID_JSON"
        return None
    return result.decode()


@given(cases(text=False))
def test_a_json_template_makes_json_or_a_dead_letter(
    case: tuple[str, dict[str, str], str, dict[str, Any]],
) -> None:
    event, map_, template, values = case
    text = made(event, map_, template)
    expected = model(template, values, is_json=True)
    if text is None or expected is None:
        assert text == expected
    else:
        assert parse(text) == parse(expected)


@given(cases(text=True))
def test_a_string_template_makes_what_the_model_makes(
    case: tuple[str, dict[str, str], str, dict[str, Any]],
) -> None:
    event, map_, template, values = case
    text = made(event, map_, template)
    assert text is not None, "a text takes every value"
    expected = model(template, values, is_json=False)
    assert expected is not None
    assert json.loads(text) == json.loads(expected)


@given(st.data())
def test_a_path_finds_what_the_model_finds(data: st.DataObject) -> None:
    event = data.draw(envelopes())
    parsed = parse(event)
    path = data.draw(paths(parsed))
    selector = compile_path(write(path))
    value = find(parsed, path)
    found = [parse(text.decode()) for text in selector.all(event.encode())]
    if value is MISSING:
        assert found == []
    else:
        assert found == (value if None in path else [value])
    one = selector.one(event.encode())
    assert (one is None) == (not found)
    assert one is None or parse(one.decode()) == found[0]
    if path:
        transform = compile_transform(input_path=write(path))
        assert transform is not None
        accepted = AcceptedEvent("default", "e-1", event.encode(), 0.0)
        if value is MISSING:
            with pytest.raises(TransformError, match="INPUT_PATH_MISSING"):
                transform.apply(accepted, ORIGIN)
        else:
            result = transform.apply(accepted, ORIGIN)
            assert parse(result.decode()) == value
            # The bytes are the event's own.
            assert None in path or result in event.encode()


@given(st.binary(max_size=200), st.sampled_from(["$.a", "$[*]", "$.a[0].b", "$"]))
def test_bytes_that_are_no_event_are_refused_or_read(body: bytes, path: str) -> None:
    for template in ('{"x": "<p>", "y": {"<p>": 1}}', '"<p>"'):
        result = outcome(body, {"p": path}, template)
        assert isinstance(result, bytes) or result.code == "INVALID_JSON"


def refusal(definition: str, is_path: bool) -> TransformDefinitionError | None:
    transformer = InputTransformer(definition, {"a": "$.a", "b": "$.b"})
    try:
        if is_path:
            compile_transform(input_path=definition)
        else:
            compile_transform(input_transformer=transformer)
    except TransformDefinitionError as error:
        return error
    return None


@given(st.text(alphabet='<>"\\{}[]:,ab1- \n.$', max_size=30), st.booleans())
def test_any_definition_is_taken_or_refused_with_a_place(definition: str, is_path: bool) -> None:
    error = refusal(definition, is_path)
    if error is not None:
        assert all((error.code, error.where, error.aws_message, error.expected))
        assert min(error.line, error.column) >= 1
        assert pickle.loads(pickle.dumps(error)).args == error.args
    elif not is_path and definition.lstrip(" \t\r\n")[:1] != '"':
        text = made('{"a":{},"b":"x"}', {"a": "$.a", "b": "$.b"}, definition)
        assert text is None or parse(text) is not MISSING
