"""Functions as targets: how they are called, and what their answers and exceptions mean. Relies on the package."""

from __future__ import annotations

import asyncio
import functools
import inspect
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from rulebus.attempt import Failure
from rulebus.errors import PermanentError, RetryAfter
from rulebus.event import AcceptedEvent, Event
from rulebus.targets.context import Context
from rulebus.targets.function import FunctionTarget, failure_of
from rulebus.targets.protocol import Delivery, Origin, Target

ORIGIN = Origin("orders", "big", "bill", "arn:aws:events:eu-west-1:111111111111:rule/orders/big")


def delivery(n: int = 1, input: bytes | None = None, **rest: Any) -> Delivery:
    body = b'{"id":"%d","source":"shop","detail":{"n":%d}}' % (n, n)
    return Delivery(
        AcceptedEvent("orders", str(n), body, 0.0), body if input is None else input, ORIGIN, **rest
    )


def run(function: Callable[..., Any], *deliveries: Delivery, batch: bool = False) -> Any:
    target = FunctionTarget(function, batch=batch)
    assert isinstance(target, Target)
    answer: Any = target.deliver(deliveries)
    return asyncio.run(answer) if target.is_async else answer


def both(function: Callable[..., Any]) -> list[Callable[..., Any]]:
    """The function, and an asynchronous one that does the same."""

    if len(inspect.signature(function).parameters) == 1:

        async def twin(event: Any) -> Any:
            return function(event)

        return [function, twin]

    async def lambda_twin(event: Any, context: Any) -> Any:
        return function(event, context)

    return [function, lambda_twin]


def test_a_function_of_one_argument_gets_an_event_of_its_own() -> None:
    got: list[Any] = []
    for function in both(got.append):
        one = delivery()
        assert run(function, one) is None
        assert run(function, one) is None
    assert [type(event) for event in got] == [Event] * 4
    got[0].detail["n"] = 99
    assert [event.detail["n"] for event in got] == [99, 1, 1, 1]


def test_lambda_style_gets_a_fresh_dict_and_a_context() -> None:
    got: list[Any] = []
    for function in both(lambda event, context: got.append((event, context))):
        run(function, delivery(attempt=3))
    for event, context in got:
        assert type(event) is dict
        assert event["detail"] == {"n": 1}
        assert isinstance(context, Context)
        assert (context.bus, context.rule, context.target, context.attempt) == ("orders", "big", "bill", 3)
        assert uuid.UUID(context.aws_request_id)
        assert context.invoked_function_arn.startswith("arn:aws:lambda:eu-west-1:111111111111:function:")
        assert context.get_remaining_time_in_millis() == 900_000
    assert got[0][1].aws_request_id == got[1][1].aws_request_id


def test_remaining_time_comes_from_the_clock() -> None:
    class Still:
        def now(self) -> float:
            return 0.0

        def monotonic(self) -> float:
            return 10.0

    left: list[int] = []
    target = FunctionTarget(
        lambda event, context: left.append(context.get_remaining_time_in_millis()), clock=Still()
    )
    target.deliver([delivery(deadline=12.5)])
    target.deliver([delivery(deadline=9.0)])
    assert left == [2500, 0]


@pytest.mark.parametrize(
    ("input", "value"), [(b'{"a":1}', {"a": 1}), (b'"x"', "x"), (b'"a"\n"b"', '"a"\n"b"'), (b"", "")]
)
def test_an_input_arrives_as_its_value(input: bytes, value: object) -> None:
    got: list[Any] = []
    run(got.append, delivery(input=input))
    run(lambda event, context: got.append(event), delivery(input=input))
    assert got == [value, value]


def test_which_second_arguments_are_a_context() -> None:
    def plain(event: Any, retries: int = 3) -> None:
        seen.append(retries)

    def optional(event: Any, context: Any = None) -> None:
        seen.append(context)

    def loose(*events: Any) -> None:
        seen.append(len(events))

    class Handler:
        def __call__(self, event: Any, context: Any) -> None:
            seen.append(context)

    seen: list[Any] = []
    for function in (
        plain,
        optional,
        loose,
        Handler(),
        functools.partial(lambda a, event, ctx: seen.append(ctx), 1),
    ):
        run(function, delivery())
    assert [type(one) for one in seen] == [int, Context, int, Context, Context]
    taken: list[Any] = []
    run(taken.append, delivery())
    assert len(taken) == 1


def test_asynchronous_ones_are_recognised() -> None:
    class Handler:
        async def __call__(self, event: Any) -> None: ...

    async def function(event: Any) -> None: ...

    assert all(FunctionTarget(f).is_async for f in (function, functools.partial(function), Handler()))
    assert not FunctionTarget(print).is_async


def test_a_coroutine_that_nobody_awaits_is_an_error() -> None:
    async def work() -> None: ...

    with pytest.raises(PermanentError, match="async def"):
        FunctionTarget(lambda event: work()).deliver([delivery()])


def test_exceptions_go_up_for_one_and_become_failures_for_many() -> None:
    def function(event: Any) -> None:
        if event.id != "2":
            raise {"1": KeyError("x"), "3": PermanentError("no"), "4": RetryAfter(7)}[event.id]

    for one in both(function):
        with pytest.raises(KeyError):
            run(one, delivery(1))
        outcomes = run(one, *[delivery(n) for n in (1, 2, 3, 4)])
        assert [outcome and (outcome.kind, outcome.status) for outcome in outcomes] == [
            ("retryable", "KeyError"),
            None,
            ("permanent", "PermanentError"),
            ("throttled", "RetryAfter"),
        ]
        assert outcomes[3].retry_after_s == 7


