"""A bus's numbers in Prometheus and OpenTelemetry are the bus's numbers, all of them. Relies on both extras."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

import rulebus
from rulebus.observe.otel import observe_bus
from rulebus.observe.prometheus import BusCollector, exposition
from rulebus.observe.reading import BOUNDS_S, TARGET_COUNTERS, cumulative
from rulebus.statistics import Histogram, TargetStatistics

LABELS = {"bus": "orders", "rule": "r", "target": "fails"}


def fails(event: rulebus.Event) -> None:
    raise rulebus.PermanentError("no")


@pytest.fixture
def bus() -> Iterator[rulebus.EventBus]:
    with rulebus.EventBus("orders") as bus:
        bus.put_rule("r", {"source": ["shop"]}, targets=[fails])
        bus.put_events(
            [{"Source": source, "DetailType": "t", "Detail": "{}"} for source in ("shop", "shop", "x", "")]
        )
        bus.wait_idle()
        yield bus


def test_prometheus_sees_every_number(bus: rulebus.EventBus) -> None:
    from prometheus_client import CollectorRegistry

    registry = CollectorRegistry()
    registry.register(BusCollector(bus))
    value = registry.get_sample_value
    assert value("rulebus_events_total", {"bus": "orders"}) == 3
    assert value("rulebus_refused_entries_total", {"bus": "orders"}) == 1
    assert value("rulebus_unmatched_events_total", {"bus": "orders"}) == 1
    (target,) = bus.statistics().targets
    for name, attribute, _ in TARGET_COUNTERS:
        assert value(f"rulebus_{name}_total", LABELS) == getattr(target, attribute), name
    assert target.dead_letters == 2
    assert value("rulebus_pending", LABELS) == 0
    assert value("rulebus_first_attempt_seconds_count", LABELS) == 2
    assert value("rulebus_first_attempt_seconds_bucket", {**LABELS, "le": "+Inf"}) == 2
    assert value("rulebus_success_seconds_count", LABELS) == 0


def test_the_exposition_is_the_text_of_a_scrape(bus: rulebus.EventBus) -> None:
    from prometheus_client.parser import text_string_to_metric_families

    families = {family.name: family for family in text_string_to_metric_families(exposition(bus).decode())}
    assert {sample.value for sample in families["rulebus_dead_letters"].samples} == {2.0}
    assert families["rulebus_success_seconds"].type == "histogram"


def test_opentelemetry_sees_every_number(bus: rulebus.EventBus) -> None:
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader

    reader = InMemoryMetricReader()
    provider = MeterProvider([reader])
    observe_bus(bus, meter=provider.get_meter("test"))
    data: Any = reader.get_metrics_data()
    found = {
        metric.name: {
            tuple(sorted(point.attributes.items())): point.value for point in metric.data.data_points
        }
        for metric in data.resource_metrics[0].scope_metrics[0].metrics
    }
    provider.shutdown()
    assert found["rulebus.events"][("bus", "orders"),] == 3
    labels = tuple(sorted(LABELS.items()))
    (target,) = bus.statistics().targets
    for name, attribute, _ in TARGET_COUNTERS:
        assert found[f"rulebus.{name}"][labels] == getattr(target, attribute)
    assert found["rulebus.first_attempt.count"][labels] == 2
    assert len(found["rulebus.first_attempt.quantile"]) == 4


def test_bounds_fall_together_with_those_of_the_histogram() -> None:
    histogram = Histogram()
    durations = [1e-6 * 1.37**step for step in range(80)]
    for duration in durations:
        histogram.add(duration)
    expected = [sum(int(duration * 1e6) + 1 < bound * 1e6 for duration in durations) for bound in BOUNDS_S]
    assert cumulative(histogram.record()) == expected


def test_every_counter_of_a_target_is_shown() -> None:
    shown = {attribute for _, attribute, _ in TARGET_COUNTERS}
    counters = {
        name for name in TARGET_STATISTICS if name not in {"bus", "rule", "target", "pending", "waiting", "in_flight",
                                                          "abandoned", "oldest_pending_s", "first_attempt", "success"}
    }  # fmt: skip
    assert shown == counters


TARGET_STATISTICS = TargetStatistics.__dataclass_fields__


def test_nothing_is_imported_without_being_asked_for() -> None:
    code = "import sys, rulebus; b = rulebus.EventBus(); b.close(); "
    code += "print([m for m in sys.modules if m.startswith(('prometheus_client', 'opentelemetry', 'aiohttp', 'boto'))])"
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize(
    ("module", "call"), [("prometheus_client", exposition), ("opentelemetry", observe_bus)]
)
def test_a_missing_extra_is_named(
    monkeypatch: pytest.MonkeyPatch, bus: rulebus.EventBus, module: str, call: Any
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(rulebus.BusError, match="pip install 'rulebus"):
        call(bus)
