"""The screen of `rulebus run`: rates, queues, retries and dead letters of every target, on one screen.

Through rich when it is installed, else as plain lines every few seconds. Relies on the service's statistics; only reads.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import logging
import time
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from rulebus.cli.terminal import human
from rulebus.statistics import BusStatistics, TargetStatistics

if TYPE_CHECKING:
    from rulebus.router.service import Service

__all__ = ["Screen"]

_EVERY_S = 0.5
_PLAIN_EVERY_S = 10.0
_MOST_ROWS = 24
_LEAST_NAME = 6


class Screen:
    """Shows a service while it runs."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._live: Any = None
        self._before: tuple[float, dict[tuple[str, str, str], int], int] = (time.monotonic(), {}, 0)

    def say(self, line: str) -> None:
        """A line for people: it stays above the numbers, which move down."""
        self._tell(f"{time.strftime('%H:%M:%S')} {line}")

    def _tell(self, line: str) -> None:
        with contextlib.suppress(OSError):  # the terminal may be gone
            if self._live is None:
                click.echo(line, err=True)
                return
            from rich.text import Text

            self._live.console.print(Text(line), soft_wrap=True)

    def handler(self) -> logging.Handler:
        """What brings log records onto the screen, those of log targets too; written past it they would tear it."""
        return _LogLines(self._tell)

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
        return Group(head, _table(statistics, rates, self._live.console.width))


class _LogLines(logging.Handler):
    """Log records as lines of the screen."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        super().__init__()
        self._tell = tell

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._tell(self.format(record))
        except Exception:
            self.handleError(record)


def _key(one: TargetStatistics) -> tuple[str, str, str]:
    return one.bus, one.rule, one.target


def _table(statistics: BusStatistics, rates: dict[tuple[str, str, str], float], width: int) -> Any:
    """The targets, the fullest queues first; with the columns that the terminal has room for."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    rows = sorted(statistics.targets, key=lambda one: (-one.pending, -one.successes))
    shown = rows[:_MOST_ROWS]
    table = Table(box=SIMPLE_HEAD, pad_edge=False, expand=False)
    columns = [column for column in _COLUMNS if column.least <= width <= column.most]
    cells = [[column.cell(one, rates[_key(one)]) for one in shown] for column in columns]
    widths = [max(map(len, (column.name, *texts))) for column, texts in zip(columns, cells, strict=True)]
    _fit(widths, [at for at, column in enumerate(columns) if not column.is_number], width)
    for column, most in zip(columns, widths, strict=True):
        table.add_column(
            column.name,
            justify="right" if column.is_number else "left",
            overflow="ellipsis",
            no_wrap=True,
            width=most,
        )
    for at, one in enumerate(shown):
        table.add_row(*(texts[at] for texts in cells), style="red" if one.dead_letters else None)
    if len(rows) > len(shown):
        table.add_row(f"… {len(rows) - len(shown)} more")
    return table


def _fit(widths: list[int], names: list[int], width: int) -> None:
    """Narrows the columns of names until a row fits. Numbers do not give way: half a number is a wrong one."""
    room = width - 2 - 3 * (len(widths) - 1)
    while sum(widths) > room:
        widest = max(names, key=lambda at: widths[at])
        if widths[widest] <= _LEAST_NAME:
            return
        widths[widest] -= 1


class _Column(NamedTuple):
    """One column of the screen, and how wide the terminal must be for it."""

    name: str
    cell: Callable[[TargetStatistics, float], str]
    least: int = 0
    most: int = 1 << 30
    is_number: bool = True


_COLUMNS = (
    _Column("target", lambda one, rate: f"{one.rule}/{one.target}", most=59, is_number=False),
    _Column("bus", lambda one, rate: one.bus, least=100, is_number=False),
    _Column("rule", lambda one, rate: one.rule, least=60, is_number=False),
    _Column("target", lambda one, rate: one.target, least=60, is_number=False),
    _Column("done", lambda one, rate: human(one.successes)),
    _Column("/s", lambda one, rate: human(round(rate, 1)), least=60),
    _Column("queue", lambda one, rate: human(one.pending)),
    _Column("oldest", lambda one, rate: _span(one.oldest_pending_s) if one.pending else "", least=80),
    _Column("now", lambda one, rate: str(one.in_flight or ""), least=100),
    _Column("retries", lambda one, rate: human(one.retries), least=80),
    _Column("dead", lambda one, rate: human(one.dead_letters)),
    _Column("p50", lambda one, rate: _span(one.success.quantile_s(0.5)), least=100),
    _Column("p99", lambda one, rate: _span(one.success.quantile_s(0.99)), least=80),
)


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
