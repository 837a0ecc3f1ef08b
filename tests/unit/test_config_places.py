"""Places in TOML texts: every value of every form is found where it stands. Relies on `rulebus.config.places`."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rulebus.config.places import Path, locate

TEXT = '''# a router
title = "shop" # why not
[store]
path = 'orders.db'
[targets.billing]
url = """
https://billing.example/
"""
headers = {x-a = "1", "x b" = '2', n = [1, [2, {deep = true}]]}
[[rules]]
name = "one"
targets = [
  "billing", # a comment with ] and "quotes"
  { target = "log:", id = "l" },
]
[rules.extra]
key.with.dots = 3
[[rules]]
name = "two"
  [[rules.targets]]
  target = "x"
  [[rules.targets]]
  "ta\\u0072get" = "y"
'''


def at(path: Path) -> str:
    """What stands at the place of a path."""
    line, column = locate(TEXT)[path]
    return TEXT.split("\n")[line - 1][column - 1 :]


@pytest.mark.parametrize(
    ("path", "begins"),
    [
        (("title",), '"shop"'),
        (("store",), "[store]"),
        (("store", "path"), "'orders.db'"),
        (("targets", "billing", "url"), '"""'),
        (("targets", "billing", "headers", "x b"), "'2'"),
        (("targets", "billing", "headers", "n", 1, 1, "deep"), "true}"),
        (("rules", 0, "name"), '"one"'),
        (("rules", 0, "targets", 0), '"billing",'),
        (("rules", 0, "targets", 1, "id"), '"l"'),
        (("rules", 0, "extra", "key", "with", "dots"), "3"),
        (("rules", 1, "name"), '"two"'),
        (("rules", 1, "targets", 0, "target"), '"x"'),
        (("rules", 1, "targets", 1, "target"), '"y"'),
    ],
)
def test_a_value_is_found_where_it_stands(path: Path, begins: str) -> None:
    assert at(path).startswith(begins)


def paths_of(value: Any, path: Path = ()) -> set[Path]:
    """Every path of a document."""
    found = {path} if path else set()
    if isinstance(value, dict):
        for key, inner in value.items():
            found |= paths_of(inner, (*path, key))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            found |= paths_of(inner, (*path, number))
    return found


def test_every_path_of_the_document_has_a_place() -> None:
    assert paths_of(tomllib.loads(TEXT)) <= set(locate(TEXT))


KEYS = st.text(alphabet='ab-._ "\\é', min_size=1, max_size=4)
VALUES = st.recursive(
    st.booleans() | st.integers(-9, 9) | st.text(alphabet='ab]}#,"\\= é', max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=12,
)


def quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def toml(value: Any) -> str:
    """A value in TOML, inline."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, list):
        return "[" + ", ".join(toml(inner) for inner in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{quoted(key)} = {toml(inner)}" for key, inner in value.items()) + "}"
    return str(value)


@given(st.dictionaries(KEYS, VALUES, max_size=4))
def test_whatever_tomllib_accepts_is_walked_to_its_end(document: dict[str, Any]) -> None:
    text = "".join(f"{quoted(key)} = {toml(value)} # {key!r}\n" for key, value in document.items())
    assert tomllib.loads(text) == document
    places = locate(text)
    lines = text.split("\n")
    for path in paths_of(document):
        line, column = places[path]
        value: Any = document
        for part in path:
            value = value[part]
        assert lines[line - 1][column - 1 :].startswith(toml(value))


@given(st.text(max_size=60))
def test_no_text_hangs_or_raises(text: str) -> None:
    assert isinstance(locate(text), dict)
