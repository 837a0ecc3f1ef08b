"""A bus's numbers as OpenTelemetry instruments. Relies on opentelemetry-api (extra ``otel``) and `reading`.

All instruments are observable: the SDK asks when it exports, and in between nothing costs anything. OpenTelemetry has no
observable histogram, so latencies are shown as their exact count and sum, and as quantiles.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from rulebus.errors import BusError
from rulebus.observe.reading import BUS_COUNTERS, LATENCIES, TARGET_COUNTERS, TARGET_GAUGES, Observed, read
from rulebus.statistics import BusStatistics

__all__ = ["observe_bus"]

_QUANTILES = (0.5, 0.9, 0.99, 1.0)

_Rows = Callable[[Sequence[BusStatistics]], Iterable[tuple[float, dict[str, Any]]]]


def observe_bus(bus: Observed, *, meter: Any = None, prefix: str = "rulebus.") -> None:
    """Registers instruments for all buses of a hub with a meter (default: that of the global provider).

    Counters have the attributes bus, or bus, rule and target; latencies ``….count``, ``….sum`` and ``….quantile`` (with
    the attribute ``quantile``). The bus must live as long as the meter is read; a closed one shows its last numbers.
    """
    try:
        from opentelemetry import metrics
    except ImportError as error:
        raise BusError(
            "extra-missing", "this needs opentelemetry-api; install it with: pip install 'rulebus[otel]'"
        ) from error
    chosen = metrics.get_meter("rulebus") if meter is None else meter

    def callback(rows: _Rows) -> Callable[[Any], list[Any]]:
        return lambda options: [metrics.Observation(value, labels) for value, labels in rows(read(bus))]

    for name, attribute, meaning in BUS_COUNTERS:
        chosen.create_observable_counter(
            prefix + name, callbacks=[callback(_of_buses(attribute))], description=meaning
        )
    for name, attribute, meaning in TARGET_COUNTERS:
        chosen.create_observable_counter(
            prefix + name, callbacks=[callback(_of_targets(attribute))], description=meaning
        )
    for name, attribute, meaning in TARGET_GAUGES:
        seconds = name.endswith("_seconds")
        chosen.create_observable_gauge(
            prefix + name.removesuffix("_seconds"),
            callbacks=[callback(_of_targets(attribute))],
            unit="s" if seconds else "",
            description=meaning,
        )
    for name, attribute, meaning in LATENCIES:
        base = prefix + name.removesuffix("_seconds")
        chosen.create_observable_counter(
            f"{base}.count", callbacks=[callback(_of_latency(attribute, "count"))], description=meaning
        )
        chosen.create_observable_counter(
            f"{base}.sum",
            callbacks=[callback(_of_latency(attribute, "sum_s"))],
            unit="s",
            description=meaning,
        )
        chosen.create_observable_gauge(
            f"{base}.quantile", callbacks=[callback(_quantiles(attribute))], unit="s", description=meaning
        )


def _of_buses(attribute: str) -> _Rows:
    return lambda found: [(getattr(one, attribute), {"bus": one.bus}) for one in found]


def _labels(target: Any) -> dict[str, Any]:
    return {"bus": target.bus, "rule": target.rule, "target": target.target}


def _of_targets(attribute: str) -> _Rows:
    return lambda found: [
        (getattr(target, attribute), _labels(target)) for one in found for target in one.targets
    ]


def _of_latency(attribute: str, part: str) -> _Rows:
    return lambda found: [
        (getattr(getattr(target, attribute), part), _labels(target))
        for one in found
        for target in one.targets
    ]


def _quantiles(attribute: str) -> _Rows:
    return lambda found: [
        (getattr(target, attribute).quantile_s(share), {**_labels(target), "quantile": share})
        for one in found
        for target in one.targets
        for share in _QUANTILES
        if getattr(target, attribute).count
    ]
