"""What the hub's work may have to wait for, said without waiting, so that threads and asyncio share one implementation.

The work is generators that yield these; a facade waits in its own way and sends in what came of it. `run` is the way of
a thread, `async_event_bus` has that of a loop. Relies on the standard library; must never import asyncio.
"""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable, Generator
from concurrent.futures import Future
from typing import Any, TypeAlias, TypeVar

__all__ = ["Blocking", "Durable", "OnLoop", "Until", "Wait", "Work", "run"]

R = TypeVar("R")


class Durable:
    """A write of the store: until it is on the disk. What it raises is raised where it was yielded."""

    __slots__ = ("future",)

    def __init__(self, future: Future[None]) -> None:
        self.future = future


class Until:
    """Something that calls back once, from any thread; `begin` gives the function that ends the wait. Sent in: whether
    it came about in time."""

    __slots__ = ("begin", "timeout_s")

    def __init__(
        self, begin: Callable[[Callable[[], None]], Callable[[], None]], timeout_s: float | None
    ) -> None:
        self.begin = begin
        self.timeout_s = timeout_s


class Blocking:
    """A call that may block its thread. Sent in: what it returned."""

    __slots__ = ("call",)

    def __init__(self, call: Callable[[], Any]) -> None:
        self.call = call


class OnLoop:
    """Something to await on the loop that asynchronous targets live on. Sent in: what it came to."""

    __slots__ = ("make",)

    def __init__(self, make: Callable[[], Awaitable[Any]]) -> None:
        self.make = make


Wait: TypeAlias = Durable | Until | Blocking | OnLoop
Work: TypeAlias = Generator[Wait, Any, R]


def run(work: Work[R], on_loop: Callable[[Callable[[], Awaitable[Any]]], Any]) -> R:
    """Does the work in this thread, waiting where it must; `on_loop` awaits something on the loop of the targets."""
    try:
        wait = next(work)
        while True:
            try:
                if isinstance(wait, Durable):
                    answer: Any = wait.future.result()
                elif isinstance(wait, Until):
                    answer = _block(wait)
                elif isinstance(wait, Blocking):
                    answer = wait.call()
                else:
                    answer = on_loop(wait.make)
            except BaseException as error:
                wait = work.throw(error)
            else:
                wait = work.send(answer)
    except StopIteration as end:
        result: R = end.value
        return result


def _block(wait: Until) -> bool:
    done = threading.Event()
    end = wait.begin(done.set)
    try:
        return done.wait(wait.timeout_s)
    finally:
        end()
