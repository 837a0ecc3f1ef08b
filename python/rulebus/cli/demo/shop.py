"""The shop's part of `rulebus demo`: the same four services, first called one after another, then through a bus.

Relies on the public surface alone, as a reader's program would. What is claimed at the end is checked against the books
of the services, not against the bus's own counters only.
"""

from __future__ import annotations

import random
import statistics
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from rulebus import Event, EventBus, RetryPolicy, SqliteStore, Subscription
from rulebus.cli.demo.services import Analytics, Billing, CardNetworkDown, Email, Warehouse, orders
from rulebus.cli.terminal import Progress, human, table
from rulebus.targets.function import FunctionTarget

__all__ = ["Story", "run_shop"]

_STEPS = ("OrderPlaced", "OrderPaid", "OrderShipped")


@dataclass(slots=True)
class Story:
    """What one run measured, and what was claimed of it."""

    figures: dict[str, Any] = field(default_factory=dict)
    claims: list[tuple[str, Any, Any]] = field(default_factory=list)
    """A sentence, what is expected, what was found."""

    @property
    def adds_up(self) -> bool:
        """Whether every claim holds."""
        return all(expected == found for _, expected, found in self.claims)

    def claim(self, sentence: str, expected: Any, found: Any) -> None:
        """Notes what must be equal."""
        self.claims.append((sentence, expected, found))

    def summary(self) -> dict[str, Any]:
        """As JSON shows it."""
        claims = [
            {"claim": sentence, "expected": expected, "found": found, "holds": expected == found}
            for sentence, expected, found in self.claims
        ]
        return {**self.figures, "claims": claims, "adds_up": self.adds_up}


def run_shop(count: int, seed: int, *, quiet: bool = False) -> Story:
    """Tells the story; prints it unless `quiet`."""
    story = Story()
    placed = orders(count, seed)
    say = (lambda text: None) if quiet else click.echo
    say("A shop: customers place orders; billing, warehouse, e-mail and analytics work on them.")
    say("Billing fails every third call, analytics is slow.\n")
    say("1. Called one after another")
    _one_after_another(placed[: min(count, 60)], seed, story)
    say(_sentence_of_calls(story) + "\n")
    say("2. Through the bus")
    with tempfile.TemporaryDirectory(prefix="rulebus-") as folder:
        _through_the_bus(placed, seed, Path(folder) / "shop.db", story, say, quiet)
    if not quiet:
        _show_claims(story)
    return story


def _one_after_another(placed: list[dict[str, Any]], seed: int, story: Story) -> None:
    """A checkout that calls all four: as slow as their sum, and gone when one of them fails."""
    billing, warehouse, email, analytics = Billing(seed), Warehouse(), Email(), Analytics()
    seconds: list[float] = []
    lost = 0
    for order in placed:
        begin = time.perf_counter()
        try:
            billing.charge(order)
            warehouse.note({**order, "step": 0})
            email.thank(order)
            analytics.record(1)
        except CardNetworkDown:
            lost += 1
        else:
            seconds.append(time.perf_counter() - begin)
    story.figures["synchronous"] = {
        "orders": len(placed),
        "failed_checkouts": lost,
        "checkout_median_ms": round(1000 * statistics.median(seconds), 3) if seconds else None,
    }


def _sentence_of_calls(story: Story) -> str:
    shown = story.figures["synchronous"]
    return (
        f"   {shown['failed_checkouts']} of {shown['orders']} checkouts failed because billing did; the others took "
        f"{human(shown['checkout_median_ms'] or 0)} ms,\n   most of it waiting for analytics."
    )


class _Shop:
    """The same services, subscribed."""

    def __init__(self, seed: int, bus: EventBus) -> None:
        self.billing, self.warehouse, self.email, self.analytics = (
            Billing(seed),
            Warehouse(),
            Email(),
            Analytics(),
        )
        source = {"source": ["shop.cart"]}
        quickly = RetryPolicy(maximum_retry_attempts=2, base_s=0.05, cap_s=0.2)

        @bus.on({**source, "detail-type": ["OrderPlaced"]}, name="billing", concurrency=4, retry=quickly)
        def charge(event: Event) -> None:
            self.billing.charge(event.detail)

        @bus.on(source, name="warehouse", concurrency=4, order_by="$.detail.order")
        def note(event: Event) -> None:
            self.warehouse.note(event.detail)

        @bus.on(
            {**source, "detail-type": ["OrderPaid"], "detail": {"total": [{"numeric": [">", 0]}]}},
            name="email",
        )
        def thank(event: Event) -> None:
            self.email.thank(event.detail)

        @bus.on(source, name="analytics", batch=True, batch_size=10)
        def record(events: list[Event]) -> None:
            self.analytics.record(len(events))


