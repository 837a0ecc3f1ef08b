"""A bus's numbers as Prometheus reads them. Relies on prometheus-client (extra ``prometheus``) and `reading`.

The collector reads the statistics at each scrape; between scrapes it costs nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rulebus.errors import BusError
from rulebus.observe.reading import (
    BOUNDS_S,
    BUS_COUNTERS,
    LATENCIES,
    TARGET_COUNTERS,
    TARGET_GAUGES,
    Observed,
    cumulative,
    read,
)

__all__ = ["BusCollector", "exposition"]


class BusCollector:
    """Shows all buses of a hub to a Prometheus registry.

    >>> import rulebus
    >>> from prometheus_client import CollectorRegistry
    >>> registry = CollectorRegistry()
    >>> with rulebus.EventBus("orders") as bus:
    ...     registry.register(BusCollector(bus))
    ...     _ = bus.publish(source="shop", detail_type="OrderPlaced", detail={})
    ...     registry.get_sample_value("rulebus_events_total", {"bus": "orders"}) == 1
    True

    Metrics begin with `prefix`; those of targets have the labels bus, rule and target. COST: a scrape reads the
    statistics once, some microseconds a target.
    """

    def __init__(self, bus: Observed, *, prefix: str = "rulebus_") -> None:
        try:
            from prometheus_client import core
        except ImportError as error:
            raise BusError(
                "extra-missing",
                "this needs prometheus-client; install it with: pip install 'rulebus[prometheus]'",
            ) from error
        self._bus, self._prefix, self._core = bus, prefix, core

    def describe(self) -> list[Any]:
        """Nothing: names are known without reading the bus at registration."""
        return []

    def collect(self) -> Iterator[Any]:
        """The families of metrics, as they are now."""
        core, prefix = self._core, self._prefix
        found = read(self._bus)
        for name, attribute, meaning in BUS_COUNTERS:
            counter = core.CounterMetricFamily(prefix + name, meaning, labels=["bus"])
            for one in found:
                counter.add_metric([one.bus], getattr(one, attribute))
            yield counter
        targets = [target for one in found for target in one.targets]
        labels = ["bus", "rule", "target"]
        for family, rows in (
            (core.CounterMetricFamily, TARGET_COUNTERS),
            (core.GaugeMetricFamily, TARGET_GAUGES),
        ):
            for name, attribute, meaning in rows:
                metric = family(prefix + name, meaning, labels=labels)
                for target in targets:
                    metric.add_metric([target.bus, target.rule, target.target], getattr(target, attribute))
                yield metric
        for name, attribute, meaning in LATENCIES:
            histogram = core.HistogramMetricFamily(prefix + name, meaning, labels=labels)
            for target in targets:
                latency = getattr(target, attribute)
                buckets = [
                    (f"{bound:g}", count) for bound, count in zip(BOUNDS_S, cumulative(latency), strict=True)
                ]
                buckets.append(("+Inf", latency.count))
                histogram.add_metric(
                    [target.bus, target.rule, target.target], buckets, sum_value=latency.sum_s
                )
            yield histogram


def exposition(bus: Observed) -> bytes:
    """The text of one scrape, for servers of one's own."""
    collector = BusCollector(bus)
    from prometheus_client import CollectorRegistry, generate_latest

    registry = CollectorRegistry(auto_describe=False)
    registry.register(collector)
    text: bytes = generate_latest(registry)
    return text
