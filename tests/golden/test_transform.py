"""Every golden transform: what is delivered, byte by byte, or why not.

Relies on the files in transform/, whose README says what a case holds. Must never compare parsed JSON: bytes count."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rulebus.event import AcceptedEvent
from rulebus.origin import Origin
from rulebus.rule import InputTransformer
from rulebus.transform import Transform, TransformDefinitionError, TransformError, compile_transform

FOLDER = Path(__file__).parent / "transform"
EVENT = (FOLDER / "event.json").read_text(encoding="utf-8").rstrip("\n")
ORIGIN = Origin("default", "big-orders", "billing", "arn:aws:events:local:111111111111:rule/big-orders")
# 2026-11-26T03:38:06Z, and most of a second.
ACCEPTED_AT = 1_795_664_286.9
FILES = sorted(file for file in FOLDER.glob("*.json") if file.name != "event.json")
CASES = [(file.stem, case) for file in FILES for case in json.loads(file.read_text(encoding="utf-8"))]


def compiled(definition: dict[str, Any]) -> Transform | None:
    transformer = None
    if "input_template" in definition:
        transformer = InputTransformer(definition["input_template"], definition.get("input_paths_map", {}))
    return compile_transform(
        input=definition.get("input"),
        input_path=definition.get("input_path"),
        input_transformer=transformer,
        target_id="billing",
    )


@pytest.mark.parametrize(
    "case", [pytest.param(case, id=f"{stem}: {case['name']}"[:120]) for stem, case in CASES]
)
def test_case(case: dict[str, Any]) -> None:
    assert len({"input", "unchanged", "dead_letter", "refused"} & set(case)) == 1
    if "refused" in case:
        with pytest.raises(TransformDefinitionError) as caught:
            compiled(case["definition"])
        error = caught.value
        assert error.code == case["refused"]
        assert {key: getattr(error, key) for key in ("aws_message", "where", "column") if key in case} == {
            key: case[key] for key in ("aws_message", "where", "column") if key in case
        }
        assert error.message
        assert error.expected, "a refusal says how to mend it"
        return
    transform = compiled(case["definition"])
    if "unchanged" in case:
        assert transform is None
        return
    assert transform is not None
    assert len(transform.warnings) == case.get("warnings", 0), transform.warnings
    event = AcceptedEvent("default", "1", case.get("event", EVENT).encode(), ACCEPTED_AT)
    if "dead_letter" in case:
        with pytest.raises(TransformError) as refused:
            transform.apply(event, ORIGIN)
        assert refused.value.code == case["dead_letter"]
        assert len(refused.value.message) > 40, "a dead letter says how to mend it"
        return
    assert transform.apply(event, ORIGIN).decode() == case["input"]
    # Nothing is kept from one event to the next.
    assert transform.apply(event, ORIGIN).decode() == case["input"]


def test_every_file_has_cases_and_names_are_unique() -> None:
    assert len(CASES) > 150
    assert len({(stem, case["name"]) for stem, case in CASES}) == len(CASES)
