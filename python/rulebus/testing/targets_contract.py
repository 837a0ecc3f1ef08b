"""What every target must do, as a suite of tests that a target's own tests inherit.

Relies on the public protocol alone, and on plain asserts, so that pytest and unittest-like runners can both use it.
Must never sleep, and must never look into a target.
"""

from __future__ import annotations

import asyncio
import inspect
import re
import threading
from collections.abc import Coroutine, Iterable, Sequence
from typing import Any, TypeVar

from rulebus.attempt import ANSWER_BYTES, Failure
from rulebus.errors import PermanentError, RetryAfter
from rulebus.event import AcceptedEvent
from rulebus.origin import Origin
from rulebus.targets.protocol import Delivery, Target

__all__ = ["TargetContract", "delivery_of"]

T = TypeVar("T")


def delivery_of(
    input: bytes, *, id: str = "e-1", body: bytes | None = None, target: str = "target", attempt: int = 1
) -> Delivery:
    """A delivery of this input, as a dispatcher would make it.

    >>> delivery = delivery_of(b'{"total":120}', id="e-7")
    >>> delivery.id, delivery.input is delivery.event.body
    ('e-7/rule/target', True)
    """
    event = AcceptedEvent("default", id, input if body is None else body, 1_700_000_000.0, seq=1)
    return Delivery(event, input, Origin("default", "rule", target, "arn:aws:events:::rule/rule"), attempt)


