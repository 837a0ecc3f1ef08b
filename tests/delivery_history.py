"""One history of delivery, played on a fake clock without threads: puts, tries, failures, crashes, time, each as told.

An oracle beside the dispatcher knows what every delivery may do next and objects at once. Relies on `durable_fake` and
the dispatcher's public methods alone. Must never decide anything by chance of its own: `choose` does.
"""

from __future__ import annotations

import json
from collections import Counter, deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field

from delivery_redrive import redrive
from durable_fake import Disk, DurableFake
from rulebus.attempt import Failure
from rulebus.delivery import Dispatcher, Job, SubscriptionState
from rulebus.errors import PermanentError, RetryAfter
from rulebus.event import AcceptedEvent
from rulebus.rule import Subscription
from rulebus.stores.memory import MemoryStore
from rulebus.stores.protocol import Changes
from rulebus.targets.protocol import Delivery, Origin, Outcomes
from rulebus.testing import FakeClock
from rulebus.transform.protocol import TransformError

CHANCE = 0.5
Choose = Callable[[int], int]
"""A number from 0 up to, not including, that one."""


class Silent:
    """A target that is never called: the history says what would have come of it."""

    def deliver(self, deliveries: object, /) -> Outcomes:
        raise AssertionError("the history makes the calls")

    def describe(self) -> str:
        return "silent"

    def close(self) -> None:
        pass


class Picky:
    """A transform that cannot make an input of some events."""

    warnings = ()

    def apply(self, event: AcceptedEvent, origin: Origin) -> bytes:
        if b'"bad":true' in event.body:
            raise TransformError("INPUT_PATH_MISSING", "there is nothing at that path, as the test says")
        return b"[" + event.body + b"]"


@dataclass
class Fate:
    """What the oracle knows of one delivery."""

    event: AcceptedEvent
    key: str | None
    bad: bool
    tries: int = 0
    due: float = 0.0
    due_at: float = 0.0  # The same on the wall clock, as the store should have it.
    put_at: float = 0.0
    state: str = "pending"  # pending, flying, done, dead, skipped
    recorded: bool = False  # Its end is durable.


@dataclass
class Side:
    """One subscription as the oracle sees it."""

    name: str
    options: Subscription
    picky: bool
    state: SubscriptionState | None = None
    fates: dict[int, Fate] = field(default_factory=dict)
    starts: list[tuple[float, int]] = field(default_factory=list)
    succeeded_at: dict[str, float] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, str, str]:
        return ("bus", self.name, "t")

    def begin(self, event: AcceptedEvent, put_at: float) -> None:
        """An event is accepted for it."""
        detail = json.loads(event.body)["detail"]
        bad = bool(self.picky and detail.get("bad"))
        self.fates[event.seq] = Fate(event, detail.get("k"), bad, put_at=put_at)


