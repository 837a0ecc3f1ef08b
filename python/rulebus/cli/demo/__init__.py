"""`rulebus demo`: the shop, live on a bus, and then the engine on a few hundred thousand events.

`shop` is the story (`services` are its four services), `engine` the throughput. Must never show a figure that was not
measured in this very run, and ends with exit status 1 if the shop's counters do not add up.
"""

from __future__ import annotations

import json
from typing import Any

import click

from rulebus.cli.demo.engine import run_engine
from rulebus.cli.demo.shop import run_shop

__all__ = ["demo"]


@click.command(short_help="A shop on a bus, live; then the engine's throughput.")
@click.option(
    "--part",
    type=click.Choice(["all", "shop", "engine"]),
    default="all",
    show_default=True,
    help="What to show.",
)
@click.option(
    "--orders", type=click.IntRange(min=10), default=150, show_default=True, help="The shop's orders."
)
@click.option(
    "--rules",
    "rule_count",
    type=click.IntRange(min=10),
    default=3_000,
    show_default=True,
    help="The engine's rules.",
)
@click.option(
    "--events", type=click.IntRange(min=1), default=250_000, show_default=True, help="The engine's events."
)
@click.option(
    "--seed", type=int, default=1, show_default=True, help="Another seed gives other orders and events."
)
@click.option(
    "--threads",
    type=click.IntRange(min=0),
    default=1,
    show_default=True,
    help="The engine's; 0: one per processor.",
)
@click.option("--json", "as_json", is_flag=True, help="The figures as one JSON object.")
def demo(part: str, orders: int, rule_count: int, events: int, seed: int, threads: int, as_json: bool) -> int:
    """Show what the bus and its engine do.

    The shop: customers place orders; billing (which fails every third call), warehouse (strictly in order), e-mail
    (paid orders only) and analytics (slow) work on them; first called one after another, then through the bus. It ends
    with retries, dead letters, a redrive, a replay for a newcomer, and every counter adding up.

    The engine: realistic rules and events in EventBridge's envelope, routed before your eyes; and the answer to a
    question that every bus is asked: why did this rule not match that event?

    \b
    Examples:
      rulebus demo
      rulebus demo --part shop --orders 500
      rulebus demo --part engine --rules 100000 --events 100000
      rulebus demo --part engine --json | jq .engine.events_per_s
    """
    shown: dict[str, Any] = {}
    good = True
    if part != "engine":
        story = run_shop(orders, seed, quiet=as_json)
        good, shown["shop"] = story.adds_up, story.summary()
    if part != "shop":
        shown["engine"] = run_engine(rule_count, events, seed, threads, quiet=as_json)
    if as_json:
        click.echo(json.dumps(shown))
    return 0 if good else 1
