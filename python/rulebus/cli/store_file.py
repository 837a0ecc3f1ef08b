"""What the commands on a store file share: opening it, choosing dead letters, running a router on it for one piece of work.

Relies on `stores.sqlite`. Reading works beside a running bus; whatever writes needs the file for itself and is refused
with a clear sentence while a bus holds it.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import math
import sys
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from rulebus.bus.async_event_bus import AsyncEventBus
from rulebus.cli.inputs import InputError
from rulebus.cli.run import read_router_file
from rulebus.config.rules import FileRule
from rulebus.config.schema import StoreConfig
from rulebus.dead_letter import DeadLetter
from rulebus.errors import BusError
from rulebus.stores.sqlite import SqliteReader, SqliteStore

__all__ = ["chosen", "letter_options", "moment", "open_reader", "refusing", "run_router", "stamp"]

_PAGE = 500
_NOTHING = '{"source":[{"exists":false}]}'
"""A pattern that no event matches, since each has a source."""


class refusing:
    """Turns the bus's errors into reports with exit status 2."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, BusError):
            hint = ""
            if error.code == "store-in-use":
                hint = "\n  stop the bus that has it first; list and show work beside it"
            raise InputError(f"rulebus: {error}{hint}") from None


def open_reader(path: str) -> SqliteReader:
    """A store file, read only."""
    if not Path(path).exists():
        raise InputError(f"rulebus: there is no store at {path}")
    return SqliteStore.open_reader(path)


def letter_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that choose dead letters."""
    for option in (
        click.option("--reason", metavar="CODE", help="Only letters with this reason, such as HTTP_503."),
        click.option("--target", metavar="ID", help="Only letters of the target with this id."),
        click.option("--rule", metavar="NAME", help="Only letters of this rule."),
        click.option("--bus", metavar="NAME", help="Only letters of this bus."),
    ):
        command = option(command)
    return command


def chosen(
    reader: SqliteReader | SqliteStore,
    bus: str | None,
    rule: str | None,
    target: str | None,
    reason: str | None,
) -> Iterator[DeadLetter]:
    """The dead letters that the options choose, by id."""
    after = 0
    while page := reader.dead_letters(after, _PAGE):
        after = page[-1].id
        for letter in page:
            if (
                bus in (None, letter.event.bus)
                and rule in (None, letter.rule)
                and target in (None, letter.target)
                and reason in (None, letter.reason)
            ):
                yield letter


def stamp(seconds: float) -> str:
    """A moment as people and ISO 8601 write it.

    >>> stamp(1795664285.25)
    '2026-11-26T03:38:05Z'
    """
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _without_schedule(rule: FileRule) -> FileRule:
    """The rule with its targets, for what is sent to them by name; it makes no events of its own."""
    if rule.schedule is None:
        return rule
    return dataclasses.replace(rule, schedule=None, pattern=rule.pattern or _NOTHING)


def moment(context: click.Context, option: click.Parameter, text: str | None) -> float | None:
    """A moment on the command line: ISO 8601 (UTC unless it says otherwise), or seconds since 1970."""
    if text is None:
        return None
    try:
        seconds = float(text)
    except ValueError:
        pass
    else:
        if math.isfinite(seconds):
            return seconds
    try:
        read = datetime.fromisoformat(text)
        return (read if read.tzinfo is not None else read.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise click.BadParameter(
            f"{text!r} is no moment; write 2026-11-26T03:38:05Z or seconds since 1970"
        ) from None


def run_router(
    router: str, store: str, work: Callable[[AsyncEventBus], Awaitable[None]], drain_s: float | None
) -> int:
    """Runs a router file on a store without its inputs and schedules, does the work, and drains."""
    config = read_router_file(router)
    config = dataclasses.replace(
        config,
        rules=tuple(_without_schedule(rule) for rule in config.rules),
        store=StoreConfig(Path(store)),
        input=dataclasses.replace(config.input, stdin=False, files=(), http=None),
    )
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s")

    async def main() -> int:
        from rulebus.router.service import Service

        service = Service(config, lambda line: click.echo(line, err=True), drain_s=drain_s)
        return await service.run(work=work)

    return asyncio.run(main())
