"""`rulebus archive`: what a store file keeps of the past: list it, read it, put it on a bus again.

Relies on `store_file`. Listing and reading work beside a running bus; a replay needs the file and a router file, whose
rules and targets get the events.
"""

from __future__ import annotations

import json
import math
import sys

import click

from rulebus.archive import Archive, Match, ReplayPreview
from rulebus.archive.preview import preview
from rulebus.bus.async_event_bus import AsyncEventBus
from rulebus.cli.inputs import InputError
from rulebus.cli.run import read_router_file
from rulebus.cli.store_file import moment, open_reader, refusing, run_router, stamp
from rulebus.cli.terminal import Progress, human, table
from rulebus.config.schema import RouterConfig
from rulebus.matcher import Matcher

__all__ = ["archive"]

_WINDOW = (
    click.option(
        "--from", "start", callback=moment, metavar="TIME", help="First moment, by the events' own time."
    ),
    click.option(
        "--until", "end", callback=moment, metavar="TIME", help="First moment that no longer counts."
    ),
)


@click.group(short_help="List, read and replay what archives keep.")
def archive() -> None:
    """Work with the archives in a store file. Times are ISO 8601 (UTC) or seconds since 1970.

    \b
    Examples:
      rulebus archive list orders.db
      rulebus archive events orders.db all-orders --from 2026-11-01
      rulebus archive replay orders.db all-orders --router router.toml --rule analytics --dry-run
    """


@archive.command("list", short_help="The archives, with how much they keep.")
@click.argument("store", metavar="STORE")
@click.option("--json", "as_json", is_flag=True, help="JSON lines; the default unless on a terminal.")
def list_archives(store: str, as_json: bool) -> int:
    """List the archives of STORE, also while a bus works with it. Counting reads every archived event."""
    lines = []
    with refusing():
        reader = open_reader(store)
        with Progress("counting", None) as progress:
            for name, document in reader.documents("archive").items():
                kept = Archive.from_json(document)
                count = size = 0
                for _, event in reader.archived(name, -math.inf, math.inf):
                    count += 1
                    size += len(event.body)
                    progress.advance(1)
                lines.append(
                    {"name": name, "bus": kept.bus, "pattern": kept.pattern, "retention_days": kept.retention_days,
                     "events": count, "events_bytes": size}
                )  # fmt: skip
        reader.close()
    if as_json or not sys.stdout.isatty():
        for line in lines:
            click.echo(json.dumps(line, ensure_ascii=False))
        return 0
    if not lines:
        click.echo("no archives")
        return 0
    rows = [
        (str(one["name"]), str(one["bus"]), human(float(str(one["events"]))), f"{int(str(one['events_bytes'])) / 1e6:.1f} MB",
         f"{one['retention_days']} days" if one["retention_days"] else "for ever")
        for one in lines
    ]  # fmt: skip
    table("Archives", rows, head=("archive", "bus", "events", "size", "kept"))
    return 0


@archive.command("events", short_help="Print archived events as JSON lines.")
@click.argument("store", metavar="STORE")
@click.argument("name", metavar="ARCHIVE")
@_WINDOW[0]
@_WINDOW[1]
def events(store: str, name: str, start: float | None, end: float | None) -> int:
    """Print the events of ARCHIVE as JSON lines, by their time; also while a bus works with the store."""
    with refusing():
        reader = open_reader(store)
        _check(reader.documents("archive"), name, store)
        low, high = _window(start, end)
        for _, event in reader.archived(name, low, high):
            sys.stdout.buffer.write(event.body + b"\n")
        reader.close()
    sys.stdout.buffer.flush()
    return 0