def test_a_timeout_has_its_own_code() -> None:
    assert failure_of(TimeoutError()).code == "TIMEOUT"
    assert failure_of(TimeoutError()).message == "TimeoutError"


BATCH = [delivery(n) for n in (1, 2, 3)]
FAILED = Failure("permanent", "X", "x")


@pytest.mark.parametrize(
    ("answer", "kinds"),
    [
        (None, None),
        ([None, ValueError("x"), FAILED], [None, "retryable", "permanent"]),
        ({"batchItemFailures": []}, [None] * 3),
        ({"batchItemFailures": None}, None),
        ({}, [None] * 3),
        ({"batchItemFailures": [{"itemIdentifier": "2"}]}, [None, "retryable", None]),
        ({"batchItemFailures": [{"itemIdentifier": "3/big/bill"}]}, [None, None, "retryable"]),
    ],
)
def test_batch_answers(answer: object, kinds: list[str | None] | None) -> None:
    for function in both(lambda events: answer):
        outcomes = run(function, *BATCH, batch=True)
        assert kinds == (outcomes if outcomes is None else [outcome and outcome.kind for outcome in outcomes])


@pytest.mark.parametrize(
    "answer",
    [
        3, True, "text", [], [None], [None, None, 5], {"batchItemFailures": 5}, {"batchItemFailures": [{}]},
        {"batchItemFailures": [{"itemIdentifier": "9"}]}, {"batchItemFailures": ["1"]},
    ],
)  # fmt: skip
def test_rubbish_from_a_batch_handler_is_no_success(answer: object) -> None:
    outcomes = run(lambda events: answer, *BATCH, batch=True)
    assert [(outcome.kind, outcome.code) for outcome in outcomes] == [("permanent", "HANDLER_ANSWER")] * 3


def test_batch_arguments() -> None:
    got: list[Any] = []
    run(got.append, *BATCH, batch=True)
    run(lambda events, context: got.append((events, context.rule)), *BATCH, batch=True)
    assert [type(event) for event in got[0]] == [Event] * 3
    assert [event["id"] for event in got[1][0]] == ["1", "2", "3"]
    assert got[1][1] == "big"


def takes_two(prefix: str, event: Event) -> None:
    """A function whose first argument is given before."""


def test_names() -> None:
    assert (
        FunctionTarget(functools.partial(takes_two, "x"))
        .describe()
        .endswith("test_targets_function.takes_two")
    )
    assert FunctionTarget(print).name == "print"
    with pytest.raises(TypeError, match="callable"):
        FunctionTarget(5)  # type: ignore[arg-type]


class Unprintable(Exception):
    def __str__(self) -> str:
        raise ValueError("not even that")


@pytest.mark.parametrize(
    "raised", [Unprintable(), SystemExit(3), KeyboardInterrupt(), asyncio.CancelledError()]
)
@pytest.mark.parametrize("is_async", [False, True])
def test_whatever_a_function_raises_is_the_failure_of_its_delivery_alone(
    raised: BaseException, is_async: bool
) -> None:
    calls: list[int] = []

    def handle(event: Event) -> None:
        calls.append(len(calls))
        if len(calls) == 2:
            raise raised

    async def handle_async(event: Event) -> None:
        handle(event)

    deliveries = [delivery() for _ in range(3)]
    outcomes: Any
    if is_async:
        outcomes = asyncio.run(_awaited(FunctionTarget(handle_async), deliveries))
    else:
        outcomes = FunctionTarget(handle).deliver(deliveries)
    assert calls == [0, 1, 2]
    assert [outcomes[0], outcomes[2]] == [None, None]
    assert outcomes[1].code == "HANDLER_ERROR"
    assert type(raised).__name__ in (outcomes[1].message + outcomes[1].status)


async def _awaited(target: FunctionTarget, deliveries: list[Delivery]) -> Any:
    answer = target.deliver(deliveries)
    assert inspect.isawaitable(answer)
    return await answer


def test_a_task_that_is_cancelled_ends_whatever_it_delivers() -> None:
    calls: list[Event] = []

    async def handle(event: Event) -> None:
        calls.append(event)
        await asyncio.sleep(3600)

    async def main() -> None:
        task = asyncio.ensure_future(_awaited(FunctionTarget(handle), [delivery(), delivery()]))
        while not calls:
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert len(calls) == 1


def test_a_wait_that_is_no_number_is_none() -> None:
    assert failure_of(RetryAfter("soon")).retry_after_s == 0.0  # type: ignore[arg-type]
    assert failure_of(RetryAfter(-3)).retry_after_s == 0.0


@pytest.mark.parametrize("text", ['{"a":1e400}', '{"a":"\\ud800"}', '{"a":' + "9" * 400 + "}"])
def test_valid_json_that_is_rare_reaches_the_function_as_its_value(text: str) -> None:
    got: list[Any] = []
    FunctionTarget(got.append).deliver([delivery(input=text.encode())])
    assert list(got[0]) == ["a"]
