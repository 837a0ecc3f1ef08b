"""Deterministic simulation of delivery: thousands of short histories on a fake clock, with failures of every kind,
crashes and clocks that jump; hypothesis draws each step and shrinks what fails.

Relies on `delivery_history`, which objects as soon as anything happens that must not."""

from __future__ import annotations

import random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from delivery_history import History, Side, Silent
from rulebus.retry import RetryPolicy
from rulebus.rule import Subscription

POLICIES = st.sampled_from(
    [
        RetryPolicy(maximum_retry_attempts=0),
        RetryPolicy(maximum_retry_attempts=2),
        RetryPolicy(maximum_retry_attempts=185, maximum_event_age_in_seconds=60),
        RetryPolicy(maximum_retry_attempts=5, waits_s=(0.0, 1.0, 1.0, 2.0, 2.0)),
    ]
)


@st.composite
def subscriptions(draw: st.DrawFn, number: int) -> Side:
    """One with some of the options."""
    options: dict[str, Any] = {"retry": draw(POLICIES)}
    if draw(st.booleans()):
        options["batch_size"] = draw(st.integers(2, 5))
        options["batch_window_s"] = draw(st.sampled_from([0.0, 1.0]))
    if draw(st.booleans()):
        options["concurrency"] = draw(st.integers(2, 3))
    if draw(st.booleans()):
        options["order_by"] = "$.detail.k"
    if draw(st.integers(0, 3)) == 0:
        options["deduplicate_s"] = 10.0
    if draw(st.integers(0, 3)) == 0:
        options["rate_per_s"] = draw(st.sampled_from([0.5, 1.0, 10.0]))
    if draw(st.integers(0, 3)) == 0:
        options["timeout_s"] = 2.0
    if draw(st.integers(0, 3)) == 0:
        options["dead_letter"] = Silent()
    if draw(st.integers(0, 3)) == 0:
        options["max_pending"] = draw(st.integers(1, 6))
    if draw(st.integers(0, 5)) == 0:
        options["failure_kinds"] = {"HTTP_503": "permanent", "HANDLER_ERROR": "retryable"}
    picky = draw(st.integers(0, 3)) == 0
    return Side(f"r{number}", Subscription(target=Silent(), id="t", **options), picky)


STEPS = (
    *(
        "put",
        "take",
        "take",
        "turn",
        "turn",
        "finish",
        "finish",
        "time",
        "commit",
        "subscribe",
        "redrive",
        "jump",
        "trouble",
    ),
    "crash",
)


@given(data=st.data())
def test_every_history_keeps_the_promises(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 3), label="subscriptions")
    sides = [data.draw(subscriptions(number)) for number in range(count)]
    kind = data.draw(st.sampled_from(["memory", "durable", "prompt"]), label="store")

    def choose(most: int) -> int:
        return data.draw(st.integers(0, most - 1)) if most > 1 else 0

    history = History(sides, durable=kind != "memory", prompt=kind == "prompt", choose=choose)
    play(history, data.draw(st.lists(st.sampled_from(STEPS), min_size=5, max_size=60), label="steps"))


@given(seed=st.integers(0, 2**32), data=st.data())
def test_long_histories_keep_them_too(seed: int, data: st.DataObject) -> None:
    """Hundreds of steps, by a seeded generator: what needs many steps is found here, though hardly shrunk."""
    chance = random.Random(seed)
    sides = [data.draw(subscriptions(number)) for number in range(chance.randint(1, 3))]
    kind = chance.choice(["memory", "durable", "prompt"])
    history = History(sides, durable=kind != "memory", prompt=kind == "prompt", choose=chance.randrange)
    play(history, chance.choices(STEPS, k=chance.randint(50, 250)))


def play(history: History, steps: list[str]) -> None:
    """Plays the steps, looks after each, and lets everything end."""
    history.subscribe()
    for step in steps:
        getattr(history, step)()
        history.check()
    history.settle()
