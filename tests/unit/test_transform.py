"""The transform beyond its golden cases: what is given at a time, threads, large events, errors that print and pickle,
and the documentation's list of codes.

Relies on the installed package. The golden cases say what is delivered; here only the machinery around it is tested."""

from __future__ import annotations

import copy
import pickle
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from rulebus.errors import BusError, EventError, RulebusError
from rulebus.event import AcceptedEvent
from rulebus.origin import Origin
from rulebus.rule import InputTransformer
from rulebus.transform import (
    Transform,
    TransformDefinitionError,
    TransformError,
    compile_path,
    compile_transform,
)

BODY = b'{"id":"1","detail":{"a":1.50,"b":"x","c":{"d":[1,2]}}}'
EVENT = AcceptedEvent("default", "1", BODY, 1e9)
ORIGIN = Origin("default", "rule", "target", "arn:rule")


def template(text: str, **paths: str) -> Transform:
    transform = compile_transform(input_transformer=InputTransformer(text, paths))
    assert transform is not None
    return transform


def refusal(**definition: object) -> TransformDefinitionError:
    with pytest.raises(TransformDefinitionError) as caught:
        compile_transform(**definition)  # type: ignore[arg-type]
    return caught.value


def test_strings_of_the_delivery_follow_origin_and_second() -> None:
    transform = template('"<aws.events.rule-name> <aws.events.rule-arn> <aws.events.event.ingestion-time>"')
    other = Origin("default", 'a "b"', "target", "arn:\\x")
    assert transform.apply(EVENT, ORIGIN) == b'"rule arn:rule 2001-09-09T01:46:40Z"'
    assert transform.apply(EVENT, other) == b'"a \\"b\\" arn:\\\\x 2001-09-09T01:46:40Z"'
    later = AcceptedEvent("default", "1", BODY, 1e9 + 1.99)
    assert transform.apply(later, ORIGIN) == b'"rule arn:rule 2001-09-09T01:46:41Z"'
    assert transform.apply(EVENT, ORIGIN) == b'"rule arn:rule 2001-09-09T01:46:40Z"'


def test_threads_with_origins_of_their_own_do_not_mix() -> None:
    transform = template(
        '{"n": <aws.events.rule-name>, "t": <aws.events.event.ingestion-time>, "a": <a>}', a="$.detail.a"
    )
    wrong: list[bytes] = []

    def run(number: int) -> None:
        origin = Origin("default", f"r{number}", "t")
        event = AcceptedEvent("default", "1", BODY.replace(b"1.50", b"%d" % number), 1e9 + number)
        expected = b'{"n": "r%d", "t": "2001-09-09T01:46:4%dZ", "a": %d}' % (number, number, number)
        wrong.extend(made for _ in range(3_000) if (made := transform.apply(event, origin)) != expected)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_an_event_of_a_megabyte() -> None:
    text = b"y" * (1 << 20)
    event = AcceptedEvent("default", "1", b'{"detail":{"a":"' + text + b'","b":2}}', 0.0)
    assert template('{"a": <a>, "b": <b>}', a="$.detail.a", b="$.detail.b").apply(event, ORIGIN) == (
        b'{"a": "' + text + b'", "b": 2}'
    )


def test_what_is_made_of_an_event_is_bounded() -> None:
    many = InputTransformer('"' + "<a>" * 100 + '"', {"a": "$.detail.a"})
    transform = compile_transform(input_transformer=many, max_input_bytes=1_000)
    assert transform is not None
    small, large = (
        AcceptedEvent("default", "1", b'{"detail":{"a":"' + b"y" * n + b'"}}', 0.0) for n in (9, 10)
    )
    assert len(transform.apply(small, ORIGIN)) == 902
    with pytest.raises(TransformError) as caught:
        transform.apply(large, ORIGIN)
    assert caught.value.code == "INPUT_TOO_LARGE"
    path = compile_transform(input_path="$.detail", max_input_bytes=10)
    assert path is not None
    with pytest.raises(TransformError, match="INPUT_TOO_LARGE"):
        path.apply(large, ORIGIN)


