"""Charts as inline SVG and HTML: bars with whiskers, a growth curve, percentiles on a logarithmic axis.

Bars are rows of HTML, so that their labels wrap and stay readable at any width; only the marks are SVG. Colours are
the page's CSS variables, so the charts follow it into dark mode and print. Must never draw a mark outside its frame or
place two labels at one spot.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from typing import Any, NamedTuple

__all__ = ["Bar", "bars", "clean", "growth_curve", "number", "percentiles"]


class Bar(NamedTuple):
    """One row of a bar chart; `low` and `high` are drawn as a whisker."""

    label: str
    value: float
    low: float
    high: float
    note: str = ""


def clean(text: object) -> str:
    """Text for the page: escaped, without characters that XML refuses."""
    shown = "".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in str(text))
    return escape(shown)


def number(value: float) -> str:
    """A number as people read it.

    >>> number(1234567.8), number(56.78), number(0.0456), number(-3.21)
    ('1,234,568', '56.8', '0.046', '-3.2')
    """
    if abs(value) >= 1000 or value == int(value):
        return f"{value:,.0f}"
    if abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if abs(value) >= 1 else f"{value:.2g}"


def bars(rows: Sequence[Bar], unit: str) -> str:
    """A row for each bar: label, bar with whisker, value with unit, note."""
    largest = max([max(row.value, row.high) for row in rows] + [1e-9])
    shown = []
    for row in rows:
        width, low, high = (100 * min(1.0, max(0.0, x / largest)) for x in (row.value, row.low, row.high))
        # A cost below nothing is none either.
        unclear = row.low <= 0
        whisker = (
            f'<line class="whisker" x1="{low:.2f}" x2="{high:.2f}" y1="5" y2="5" />'
            if row.high > row.low
            else ""
        )
        note = f"{row.note}, not told from 0" if unclear else row.note
        shown.append(
            f'<li class="bar{" unclear" if unclear else ""}"><span class="label">{clean(row.label)}</span>'
            f'<svg viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">'
            f'<rect class="track" width="100" height="10" /><rect class="fill" width="{width:.2f}" height="10" />'
            f"{whisker}</svg>"
            f'<span class="value">{number(row.value)} {unit}</span><span class="note">{clean(note)}</span></li>'
        )
    return f'<ul class="bars">{"".join(shown)}</ul>'


_WIDTH, _LEFT, _RIGHT, _TOP = 400, 52, 26, 14


def growth_curve(points: Sequence[dict[str, Any]]) -> str:
    """Nanoseconds an event over the number of rules, which runs logarithmically."""
    height, bottom = 210, 172
    top = _rounded_up(max(point["cpu_ns_per_event"]["high"] for point in points))
    sizes = [math.log10(max(1, point["rules"])) for point in points]
    span = max(sizes) - min(sizes)

    def x(size: float) -> float:
        return _LEFT + 30 + (_WIDTH - _LEFT - _RIGHT - 60) * ((size - min(sizes)) / span if span else 0.5)

    def y(value: float) -> float:
        return bottom - (bottom - _TOP) * min(1.0, max(0.0, value / top))

    marks = [
        f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y(part * top):.1f}" y2="{y(part * top):.1f}" />'
        f'<text class="tick" x="{_LEFT - 6}" y="{y(part * top) + 4:.1f}" text-anchor="end">{number(part * top)}</text>'
        for part in (0, 0.25, 0.5, 0.75, 1)
    ]
    places = [(x(size), point) for size, point in zip(sizes, points, strict=True)]
    line = " ".join(f"{at:.1f},{y(point['cpu_ns_per_event']['median']):.1f}" for at, point in places)
    marks.append(f'<polyline class="line" points="{line}" />')
    for at, point in places:
        spread = point["cpu_ns_per_event"]
        middle, low, high = y(spread["median"]), y(spread["low"]), y(spread["high"])
        above = high - 8 if high > _TOP + 14 else low + 18
        marks.append(
            f'<line class="whisker" x1="{at:.1f}" x2="{at:.1f}" y1="{low:.1f}" y2="{high:.1f}" />'
            f'<circle class="dot" cx="{at:.1f}" cy="{middle:.1f}" r="4" />'
            f'<text class="mark" x="{at:.1f}" y="{above:.1f}" text-anchor="middle">{number(spread["median"])} ns</text>'
            f'<text class="tick" x="{at:.1f}" y="{bottom + 16}" text-anchor="middle">{point["rules"]:,}</text>'
        )
    title = f'<text class="tick" x="{(_LEFT + _WIDTH - _RIGHT) / 2}" y="{height - 6}" text-anchor="middle">rules</text>'
    said = ", ".join(
        f"{point['rules']:,} rules {number(point['cpu_ns_per_event']['median'])} ns" for point in points
    )
    return _figure(height, "".join(marks) + title, f"Time for an event by number of rules: {said}")


_NAMES = {"p50": "median", "p90": "90 %", "p99": "99 %", "p999": "99.9 %", "max": "slowest"}


def percentiles(fastest: dict[str, float], every: dict[str, float]) -> str:
    """A row for each percentile: filled mark for the fastest call of each event, hollow for all calls."""
    row, left = 30, 62
    bottom = _TOP + row * len(_NAMES)
    values = [value for value in [*fastest.values(), *every.values()] if value > 0]
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    high = max(high, low + 1)

    def x(value: float) -> float:
        return left + (_WIDTH - left - _RIGHT) * (math.log10(max(value, 10.0**low)) - low) / (high - low)

    marks = []
    for power in range(low, high + 1):
        at = x(10.0**power)
        marks.append(
            f'<line class="grid" x1="{at:.1f}" x2="{at:.1f}" y1="{_TOP}" y2="{bottom}" />'
            f'<text class="tick" x="{at:.1f}" y="{bottom + 16}" text-anchor="middle">{_duration(10.0**power)}</text>'
        )
    for place, (key, name) in enumerate(_NAMES.items()):
        middle = _TOP + row * place + row / 2
        a, b = x(fastest[key]), x(every[key])
        marks.append(
            f'<text class="tick" x="{left - 8}" y="{middle + 4:.1f}" text-anchor="end">{name}</text>'
            f'<line class="link" x1="{a:.1f}" x2="{b:.1f}" y1="{middle:.1f}" y2="{middle:.1f}" />'
            f'<circle class="hollow" cx="{b:.1f}" cy="{middle:.1f}" r="4.5" />'
            f'<circle class="dot" cx="{a:.1f}" cy="{middle:.1f}" r="4" />'
        )
    said = ", ".join(f"{_NAMES[key]} {_duration(value)}" for key, value in fastest.items())
    return _figure(bottom + 24, "".join(marks), f"Latency of single calls: {said}")


def _duration(nanoseconds: float) -> str:
    for size, unit in ((1e9, "s"), (1e6, "ms"), (1e3, "µs")):
        if nanoseconds >= size:
            return f"{number(nanoseconds / size)} {unit}"
    return f"{number(nanoseconds)} ns"


def _rounded_up(value: float) -> float:
    """The next of 1, 2, 4, 8 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(max(value, 1e-9)))
    return next(step * power for step in (1, 2, 4, 8, 10) if step * power >= value)


def _figure(height: float, inside: str, said: str) -> str:
    return (
        f'<svg class="chart" viewBox="0 0 {_WIDTH} {height:.0f}" role="img" aria-label="{clean(said)}">'
        f"{inside}</svg>"
    )