class History:
    """A dispatcher, a store, a clock, and what must be true of them."""

    def __init__(self, sides: list[Side], durable: bool, prompt: bool, choose: Choose) -> None:
        self.sides = sides
        self.choose = choose
        self.clock = FakeClock()
        self.durable, self.prompt = durable, prompt
        self.disk = Disk()
        self.number = 0
        self.unsettled: list[tuple[Future[None] | None, list[tuple[AcceptedEvent, list[Side]]]]] = []
        self.jobs: list[tuple[Side, Job]] = []
        self.quick: dict[int, Job] = {}  # By `id`: those that `turn` gave.
        self.letter_jobs: list[tuple[Side, Job]] = []
        self.offered: list[SubscriptionState] = []
        self.errors: list[BaseException] = []
        self.letters_taken: set[int] = set()
        self.taken_here: set[int] = set()  # By this process.
        self.refused_here: set[int] = set()
        self.redriven: set[int] = set()
        self.jumped = 0.0  # By how much clocks may have been wrong about the age of anything.
        self._open()

    def _open(self) -> None:
        self.store = DurableFake(self.disk, self.prompt) if self.durable else MemoryStore()
        self.offered = []
        self.dispatcher = Dispatcher(
            self.store,
            self.clock,
            chance=lambda: CHANCE,
            on_ready=self.offered.extend,
            on_error=self.errors.append,
        )
        self.dispatcher.recover(self.store.recover())
        for side in self.sides:
            side.state = None

    # Steps.

    def subscribe(self) -> None:
        """The next one that is missing registers itself."""
        missing = [side for side in self.sides if side.state is None]
        if missing:
            side = missing[self.choose(len(missing))]
            side.state = self.dispatcher.subscribe(side.key, side.options, Picky() if side.picky else None)
            now, wall = self.clock.monotonic(), self.clock.now()
            for fate in side.fates.values():
                if fate.due_at and fate.state == "pending":
                    longest = side.options.retry.maximum_event_age_in_seconds
                    fate.due = now + min(max(0.0, fate.due_at - wall), longest)

    def put(self) -> None:
        """One call with a few events; some repeat an earlier id."""
        there = [side for side in self.sides if side.state is not None]
        batch: list[tuple[AcceptedEvent, list[Side]]] = []
        for _ in range(1 + self.choose(4)):
            self.number += 1
            again = self.number > 2 and self.choose(6) == 0
            id = f"e{1 + self.choose(self.number - 1) if again else self.number}"
            detail: dict[str, object] = {"n": self.number}
            if self.choose(5):
                detail["k"] = "ABC"[self.choose(3)]
            if self.choose(8) == 0:
                detail["bad"] = True
            body = json.dumps({"id": id, "detail": detail}, separators=(",", ":")).encode()
            event = AcceptedEvent("bus", id, body, self.clock.now())
            chosen = [side for side in there if self.choose(4)]
            batch.append((event, chosen))
        routes = [[side.state for side in sides if side.state is not None] for _, sides in batch]
        before = [(len(sides), [self._room(side) for side in sides]) for _, sides in batch]
        refused = set(self.dispatcher.reserve(routes) or ())
        for index, (_, room) in enumerate(before):
            if index in refused:
                assert any(left < len(batch) for left in room), "refused although there was room"
        batch = [pair for index, pair in enumerate(batch) if index not in refused]
        numbers = {side.name: side.state.number for side in self.sides if side.state is not None}
        changes = Changes(appended=[(event, tuple(numbers[s.name] for s in sides)) for event, sides in batch])
        try:
            future = self.store.write(changes)
        except Exception:
            self.dispatcher.release(self._routes(batch))
            return
        self.unsettled.append((future, batch))
        if future is None:
            self.arrive()

    def _room(self, side: Side) -> int:
        assert side.state is not None
        return side.state.max_pending - side.state.pending

    def _routes(self, batch: list[tuple[AcceptedEvent, list[Side]]]) -> list[list[SubscriptionState]]:
        return [[side.state for side in sides if side.state is not None] for _, sides in batch]

    def arrive(self) -> None:
        """Puts whose events are durable are accepted; those that failed give their places back."""
        waiting, self.unsettled = self.unsettled, []
        for future, batch in waiting:
            if future is not None and not future.done():
                self.unsettled.append((future, batch))
            elif future is not None and future.exception() is not None:
                self.dispatcher.release(self._routes(batch))
            else:
                for event, sides in batch:
                    for side in sides:
                        side.begin(event, self.clock.monotonic())
                self.dispatcher.accept(list(zip((e for e, _ in batch), self._routes(batch), strict=True)))

    def commit(self, count: int | None = None) -> None:
        """Writes become durable."""
        if isinstance(self.store, DurableFake):
            self.store.commit(count)
        self.arrive()
        self.dispatcher.tick()

    def take(self) -> None:
        """A driver takes up one of the offers."""
        if not self.offered:
            return
        state = self.offered.pop(self.choose(len(self.offered)))
        job = self.dispatcher.take(state)
        self._note_ends(job)
        if job is not None:
            self._taken(job)

    def turn(self) -> None:
        """A driver says of some quick calls that they went well, and takes the next ones, all at once."""
        quick = [(side, job) for side, job in self.jobs if id(job) in self.quick]
        ended = quick[: self.choose(len(quick) + 1)]
        for pair in ended:
            self.jobs.remove(pair)
        now = self.clock.monotonic(), self.clock.now()
        ready = deque(self.offered)
        self.offered.clear()
        jobs = self.dispatcher.turn([(job, *now) for _, job in ended], ready, self.choose(4), False)
        self.offered[:0] = ready
        for side, job in ended:
            for delivery in job.deliveries:
                self._note(side, delivery, None)
        for job in jobs:
            job.started, job.started_at = now
            self.quick[id(job)] = job
            self._taken(job)
        self._note_ends()

    def _side(self, state: SubscriptionState) -> Side:
        return next(side for side in self.sides if side.key == state.key)

    def _taken(self, job: Job) -> None:
        side = self._side(job.state)
        if job.state.letter_of is not None:
            self.letter_jobs.append((side, job))
            return
        now = self.clock.monotonic()
        options = side.options
        assert len(job.deliveries) <= options.batch_size
        flying = sum(other is side for other, _ in self.jobs)
        assert flying < options.concurrency + (options.timeout_s is not None) * 99
        keys: set[str | None] = {f.key for f in side.fates.values() if f.state == "flying"}
        side.starts.append((now, len(job.deliveries)))
        if options.rate_per_s is not None:
            burst = max(1.0, min(options.batch_size, options.rate_per_s))
            for since, _ in side.starts:
                begun = sum(count for at, count in side.starts if at >= since)
                assert begun <= burst + options.rate_per_s * (now - since) + 1e-3, "too fast"
        for delivery in job.deliveries:
            fate = side.fates[delivery.event.seq]
            assert fate.state == "pending", f"delivered although it is {fate.state}"
            assert not fate.bad, "delivered although no input could be made"
            assert delivery.attempt == fate.tries + 1, (delivery.attempt, fate.tries)
            assert now >= fate.due - 1e-9, "tried again too early"
            if fate.tries and not self.jumped:
                assert now - fate.put_at < options.retry.maximum_event_age_in_seconds, (
                    "tried although too old"
                )
            assert delivery.input == (b"[" + fate.event.body + b"]" if side.picky else fate.event.body)
            assert delivery.event.id == fate.event.id
            if options.order_by is not None:
                assert fate.key not in keys, "two of one key at a time"
                keys.add(fate.key)
                for seq, other in side.fates.items():
                    if seq < delivery.event.seq and other.key == fate.key and not other.bad:
                        assert other.state in {"done", "dead", "skipped"}, (
                            "overtook an earlier one of its key"
                        )
            at = side.succeeded_at.get(delivery.event.id)
            if options.deduplicate_s and at is not None:
                assert now - at >= options.deduplicate_s, "delivered twice within the window"
            fate.state = "flying"
        self.jobs.append((side, job))

    def finish(self) -> None:
        """One of the calls comes back, in whatever way."""
        if self.letter_jobs and (not self.jobs or self.choose(3) == 0):
            side, job = self.letter_jobs.pop(self.choose(len(self.letter_jobs)))
            taken = [self.choose(3) > 0 for _ in job.deliveries]
            self._letters_came_back(job, taken)
            failure = Failure("retryable", "HTTP_500", "no letters today")
            more = self.dispatcher.finish(job, [None if fine else failure for fine in taken])
            if more:
                self.offered.append(job.state)
            return
        if not self.jobs:
            return
        side, job = self.jobs.pop(self.choose(len(self.jobs)))
        count = len(job.deliveries)
        kind = self.choose(9)
        failure = Failure("retryable", "HTTP_503", "unavailable", status="503")
        outcome: object = None
        if kind == 3:
            outcome = [None if self.choose(2) else failure for _ in range(count)]
        elif kind == 4:
            outcome = [failure] * (count + 1) if self.choose(2) else "rubbish"
        elif kind == 5:
            outcome = PermanentError("never")
        elif kind == 6:
            outcome = RetryAfter(7.0)
        elif kind == 7:
            outcome = SystemExit(3) if self.choose(2) else ValueError("no")
        elif kind == 8:
            outcome = [Failure("throttled", "HTTP_429", "slowly", retry_after_s=3.0)] * count
        self._came_back(side, job, outcome)

    def _letters_came_back(self, job: Job, taken: list[bool]) -> None:
        ids = [delivery.letter.id for delivery in job.deliveries if delivery.letter is not None]
        assert len(set(ids)) == len(job.deliveries)
        for id, fine in zip(ids, taken, strict=True):
            assert id not in self.taken_here | self.refused_here, "a letter was offered twice by one process"
            assert id not in self.redriven, "a letter that was sent again was offered, too"
            if fine:
                self.letters_taken.add(id)
            (self.taken_here if fine else self.refused_here).add(id)

    def _came_back(self, side: Side, job: Job, outcome: object) -> None:
        late = job.over
        dead = self._dead_count(side)
        more = self.dispatcher.finish(job, outcome)
        if more:
            self.offered.append(job.state)
        if not late:
            for place, delivery in enumerate(job.deliveries):
                self._note(
                    side,
                    delivery,
                    outcome if not isinstance(outcome, list) else self._at(outcome, place, job),
                )
        assert dead + sum(side.fates[d.event.seq].state == "dead" for d in job.deliveries) * (not late) == (
            self._dead_count(side)
        )

    def _at(self, outcome: list[object], place: int, job: Job) -> object:
        return outcome[place] if len(outcome) == len(job.deliveries) else "rubbish"

    def _dead_count(self, side: Side) -> int:
        assert side.state is not None
        return side.state.statistics(0.0).dead_letters

    def _note(self, side: Side, delivery: Delivery, outcome: object) -> None:
        fate = side.fates[delivery.event.seq]
        assert fate.state == "flying"
        fate.tries += 1
        now = self.clock.monotonic()
        if outcome is None:
            fate.state = "done"
            side.succeeded_at[delivery.event.id] = now
            return
        kind, asked = "retryable", 0.0
        if isinstance(outcome, Failure):
            kind = side.options.failure_kinds.get(outcome.code, outcome.kind)
            asked = outcome.retry_after_s
        elif isinstance(outcome, PermanentError):
            kind = side.options.failure_kinds.get("HANDLER_ERROR", "permanent")
        elif isinstance(outcome, RetryAfter):
            asked = outcome.seconds
        policy = side.options.retry
        if kind == "permanent" or fate.tries > policy.maximum_retry_attempts:
            fate.state = "dead"
            return
        wait = policy.wait_s(fate.tries, chance=CHANCE, asked_s=asked)
        fate.due = now + wait
        fate.due_at = self.clock.now() + wait
        fate.state = "pending"
        assert side.state is not None
        if not any(w.seq == delivery.event.seq for w in side.state.retries):
            # Given up because of its age: only then, and only when the wait reaches that far.
            assert policy.maximum_event_age_in_seconds <= self.age_at_most(fate) + wait
            fate.state = "dead"

    def age_at_most(self, fate: Fate) -> float:
        """How old it can seem: clocks may have jumped before its first try or the last start."""
        return self.clock.monotonic() + self.jumped

    def time(self) -> None:
        """Time passes; what is due happens."""
        self.clock.advance((0.0, 0.3, 1.0, 2.5, 8.0, 60.0)[self.choose(6)])
        self._tick()

    def _tick(self) -> None:
        flying = {id(job) for _, job in self.jobs if not job.over}
        self.dispatcher.tick()
        for side, job in self.jobs:
            if id(job) in flying and job.over:
                assert job.deadline is not None
                assert job.deadline <= self.clock.monotonic()
                for delivery in job.deliveries:
                    self._note(side, delivery, "late")
        self._phantoms()
        self._note_ends()

    def _phantoms(self) -> None:
        """Calls that could not be begun count as tries when their time is up: the record says how many there were."""
        known = {(side.name, d.event.seq) for side, job in self.jobs if not job.over for d in job.deliveries}
        for side in self.sides:
            if side.state is None or side.options.timeout_s is None:
                continue
            for waiting in (*side.state.retries, *side.state.ready):
                fate = side.fates.get(waiting.seq)
                if (
                    fate is not None
                    and (side.name, waiting.seq) not in known
                    and len(waiting.attempts) > fate.tries
                ):
                    fate.tries = len(waiting.attempts)
                    fate.due = max(fate.due, 0.0)

    def redrive(self) -> None:
        """Some of the dead letters are sent again."""
        redrive(self)

    def jump(self) -> None:
        """Somebody sets the wall clock."""
        by = (-3600.0, -5.0, 5.0, 3600.0)[self.choose(4)]
        self.jumped += abs(by)
        self.clock.jump(by)

    def trouble(self) -> None:
        """The next writes or reads of the store fail."""
        if isinstance(self.store, DurableFake):
            if self.choose(2):
                self.store.failing += 1
            else:
                self.store.fetch_failing += 1

    def crash(self) -> None:
        """The process is killed, in the midst of whatever it did, and starts again."""
        if not isinstance(self.store, DurableFake):
            return
        self.store.failing = 0
        self.store.commit(self.choose(len(self.store.queue) + 1))
        self.arrive_quietly()
        self.jobs, self.letter_jobs, self.unsettled = [], [], []
        self.jumped += self.clock.monotonic()
        self.taken_here, self.refused_here = set(), set()
        for side in self.sides:
            number = self.disk.numbers.get(side.key)
            side.succeeded_at.clear()  # The window is kept in memory alone.
            side.starts.clear()
            for seq, fate in side.fates.items():
                pending = number is not None and (seq, number) in self.disk.pending
                if not pending:
                    assert fate.state in {"done", "dead", "skipped"}, f"lost: {fate}"
                    fate.recorded = True
                else:
                    assert not fate.recorded, "an end that was recorded was undone"
                    retry = self.disk.pending[seq, number]
                    fate.state = "pending"
                    tries = 0 if retry is None else len(retry.attempts)
                    if retry is not None and tries == fate.tries and fate.due_at:
                        assert abs(retry.due_at - fate.due_at) < 1e-6, "the store has another due time"
                    fate.tries = tries
                    fate.due = 0.0
                    fate.due_at = 0.0 if retry is None else retry.due_at
        self._open()

    def arrive_quietly(self) -> None:
        """Puts that became durable in the last moment: they are acknowledged to nobody, and delivered all the same."""
        for future, batch in self.unsettled:
            if future is not None and future.done() and future.exception() is None:
                for event, sides in batch:
                    detail = json.loads(event.body)["detail"]
                    for side in sides:
                        side.fates[event.seq] = Fate(
                            event, detail.get("k"), bool(side.picky and detail.get("bad"))
                        )

    def _note_ends(self, taken: Job | None = None) -> None:
        """Those that ended without a try: no input, skipped as duplicates, too old while they waited."""
        for side in self.sides:
            state = side.state
            if state is None:
                continue
            alive = {e.seq for e in state.queue}
            alive.update(w.seq for w in (*state.ready, *state.retries))
            alive.update(r.seq for r in state.recovered)
            for behind in state.busy.values():
                alive.update(b if isinstance(b, int) else b.seq for b in behind)
            for chunk in state.tail._chunks:
                alive.update(chunk)
            flying = {
                d.event.seq for s, job in self.jobs if s is side and not job.over for d in job.deliveries
            }
            flying.update(d.event.seq for job in state.jobs for d in job.deliveries)
            if taken is not None and taken.state is state:
                flying.update(d.event.seq for d in taken.deliveries)
            for seq, fate in side.fates.items():
                if fate.state == "pending" and seq not in alive and seq not in flying:
                    at = side.succeeded_at.get(fate.event.id)
                    if at is not None and self.clock.monotonic() - at < side.options.deduplicate_s:
                        fate.state = "skipped"
                    elif fate.bad:
                        fate.state = "dead"
                    else:
                        assert side.options.timeout_s is not None or fate.tries, f"vanished: {fate}"
                        fate.state = "dead"

    # What must be true.

    def check(self) -> None:
        """At any moment."""
        states = [side.state for side in self.sides if side.state is not None]
        assert sum(state.dead_letter_failures for state in states) == len(self.refused_here)
        for side in self.sides:
            if side.state is None:
                continue
            counted = side.state.statistics(self.clock.now())
            assert counted.balanced, counted
            assert counted.attempts == counted.failures + counted.successes
            reserved = sum(side in sides for _, batch in self.unsettled for _, sides in batch)
            assert side.state.pending == counted.pending + counted.in_flight + reserved, "places were lost"
            assert counted.in_flight >= sum(
                len(job.deliveries) for s, job in self.jobs if s is side and not job.over
            )

    def settle(self) -> None:
        """Lets everything end: targets take what they get, time passes, the disk works."""
        if isinstance(self.store, DurableFake):
            self.store.failing = self.store.fetch_failing = 0
        for _ in range(4000):
            while any(side.state is None for side in self.sides):
                self.subscribe()
            self.commit()
            while self.offered:
                self.take()
            while self.letter_jobs:
                side, job = self.letter_jobs.pop()
                self._letters_came_back(job, [True] * len(job.deliveries))
                if self.dispatcher.finish(job, None):
                    self.offered.append(job.state)
            while self.jobs:
                side, job = self.jobs.pop()
                self._came_back(side, job, None)
            self.check()
            if not self.offered and self.dispatcher.wait_idle(0) and self._recorded():
                break
            due = self.dispatcher.next_due()
            now = self.clock.monotonic()
            self.clock.advance(max(0.0, due - now) if due is not None else 0.0)
            self._tick()
        self.end()

    def _recorded(self) -> bool:
        return not isinstance(self.store, DurableFake) or not (self.store.queue or self.disk.pending)

    def end(self) -> None:
        """Nothing is pending, and every delivery is accounted for."""
        assert self.dispatcher.pending == 0, "something is still pending"
        assert self._recorded(), "something is not recorded"
        assert self.dispatcher.wait_idle(0)
        ends: Counter[str] = Counter()
        for side in self.sides:
            assert side.state is not None
            counted = side.state.statistics(self.clock.now())
            assert (counted.pending, counted.in_flight, counted.waiting) == (0, 0, 0)
            for fate in side.fates.values():
                assert fate.state in {"done", "dead", "skipped"}, fate
                ends[fate.state] += 1
                if fate.bad:
                    assert fate.state in {"dead", "skipped"}
        letters = self.store.dead_letters(limit=10**6)
        # A letter that was taken may be there again: the crash came before that was recorded, and then it was not taken.
        known = {letter.id for letter in letters} | self.letters_taken | self.redriven
        assert len(known) == ends["dead"], "dead letters and deliveries that were given up differ"
        for letter in letters:
            assert letter.reason
            assert letter.message
            side = next(side for side in self.sides if side.name == letter.rule)
            assert letter.id not in self.taken_here, "a letter was taken and is still there"
            assert side.options.dead_letter is None or letter.id in self.refused_here, (
                "a letter was not offered"
            )
            if letter.exhausted == "MaximumRetryAttempts":
                assert len(letter.attempts) == side.options.retry.maximum_retry_attempts + 1
            starts = [
                attempt.started_at - attempt.started_at + attempt.duration_s for attempt in letter.attempts
            ]
            assert all(duration >= 0 for duration in starts)
