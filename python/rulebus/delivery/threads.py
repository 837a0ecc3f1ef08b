"""Calls of ordinary (not ``async``) targets, in a pool of threads that grows while work waits behind slow ones.

A worker takes the calls of ready subscriptions in turn, several at once of those that are usually quick. A call that takes
long holds one worker; whenever something waits and all are held, another worker comes, also to what the first one took, so
that a slow target delays nobody. One more thread keeps the time: it sleeps until something is due, and looks every few
milliseconds only while work waits for a worker. Relies on `dispatcher`. Must never let what a target raises, however odd, end a worker without its delivery being settled.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from rulebus.clock import Clock, SystemClock
from rulebus.delivery.dispatcher import Dispatcher
from rulebus.delivery.inside import mark_thread
from rulebus.delivery.state import Job, SubscriptionState

__all__ = ["ThreadDriver"]

_LOOK_S = 0.005
"""How long work may wait for a worker before the pool is looked at."""
_IDLE_S = 10.0
"""How long an idle worker stays."""
_STUCK_S = 10.0
"""A call that takes longer does not count against `max_workers`."""
_SATURATED = 0.9
"""Share of a processor in use at which another worker would only take turns with those there are."""

_AT_ONCE = 16
"""Calls that are taken with one look at the dispatcher, at most."""

_here = threading.local()


class _Worker:
    """One thread of the pool."""

    __slots__ = ("began", "gate", "job", "thread", "written_off")

    def __init__(self) -> None:
        self.gate = threading.Lock()
        self.gate.acquire()
        self.thread: threading.Thread | None = None
        self.job: Job | None = None
        self.began = 0.0  # When its call began, on the real clock.
        self.written_off = False  # Its call was given up: it counts again when that comes back.


class ThreadDriver:
    """Makes the calls of a dispatcher's ordinary targets. Threads start when there is something to do.

    `max_workers` bounds the threads that take work; those stuck in a call for more than 10 seconds, or in one whose
    time was up, are not counted. All threads are daemons: one that hangs for ever keeps no process alive.
    """

    def __init__(
        self, dispatcher: Dispatcher, clock: Clock, *, max_workers: int = 64, name: str = "rulebus"
    ) -> None:
        if max_workers < 1:
            raise ValueError(f"max_workers is at least 1, not {max_workers!r}")
        self._dispatcher = dispatcher
        self._clock = clock
        self._most = max_workers
        self._name = name
        self._ready: deque[SubscriptionState] = deque()
        self._taken: deque[Job] = (
            deque()
        )  # Calls that were taken and not begun, for the next worker that is free.
        self._over: deque[tuple[Job, float, float]] = deque()  # Calls not settled yet: see `Dispatcher.turn`.
        system = type(clock) is SystemClock
        self._monotonic = time.monotonic if system else clock.monotonic
        self._wall = time.time if system else clock.now
        self._system = system
        self._lock = threading.Lock()
        self._idle: list[_Worker] = []  # The last one that became idle is woken first.
        self._workers: set[_Worker] = set()
        self._stopping = False
        self._ended = threading.Condition(self._lock)
        self._time = _Timekeeper(self, dispatcher, clock, name)
        dispatcher.connect(False, self._offered, self._time.wake)

    # What the dispatcher calls.

    def _offered(self, states: list[SubscriptionState]) -> None:
        self._ready.extend(states)
        if self._idle and self._wake_one():
            return
        if not self._workers:
            with self._lock:
                if not self._workers and not self._stopping:
                    self._start()
        elif not self._stopping:
            self._time.watch()

    def _wake_one(self) -> bool:
        with self._lock:
            if not self._idle:
                return False
            worker = self._idle.pop()
        worker.gate.release()
        return True

    # The pool.

    @property
    def workers(self) -> int:
        """Threads there are, those that are stuck included."""
        return len(self._workers)

    def waiting(self) -> bool:
        """Whether work waits for a worker."""
        return bool(self._ready or self._taken or self._over)

    def grow(self, waited_s: float, saturated: bool) -> None:
        """Work waits: wakes or starts a worker, if that helps."""
        if self._wake_one():
            return
        if self._over:
            self._settle(
                0
            )  # Whoever made these calls may be held by another, and there may be no other worker.
        now = time.monotonic()
        with self._lock:
            if self._stopping or not self.waiting():
                return
            counted, moving = 0, False
            for worker in self._workers:
                busy_s = 0.0 if worker.job is None else now - worker.began
                counted += busy_s < _STUCK_S and not worker.written_off
                moving = moving or busy_s < _LOOK_S
            if moving and (saturated or waited_s < _LOOK_S):
                return  # Somebody will come to it; another thread would only take turns with those there are.
            # Doubled when all are held, so that many slow targets are no queue for those behind them.
            waiting = len(self._ready) + len(self._taken)
            wanted = 1 if moving else min(max(1, waiting), max(1, counted))
            for _ in range(min(wanted, self._most - counted)):
                self._start()

    def _start(self) -> None:
        worker = _Worker()
        worker.thread = threading.Thread(
            target=self._work, args=(worker,), name=f"{self._name}-worker", daemon=True
        )
        self._workers.add(worker)
        try:
            worker.thread.start()
        except RuntimeError:
            # The system gives no more threads (or the interpreter ends): those there are go on.
            self._workers.discard(worker)

    def _work(self, worker: _Worker) -> None:
        _here.worker = worker
        mark_thread()
        try:
            while self._more(worker):
                self._turn(worker)
        finally:
            self._left(worker)

    def _left(self, worker: _Worker) -> None:
        if self._stopping:
            self._give_back()
        else:
            self._settle(0)
        with self._lock:
            self._workers.discard(worker)
            if worker in self._idle:
                self._idle.remove(worker)
            self._ended.notify_all()
        job, worker.job = worker.job, None
        if job is not None:  # The thread was ended from outside in the midst of a call.
            self._finish(job, RuntimeError("the worker thread of this call was ended"))
        if self.waiting():
            self._time.watch()

    def _more(self, worker: _Worker) -> bool:
        """Waits until there is something to do; False: the worker may leave."""
        while not self._stopping:
            if self.waiting():
                return True
            with self._lock:
                # After this, whoever offers finds this worker; before it, what was offered is found here.
                self._idle.append(worker)
            if self.waiting() or self._stopping:
                with self._lock:
                    if worker in self._idle:
                        self._idle.remove(worker)
                        continue
                worker.gate.acquire()  # Somebody woke it meanwhile.
                continue
            if not worker.gate.acquire(timeout=_IDLE_S):
                with self._lock:
                    if worker in self._idle:
                        self._idle.remove(worker)
                        return False
                worker.gate.acquire()
        return False

    def _turn(self, worker: _Worker) -> None:
        """Some calls; or a single one that takes more than the usual steps."""
        taken = self._taken
        if not taken:
            self._settle(1 + min(len(self._ready) // 2, _AT_ONCE - 1))
            if not taken:
                try:
                    state = self._ready.popleft()
                except IndexError:
                    return
                if self.waiting():
                    self._time.watch()
                self._run(worker, state)
                return
            if len(taken) > 1 or self._ready:
                self._time.watch()  # Whoever gets stuck in the first of them is not alone with the others.
        mono, wall = self._monotonic(), self._wall()
        while not self._stopping:
            try:
                job = taken.popleft()
            except IndexError:
                break
            job.started, job.started_at = mono, wall
            outcome = self._call(worker, job, mono if self._system else time.monotonic())
            if outcome is not None or job.over:
                self._finish(job, outcome)
            mono, wall = self._monotonic(), self._wall()
            if outcome is None and not job.over:
                self._over.append((job, mono, wall))

    def _settle(self, most: int) -> None:
        """Ends what ended, and takes at most so many calls."""
        ended: list[tuple[Job, float, float]] = []
        while self._over:
            try:
                ended.append(self._over.popleft())
            except IndexError:
                break  # Another worker was quicker.
        self._taken.extend(self._dispatcher.turn(ended, self._ready, most, False))

    def _call(self, worker: _Worker, job: Job, now: float) -> object:
        """Makes a call; what came of it."""
        worker.began = now
        worker.job = job
        if job.state.slow and self.waiting() and not self._wake_one():
            self._time.watch()
        outcome: object
        try:
            outcome = job.target.deliver(job.deliveries)
        except BaseException as error:  # SystemExit and its kind end no worker.
            outcome = error
        worker.job = None
        return outcome

    def _finish(self, job: Job, outcome: object) -> None:
        if self._dispatcher.finish(job, outcome):
            self._ready.append(job.state)

    def _run(self, worker: _Worker, state: SubscriptionState) -> None:
        """A call for a subscription, by itself."""
        dispatcher = self._dispatcher
        try:
            job = dispatcher.take(state, False)
        except BaseException as error:
            dispatcher.stumbled(state, error)
            return
        if job is None:
            return
        if job.deadline is not None:
            worker.began = time.monotonic()
            worker.job = job
            job.on_expire = self._write_off
            if job.over:  # Its time was up before it began.
                worker.job = None
                self._finish(job, None)
                return
        self._finish(job, self._call(worker, job, time.monotonic()))
        if worker.written_off:
            worker.written_off = False

    def _write_off(self, job: Job) -> None:
        """The job's time was up: its worker counts no more until it comes back."""
        with self._lock:
            for worker in self._workers:
                if worker.job is job:
                    worker.written_off = True
                    self._ended.notify_all()
        if self.waiting():
            self._time.watch()

    # The end.

    def _give_back(self) -> None:
        """Settles what ended; what was taken and not begun is pending again."""
        self._settle(0)
        with suppress(IndexError):  # Another thread may be quicker, with the last one.
            while True:
                self._dispatcher.put_back(self._taken.popleft())

    @property
    def running(self) -> int:
        """Calls that have not come back, those given up included."""
        with self._lock:
            return sum(worker.job is not None for worker in self._workers)

    def stop(self, timeout_s: float | None = None) -> int:
        """Begins no further call, and waits for those that run; how many have not come back in time. What was offered
        stays with the dispatcher, pending. Called from one of the workers, it does not wait for that one."""
        end = None if timeout_s is None else time.monotonic() + timeout_s
        own = getattr(_here, "worker", None)
        with self._lock:
            self._stopping = True
            idle, self._idle = self._idle, []
        for worker in idle:
            worker.gate.release()
        with self._lock:
            # Those written off may never come back: nobody waits for them.
            while any(worker is not own and not worker.written_off for worker in self._workers):
                left = None if end is None else end - time.monotonic()
                if left is not None and left <= 0:
                    break
                self._ended.wait(left)
            left_behind = sum(worker.job is not None for worker in self._workers if worker is not own)
        self._give_back()
        self._time.stop()
        return left_behind


