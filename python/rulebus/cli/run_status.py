"""The screen of `rulebus run`: rates, queues, retries and dead letters of every target, on one screen.

Through rich when it is installed, else as plain lines every few seconds. Relies on the service's statistics; only reads.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import time
from collections import deque
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import click

from rulebus.cli.terminal import human
from rulebus.statistics import BusStatistics, TargetStatistics

if TYPE_CHECKING:
    from rulebus.router.service import Service

__all__ = ["Screen"]

_EVERY_S = 0.5
_PLAIN_EVERY_S = 10.0
_MOST_ROWS = 24


class Screen:
    """Shows a service while it runs."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._said: deque[str] = deque(maxlen=6)
        self._live: Any = None
        self._before: tuple[float, dict[tuple[str, str, str], int], int] = (time.monotonic(), {}, 0)

    def say(self, line: str) -> None:
        """A line for people: at the foot of the screen, or plain."""
        stamped = f"{time.strftime('%H:%M:%S')} {line}"
        if self._live is None:
            click.echo(stamped, err=True)
        else:
            self._said.extend(stamped.split("\n"))

    @contextlib.asynccontextmanager
    async def following(self, service: Service) -> AsyncIterator[None]:
        """Shows the service's numbers for the length of the block."""
        if importlib.util.find_spec("rich") is None:
            task = asyncio.create_task(self._plain(service))
            try:
                yield
            finally:
                task.cancel()
            return
        from rich.console import Console
        from rich.live import Live

        with Live(console=Console(stderr=True), refresh_per_second=4, transient=False) as live:
            self._live = live
            task = asyncio.create_task(self._draw(service))
            try:
                yield
            finally:
                task.cancel()
                live.update(self._picture(service))
                self._live = None

    async def _draw(self, service: Service) -> None:
        while True:
            self._live.update(self._picture(service))
            await asyncio.sleep(_EVERY_S)

    async def _plain(self, service: Service) -> None:
        while True:
            await asyncio.sleep(_PLAIN_EVERY_S)
            total = service.statistics().total
            self.say(
                f"{service.counts.accepted:,} events, {total.successes:,} delivered, {total.pending:,} pending, "
                f"{total.retries:,} retries, {total.dead_letters:,} dead letters"
            )

    def _picture(self, service: Service) -> Any:
        from rich.console import Group
        from rich.text import Text

        now = time.monotonic()
        statistics = service.statistics()
        then, successes, accepted = self._before
        seconds = max(now - then, 1e-9)
        rates = {
            _key(one): (one.successes - successes.get(_key(one), 0)) / seconds for one in statistics.targets
        }
        arriving = (service.counts.accepted - accepted) / seconds
        self._before = now, {_key(one): one.successes for one in statistics.targets}, service.counts.accepted
        head = Text.assemble(
            (self._title, "bold"),
            f"   {human(service.counts.accepted)} events in ({human(round(arriving, 1))}/s)",
            f"   unmatched {human(statistics.unmatched)}",
            (f"   refused {human(service.counts.refused)}", "red" if service.counts.refused else ""),
            (f"   bad lines {human(service.counts.bad_lines)}", "red" if service.counts.bad_lines else ""),
        )
        foot = [Text(line, style="dim", overflow="ellipsis", no_wrap=True) for line in self._said]
        return Group(head, _table(statistics, rates), *foot)


def _key(one: TargetStatistics) -> tuple[str, str, str]:
    return one.bus, one.rule, one.target


def _table(statistics: BusStatistics, rates: dict[tuple[str, str, str], float]) -> Any:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, pad_edge=False, expand=False)
    for name in ("bus", "rule", "target"):
        table.add_column(name, overflow="ellipsis", no_wrap=True)
    for name in ("delivered", "/s", "queue", "oldest", "now", "retries", "dead", "p50", "p99"):
        table.add_column(name, justify="right", no_wrap=True)
    rows = sorted(statistics.targets, key=lambda one: (-one.pending, -one.successes))
    for one in rows[:_MOST_ROWS]:
        table.add_row(
            one.bus, one.rule, one.target, human(one.successes), human(round(rates[_key(one)], 1)), human(one.pending),
            _span(one.oldest_pending_s) if one.pending else "", str(one.in_flight or ""), human(one.retries),
            f"[red]{human(one.dead_letters)}[/red]" if one.dead_letters else "0",
            _span(one.success.quantile_s(0.5)), _span(one.success.quantile_s(0.99)),
        )  # fmt: skip
    if len(rows) > _MOST_ROWS:
        table.add_row("", f"… {len(rows) - _MOST_ROWS} more", *[""] * 10)
    return table


def _span(seconds: float) -> str:
    """A duration in three digits.

    >>> [_span(s) for s in (0.0, 0.00042, 0.0123, 3.21, 7300.0)]
    ['', '0.42 ms', '12 ms', '3.2 s', '2.0 h']
    """
    if seconds <= 0.0:
        return ""
    if seconds < 0.001:
        return f"{seconds * 1e3:.2f} ms"
    if seconds < 1.0:
        return f"{seconds * 1e3:.0f} ms"
    if seconds < 120.0:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200.0 else f"{seconds / 3600:.1f} h"
