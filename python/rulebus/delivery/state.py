"""One subscription as the dispatcher keeps it: its options, what waits, what is on its way, what was counted.

Data and the small moves on it. INVARIANT: everything here is read and written under the dispatcher's lock, except by
tests. Relies on `rule`, `statistics` and the small parts of `delivery`. Must never call a target, a store or a function
of the user.
"""

from __future__ import annotations

import heapq
import inspect
from collections import deque
from collections.abc import Callable, Hashable
from itertools import islice
from typing import Literal, TypeAlias

from rulebus.attempt import Attempt, Failure
from rulebus.clock import Clock
from rulebus.delivery.dedup import Window
from rulebus.delivery.ordering import NO_KEY, KeyOf, key_function
from rulebus.delivery.places import Places
from rulebus.delivery.rate import Bucket
from rulebus.event import AcceptedEvent
from rulebus.rule import Subscription, target_of
from rulebus.statistics import Histogram, TargetStatistics
from rulebus.stores.protocol import SubscriptionKey
from rulebus.targets.protocol import Delivery, Origin, Target
from rulebus.transform.protocol import Transform

__all__ = ["Closing", "Job", "SubscriptionState", "Waiting"]

Closing: TypeAlias = Literal["deliver", "dead_letter"]
"""What becomes of the pending deliveries of a subscription that ended."""

ABANDONED_MOST = 8
"""Calls beyond the concurrency that may be given up and not come back before no further one is begun."""


class Waiting:
    """A delivery that is more than an event in a queue: it was tried, or it has a key."""

    __slots__ = ("attempts", "born", "due", "event", "key", "seq")

    def __init__(
        self,
        seq: int,
        event: AcceptedEvent | None,
        key: Hashable = NO_KEY,
        attempts: tuple[Attempt, ...] = (),
        due: float = 0.0,
        born: float | None = None,
    ) -> None:
        self.seq = seq
        self.event = event  # None: it is in the store and fetched when it is needed.
        self.key = key
        self.attempts = attempts
        self.due = due  # On the monotonic clock.
        self.born = born  # When its age was zero, on the monotonic clock; None: by the wall clock, when it is fetched.

    def __lt__(self, other: Waiting) -> bool:
        return (self.due, self.seq) < (other.due, other.seq)


class Job:
    """One call of a target: what `Dispatcher.take` gives and `Dispatcher.finish` takes back."""

    __slots__ = (
        "ages",
        "begun",
        "deadline",
        "deliveries",
        "items",
        "on_expire",
        "over",
        "started",
        "started_at",
        "state",
        "target",
    )

    def __init__(
        self,
        state: SubscriptionState,
        target: Target,
        deliveries: list[Delivery],
        items: list[Waiting | None] | None,
        ages: list[tuple[float, int]] | None,
        started: float,
        started_at: float,
        deadline: float | None,
    ) -> None:
        self.state = state
        self.target = target
        """As it was when the call was taken; the subscription may have another by now."""
        self.deliveries = deliveries
        """What to give to ``target.deliver``."""
        self.items = (
            items  # Aligned with deliveries where any is a Waiting; None: all are first tries without key.
        )
        # Runs of deliveries accepted at one moment: (accepted_at, how many); None: of a single first try, its own.
        self.ages = ages
        self.started = started
        """On the monotonic clock."""
        self.started_at = started_at
        self.deadline = deadline
        """When it is given up, on the monotonic clock."""
        self.over = False  # Its outcome is decided; whatever comes later is ignored.
        self.begun = True  # False: it only stands for a call that could not be begun.
        self.on_expire: Callable[[Job], None] | None = None
        """Called (under no lock) when its time is up before it came back; the driver sets it."""


