"""The steps of one coroutine in a context of its own, though the task that makes them serves many.

What a handler sets in a `ContextVar` is seen by its own later steps, and by what it starts; by no other handler.
Relies on the standard library. Must never swallow what is thrown into it.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextvars import Context
from types import CoroutineType, coroutine
from typing import Any

__all__ = ["go_on"]


@coroutine
def go_on(work: CoroutineType[Any, Any, Any], context: Context, waits_for: Any) -> Generator[Any, Any, Any]:
    """Awaits the rest of a coroutine whose first step, made with ``context.run(work.send, None)``, gave `waits_for`.

    >>> import asyncio, contextvars
    >>> name = contextvars.ContextVar("name", default="nobody")
    >>> async def work():
    ...     name.set("work")
    ...     await asyncio.sleep(0)
    ...     return name.get()
    >>> async def main():
    ...     context, started = contextvars.copy_context(), work()
    ...     answer = await go_on(started, context, context.run(started.send, None))
    ...     return answer, name.get()
    >>> asyncio.run(main())
    ('work', 'nobody')
    """
    while True:
        step: Callable[[Any], Any] = work.send
        given: Any = None
        try:
            given = yield waits_for
        except GeneratorExit:
            context.run(work.close)
            raise
        except BaseException as error:
            step, given = work.throw, error
        try:
            waits_for = context.run(step, given)
        except StopIteration as end:
            return end.value
