"""Python functions as targets: ``handler(event)``, Lambda's ``handler(event, context)``, batches, sync and async.

How a function wants to be called is read from its signature once. Relies on `targets.protocol` and `event`; queues,
retries and threads are the dispatcher's. Must never let one delivery's handler see the objects of another.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from rulebus.attempt import Failure
from rulebus.clock import Clock, SystemClock
from rulebus.errors import PermanentError, RetryAfter
from rulebus.event import Event
from rulebus.targets.context import Context
from rulebus.targets.protocol import Delivery, Outcomes

__all__ = ["FunctionTarget", "failure_of"]


def failure_of(error: BaseException) -> Failure:
    """What an exception of a handler says of its delivery.

    >>> failure_of(KeyError("total")).kind, failure_of(PermanentError("no such customer")).kind
    ('retryable', 'permanent')
    >>> failure_of(RetryAfter(30)).retry_after_s
    30
    """
    name = type(error).__name__
    try:
        message = str(error) or name
    except BaseException as worse:
        message = f"{name} (its message could not be made: {type(worse).__name__})"
    if isinstance(error, PermanentError):
        return Failure("permanent", "HANDLER_ERROR", message, status=name)
    if isinstance(error, RetryAfter):
        try:
            seconds = max(0.0, error.seconds)
        except TypeError:
            seconds = 0.0  # What no number can be asked of asks for nothing.
        return Failure("throttled", "HANDLER_ERROR", message, status=name, retry_after_s=seconds)
    if isinstance(error, TimeoutError):
        return Failure("retryable", "TIMEOUT", message, status=name)
    return Failure("retryable", "HANDLER_ERROR", message, status=name)


class FunctionTarget:
    """A function that takes events.

    A function of one argument gets an `Event` of its own; or, where the target has an input, the value of that JSON.
    A function of two is called as a Lambda function is, with a fresh dict and a `Context`; a second argument that has
    a default counts if it is called ``context``. With ``batch=True`` the first argument is a list of these, of at most
    the subscription's `batch_size`, and the function may answer which it did not take: a list of None, `Failure` or an
    exception by position, or ``{"batchItemFailures": [{"itemIdentifier": event.id}]}``; None means that it took all.

    Whatever a function of single events returns is ignored. An exception means that the delivery was not taken:
    `PermanentError` for good, `RetryAfter` for so long, any other by the retry policy.

    >>> from rulebus.event import AcceptedEvent
    >>> from rulebus.targets.protocol import Origin
    >>> body = b'{"id":"1","source":"shop","detail":{"total":120}}'
    >>> delivery = Delivery(AcceptedEvent("default", "1", body, 0.0), body, Origin("default", "orders", "bill"))
    >>> FunctionTarget(lambda event: print(event["detail"]["total"])).deliver([delivery])
    120
    >>> FunctionTarget(lambda event, context: print(context.rule, context.attempt)).deliver([delivery])
    orders 1
    """

    __slots__ = ("_batch", "_call", "_clock", "_lambda", "deliver", "function", "is_async")

    deliver: Callable[[Sequence[Delivery]], Outcomes | Awaitable[Outcomes]]
    """Take deliveries; say of each whether it was taken."""

    def __init__(
        self, function: Callable[..., Any], *, batch: bool = False, clock: Clock | None = None
    ) -> None:
        if not callable(function):
            raise TypeError(f"a function target needs something callable, not {function!r}")
        _check_takes_events(function)
        self.function = function
        """What is called."""
        self.is_async = _is_async(function)
        """Whether it is a coroutine function."""
        self._batch = batch
        self._lambda = _wants_context(function)
        self._clock = SystemClock() if clock is None else clock
        self._call = function
        deliver: Callable[[Sequence[Delivery]], Any]
        if batch:
            deliver = self._deliver_batch_async if self.is_async else self._deliver_batch
        else:
            deliver = self._deliver_async if self.is_async else self._deliver
        self.deliver = deliver

    @property
    def defaults(self) -> dict[str, int]:
        """What it proposes for its subscription: lists of a hundred, for a function of lists."""
        return {"batch_size": 100} if self._batch else {}

    @property
    def name(self) -> str:
        """The function's own name, as far as it has one."""
        function: Any = self.function
        while isinstance(function, functools.partial):
            function = function.func
        return str(getattr(function, "__name__", "") or type(function).__name__)

    def describe(self) -> str:
        """The function's module and name."""
        function: Any = self.function
        while isinstance(function, functools.partial):
            function = function.func
        module = getattr(function, "__module__", None) or type(function).__module__
        return f"{module}.{self.name}"

    def close(self) -> None:
        """Nothing to give back."""

    def __repr__(self) -> str:
        return f"<FunctionTarget {self.describe()}>"

    def _arguments(self, delivery: Delivery) -> tuple[Any, ...]:
        if self._lambda:
            return _value(delivery.input), Context(self.name, delivery, self._clock)
        if delivery.input is delivery.event.body:
            return (Event(delivery.input),)
        return (_value(delivery.input),)

    def _call_batch(self, deliveries: Sequence[Delivery]) -> Any:
        """What the function answers to a list."""
        if self._lambda:
            values = [_value(delivery.input) for delivery in deliveries]
            return self._call(values, Context(self.name, deliveries[0], self._clock))
        return self._call(
            [Event(d.input) if d.input is d.event.body else _value(d.input) for d in deliveries]
        )

    def _deliver(self, deliveries: Sequence[Delivery]) -> Outcomes:
        if len(deliveries) == 1:
            delivery = deliveries[0]
            if not self._lambda and delivery.input is delivery.event.body:
                # The usual call, without the steps of the others.
                answer = self._call(Event(delivery.input))
                if answer is not None:
                    _ignore(answer)
                return None
            _ignore(self._call(*self._arguments(delivery)))
            return None
        outcomes: list[Failure | None] = []
        for delivery in deliveries:
            try:
                _ignore(self._call(*self._arguments(delivery)))
            except BaseException as error:  # SystemExit too: what it says is said of this delivery alone.
                outcomes.append(failure_of(error))
            else:
                outcomes.append(None)
        return outcomes

    async def _deliver_async(self, deliveries: Sequence[Delivery]) -> Outcomes:
        if len(deliveries) == 1:
            delivery = deliveries[0]
            if not self._lambda and delivery.input is delivery.event.body:
                await self._call(Event(delivery.input))
            else:
                await self._call(*self._arguments(delivery))
            return None
        outcomes: list[Failure | None] = []
        for delivery in deliveries:
            try:
                await self._call(*self._arguments(delivery))
            except GeneratorExit:
                raise
            except BaseException as error:
                if _is_cancelled(error):
                    raise
                outcomes.append(failure_of(error))
            else:
                outcomes.append(None)
        return outcomes

    def _deliver_batch(self, deliveries: Sequence[Delivery]) -> Outcomes:
        answer = self._call_batch(deliveries)
        return None if answer is None else _outcomes(answer, deliveries)

    async def _deliver_batch_async(self, deliveries: Sequence[Delivery]) -> Outcomes:
        answer = await self._call_batch(deliveries)
        return None if answer is None else _outcomes(answer, deliveries)