class SubscriptionState:
    """One target of one rule at work. Made by `Dispatcher.subscribe`; the bus's routes hold it."""

    __slots__ = (
        "abandoned",
        "append",
        "batch_size",
        "batch_window_s",
        "bucket",
        "busy",
        "calls",
        "closing",
        "concurrency",
        "dead",
        "dead_letter_failures",
        "deduplicated",
        "failed",
        "failure_kinds",
        "first_attempt",
        "held",
        "in_flight",
        "is_async",
        "jobs",
        "key",
        "key_of",
        "last_failure",
        "left",
        "letter_of",
        "letters",
        "max_pending",
        "number",
        "offered",
        "origin",
        "paused_until",
        "pending",
        "plain",
        "queue",
        "quiet",
        "ready",
        "recovered",
        "redriven",
        "refused",
        "retried",
        "retries",
        "retry",
        "simple",
        "slow",
        "staging",
        "subscription",
        "succeeded",
        "success",
        "tail",
        "target",
        "timed_out",
        "timeout_s",
        "transform",
        "tries",
        "wake_at",
        "window",
        "window_from",
    )

    def __init__(
        self,
        key: SubscriptionKey,
        number: int,
        subscription: Subscription,
        transform: Transform | None,
        origin: Origin,
        most: int,
        clock: Clock,
    ) -> None:
        self.key = key
        self.number = number
        # What waits.
        self.queue: deque[AcceptedEvent] = deque()  # First tries, oldest first.
        self.append = self.queue.append
        self.tail = Places()  # First tries beyond the queue, left to the store.
        self.ready: deque[Waiting] = deque()  # May begin now, before the queue.
        self.retries: list[Waiting] = []  # A heap by due time.
        self.recovered: list[Waiting] = []  # Retries found in the store whose keys are not known yet.
        self.busy: dict[Hashable, deque[AcceptedEvent | int | Waiting]] = {}  # By key: who waits behind it.
        self.held = 0  # How many wait behind a key.
        self.jobs: dict[Job, None] = {}  # On their way, where they have a deadline.
        # Where it stands.
        self.offered = False  # A driver knows that there is work, and will call take.
        self.quiet = True  # Nobody will look at it again unless a delivery comes.
        self.staging = False  # Somebody reads keys or fetches events for it, without the lock.
        self.closing: Closing | None = None
        self.paused_until = 0.0
        self.wake_at: float | None = None
        self.window_from: float | None = None  # Since when deliveries wait for a batch to fill.
        self.slow = True  # Whether a call usually takes so long that others should not wait behind it.
        self.letters: SubscriptionState | None = None  # Carries its dead letters to their own target.
        self.letter_of: SubscriptionState | None = None  # Set where this is such a carrier.
        # Counters. What left `queue` and `tail` is `left`, so that appending counts nothing.
        self.left = self.pending = self.in_flight = self.calls = self.abandoned = 0
        self.tries = self.succeeded = self.failed = self.retried = self.dead = self.deduplicated = 0
        self.dead_letter_failures = self.timed_out = self.redriven = self.refused = 0
        self.first_attempt = Histogram()
        self.success = Histogram()
        self.last_failure: Failure | None = None
        self.bucket: Bucket | None = None
        self.window: Window | None = None
        self.configure(subscription, transform, origin, most, clock)

    def configure(
        self, subscription: Subscription, transform: Transform | None, origin: Origin, most: int, clock: Clock
    ) -> None:
        """Takes (new) options; queues and counters stay."""
        # First what may be refused, so that a refusal changes nothing.
        key_of: KeyOf | None = None
        if subscription.order_by is not None:
            key_of = key_function(subscription.order_by)
        elif subscription.deduplicate_s > 0:
            # So that a second delivery of an event waits until it is known what became of the first.
            key_of = _event_id
        rate = subscription.rate_per_s
        now = clock.monotonic()
        batch_size = max(1, subscription.batch_size)
        bucket = None if rate is None else Bucket(rate, max(min(batch_size, rate), rate * 0.002), now)
        target: Target = target_of(subscription.target)
        is_async = inspect.iscoroutinefunction(target.deliver)
        self.key_of = key_of
        self.subscription = subscription
        self.target = target
        self.is_async = is_async
        self.transform = transform
        self.origin = origin
        self.batch_size = batch_size
        self.batch_window_s = subscription.batch_window_s if self.batch_size > 1 else 0.0
        self.concurrency = max(1, subscription.concurrency)
        self.timeout_s = subscription.timeout_s
        self.retry = subscription.retry
        self.failure_kinds = subscription.failure_kinds
        self.max_pending = most
        self.bucket = bucket
        # Nothing to be asked but whether something is queued: the way of most.
        self.plain = (
            self.key_of is None
            and rate is None
            and self.batch_window_s <= 0.0
            and self.timeout_s is None
            and subscription.deduplicate_s <= 0
            and not self.busy
            and not self.recovered
        )
        self.simple = self.plain and transform is None and self.letter_of is None
        if subscription.deduplicate_s <= 0:
            self.window = None
        elif self.window is None:
            self.window = Window(subscription.deduplicate_s)
        else:
            self.window.seconds = subscription.deduplicate_s

    def __repr__(self) -> str:
        return f"<SubscriptionState {'/'.join(self.key)}, {self.pending} pending>"

    def waiting_now(self) -> bool:
        """Whether any delivery waits for nothing but its turn."""
        return bool(self.queue or self.ready or self.tail or self.recovered)

    def fills(self, count: int) -> bool:
        """Whether so many wait, those counted that wait behind one of them: the batch would not become fuller by
        waiting for more."""
        waiting = len(self.queue) + len(self.ready)
        if waiting >= count or not self.held:
            return waiting >= count
        return waiting + sum(len(self.busy.get(one.key, ())) for one in self.ready) >= count

    def takeable(self, now: float) -> bool:
        """Whether `take` would find something to begin."""
        if self.offered or self.staging or self.calls >= self.concurrency or now < self.paused_until:
            return False
        if self.retries and self.retries[0].due <= now:
            due = True
        elif self.waiting_now():
            due = (
                self.batch_window_s <= 0.0
                or bool(self.tail or self.recovered)
                or self.fills(self.batch_size)
                or (self.window_from is not None and now >= self.window_from + self.batch_window_s)
                or self.closing is not None
            )
        else:
            return False
        return due and (self.bucket is None or self.bucket.available(now) > 0)

    def due(self, now: float) -> float | None:
        """The next moment at which time alone changes something: a retry, a token, a batch window, a deadline."""
        due: float | None = None
        if self.calls < self.concurrency and not self.offered:
            if self.waiting_now():
                due = now
                if self.batch_window_s > 0.0 and not self.fills(self.batch_size):
                    due = (now if self.window_from is None else self.window_from) + self.batch_window_s
            if self.retries and (due is None or self.retries[0].due < due):
                due = self.retries[0].due
            if due is not None:
                if self.bucket is not None:
                    due = max(due, self.bucket.due(now))
                due = max(due, self.paused_until)
        for job in self.jobs:
            if job.deadline is not None and (due is None or job.deadline < due):
                due = job.deadline
        return due

    def release(self, key: Hashable) -> None:
        """The delivery of that key ended: the next one behind it is ready."""
        if key is NO_KEY:
            return
        behind = self.busy.get(key)
        if not behind:
            self.busy.pop(key, None)
            return
        self.held -= 1
        following = behind.popleft()
        if isinstance(following, Waiting):
            self.ready.append(following)
        elif isinstance(following, int):
            self.ready.append(Waiting(following, None, key))
        else:
            self.ready.append(Waiting(following.seq, following, key))

    def arrange(self, waiting: Waiting) -> None:
        """Another try at the time that it is due."""
        heapq.heappush(self.retries, waiting)

    def ripen(self, now: float) -> None:
        """Retries that are due are ready."""
        retries = self.retries
        while retries and retries[0].due <= now:
            self.ready.append(heapq.heappop(retries))

    def statistics(self, now: float) -> TargetStatistics:
        """What was counted; `now` on the wall clock."""
        oldest = 0.0
        heads = [self.queue[0]] if self.queue else []
        some = (*islice(self.ready, 1), *islice(self.retries, 1000))
        heads += [waiting.event for waiting in some if waiting.event is not None]
        if heads:
            oldest = max(0.0, now - min(event.accepted_at for event in heads))
        waiting = len(self.retries) + len(self.recovered)
        return TargetStatistics(
            bus=self.key[0],
            rule=self.key[1],
            target=self.key[2],
            created=self.left + len(self.queue) + len(self.tail),
            attempts=self.tries,
            successes=self.succeeded,
            failures=self.failed,
            retries=self.retried,
            dead_letters=self.dead,
            dead_letter_failures=self.dead_letter_failures,
            deduplicated=self.deduplicated,
            timeouts=self.timed_out,
            redriven=self.redriven,
            refused=self.refused,
            pending=len(self.queue) + len(self.tail) + len(self.ready) + waiting + self.held,
            waiting=waiting,
            in_flight=self.in_flight,
            abandoned=self.abandoned,
            oldest_pending_s=oldest,
            first_attempt=self.first_attempt.record(),
            success=self.success.record(),
        )


def _event_id(event: AcceptedEvent) -> Hashable:
    return event.id