class TargetContract:
    """Inherit it in a test class whose name begins with ``Test``, and say how your target is made.

    `make` gives a target that takes everything, `taken` what arrived at its end, in the order of arrival. Where it can
    happen to your kind, `make_unavailable` gives a target whose other end is not there at the moment, and `make_refusing`
    one whose other end will never take what is sent. `secrets` are texts that must show nowhere.

    >>> class TestMine(TargetContract):
    ...     def make(self):
    ...         self.seen = []
    ...         seen = self.seen
    ...         class Mine:
    ...             def deliver(self, deliveries):
    ...                 seen.extend(d.input for d in deliveries)
    ...             def describe(self):
    ...                 return "mine"
    ...             def close(self):
    ...                 pass
    ...         return Mine()
    ...     def taken(self):
    ...         return self.seen
    >>> TestMine.run_all()
    11
    """

    secrets: Sequence[str] = ()
    """Texts that must never show."""
    ordered: bool = True
    """Whether the deliveries of one call arrive in their order."""
    most_at_once: int = 25
    """Deliveries of the largest batch that is tried."""
    large_bytes: int = 200_000
    """Size of the largest input that is tried."""

    def make(self) -> Target:
        """A target that takes everything. Called once a test."""
        raise NotImplementedError("say how your target is made: def make(self) -> Target")

    def taken(self) -> Iterable[Any]:
        """What arrived at the end of the target last made."""
        raise NotImplementedError("say what arrived at your target's end: def taken(self) -> list")

    def make_unavailable(self) -> Target | None:
        """A target whose other end is not there at the moment; None where that cannot be."""
        return None

    def make_refusing(self) -> Target | None:
        """A target whose other end will never take what is sent; None where that cannot be."""
        return None

    def expected(self, input: bytes) -> Any:
        """What `taken` shows of an input. The input itself, if not overridden."""
        return input

    def clean_up(self) -> None:
        """Called after each test."""

    # What follows runs the suite.

    _runner: asyncio.Runner | None = None

    @classmethod
    def run_all(cls) -> int:
        """Runs all tests without a test runner; how many there were."""
        names = [name for name in dir(cls) if name.startswith("test_")]
        for name in names:
            suite = cls()
            suite.setup_method()
            try:
                getattr(suite, name)()
            finally:
                suite.teardown_method()
        return len(names)

    def setup_method(self) -> None:
        """Before each test."""
        self._runner = None

    def teardown_method(self) -> None:
        """After each test."""
        try:
            self.clean_up()
        finally:
            if self._runner is not None:
                self._runner.close()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Runs something on the event loop of this test, which asynchronous targets see, too."""
        if self._runner is None:
            self._runner = asyncio.Runner()
        return self._runner.run(coroutine)

    def deliver(self, target: Target, *deliveries: Delivery) -> list[Failure | None]:
        """One call of the target; an outcome for each delivery, also where it raised."""
        try:
            answer = target.deliver(deliveries)
            if inspect.isawaitable(answer):
                answer = self.run(_awaited(answer))
        except PermanentError as error:
            return [Failure("permanent", "HANDLER_ERROR", str(error))] * len(deliveries)
        except RetryAfter as error:
            return [Failure("throttled", "HANDLER_ERROR", str(error), retry_after_s=error.seconds)] * len(
                deliveries
            )
        except Exception as error:
            return [Failure("retryable", "HANDLER_ERROR", str(error))] * len(deliveries)
        outcomes = [None] * len(deliveries) if answer is None else list(answer)
        assert len(outcomes) == len(deliveries), "one outcome for each delivery, or None for the whole"
        assert all(one is None or isinstance(one, Failure) for one in outcomes), (
            "an outcome is None or a Failure"
        )
        return outcomes

    def close(self, target: Target) -> None:
        """Closes the target."""
        answer = target.close()
        if inspect.isawaitable(answer):
            self.run(_awaited(answer))

    def _takes(self, *deliveries: Delivery) -> None:
        target = self.make()
        outcomes = self.deliver(target, *deliveries)
        self.close(target)
        assert outcomes == [None] * len(deliveries), f"all were to be taken: {outcomes}"
        self._arrived(deliveries)

    def _arrived(self, deliveries: Sequence[Delivery], *, ordered: bool | None = None) -> None:
        wanted = [self.expected(delivery.input) for delivery in deliveries]
        arrived = list(self.taken())
        if not (self.ordered if ordered is None else ordered):
            wanted, arrived = sorted(wanted, key=repr), sorted(arrived, key=repr)
        assert arrived == wanted, f"{len(wanted)} were sent, {len(arrived)} arrived, or not the same ones"

    def _fails(self, target: Target, kinds: set[str]) -> None:
        sent = [delivery_of(b'{"n":1}', id="e-1"), delivery_of(b'{"n":2}', id="e-2")]
        for outcome in self.deliver(target, *sent):
            assert outcome is not None, "nothing could take it, so it was not taken"
            assert outcome.kind in kinds, f"{outcome.kind} is not among {kinds}: {outcome}"
            assert re.fullmatch(r"[A-Z][A-Z0-9_]*", outcome.code), f"codes are in capitals: {outcome.code}"
            assert outcome.message.strip(), "a failure says why"
            assert len(outcome.answer) <= ANSWER_BYTES, f"at most {ANSWER_BYTES} bytes of an answer are kept"
            for secret in self.secrets:
                assert secret not in f"{outcome!r}", "a failure shows a secret"
        self.close(target)

    def test_it_is_a_target(self) -> None:
        target = self.make()
        assert isinstance(target, Target)
        self.close(target)

    def test_it_takes_one_delivery(self) -> None:
        self._takes(delivery_of(b'{"id":"e-1","detail":{"total":120}}'))

    def test_it_takes_a_batch(self) -> None:
        count = range(self.most_at_once)
        self._takes(*(delivery_of(b'{"id":"e-%d","detail":{}}' % n, id=f"e-{n}") for n in count))

    def test_it_sends_the_input_not_the_event(self) -> None:
        self._takes(delivery_of(b'{"total":120}', body=b'{"id":"e-1","detail":{"total":120}}'))

    def test_it_leaves_every_character_as_it_is(self) -> None:
        text = '{"id":"e-1","text":"a\\nb\\u0000 \\"quoted\\" \\\\ é 漢字 🛒","n":1.50,"empty":"","none":null,"big":1e400}'
        self._takes(delivery_of(self.spelled(text).encode()))

    def spelled(self, text: str) -> str:
        """A text of all kinds of characters; override it where the other end cannot hold all of them."""
        return text

    def test_it_takes_a_large_input(self) -> None:
        text = b'{"id":"e-1","text":"%s"}' % (b"x" * (self.large_bytes - 30))
        self._takes(delivery_of(text))

    def test_two_deliveries_of_one_event_are_two(self) -> None:
        text = b'{"id":"e-1","detail":{}}'
        self._takes(*(delivery_of(text, target=name) for name in ("one", "two")))

    def test_calls_may_overlap(self) -> None:
        target = self.make()
        sent = [delivery_of(b'{"id":"e-%d"}' % n, id=f"e-{n}") for n in range(8)]
        outcomes: list[Any] = []
        if inspect.iscoroutinefunction(target.deliver):
            outcomes = self.run(_together(target, sent))
        else:
            threads = [
                threading.Thread(target=lambda d=d: outcomes.extend(self.deliver(target, d))) for d in sent
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        self.close(target)
        assert outcomes == [None] * len(sent), f"all were to be taken: {outcomes}"
        self._arrived(sent, ordered=False)

    def test_what_is_not_there_is_tried_again(self) -> None:
        target = self.make_unavailable()
        if target is not None:
            self._fails(target, {"retryable", "throttled"})

    def test_what_will_never_be_taken_is_permanent(self) -> None:
        target = self.make_refusing()
        if target is not None:
            self._fails(target, {"permanent"})

    def test_its_names_are_short_and_hold_no_secret(self) -> None:
        target = self.make()
        described = target.describe()
        assert described, "a target has a name"
        assert len(described) <= 300, f"a name is short: {described}"
        assert described.isprintable(), f"a name is one line: {described!r}"
        for secret in self.secrets:
            assert secret not in described, "describe() shows a secret"
            assert secret not in repr(target), "repr() shows a secret"
        self.close(target)


async def _awaited(answer: Any) -> Any:
    return await answer


async def _together(target: Target, deliveries: Sequence[Delivery]) -> list[Any]:
    found: list[Any] = []
    for answer in await asyncio.gather(*(_awaited(target.deliver([one])) for one in deliveries)):
        found.extend([None] if answer is None else answer)
    return found
