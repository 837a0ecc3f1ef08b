"""What people see: progress for work over a second, tables, numbers; through rich when it is installed.

Relies on nothing but click's echo otherwise; must never write to standard output while data goes there.
"""

from __future__ import annotations

import importlib.util
import shutil
import sys
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any

import click

__all__ = ["Progress", "console", "human", "table"]

_PATIENCE_S = 1.0
_EVERY_S = 0.1


def console() -> Any:
    """rich's console for standard output, at most 100 columns wide, or None when rich is not installed."""
    if importlib.util.find_spec("rich") is None:
        return None
    from rich.console import Console

    columns = shutil.get_terminal_size((100, 24)).columns if sys.stdout.isatty() else 100
    return Console(width=min(100, columns), highlight=False)


def human(number: float) -> str:
    """A number of three or four digits that count: 1,234 or 12.3 or 0.05.

    >>> human(1234567.8), human(56.78), human(0.0456)
    ('1,234,568', '56.8', '0.046')
    """
    if abs(number) >= 1000 or number == int(number):
        return f"{number:,.0f}"
    return f"{number:.1f}" if abs(number) >= 10 else f"{number:.2g}"


def table(title: str, rows: Sequence[tuple[str, ...]], *, head: tuple[str, ...] = ()) -> None:
    """Print rows: the first column to the left, the others to the right."""
    if screen := console():
        from rich.box import SIMPLE_HEAD
        from rich.table import Table

        shown = Table(
            title=title,
            title_justify="left",
            title_style="bold",
            box=SIMPLE_HEAD,
            show_header=bool(head),
            pad_edge=False,
        )
        for column, name in enumerate(head or [""] * len(rows[0])):
            shown.add_column(
                name, justify="right" if column else "left", style="cyan" if not column else None
            )
        for row in rows:
            shown.add_row(*row)
        screen.print(shown)
        return
    widths = [
        max(len(row[column]) for row in [*rows, *([head] if head else [])]) for column in range(len(rows[0]))
    ]
    rule = "  ".join("-" * width for width in widths)
    click.echo(f"{title}\n{rule}")
    for row in [*([head] if head else []), *rows]:
        cells = [
            cell.rjust(width) if column else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        click.echo("  ".join(cells).rstrip())
        if row is head:
            click.echo(rule)
    click.echo()


class Progress:
    """A bar on standard error, if that is a terminal, from the moment the work has taken a second."""

    def __init__(
        self, label: str, total: int | None, *, patience_s: float = _PATIENCE_S, shown: bool = True
    ) -> None:
        self.label, self.total, self.done = label, total, 0
        self._begin = time.monotonic()
        self._next = self._begin + patience_s if shown and sys.stderr.isatty() else float("inf")
        self._bar: Any = None
        self._drawn = False

    def __enter__(self) -> Progress:
        return self

    def advance(self, amount: int) -> None:
        """Count work as done."""
        self.done += amount
        now = time.monotonic()
        if now >= self._next:
            self._next = now + _EVERY_S
            self._draw()

    def _draw(self) -> None:
        self._drawn = True
        if importlib.util.find_spec("rich") is None:
            part = self.done / self.total if self.total else None
            bar = f"[{'#' * int(30 * part):30}] {100 * part:3.0f} %" if part is not None else f"{self.done:,}"
            click.echo(f"\r{self.label} {bar}", nl=False, err=True)
            return
        if self._bar is None:
            self._bar = self._start_rich()
        self._bar.update(self._bar.task_ids[0], completed=self.done)

    def _start_rich(self) -> Any:
        from rich.console import Console
        from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Bar

        columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
        bar = Bar(*columns, console=Console(stderr=True), transient=True)
        bar.add_task(self.label, total=self.total)
        bar.start()
        return bar

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
        elif self._drawn:
            click.echo("\r" + " " * (len(self.label) + 40) + "\r", nl=False, err=True)