class _Timekeeper:
    """The thread that sleeps until something is due."""

    def __init__(self, driver: ThreadDriver, dispatcher: Dispatcher, clock: Clock, name: str) -> None:
        self._driver = driver
        self._dispatcher = dispatcher
        self._clock = clock
        self._name = f"{name}-time"
        self._gate = threading.Condition(threading.Lock())
        self._signalled = False
        self._watching = False
        self._lingers = False  # Looks once more after there was work, before it sleeps for long.
        self._since = 0.0  # When work began to wait, on the real clock.
        self._stopping = False
        self._thread: threading.Thread | None = None
        # A clock that tests move says so; on it nothing becomes due by waiting.
        listen: Callable[[Callable[[], None]], Callable[[], None]] | None = getattr(clock, "listen", None)
        self._real = listen is None
        self._unlisten = listen(self.wake) if listen is not None else None

    def wake(self) -> None:
        """Something is due earlier, or a write of the store ended."""
        if self._signalled and self._thread is not None:
            return
        with self._gate:
            self._signalled = True
            if self._thread is None and not self._stopping:
                self._thread = threading.Thread(target=self._keep, name=self._name, daemon=True)
                self._thread.start()
            self._gate.notify()

    def watch(self) -> None:
        """Work waits and no worker is idle: looks after it shortly."""
        if self._watching:
            return
        self._watching = self._lingers = True
        self._since = time.monotonic()
        self.wake()

    def stop(self) -> None:
        with self._gate:
            self._stopping = True
            self._gate.notify()
        if self._unlisten is not None:
            self._unlisten()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(1.0)

    def _keep(self) -> None:
        driver, dispatcher = self._driver, self._dispatcher
        cpu, at = time.process_time(), time.monotonic()
        share = 0.0
        while True:
            wait = self._wait_s()
            with self._gate:
                if not self._signalled and not self._stopping and (wait is None or wait > 0):
                    self._gate.wait(wait)
                if self._stopping:
                    return
                self._signalled = False
            dispatcher.tick(False)
            if not self._still_waiting():
                continue
            now = time.monotonic()
            if now - at >= _LOOK_S:
                cpu_now = time.process_time()
                share = (cpu_now - cpu) / (now - at)
                cpu, at = cpu_now, now
            driver.grow(now - self._since, share > _SATURATED)

    def _still_waiting(self) -> bool:
        if not self._driver.waiting() and self._lingers:
            # Where work comes and goes all the time, it is not worth a wake-up each time.
            self._lingers = False
            self._since = time.monotonic()
            return False
        self._watching = False
        # In this order: an offer that comes between saw that somebody watches, and is seen here.
        if not self._driver.waiting():
            return False
        self._watching = self._lingers = True
        return True

    def _wait_s(self) -> float | None:
        """How long to sleep; None: until woken."""
        wait = _LOOK_S if self._watching else None
        if self._real:
            due = self._dispatcher.next_due(False)
            if due is not None:
                left = max(0.0, due - self._clock.monotonic())
                wait = left if wait is None else min(wait, left)
        return wait
