"""The deliveries that the real service recorded, replayed on a bus in process: the same calls, the same bodies.

Relies on the shared data beside the checkout (skips without it). What a client library would do before a call reaches
the service (reading times in any spelling) is done here; ids, times and regions are compared by their form, since the
recording replaced them. Must never change what was recorded to make it fit.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from datetime import UTC, datetime
from typing import Any

import pytest

import rulebus
from data_shared import shared_lines
from rulebus.rule import InputTransformer, Subscription
from rulebus.targets.protocol import Delivery

ACCOUNT, REGION = "111111111111", "us-east-1"
OWN_ACCOUNT = "123456789012"
"""What the recording's requests call the account that its bodies call 111111111111."""


class Queue:
    """A stand-in for a queue or topic: keeps the bodies it was sent."""

    def __init__(self, arn: str) -> None:
        self.arn = arn
        self.bodies: list[str] = []

    def deliver(self, deliveries: Any) -> None:
        one: Delivery
        for one in deliveries:
            self.bodies.append(one.input.decode())

    def describe(self) -> str:
        return self.arn

    def close(self) -> None: ...


def scenarios() -> list[dict[str, Any]]:
    try:
        return list(shared_lines("aws/deliveries.jsonl"))
    except pytest.skip.Exception:
        return []


SCENARIOS = scenarios()


def as_a_client_reads_it(time: str) -> Any:
    """boto3 reads a time in any usual spelling and sends seconds."""
    for form in ("%d-%m-%YT%H:%M:%SZ",):
        try:
            return datetime.strptime(time, form).replace(tzinfo=UTC)
        except ValueError:
            continue
    return time


ELSEWHERE = re.compile(r"arn:aws:events:([a-z0-9-]+):(\d+):event-bus/")


def second_place(scenario: dict[str, Any]) -> tuple[str, str]:
    """Account and region of the scenario's other side, where it has one: its client has the other credentials."""
    for step in scenario["steps"]:
        for target in step["params"].get("Targets", ()):
            if "primary-to-secondary" in target.get("RoleArn", ""):
                match = ELSEWHERE.match(target["Arn"])
                assert match
                return (ACCOUNT if match[2] == OWN_ACCOUNT else match[2], match[1])
    return (ACCOUNT, REGION)


class World:
    """A bus, or one in each of two accounts or regions, with the queues of one scenario."""

    def __init__(self, here: rulebus.EventBus, there: rulebus.EventBus) -> None:
        self.here, self.there = here, there
        self.queues: dict[str, Queue] = {}
        self.results: list[rulebus.PutResult] = []

    def at(self, whose: str, bus: str | None) -> rulebus.EventBus:
        """The bus of that name on the side of a rule, bus or source of that name."""
        hub = self.there if "secondary" in whose else self.here
        return hub if bus is None else hub.bus(bus)

    def settle(self) -> None:
        for _ in range(2):
            assert self.here.wait_idle(10)
            assert self.there.wait_idle(10)

    def do(self, step: dict[str, Any]) -> None:
        getattr(self, step["op"])(**step["params"])

    def CreateEventBus(self, Name: str) -> None:
        self.at(Name, None).create_bus(Name)

    def PutRule(
        self, Name: str, EventPattern: str, EventBusName: str | None = None, State: Any = "ENABLED"
    ) -> None:
        self.at(Name, EventBusName).put_rule(Name, EventPattern, state=State)

    def PutTargets(self, Rule: str, Targets: list[dict[str, Any]], EventBusName: str | None = None) -> None:
        self.at(Rule, EventBusName).put_targets(Rule, [self.subscription(target) for target in Targets])

    def subscription(self, target: dict[str, Any]) -> Subscription:
        arn = target["Arn"]
        transformer = target.get("InputTransformer")
        aim: Any = self.queues.setdefault(arn, Queue(arn)) if ":event-bus/" not in arn else arn
        if "primary-to-secondary" in target.get("RoleArn", ""):
            aim = self.there.bus(arn)
        return Subscription(
            target=aim,
            id=target["Id"],
            input=target.get("Input"),
            input_path=target.get("InputPath"),
            input_transformer=None
            if transformer is None
            else InputTransformer(transformer["InputTemplate"], transformer.get("InputPathsMap", {})),
        )

    def PutEvents(self, Entries: list[dict[str, Any]]) -> None:
        entries = [
            {**entry, "Time": as_a_client_reads_it(entry["Time"])} if "Time" in entry else entry
            for entry in Entries
        ]
        self.results.append(self.at(entries[0]["Source"], None).put_events(entries))