@archive.command("replay", short_help="Put archived events on a bus again.")
@click.argument("store", metavar="STORE")
@click.argument("name", metavar="ARCHIVE")
@click.option("--router", required=True, metavar="ROUTER.toml", help="Its rules and targets get the events.")
@_WINDOW[0]
@_WINDOW[1]
@click.option("--bus", metavar="NAME", help="The bus to put them on. Default: the archive's own.")
@click.option(
    "--rule", "rules", multiple=True, metavar="NAME", help="Only this rule gets them; may be repeated."
)
@click.option(
    "--speed", type=click.FloatRange(min=0, min_open=True), help="So many times faster than they happened."
)
@click.option(
    "--rate", "rate_per_s", type=click.FloatRange(min=0, min_open=True), help="At most so many a second."
)
@click.option(
    "--drain", "drain_s", type=click.FloatRange(min=0), metavar="SECONDS", help="Wait at most so long."
)
@click.option("--dry-run", is_flag=True, help="Say what would match and be delivered; deliver nothing.")
def replay(
    store: str,
    name: str,
    router: str,
    start: float | None,
    end: float | None,
    bus: str | None,
    rules: tuple[str, ...],
    speed: float | None,
    rate_per_s: float | None,
    drain_s: float | None,
    dry_run: bool,
) -> int:
    """Put the events of ARCHIVE on a bus of ROUTER.toml again, in the order of their time.

    Events keep their ids and carry replay-name. A replay that was cut short goes on with the next start of the bus.
    Needs the store for itself: while a bus works with it this is refused (use `bus.replay()` there). The dry run only
    reads, and works beside it.
    """
    low, high = _window(start, end)
    chosen = list(rules) or None
    with refusing():
        reader = open_reader(store)
        kept = _check(reader.documents("archive"), name, store)
        config = read_router_file(router)
        to = _bus_of(config, bus or kept.bus, rules)
        if dry_run:
            seen = preview(reader, _routes(config), name, low, high, to, rules or None, name)
            reader.close()
            click.echo(json.dumps(_preview_line(seen)))
            return 0
        reader.close()

    async def work(running: AsyncEventBus) -> None:
        begun = await running.replay(
            name, low, high, to=bus, rules=chosen, speed=speed, rate_per_s=rate_per_s
        )
        status = await running.wait_replay(begun.name)
        shown = {
            "replay": status.name,
            "state": status.state,
            "events": status.events,
            "reason": status.reason,
        }
        click.echo(json.dumps(shown))
        if status.state != "COMPLETED":
            raise InputError(f"rulebus: the replay {status.name} ended as {status.state}: {status.reason}")

    with refusing():
        return run_router(router, store, work, drain_s)


def _routes(config: RouterConfig) -> Match:
    """Where events would go by a router file, without a bus: nothing of it is opened, nothing pending is touched."""
    targets = {
        (rule.bus, rule.name): tuple(str(one.options["id"]) for one in rule.subscriptions)
        for rule in config.rules
    }
    matchers: dict[str, Matcher] = {}

    def match(
        bus: str, envelopes: list[bytes], rules: tuple[str, ...] | None
    ) -> list[list[tuple[str, tuple[str, ...]]]]:
        if bus not in matchers:
            matchers[bus] = Matcher(
                {
                    rule.name: rule.pattern
                    for rule in config.rules
                    if rule.bus == bus and rule.pattern is not None and rule.state == "ENABLED"
                },
                validation="trusted",
            )
        return [
            []
            if isinstance(found, Exception)
            else [(rule, targets[bus, rule]) for rule in found if rules is None or rule in rules]
            for found in matchers[bus].match_many(envelopes)
        ]

    return match


def _bus_of(config: RouterConfig, bus: str, rules: tuple[str, ...]) -> str:
    """The bus, if the file has it and the rules that are asked for."""
    if bus not in config.buses:
        raise InputError(f"rulebus: {config.file} has no bus {bus!r}; it has {', '.join(config.buses)}")
    known = [rule.name for rule in config.rules if rule.bus == bus]
    for rule in rules:
        if rule not in known:
            raise InputError(
                f"rulebus: the bus {bus} of {config.file} has no rule {rule!r}; it has {', '.join(known) or '(none)'}"
            )
    return bus


def _preview_line(seen: ReplayPreview) -> dict[str, object]:
    first, last = seen.first_event_time, seen.last_event_time
    return {
        "events": seen.events,
        "matched": seen.matched,
        "unmatched": seen.unmatched,
        "deliveries": seen.deliveries,
        "rules": seen.rules,
        "targets": {f"{rule}/{target}": count for (rule, target), count in seen.targets.items()},
        "first": None if first is None else stamp(first),
        "last": None if last is None else stamp(last),
    }


def _check(archives: dict[str, bytes], name: str, store: str) -> Archive:
    if name not in archives:
        known = ", ".join(archives) or "(none)"
        raise InputError(f"rulebus: {store} has no archive {name!r}; it has {known}")
    return Archive.from_json(archives[name])


def _window(start: float | None, end: float | None) -> tuple[float, float]:
    return (-math.inf if start is None else start, math.inf if end is None else end)
