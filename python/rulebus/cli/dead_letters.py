"""`rulebus dead-letters`: what was given up, in a store file: list it, look at one, send it again.

Relies on `store_file`. Listing works beside a running bus; sending again needs the file.
"""

from __future__ import annotations

import itertools
import json
import sys

import click

from rulebus.cli.inputs import InputError
from rulebus.cli.store_file import chosen, letter_options, open_reader, refusing, run_router, stamp
from rulebus.cli.terminal import human, table
from rulebus.dead_letter import DeadLetter

__all__ = ["dead_letters"]

_BATCH = 500


@click.group("dead-letters", short_help="List, show and resend what was given up.")
def dead_letters() -> None:
    """Work with the dead letters in a store file.

    \b
    Examples:
      rulebus dead-letters list orders.db --rule billing
      rulebus dead-letters show orders.db 17
      rulebus dead-letters redrive orders.db --reason HTTP_503 --dry-run
      rulebus dead-letters redrive orders.db --router router.toml
    """


@dead_letters.command("list", short_help="One line for each dead letter.")
@click.argument("store", metavar="STORE")
@letter_options
@click.option("--limit", type=click.IntRange(min=1), default=100, show_default=True, help="At most so many.")
@click.option("--json", "as_json", is_flag=True, help="JSON lines; the default unless on a terminal.")
def list_letters(
    store: str,
    bus: str | None,
    rule: str | None,
    target: str | None,
    reason: str | None,
    limit: int,
    as_json: bool,
) -> int:
    """List the dead letters of STORE, oldest first, also while a bus works with it."""
    with refusing():
        reader = open_reader(store)
        found = list(itertools.islice(chosen(reader, bus, rule, target, reason), limit))
        count = reader.count_dead_letters()
        reader.close()
    if as_json or not sys.stdout.isatty():
        for letter in found:
            click.echo(json.dumps(_line(letter), ensure_ascii=False).encode("utf-8", "backslashreplace"))
        return 0
    if found:
        rows = [
            (
                str(one.id),
                stamp(one.dead_at),
                one.event.bus,
                one.rule,
                one.target,
                one.reason,
                str(len(one.attempts)),
            )
            for one in found
        ]
        table("Dead letters", rows, head=("id", "given up", "bus", "rule", "target", "reason", "tries"))
    click.echo(f"{human(len(found))} of {human(count)} dead letters")
    return 0


@dead_letters.command("show", short_help="Everything about one dead letter.")
@click.argument("store", metavar="STORE")
@click.argument("number", metavar="ID", type=click.IntRange(min=1))
def show(store: str, number: int) -> int:
    """Print the dead letter with that id: event, input, reason, and every try."""
    with refusing():
        reader = open_reader(store)
        found = reader.dead_letters(number - 1, 1)
        reader.close()
    if not found or found[0].id != number:
        raise InputError(f"rulebus: {store} has no dead letter {number}")
    text = json.dumps(found[0].to_dict(), indent=2, ensure_ascii=False)
    click.echo(text.encode("utf-8", "backslashreplace"))
    return 0


@dead_letters.command("redrive", short_help="Send dead letters again.")
@click.argument("store", metavar="STORE")
@letter_options
@click.option(
    "--id", "numbers", type=int, multiple=True, metavar="ID", help="Only this one; may be repeated."
)
@click.option(
    "--rate", "rate_per_s", type=click.FloatRange(min=0, min_open=True), help="At most so many a second."
)
@click.option("--router", metavar="ROUTER.toml", help="Deliver them now, with the targets of this file.")
@click.option(
    "--drain", "drain_s", type=click.FloatRange(min=0), metavar="SECONDS", help="Wait at most so long."
)
@click.option("--dry-run", is_flag=True, help="Only say how many there are.")
def redrive(
    store: str,
    bus: str | None,
    rule: str | None,
    target: str | None,
    reason: str | None,
    numbers: tuple[int, ...],
    rate_per_s: float | None,
    router: str | None,
    drain_s: float | None,
    dry_run: bool,
) -> int:
    """Send dead letters of STORE again: each becomes a new delivery of the same event to the same target.

    With --router they are delivered now. Without, they wait in the store for the next start of its bus. Needs the store
    for itself: while a bus works with it this is refused (use `bus.redrive()` there).
    """

    def wanted(letter: DeadLetter) -> bool:
        return not numbers or letter.id in numbers

    if dry_run:
        with refusing():
            reader = open_reader(store)
            count = sum(wanted(letter) for letter in chosen(reader, bus, rule, target, reason))
            reader.close()
        click.echo(json.dumps({"would_send": count}))
        return 0
    if router is None:
        if rate_per_s is not None:
            raise click.UsageError("--rate needs --router: without it nothing is sent now")
        with refusing():
            open_reader(store).close()
            click.echo(json.dumps({"put_back": _put_back(store, (bus, rule, target, reason), wanted)}))
        return 0

    async def work(running: object) -> None:
        from rulebus.bus.async_event_bus import AsyncEventBus

        assert isinstance(running, AsyncEventBus)
        sent = left = 0
        for name in running.buses() if bus is None else [bus]:
            result = await running.bus(name).redrive(
                rule=rule, target=target, reason=reason, where=wanted, rate_per_s=rate_per_s
            )
            sent += result.sent
            left += result.matched - result.sent
        click.echo(json.dumps({"sent": sent, "left": left}))

    with refusing():
        open_reader(store).close()
        return run_router(router, store, work, drain_s)


def _put_back(
    path: str, options: tuple[str | None, str | None, str | None, str | None], wanted: object
) -> int:
    """Makes pending deliveries of dead letters again, for the next start of the bus."""
    import time

    from rulebus.event import AcceptedEvent
    from rulebus.stores.protocol import Changes
    from rulebus.stores.sqlite import SqliteStore

    assert callable(wanted)
    store = SqliteStore(path)
    store.recover()
    try:
        count = 0
        letters = (letter for letter in chosen(store, *options) if wanted(letter))
        while batch := list(itertools.islice(letters, _BATCH)):
            changes = Changes()
            for letter in batch:
                old = letter.event
                # Accepted anew: its age, which bounds its retries, begins again.
                event = AcceptedEvent(old.bus, old.id, old.body, time.time(), old.hops, old.replay)
                number = store.number((old.bus, letter.rule, letter.target))
                changes.appended.append((event, (number,)))
                changes.buried.append(letter.id)
            store.write(changes).result()
            count += len(batch)
        return count
    finally:
        store.close()


def _line(letter: DeadLetter) -> dict[str, object]:
    return {
        "id": letter.id,
        "dead_at": stamp(letter.dead_at),
        "bus": letter.event.bus,
        "rule": letter.rule,
        "target": letter.target,
        "reason": letter.reason,
        "message": letter.message,
        "exhausted": letter.exhausted,
        "tries": len(letter.attempts),
        "event_id": letter.event.id,
    }