def _value(text: bytes) -> Any:
    """The value of a JSON input; the text itself where a string template made something that is no JSON."""
    from rulebus import _json

    try:
        return _json.loads(text)
    except _json.JsonError:
        return text.decode("utf-8", "replace")


def _ignore(answer: Any) -> None:
    """Drops a handler's answer, unless it is one that shows that nothing was done yet."""
    if answer is not None and inspect.iscoroutine(answer):
        answer.close()
        raise PermanentError(
            "the handler returned a coroutine, which nobody awaits: declare it with async def, so that the bus sees it"
        )


def _is_cancelled(error: BaseException) -> bool:
    """Whether the task itself is to end, and not only what the handler awaited."""
    from asyncio import CancelledError, current_task

    task = current_task()
    return isinstance(error, CancelledError) and (task is None or task.cancelling() > 0)


def _check_takes_events(function: Callable[..., Any]) -> None:
    """Raises TypeError for a function that no event could be given: every delivery would fail, for a day."""
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (ValueError, TypeError):
        return  # Functions written in C often do not say.
    name = getattr(function, "__qualname__", repr(function))
    if parameters and parameters[0].name in ("self", "cls") and "." in name:
        raise TypeError(
            f"{name} is a method without its object; subscribe that of an object: bus.on(…)(thing.{name.rpartition('.')[2]})"
        )
    if all(one.kind in (one.KEYWORD_ONLY, one.VAR_KEYWORD) for one in parameters):
        raise TypeError(f"{name} takes no argument to get the event by; write it as handler(event)")


def _is_async(function: Any) -> bool:
    call = getattr(function, "__call__", None)  # noqa: B004 - the method is asked for, not whether there is one
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(call)


def _wants_context(function: Callable[..., Any]) -> bool:
    """Whether a function is written for Lambda: a second argument that must be given, or is called ``context``."""
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (ValueError, TypeError):
        return False  # Functions written in C often do not say; those take the event.
    places = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    if len(places) < 2:
        return False
    second = places[1]
    return second.default is second.empty or second.name in {"context", "_context"}


def _outcomes(answer: Any, deliveries: Sequence[Delivery]) -> Outcomes:
    """Of each delivery of a batch whether it was taken, as the function answered."""
    if isinstance(answer, Mapping):
        return _lambda_outcomes(answer, deliveries)
    if isinstance(answer, list | tuple) and len(answer) == len(deliveries):
        outcomes: list[Failure | None] = []
        for one in answer:
            if one is None or isinstance(one, Failure):
                outcomes.append(one)
            elif isinstance(one, BaseException):
                outcomes.append(failure_of(one))
            else:
                return _rubbish(answer, deliveries)
        return outcomes
    return _rubbish(answer, deliveries)


def _lambda_outcomes(answer: Mapping[str, Any], deliveries: Sequence[Delivery]) -> Outcomes:
    """The same for Lambda's form. As there: an item that is none of the batch fails the whole batch."""
    failed = answer.get("batchItemFailures", ())
    if failed is None:
        return None
    if not isinstance(failed, list | tuple):
        return _rubbish(answer, deliveries)
    known: dict[str, list[int]] = {}
    for at, delivery in enumerate(deliveries):
        known.setdefault(delivery.event.id, []).append(at)
        known.setdefault(delivery.id, []).append(at)
    outcomes: list[Failure | None] = [None] * len(deliveries)
    for item in failed:
        name = item.get("itemIdentifier") if isinstance(item, Mapping) else None
        if not isinstance(name, str) or name not in known:
            return _rubbish(answer, deliveries)
        for at in known[name]:
            outcomes[at] = Failure(
                "retryable", "HANDLER_ERROR", "the handler reported it in batchItemFailures"
            )
    return outcomes


def _rubbish(answer: Any, deliveries: Sequence[Delivery]) -> Outcomes:
    """Nobody can tell what was taken, and a repetition would answer the same: all go to the dead letters."""
    failure = Failure(
        "permanent",
        "HANDLER_ANSWER",
        f"the batch handler answered {repr(answer)[:200]}; expected None, a list of {len(deliveries)} (None, Failure or "
        'exception each), or {"batchItemFailures": [{"itemIdentifier": id}]} with ids of this batch',
    )
    return [failure] * len(deliveries)
