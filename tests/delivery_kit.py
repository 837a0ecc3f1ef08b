"""A dispatcher with a fake clock, and short words for what the tests of delivery do with it.

Relies on `durable_fake` and `rulebus.testing`. Makes calls itself where no driver is wanted."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from rulebus.clock import Clock
from rulebus.delivery import Dispatcher, Job, SubscriptionState
from rulebus.event import AcceptedEvent
from rulebus.retry import RetryPolicy
from rulebus.rule import Subscription
from rulebus.statistics import TargetStatistics
from rulebus.stores.memory import MemoryStore
from rulebus.stores.protocol import Changes, Store
from rulebus.targets.protocol import Target
from rulebus.testing import FakeClock
from rulebus.transform.protocol import Transform

NEVER = RetryPolicy(maximum_retry_attempts=0)


class Kit:
    """One dispatcher and what belongs to it."""

    def __init__(self, store: Store | None = None, clock: Clock | None = None, **options: Any) -> None:
        self.clock = clock if clock is not None else FakeClock()
        self.store = store if store is not None else MemoryStore()
        self.offered: list[SubscriptionState] = []
        self.errors: list[BaseException] = []
        self.dispatcher = Dispatcher(
            self.store,
            self.clock,
            **{
                "chance": lambda: 1.0,
                "on_ready": self.offered.extend,
                "on_error": self.errors.append,
                **options,
            },
        )
        self.count = 0

    def subscribe(
        self, target: Target, rule: str = "r", transform: Transform | None = None, **options: Any
    ) -> SubscriptionState:
        subscription = Subscription(target=target, id="t", **options)
        return self.dispatcher.subscribe(("bus", rule, "t"), subscription, transform, f"arn:{rule}")

    def event(self, id: str | None = None, **detail: object) -> AcceptedEvent:
        self.count += 1
        id = id or f"e{self.count}"
        body = json.dumps({"id": id, "detail": detail}, separators=(",", ":")).encode()
        return AcceptedEvent("bus", id, body, self.clock.now())

    def put(
        self, states: Sequence[SubscriptionState] | SubscriptionState, *events: AcceptedEvent
    ) -> list[int]:
        """Through the whole door: the indexes refused."""
        to = (states,) if isinstance(states, SubscriptionState) else tuple(states)
        routes = [to for _ in events]
        refused = self.dispatcher.reserve(routes) or []
        batch = [(event, to) for index, event in enumerate(events) if index not in refused]
        future = self.store.write(Changes(appended=[(e, tuple(s.number for s in to)) for e, _ in batch]))
        if future is not None:
            future.result()
        self.dispatcher.accept(batch)
        return refused

    def put_many(self, states: Sequence[SubscriptionState] | SubscriptionState, count: int) -> list[int]:
        return self.put(states, *(self.event() for _ in range(count)))

    def take(self) -> Job:
        """The next call, which there must be."""
        while self.offered:
            job = self.dispatcher.take(self.offered.pop(0))
            if job is not None:
                return job
        raise AssertionError("nothing to take")

    def idle(self) -> bool:
        """Whether nothing is to be taken now."""
        while self.offered:
            state = self.offered.pop(0)
            job = self.dispatcher.take(state)
            if job is not None:
                self.dispatcher.put_back(job)
                self.dispatcher.reoffer(state)
                return False
        return True

    def finish(self, job: Job, outcome: object = None) -> None:
        if self.dispatcher.finish(job, outcome):
            self.offered.append(job.state)

    def run(self) -> int:
        """Makes every call that can be made now, with the targets' own answers; how many."""
        made = 0
        while self.offered:
            job = self.dispatcher.take(self.offered.pop(0))
            if job is None:
                continue
            made += 1
            outcome: object
            try:
                outcome = job.target.deliver(job.deliveries)
            except BaseException as error:
                outcome = error
            self.finish(job, outcome)
        return made

    def advance(self, seconds: float) -> None:
        assert isinstance(self.clock, FakeClock)
        self.clock.advance(seconds)
        self.dispatcher.tick()

    def stats(self, state: SubscriptionState) -> TargetStatistics:
        found = [one for one in self.dispatcher.statistics() if (one.bus, one.rule, one.target) == state.key]
        assert found
        assert found[0].balanced
        return found[0]


def wait_until(condition: Callable[[], bool], timeout_s: float = 10.0) -> bool:
    """Waits for what no event announces, looking now and then; whether it came about."""
    import threading
    import time

    end = time.monotonic() + timeout_s
    pause = threading.Event()
    while not condition():
        if time.monotonic() > end:
            return False
        pause.wait(0.002)
    return True
