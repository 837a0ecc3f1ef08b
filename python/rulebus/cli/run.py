"""`rulebus run`: a router file as a process.

Relies on `rulebus.config` for the file and `rulebus.router` for the run. What people should know goes to standard error;
standard output is for log targets and for the final numbers with --json. Must never hide that something was refused.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import logging
import sys
import time
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import click

import rulebus.config as config_package
from rulebus.cli.inputs import InputError
from rulebus.cli.run_status import Screen
from rulebus.config.faults import ConfigError
from rulebus.config.schema import RouterConfig, read_router
from rulebus.config.text import router_text
from rulebus.errors import BusError

__all__ = ["read_router_file", "run"]


@click.command(short_help="Run a router file: events in, targets called.")
@click.argument("router", metavar="ROUTER.toml", required=False)
@click.option("--example", is_flag=True, help="Print a router file to begin with.")
@click.option("--check", "only_check", is_flag=True, help="Read and check the file, start nothing.")
@click.option(
    "--events",
    "-e",
    "event_files",
    multiple=True,
    metavar="FILE",
    help="JSON lines to put; '-' is standard input.",
)
@click.option(
    "--once", is_flag=True, help="End when FILE (or standard input) ends, whatever else brings events."
)
@click.option(
    "--drain",
    "drain_s",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    help="At the end, wait at most so long for deliveries. Default: as long as they take; after SIGTERM without retries.",
)
@click.option(
    "--status/--no-status", "screen", default=None, help="One screen of numbers. Default: on a terminal."
)
@click.option("--json", "as_json", is_flag=True, help="At the end, print the statistics as JSON.")
def run(
    router: str | None,
    example: bool,
    only_check: bool,
    event_files: tuple[str, ...],
    once: bool,
    drain_s: float | None,
    screen: bool | None,
    as_json: bool,
) -> int:
    """Run the buses, rules and targets of ROUTER.toml.

    Events are JSON lines: events as EventBridge delivers them (source, detail-type, detail) or entries as PutEvents
    takes them. They come from --events, and from what the file's [input] names: standard input, files as they grow, an
    HTTP endpoint. When these end, the run ends with the last delivery. SIGTERM and Ctrl-C end it as soon as the
    deliveries that can be made now are made: what waits for a retry stays in a durable store. SIGHUP reads the rules
    again without losing an event.

    The exit status is 1 when an event was refused or a line was none, 2 when the file is bad or the store cannot write.

    \b
    Examples:
      rulebus run --example > router.toml
      rulebus run router.toml --check
      rulebus run router.toml --events orders.jsonl
      tail -f app.log | rulebus run router.toml --events -
    """
    if example:
        click.echo(files(config_package).joinpath("example.toml").read_text(encoding="utf-8"), nl=False)
        return 0
    if router is None:
        raise click.UsageError("ROUTER.toml is missing; --example prints one to begin with")
    config = read_router_file(router)
    if only_check:
        counts = (
            (config.rules, "rule", "rules"),
            (config.targets, "target", "targets"),
            (config.buses, "bus", "buses"),
        )
        said = ", ".join(f"{len(of):,} {one if len(of) == 1 else many}" for of, one, many in counts)
        click.echo(f"{router} is good: {said}")
        return 0
    if once:
        config = dataclasses.replace(config, input=dataclasses.replace(config.input, files=(), http=None))
    on_screen = (sys.stderr is not None and sys.stderr.isatty()) if screen is None else screen
    with contextlib.ExitStack() as stack:
        streams = _streams(event_files or (("-",) if config.input.stdin else ()), stack)
        shown = Screen(str(config.file)) if on_screen else None
        logging.basicConfig(
            level=logging.INFO,
            handlers=[shown.handler() if shown is not None else logging.StreamHandler(sys.stderr)],
            format="%(asctime)s %(levelname)s %(name)s: %(message)s",
            datefmt=None if shown is None else "%H:%M:%S",
        )
        try:
            return asyncio.run(_run(config, streams, drain_s, shown, once, as_json))
        except BusError as error:
            raise InputError(f"rulebus: {error}") from None


def read_router_file(path: str) -> RouterConfig:
    """A router file; every fault is reported before giving up."""
    try:
        return read_router(router_text(Path(path)), Path(path))
    except OSError as error:
        raise InputError(f"rulebus: cannot read {path}: {error.strerror}") from None
    except ConfigError as error:
        raise InputError(str(error)) from None


def _streams(names: Sequence[str], stack: contextlib.ExitStack) -> list[tuple[str, Any]]:
    """What is to be read to its end, by name."""
    streams: list[tuple[str, Any]] = []
    for name in names:
        if name == "-":
            if sys.stdin is None:
                raise InputError("rulebus: cannot read standard input: it is closed")
            streams.append(("stdin", sys.stdin.buffer))
            continue
        try:
            file = stack.enter_context(open(name, "rb"))  # noqa: SIM115 - the stack closes it
            streams.append((name, file))
        except OSError as error:
            raise InputError(f"rulebus: cannot read {name}: {error.strerror}") from None
    return streams


async def _run(
    config: RouterConfig,
    streams: list[tuple[str, Any]],
    drain_s: float | None,
    shown: Screen | None,
    once: bool,
    as_json: bool,
) -> int:
    from rulebus.router.service import Service

    service = Service(config, shown.say if shown else _say, drain_s=drain_s)
    if not (
        streams or config.input.files or config.input.http or any(rule.schedule for rule in config.rules)
    ):
        _say("nothing brings events: neither --events, nor [input], nor a schedule")
    begun = time.monotonic()
    if shown is None:
        status = await service.run(streams, once=once)
    else:
        async with shown.following(service):
            status = await service.run(streams, once=once)
    _summary(service, time.monotonic() - begun, as_json)
    return status


def _say(line: str) -> None:
    # Whoever read the log may be gone; the events go on.
    with contextlib.suppress(OSError):
        click.echo(f"{time.strftime('%H:%M:%S')} {line}", err=True)


def _summary(service: Any, seconds: float, as_json: bool) -> None:
    """What came in, what was delivered, and where the rest is."""
    counts, report = service.counts, service.report
    total = service.final.total if service.final is not None else None
    if as_json:
        click.echo(
            json.dumps(
                {
                    "accepted": counts.accepted,
                    "refused": counts.refused,
                    "bad_lines": counts.bad_lines,
                    "seconds": round(seconds, 3),
                    "pending": report.pending if report else 0,
                    "lost": report.lost if report else 0,
                    "dead_letters_stored": report.dead_letters if report else 0,
                    "deliveries": total.created if total else 0,
                    "successes": total.successes if total else 0,
                    "retries": total.retries if total else 0,
                    "dead_letters": total.dead_letters if total else 0,
                }
            )
        )
        return
    line = f"{counts.accepted:,} events in"
    if total is not None:
        line += f", {total.successes:,} of {total.created:,} deliveries made, {total.retries:,} retries"
        line += f", {total.dead_letters:,} dead letters"
    if counts.refused or counts.bad_lines:
        line += f"; {counts.refused:,} events refused, {counts.bad_lines:,} bad lines"
    if report is not None and report.pending:
        where = "wait in the store" if report.durable else "LOST: the store is memory"
        line += f"; {report.pending:,} deliveries {where}"
    with contextlib.suppress(OSError):
        click.echo(line, err=True)
