"""Compares the engine with the reference matcher on a sample of events and rules: a benchmark of wrong answers is
worth nothing.

The reference is slow, and some events that are harmless to the engine take it exponentially long: it gets a time
budget, and what it did not finish is reported as not judged. Must never count an event as agreed that the reference did
not finish.
"""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import FrameType
from typing import TypeVar

from rulebus.reference import ReferenceEventError, ReferenceMatcher

__all__ = ["Disagreement", "Judgement", "judge"]

_PAIRS = 300_000
_RULES = 3_000
_SHOWN = 20
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Disagreement:
    """One rule on which engine and reference differ for one event."""

    event: str
    rule: str
    rulebus: bool
    """Whether rulebus says that the rule matches; the reference says the opposite."""


@dataclass(slots=True)
class Judgement:
    """What was compared and what came out."""

    rules: int = 0
    events: int = 0
    """Events on which both were compared."""
    given_up: int = 0
    """Events that the reference did not finish in its time."""
    matches: int = 0
    disagreed: int = 0
    """Pairs of rule and event that were answered differently."""
    disagreements: list[Disagreement] = field(default_factory=list)
    """The first of them."""


class _OutOfTime(Exception):
    """The reference took too long on one event."""


def judge(
    match: Callable[[bytes], Sequence[object]],
    rules: Mapping[str, str],
    events: Sequence[bytes],
    *,
    budget_s: float = 5.0,
    tick: Callable[[], None] | None = None,
) -> Judgement:
    """Ask both about evenly spread events and rules.

    >>> rules = {"a": '{"x": [1]}'}
    >>> judge(lambda event: [], rules, [b'{"x": 1}']).disagreements
    [Disagreement(event='{"x": 1}', rule='a', rulebus=False)]
    """
    chosen = _spread(list(rules), _RULES)
    reference: ReferenceMatcher[str] = ReferenceMatcher({name: rules[name] for name in chosen})
    known = set(chosen)
    found = Judgement(rules=len(chosen))
    end = time.monotonic() + budget_s
    for event in _spread(list(events), max(10, _PAIRS // max(1, len(chosen)))):
        if time.monotonic() > end:
            break
        try:
            with _limited(budget_s / 4):
                expected = set(reference.match(event))
        except (_OutOfTime, RecursionError):
            found.given_up += 1
            continue
        except ReferenceEventError:
            # The levels below `strict` accept texts that the reference refuses.
            continue
        answered = {str(name) for name in match(event)} & known
        found.events += 1
        found.matches += len(expected)
        for name in sorted(answered ^ expected):
            found.disagreed += 1
            if len(found.disagreements) < _SHOWN:
                found.disagreements.append(
                    Disagreement(event.decode("utf-8", "replace"), name, name in answered)
                )
        if tick:
            tick()
    return found


def _spread(items: list[Item], most: int) -> list[Item]:
    if len(items) <= most:
        return items
    return [items[number * len(items) // most] for number in range(most)]


@contextlib.contextmanager
def _limited(seconds: float) -> Iterator[None]:
    """Ends the block by an exception after some seconds, where signals allow it."""
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def ring(number: int, frame: FrameType | None) -> None:
        raise _OutOfTime

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
