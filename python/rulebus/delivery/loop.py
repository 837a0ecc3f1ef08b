"""Calls of ``async`` targets, on an event loop: the caller's, or one of its own in a thread.

A few tasks take calls in turn and await them: no task a delivery. Whenever one really waits while there is more to do,
another comes, so that a call that waits delays nobody; calls that do not wait share one task. Each call has a context of
its own (`steps`). Everything may be offered from any thread. Relies on `dispatcher` and asyncio. Must never read the
store on the loop's thread, nor end a task without its delivery being settled.
"""

from __future__ import annotations

import asyncio
import inspect
import threading
import time
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import copy_context
from types import CoroutineType
from typing import Any

from rulebus.clock import Clock, SystemClock
from rulebus.delivery.calls import Elsewhere
from rulebus.delivery.dispatcher import Dispatcher
from rulebus.delivery.inside import mark_task
from rulebus.delivery.state import Job, SubscriptionState
from rulebus.delivery.steps import go_on

__all__ = ["LoopDriver"]

_TURN_S = 0.002
"""How long a task takes calls that never wait, before others on the loop have their turn."""
_IDLE_MOST = 32
"""Tasks that stay when there is nothing to do."""
_AT_ONCE = 8
"""Calls that are taken with one look at the dispatcher."""


class LoopDriver:
    """Makes the calls of a dispatcher's async targets.

    With `loop` None it starts a loop of its own, in a daemon thread, when there is something to do.
    """

    def __init__(
        self,
        dispatcher: Dispatcher,
        clock: Clock,
        loop: asyncio.AbstractEventLoop | None = None,
        *,
        name: str = "rulebus",
    ) -> None:
        self._dispatcher = dispatcher
        self._clock = clock
        self._loop = loop
        self._own = loop is None
        self._name = name
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._ready: deque[SubscriptionState] = deque()
        self._taken: deque[Job] = (
            deque()
        )  # Calls that were taken and not begun, for the next task that is free.
        self._ended: list[
            tuple[Job, float, float]
        ] = []  # Calls that ended and are not settled: see `Dispatcher.turn`.
        self._context = copy_context()  # What handlers see of the world in which the bus was begun.
        self._context.run(mark_task)
        system = type(clock) is SystemClock
        self._monotonic = time.monotonic if system else clock.monotonic
        self._wall = time.time if system else clock.now
        self._called = False  # The loop was asked to come, and has not come yet.
        self._tasks: dict[asyncio.Task[None], Job | None] = {}
        self._given_up: set[asyncio.Task[None]] = set()
        self._idle: list[asyncio.Future[None]] = []  # What idle tasks wait for.
        self._coming = False  # A task is on its way to what is ready.
        self._loop_thread: int | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._stopping = False
        listen: Callable[[Callable[[], None]], Callable[[], None]] | None = getattr(clock, "listen", None)
        self._real = listen is None
        self._unlisten = listen(self._wake) if listen is not None else None
        dispatcher.connect(True, self._offered, self._wake)

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop, started if it is the driver's own."""
        loop = self._loop
        if loop is None:
            with self._lock:
                if self._loop is None:
                    self._loop = asyncio.new_event_loop()
                    self._thread = threading.Thread(
                        target=self._run_own, args=(self._loop,), name=f"{self._name}-loop", daemon=True
                    )
                    self._thread.start()
                loop = self._loop
        return loop

    @staticmethod
    def _run_own(loop: asyncio.AbstractEventLoop) -> None:
        asyncio.set_event_loop(loop)
        try:
            loop.run_forever()
        finally:
            loop.close()

    # What the dispatcher calls, from any thread.

    def _offered(self, states: list[SubscriptionState]) -> None:
        self._ready.extend(states)
        self._call(self.loop)

    def _wake(self) -> None:
        # Before the first offer there is no loop of its own, and then nothing that time could change but what a
        # store had: a retry that is due in the future starts it.
        loop = self._loop
        if loop is not None:
            self._call(loop)
        elif self._dispatcher.has_timers(True):
            self._call(self.loop)

    def _call(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._called or self._stopping:
            return
        self._called = True
        try:
            if threading.get_ident() == self._loop_thread:
                loop.call_soon(self._come)
            else:
                loop.call_soon_threadsafe(self._come)
        except RuntimeError:
            self._called = False  # The loop is closed: what was offered stays pending.

    # On the loop.

    def _come(self) -> None:
        """Time and offers, looked after."""
        self._called = False
        self._loop_thread = threading.get_ident()
        if self._stopping:
            return
        self._dispatcher.tick(True)
        if self._left:
            self._help()
        self._set_timer()

    def _help(self) -> None:
        """Another task comes to what is ready, unless one is on its way."""
        if self._coming or self._stopping:
            return
        self._coming = True
        while self._idle:
            idle = self._idle.pop()
            if not idle.done():
                idle.set_result(None)
                return
        context = self._context.copy()
        task = self.loop.create_task(self._work(), name=f"{self._name}-deliveries", context=context)
        self._tasks[task] = None
        task.add_done_callback(self._done)

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._real and not self._stopping:
            due = self._dispatcher.next_due(True)
            if due is not None:
                wait = max(0.0, due - self._clock.monotonic())
                self._timer = self.loop.call_later(wait, self._come)

    def _done(self, task: asyncio.Task[None]) -> None:
        job = self._tasks.pop(task, None)
        self._given_up.discard(task)
        error = None if task.cancelled() else task.exception()
        if job is not None:
            # The task was ended from outside in the midst of a call.
            reason = error or RuntimeError("the task of this call was cancelled")
            if self._dispatcher.finish(job, reason):
                self._ready.append(job.state)
        self._coming = False  # It may have been the one that was to come.
        if self._left:
            self._call(self.loop)

    async def _work(self) -> None:
        """Makes the calls that are to be made, in turn; waits for more."""
        task = asyncio.current_task()
        assert task is not None
        loop = self.loop
        while True:
            self._coming = False
            turn_ends = loop.time() + _TURN_S
            while self._left:
                await self._turn(task)
                if self._stopping:
                    return
                if loop.time() >= turn_ends:
                    await asyncio.sleep(0)
                    turn_ends = loop.time() + _TURN_S
            if self._stopping or len(self._idle) >= _IDLE_MOST:
                return
            idle: asyncio.Future[None] = loop.create_future()
            self._idle.append(idle)
            await idle

    async def _turn(self, task: asyncio.Task[None]) -> None:
        """Some calls; or a single one that takes more than the usual steps."""
        taken = self._taken
        if not taken:
            self._settle(_AT_ONCE)
            if not taken:
                if self._ready and not self._stopping:
                    await self._deliver(task, self._ready.popleft())
                return
        mono, wall = self._monotonic(), self._wall()
        while taken and not self._stopping:
            job = taken.popleft()
            job.started, job.started_at = mono, wall
            outcome = await self._make(task, job)
            if outcome is not None or job.over:
                self._end(job, outcome)
            mono, wall = self._monotonic(), self._wall()
            if outcome is None and not job.over:
                self._ended.append((job, mono, wall))

    @property
    def _left(self) -> bool:
        """Whether there is anything for a task to do."""
        return bool(self._ready or self._taken or self._ended)

    def _settle(self, most: int) -> None:
        """Ends what ended, and takes at most so many calls."""
        ended = self._ended
        self._ended = []
        self._taken.extend(self._dispatcher.turn(ended, self._ready, most, True))

    async def _make(self, task: asyncio.Task[None], job: Job) -> object:
        """Makes a call; what came of it. Raises CancelledError where the loop is shut down."""
        self._tasks[task] = job
        outcome: object
        try:
            answer = job.target.deliver(job.deliveries)
            if type(answer) is CoroutineType:
                context = self._context.copy()
                try:
                    waits_for = context.run(answer.send, None)
                except StopIteration as end:
                    outcome = end.value
                else:
                    if self._left:
                        self._help()
                    outcome = await go_on(answer, context, waits_for)
            else:
                self._help()
                outcome = await answer if inspect.isawaitable(answer) else answer
        except asyncio.CancelledError as error:
            outcome = error
            if not job.over and task.cancelling():
                raise  # The loop is shut down: `_done` settles it.
        except BaseException as error:
            outcome = error
        self._tasks[task] = None
        if job.over:
            self._given_up.discard(task)
            if task.cancelling():
                task.uncancel()
        return outcome

    def _end(self, job: Job, outcome: object) -> None:
        if self._dispatcher.finish(job, outcome):
            self._ready.append(job.state)

    async def _deliver(self, task: asyncio.Task[None], state: SubscriptionState) -> None:
        """One call for a subscription."""
        dispatcher = self._dispatcher
        try:
            found = dispatcher.take_here(state)
        except BaseException as error:
            dispatcher.stumbled(state, error)
            if isinstance(error, Exception):
                return
            raise
        if isinstance(found, Elsewhere):
            if self._left:
                self._help()
            found = await self._take_elsewhere(state)
        job = found
        if job is None:
            return
        if self._stopping:
            dispatcher.put_back(job)
            return
        if job.deadline is not None:
            job.on_expire = self._expired
            if job.over:  # Its time was up before it began.
                self._end(job, None)
                return
        self._end(job, await self._make(task, job))

    async def _take_elsewhere(self, state: SubscriptionState) -> Job | None:
        """`Dispatcher.take` in a thread, since it reads the store."""
        dispatcher = self._dispatcher
        taking = self.loop.run_in_executor(None, dispatcher.take, state, True)
        try:
            return await asyncio.shield(taking)
        except Exception as error:
            dispatcher.stumbled(state, error)
            return None
        except asyncio.CancelledError:

            def put_back(taken: asyncio.Future[Job | None]) -> None:
                job = None if taken.cancelled() or taken.exception() else taken.result()
                if job is not None:
                    dispatcher.put_back(job)

            taking.add_done_callback(put_back)
            raise

    def _expired(self, job: Job) -> None:
        """The job's time was up: its await is cancelled. One that does not let itself be cancelled is left alone."""
        for task, current in self._tasks.items():
            if current is job:
                self._given_up.add(task)
                task.cancel("the delivery's time is up")
                return

    # The end.

    def _give_back(self) -> None:
        """Settles what ended; what was taken and not begun is pending again."""
        self._settle(0)
        while self._taken:
            self._dispatcher.put_back(self._taken.popleft())

    @property
    def running(self) -> int:
        """Calls that have not come back."""
        return sum(job is not None for job in self._tasks.values())

    async def stop_async(self, timeout_s: float | None = None) -> int:
        """Begins no further call, and waits for those that run; then cancels the rest, which stay pending. How many
        those were. To be awaited on the driver's loop."""
        self._stopping = True
        if self._unlisten is not None:
            self._unlisten()
        for idle in self._idle:
            if not idle.done():
                idle.set_result(None)
        self._idle.clear()
        current = asyncio.current_task()
        tasks = {task for task in self._tasks if task is not current} - self._given_up
        if tasks:
            await asyncio.wait(tasks, timeout=timeout_s)
        left = [task for task in self._tasks if task is not current and self._tasks[task] is not None]
        for task in left:
            job = self._tasks[task]
            if job is not None:
                self._tasks[task] = None
                self._dispatcher.put_back(job, running=True)
            task.cancel()
        self._give_back()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        await asyncio.sleep(0)
        return len(left)

    def stop(self, timeout_s: float | None = None) -> int:
        """The same from a thread; ends the loop too, if it is the driver's own."""
        loop = self._loop
        if loop is None or loop.is_closed():
            self._stopping = True
            return 0
        on_loop = self._thread is threading.current_thread()
        if on_loop:
            self._stopping = True
            self._give_back()
            return self.running
        stopping: Coroutine[Any, Any, int] = self.stop_async(timeout_s)
        left = asyncio.run_coroutine_threadsafe(stopping, loop).result()
        if self._own and self._thread is not None:
            loop.call_soon_threadsafe(loop.stop)
            self._thread.join(1.0)
        return left
