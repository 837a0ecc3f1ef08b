"""Log and bus targets. Relies on the installed package and pytest's caplog."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import pytest

from rulebus.event import AcceptedEvent
from rulebus.targets.bus import BusTarget
from rulebus.targets.log import LogTarget
from rulebus.targets.protocol import Delivery, Origin, Outcomes, Target

BODY = b'{"id":"1","note":"100 %s"}'
DELIVERY = Delivery(AcceptedEvent("orders", "1", BODY, 0.0), BODY, Origin("orders", "big", "audit"))


def test_one_record_an_event(caplog: pytest.LogCaptureFixture) -> None:
    target = LogTarget("shop.events", level="warning")
    assert isinstance(target, Target)
    with caplog.at_level(logging.INFO, "shop.events"):
        assert target.deliver([DELIVERY, DELIVERY]) is None
    assert [record.getMessage() for record in caplog.records] == [BODY.decode()] * 2
    record = caplog.records[0]
    assert (record.levelname, record.name) == ("WARNING", "shop.events")
    assert [getattr(record, name) for name in ("event_id", "bus", "rule", "target")] == [
        "1",
        "orders",
        "big",
        "audit",
    ]
    target.close()


def test_levels(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        LogTarget(logging.getLogger("x"), level=logging.DEBUG).deliver([DELIVERY])
    assert caplog.records == []
    with pytest.raises(ValueError, match="no log level is called 'LOUD'"):
        LogTarget(level="LOUD")
    assert LogTarget().describe() == "log rulebus.events at INFO"


def test_bus_targets_hand_on() -> None:
    seen: list[tuple[str, Sequence[Delivery]]] = []

    def forward(bus: str, deliveries: Sequence[Delivery]) -> Outcomes:
        seen.append((bus, deliveries))
        return None

    target = BusTarget("audit", object(), forward)
    assert isinstance(target, Target)
    assert target.deliver([DELIVERY]) is None
    assert seen == [("audit", [DELIVERY])]
    assert target.describe() == "bus audit"
    target.close()