@pytest.mark.parametrize("body", [b"", b"{", b'{"detail":}', b'{"detail":1}x', b"\xff", b"[1", b'"'])
def test_what_is_no_event_is_refused(body: bytes) -> None:
    with pytest.raises(EventError) as caught:
        compile_path("$.detail").one(body)
    assert 0 <= caught.value.offset <= len(body)
    event = AcceptedEvent("default", "1", body, 0.0)
    for transform in (template("<a>", a="$.detail"), compile_transform(input_path="$.detail")):
        assert transform is not None
        with pytest.raises(TransformError, match="INVALID_JSON"):
            transform.apply(event, ORIGIN)


def test_a_selector() -> None:
    selector = compile_path("$.detail.c.d[*]")
    assert (selector.one(BODY), selector.all(BODY), selector.path) == (b"1", [b"1", b"2"], "$.detail.c.d[*]")
    assert compile_path("$").one(BODY) == BODY
    assert compile_path("$.nothing").all(BODY) == []
    assert pickle.loads(pickle.dumps(selector)).all(BODY) == [b"1", b"2"]
    assert repr(selector) == "PathSelector('$.detail.c.d[*]')"
    with pytest.raises(TypeError, match="bytes"):
        selector.one(17)  # type: ignore[arg-type]
    for other in (bytearray(BODY), memoryview(BODY), BODY.decode()):
        assert selector.one(other) == b"1"


def test_an_error_says_where_and_how_to_mend_it() -> None:
    error = refusal(input_transformer=InputTransformer('{"a": 1,\n "b": <other>}', {"id": "$.id"}))
    assert str(error) == (
        "TransformDefinitionError[unknown-placeholder]: the template names <other>, which the paths map does not define\n"
        "  in InputTemplate, line 2, column 7\n"
        '    2 |  "b": <other>}\n'
        "      |       ^^^^^^^\n"
        "  expected <id> or one of <aws.events...>; write a literal < as \\u003c"
    )
    assert isinstance(error, BusError | ValueError)
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert str(again) == str(error)
        assert vars(again) == vars(error)


def test_a_long_line_is_shown_around_the_place() -> None:
    error = refusal(input="[" + "1, " * 300 + "x" + ", 2" * 300 + "]")
    line, caret = error.excerpt.split("\n")
    assert line[caret.index("^")] == "x"
    assert len(line) < 120
    assert error.column == 902


@pytest.mark.parametrize(
    "definition",
    [
        {"input": {"a": 1}},
        {"input_path": 1},
        {"input_transformer": InputTransformer(b"{}")},  # type: ignore[arg-type]
        {"input_transformer": InputTransformer("{}", {"a": 1})},  # type: ignore[dict-item]
        {"input_transformer": InputTransformer("{}", {1: "$"})},  # type: ignore[dict-item]
    ],
    ids=["input", "path", "template", "path in map", "name in map"],
)
def test_other_types_are_type_errors(definition: dict[str, object]) -> None:
    with pytest.raises(TypeError, match=r"(is|are) a str.*not (dict|int|bytes)"):
        compile_transform(**definition)  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["\ud800", '"\udfff"', '{"a": "\ud800<a>"}'])
def test_half_a_character_is_refused(text: str) -> None:
    assert refusal(input=text).code == "input-not-json"
    assert refusal(input_transformer=InputTransformer(text, {"a": "$.a"})).code == "template-encoding"


def test_the_documentation_lists_every_code(root: Path) -> None:
    page = (root / "docs" / "transform.md").read_text(encoding="utf-8").split("## Codes")[1]
    listed = set(re.findall(r"^\| `([A-Za-z_-]+)` \|", page, re.MULTILINE))
    source = "".join(
        file.read_text(encoding="utf-8") for file in (root / "python" / "rulebus" / "transform").glob("*.py")
    )
    raised = set(
        re.findall(r'(?:TransformDefinitionError|TransformError|[ (]at)\(\s*"([A-Za-z_-]+)"', source)
    )
    raised |= {"template-too-long", "template-empty"}
    assert len(raised) > 12
    assert listed == raised


def test_importing_rulebus_does_not_import_transforms() -> None:
    code = "import rulebus, sys; print([m for m in ('rulebus.transform', 'orjson') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_errors_have_the_common_base() -> None:
    assert issubclass(TransformError, RulebusError)
    assert issubclass(TransformDefinitionError, BusError)
