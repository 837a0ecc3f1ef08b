"""The inputs that the real service delivered for an input, input path or input transformer, from our transform.

Relies on the shared data beside the checkout; skipped without it. Ids, dates and names were masked when the answers were
recorded, and their keys sorted, so JSON bodies are compared parsed and with the same masks; texts byte by byte."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

import rulebus
from data_shared import shared_lines
from rulebus.event import AcceptedEvent
from rulebus.origin import Origin
from rulebus.rule import InputTransformer
from rulebus.transform import compile_transform

TIME = "2024-06-05T04:03:02Z"


def envelope(entry: dict[str, str]) -> bytes:
    head = {"version": "0", "id": "<id>", "detail-type": entry["DetailType"], "source": entry["Source"]}
    tail = {
        "account": "111111111111",
        "time": TIME,
        "region": "<region>",
        "resources": entry.get("Resources", []),
    }
    text = json.dumps(head | tail, separators=(",", ":"))
    return f'{text[:-1]},"detail":{entry["Detail"]}}}'.encode()


def deliveries(scenario: dict[str, Any]) -> list[tuple[bool, str]]:
    """What our transform makes for each target that a rule's pattern leads to, and whether the target has one."""
    rules: dict[tuple[str, str], tuple[str, list[dict[str, Any]]]] = {}
    made: list[tuple[bool, str]] = []
    for step in scenario["steps"]:
        params = step["params"]
        bus = params.get("EventBusName", "default")
        if step["op"] == "PutRule":
            rules[bus, params["Name"]] = (params["EventPattern"], [])
        elif step["op"] == "PutTargets":
            rules[bus, params["Rule"]][1].extend(params["Targets"])
        elif step["op"] == "PutEvents":
            for entry in params["Entries"]:
                body = envelope(entry)
                for (owner, rule), (pattern, targets) in rules.items():
                    if owner == entry.get("EventBusName", "default") and rulebus.Pattern(pattern).matches(
                        body
                    ):
                        made += [deliver(body, owner, rule, target) for target in targets]
    return made


def deliver(body: bytes, bus: str, rule: str, target: dict[str, Any]) -> tuple[bool, str]:
    given = target.get("InputTransformer")
    transform = compile_transform(
        input=target.get("Input"),
        input_path=target.get("InputPath"),
        input_transformer=InputTransformer(given["InputTemplate"], given.get("InputPathsMap", {}))
        if given
        else None,
        target_id=target["Id"],
    )
    if transform is None:
        return False, body.decode()
    arn = f"arn:<partition>:events:<region>:111111111111:rule/{bus}/{rule}"
    event = AcceptedEvent(bus, "<id>", body, 1_717_560_182.5)
    return True, transform.apply(event, Origin(bus, rule, target["Id"], arn)).decode().replace(
        f"{bus}/{rule}", "<bus>/<rule>"
    ).replace(rule, "<rule>")


def masked(body: Any) -> Any:
    """A body as it can be compared: JSON parsed where it is an object or array, ids, dates and names masked."""
    if isinstance(body, dict):
        hidden = {"id": "<id>", "time": "<time>"} if "detail-type" in body or "detailType" in body else {}
        return {key: hidden.get(key, masked(value)) for key, value in body.items()}
    if isinstance(body, list):
        return [masked(value) for value in body]
    if isinstance(body, str):
        body = body.replace("<bus-name>", "<bus>").replace("<rule-name>", "<rule>")
        return re.sub(re.escape(TIME), "date", body)
    return body


def comparable(text: str) -> str:
    # The service's bodies were recorded parsed where they were objects, as text where they were texts.
    body = json.loads(text) if text.lstrip()[:1] in "{[" else text
    return json.dumps(masked(body), sort_keys=True)


def scenarios() -> list[dict[str, Any]]:
    return [s for s in shared_lines("aws/deliveries.jsonl") if '"Input' in json.dumps(s["steps"])]


def test_every_scenario_delivers_what_the_service_delivered() -> None:
    compared = 0
    for scenario in scenarios():
        made = deliveries(scenario)
        expected = [body for bodies in scenario["bodies"].values() for body in bodies]
        texts = [body if isinstance(body, str) else json.dumps(body) for body in expected]
        assert sorted(comparable(text) for _, text in made) == sorted(comparable(text) for text in texts), (
            scenario["test"]
        )
        compared += sum(transformed for transformed, _ in made)
    assert compared >= 25


def test_the_event_without_detail_has_the_recorded_keys() -> None:
    (scenario,) = [s for s in scenarios() if "<aws.events.event>" in json.dumps(s["steps"])]
    ((_, text),) = deliveries(scenario)
    made = json.loads(text)["originalEvent"]
    ((recorded,),) = scenario["bodies"].values()
    assert sorted(made) == sorted(recorded["originalEvent"])
    assert list(made) == ["id", "account", "detailType", "time", "source", "region", "resources", "version"]


@pytest.mark.parametrize("which", ["Input", "InputPath"])
def test_only_one_may_be_given(which: str) -> None:
    with pytest.raises(rulebus.errors.BusError) as caught:
        compile_transform(
            input="{}" if which == "Input" else None,
            input_path="$" if which == "InputPath" else None,
            input_transformer=InputTransformer("{}"),
            target_id="t1",
        )
    assert (
        caught.value.aws_message
        == "Only one of Input, InputPath, or InputTransformer must be provided for target t1."
    )