MARK = re.compile(r"<[a-z-]+(?::\d+)?>|\bdate\b|message-id")
UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
STANDS_FOR = {
    "<account>": ACCOUNT,
    "<account-secondary>": r"(?:111111111111|222222222222)",
    "<partition>": "aws",
    "<region>": REGION,
    "<region-secondary>": "(?!us-east-1)[a-z0-9-]+",
    "<bus-name>": r"test-bus-[0-9a-f]{8}",
    "<rule-name>": r"test-rule-[0-9a-f]{8}",
    "<ingestion-time>": TIME,
    "date": TIME,
    "message-id": UUID,
}
"""What the recording put a mark for: ids, names and moments of that day."""


def fits(recorded: Any, ours: Any) -> bool:
    """Whether a body is the recorded one: exactly, but for what stands behind a mark."""
    if isinstance(recorded, dict):
        return (
            isinstance(ours, dict)
            and recorded.keys() == ours.keys()
            and all(fits(value, ours[key]) for key, value in recorded.items())
        )
    if isinstance(recorded, list):
        return (
            isinstance(ours, list)
            and len(recorded) == len(ours)
            and all(fits(*pair) for pair in zip(recorded, ours, strict=True))
        )
    if not isinstance(recorded, str):
        return type(recorded) is type(ours) and recorded == ours
    form, place = "", 0
    for mark in MARK.finditer(recorded):
        stands_for = UUID if mark[0].startswith("<uuid:") else STANDS_FOR.get(mark[0], re.escape(mark[0]))
        form += re.escape(recorded[place : mark.start()]) + stands_for
        place = mark.end()
    return isinstance(ours, str) and re.fullmatch(form + re.escape(recorded[place:]), ours) is not None


def body(text: str) -> Any:
    """A body as the recording shows it: an object as such, anything else as the text that came."""
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, dict) else text


def unwrapped(recorded: Any) -> Any:
    """What a topic was sent, of what its queue got."""
    if isinstance(recorded, dict) and recorded.get("Type") == "Notification":
        return json.loads(recorded["Message"])
    return recorded


@pytest.mark.parametrize("scenario", SCENARIOS, ids=[scenario["test"] for scenario in SCENARIOS])
def test_bodies_are_those_of_the_real_service(scenario: dict[str, Any]) -> None:
    limits = rulebus.BusLimits(unknown_bus="drop")
    account, region = second_place(scenario)
    with (
        rulebus.EventBus(account=ACCOUNT, region=REGION, limits=limits) as here,
        rulebus.EventBus(account=account, region=region, limits=limits) as there,
    ):
        world = World(here, there)
        for step in scenario["steps"]:
            world.do(step)
            world.settle()  # One call after the other, as a client makes them.
        assert all(result.failed_entry_count == 0 for result in world.results)
        assert here.dead_letters() == there.dead_letters() == []
    left = [[body(text) for text in queue.bodies] for queue in world.queues.values()]
    for bodies in scenario["bodies"].values():
        expected = list(map(unwrapped, bodies))
        fitting = [got for got in left if got and fits(expected, got[: len(expected)])]
        assert fitting or not expected, f"nobody got {expected}; there is {left}"
        if expected:
            del fitting[0][: len(expected)]
    assert not any(left), f"more than was recorded: {left}"


def test_all_scenarios_are_there() -> None:
    if not SCENARIOS:
        pytest.skip("needs ../shared/data/aws/deliveries.jsonl beside the checkout, which is not there")
    counted: dict[str, int] = defaultdict(int)
    for scenario in SCENARIOS:
        for step in scenario["steps"]:
            counted[step["op"]] += 1
    assert len(SCENARIOS) == 50
    assert set(counted) == {"CreateEventBus", "PutRule", "PutTargets", "PutEvents"}