def _through_the_bus(
    placed: list[dict[str, Any]], seed: int, path: Path, story: Story, say: Any, quiet: bool
) -> None:
    events = _events(placed, seed)
    with EventBus("shop", store=SqliteStore(path)) as bus:
        bus.create_archive("orders", {"source": ["shop.cart"]})
        shop = _Shop(seed, bus)
        seconds: list[float] = []
        begin = time.perf_counter()
        with Progress("placing orders", len(events), shown=not quiet) as progress:
            for kind, detail in events:
                started = time.perf_counter()
                bus.publish(source="shop.cart", detail_type=kind, detail=detail)
                seconds.append(time.perf_counter() - started)
                progress.advance(1)
        bus.wait_idle()
        dead = len(bus.dead_letters())
        story.figures["bus"] = {
            "orders": len(placed),
            "events": len(events),
            "publish_median_ms": round(1000 * statistics.median(seconds), 3),
            "all_done_s": round(time.perf_counter() - begin, 3),
        }
        say(
            f"   No checkout failed. Telling the bus took {human(1000 * statistics.median(seconds))} ms (on disk, not in\n"
            f"   memory); {len(events)} events were handled by all four within "
            f"{human(story.figures['bus']['all_done_s'])} s.\n"
        )
        if not quiet:
            _show_targets(bus)
        _check_services(placed, events, shop, dead, story)
        _redrive(bus, shop, dead, placed, story, say)
        _replay(bus, events, story, say)
        _check_counters(bus, story)


def _events(placed: list[dict[str, Any]], seed: int) -> list[tuple[str, dict[str, Any]]]:
    """Three events an order; the orders interleaved, each order's own events in their order."""
    chance = random.Random(seed)
    turns = [order for order in placed for _ in _STEPS]
    chance.shuffle(turns)
    step: dict[str, int] = {}
    events = []
    for order in turns:
        number = step.get(order["order"], 0)
        step[order["order"]] = number + 1
        events.append((_STEPS[number], {**order, "step": number}))
    return events


def _check_services(
    placed: list[dict[str, Any]],
    events: list[tuple[str, dict[str, Any]]],
    shop: _Shop,
    dead: int,
    story: Story,
) -> None:
    """The services' own books."""
    story.figures["bus"]["billing_calls_failed"] = shop.billing.failed
    story.figures["bus"]["dead_letters"] = dead
    in_order = sum(steps == sorted(steps) and len(steps) == 3 for steps in shop.warehouse.steps.values())
    story.claim("orders charged, plus dead letters of billing", len(placed), len(shop.billing.charged) + dead)
    story.claim("orders whose three steps reached the warehouse in order", len(placed), in_order)
    paid = sorted(order["order"] for order in placed if order["total"] > 0)
    story.claim("letters sent, one for each order that cost something", paid == sorted(shop.email.sent), True)
    story.claim("events that analytics saw", len(events), shop.analytics.seen)


def _redrive(
    bus: EventBus, shop: _Shop, dead: int, placed: list[dict[str, Any]], story: Story, say: Any
) -> None:
    """The card network is repaired, and what was given up is tried again."""
    shop.billing.repaired = True
    sent = bus.redrive(rule="billing")
    bus.wait_idle()
    say(f"   Billing gave up {dead} orders after three tries; the network is repaired, they are sent again.")
    story.claim("dead letters sent again", dead, sent.sent)
    story.claim("dead letters left", 0, len(bus.dead_letters()))
    story.claim("orders charged in the end", len(placed), len(shop.billing.charged))


def _replay(bus: EventBus, events: list[tuple[str, dict[str, Any]]], story: Story, say: Any) -> None:
    """A service that joined later gets what happened before."""
    heard: list[str] = []

    def recommend(event: Event) -> None:
        heard.append(event.detail["order"])

    newcomer = Subscription(target=FunctionTarget(recommend), id="recommend")
    bus.put_rule("recommendations", {"source": ["shop.cart"]}, targets=[newcomer])
    bus.replay("orders", 0, time.time() + 60, rules=["recommendations"]).wait()
    bus.wait_idle()
    say(f"   A newcomer, recommendations, joins late and is told all {len(heard)} events from the archive.\n")
    story.claim("events replayed to the newcomer", len(events), len(heard))


def _check_counters(bus: EventBus, story: Story) -> None:
    """The bus's own counters, against themselves."""
    total = bus.statistics().total
    story.figures["counters"] = {
        "deliveries": total.created,
        "attempts": total.attempts,
        "successes": total.successes,
        "failures": total.failures,
        "retries": total.retries,
        "dead_letters": total.dead_letters,
        "redriven": total.redriven,
    }
    story.claim("deliveries = successes + dead letters", total.created, total.successes + total.dead_letters)
    story.claim("attempts = successes + failures", total.attempts, total.successes + total.failures)
    story.claim("failures = retries + dead letters", total.failures, total.retries + total.dead_letters)
    story.claim("deliveries pending", 0, total.pending + total.in_flight)


def _show_targets(bus: EventBus) -> None:
    rows = [
        (
            one.rule, human(one.successes), human(one.failures), human(one.retries), human(one.dead_letters),
            f"{human(1000 * one.success.quantile_s(0.5))} ms", f"{human(1000 * one.success.quantile_s(0.99))} ms",
        )
        for one in bus.statistics().targets
    ]  # fmt: skip
    head = ("target", "delivered", "failed calls", "retries", "given up", "median", "99 %")
    table("   Each in its own time: from publishing to done", rows, head=head)


def _show_claims(story: Story) -> None:
    rows = [
        (sentence, _spell(expected), _spell(found), "yes" if expected == found else "NO")
        for sentence, expected, found in story.claims
    ]
    table("Does it add up?", rows, head=("claim", "expected", "found", "holds"))


def _spell(value: Any) -> str:
    return ("yes" if value else "no") if isinstance(value, bool) else human(value)
