"""Makes subscriptions of whatever may stand where a target is expected: functions, buses, targets, URLs.

Also checks the options of a subscription, and finds ids for targets that were given none. Relies on `rule`,
`targets`, `refusals` and `names`. Changes nothing.
"""

from __future__ import annotations

import dataclasses
import difflib
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, TypeAlias

from rulebus.bus.names import check_target_id, tame
from rulebus.bus.refusals import refusal
from rulebus.clock import Clock
from rulebus.delivery.ordering import key_function
from rulebus.retry import RetryPolicy
from rulebus.rule import AsTarget, HasTarget, InputTransformer, Subscription, target_of
from rulebus.targets.bus import BusTarget
from rulebus.targets.function import FunctionTarget
from rulebus.targets.protocol import Target

__all__ = ["TargetLike", "TargetMaker", "check_option", "check_subscription"]


TargetLike: TypeAlias = "Subscription | AsTarget"
"""What `put_targets` takes."""


class TargetMaker:
    """Makes targets and subscriptions for one hub."""

    __slots__ = ("_clock", "_open")

    def __init__(self, clock: Clock, open_target: Callable[[str], Target]) -> None:
        self._clock = clock
        self._open = open_target

    def target(self, given: Any) -> Target:
        """The target that is meant."""
        if isinstance(given, Target):
            return given
        if isinstance(given, HasTarget):
            return given.as_target()
        if isinstance(given, str):
            return self._open(given)
        if callable(given) and not isinstance(given, type):
            return FunctionTarget(given, clock=self._clock)
        what = " (a class; give an instance, or a function)" if isinstance(given, type) else ""
        raise refusal("target-kind", f"{given!r} is no target{what}")

    def subscriptions(self, given: Iterable[Any], taken: Collection[Subscription]) -> list[Subscription]:
        """A subscription for each; ids that are not given are made of the targets' names.

        The same function given again to a rule gets the id that it has there (`taken` are the rule's subscriptions), so
        putting it again changes it instead of doubling it; within one call the same function twice is two targets.
        """
        found: list[Subscription] = []
        by_id = {subscription.id: subscription for subscription in taken}
        used: set[str] = set()
        for one in given:
            if isinstance(one, Subscription):
                letters = None if one.dead_letter is None else self.target(one.dead_letter)
                subscription = dataclasses.replace(one, target=self.target(one.target), dead_letter=letters)
            else:
                target = self.target(one)
                # What its kind proposes: the batch size of a service, the rate of a server.
                options: dict[str, Any] = dict(getattr(target, "defaults", {}))
                subscription = Subscription(target=target, id=_free_id(target, by_id, used), **options)
            check_subscription(subscription)
            if subscription.id in used:
                raise refusal("target-twice", f"two targets have the id {subscription.id!r}")
            used.add(subscription.id)
            found.append(subscription)
        return found


def _free_id(target: Target, taken: dict[str, Subscription], used: Collection[str]) -> str:
    if isinstance(target, FunctionTarget):
        base = tame(target.name, "function")
    else:
        base = tame(re.sub(r"[^A-Za-z0-9._-]+", "-", target.describe()), "target")
    id, number = base, 1
    while id in used or (id in taken and not _same(target_of(taken[id].target), target)):
        number += 1
        id = f"{base}-{number}"
    return id


def _same(one: Target, other: Target) -> bool:
    """Whether two targets lead to the same place."""
    if isinstance(one, FunctionTarget) and isinstance(other, FunctionTarget):
        return bool(one.function == other.function)
    if isinstance(one, BusTarget) and isinstance(other, BusTarget):
        return one.bus == other.bus and one.owner is other.owner
    return one is other


_OPTIONS = [field.name for field in dataclasses.fields(Subscription) if field.name not in ("target", "id")]


def check_option(name: str) -> None:
    """Raises TypeError for what is no option of a target; names the one that was probably meant."""
    if name not in _OPTIONS:
        near = difflib.get_close_matches(name, _OPTIONS, n=1)
        meant = f"did you mean {near[0]}? " if near else ""
        raise TypeError(f"a target has no option {name!r}; {meant}There are: {', '.join(_OPTIONS)}")


def check_subscription(subscription: Subscription) -> None:
    """Raises `BusError` for what a subscription cannot have."""
    s = subscription
    check_target_id(s.id)
    inputs = [name for name in ("input", "input_path", "input_transformer") if getattr(s, name) is not None]
    if inputs and isinstance(s.target, BusTarget):
        raise refusal("input-for-bus", f"target {s.id!r} is a bus and has {inputs[0]}")
    if not isinstance(s.retry, RetryPolicy):
        raise _option(
            s, "retry", "a RetryPolicy, such as rulebus.V2 or RetryPolicy(maximum_retry_attempts=5)"
        )
    if s.input_transformer is not None and not isinstance(s.input_transformer, InputTransformer):
        raise _option(s, "input_transformer", "an InputTransformer")
    if s.order_by is not None and not isinstance(s.order_by, str) and not callable(s.order_by):
        raise _option(s, "order_by", "a path such as $.detail.order, or a function of the event")
    for name in ("concurrency", "batch_size", "max_pending"):
        count = getattr(s, name)
        if count is None and name == "max_pending":
            continue
        if isinstance(count, bool) or not isinstance(count, int) or count < 1:
            raise _option(s, name, "a whole number from 1")
    for name in ("batch_window_s", "deduplicate_s"):
        seconds = getattr(s, name)
        if not _is_number(seconds) or not 0 <= seconds < float("inf"):
            raise _option(s, name, "a number of seconds from 0")
    for name in ("rate_per_s", "timeout_s"):
        value = getattr(s, name)
        if value is not None and (not _is_number(value) or not 0 < value < float("inf")):
            raise _option(s, name, "None or a number above 0")
    if not isinstance(s.retry, RetryPolicy):
        raise _option(s, "retry", "a RetryPolicy, such as rulebus.CLASSIC, V2 or WEBHOOKS")
    if s.order_by is not None:
        key_function(s.order_by)
    if not isinstance(s.failure_kinds, Mapping):
        raise _option(s, "failure_kinds", "a dict of failure codes and kinds")
    for code, kind in s.failure_kinds.items():
        if kind not in ("permanent", "retryable", "throttled"):
            raise _option(s, "failure_kinds", f"permanent, retryable or throttled for {code!r}", kind)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _option(subscription: Subscription, name: str, expected: str, value: Any = ...) -> Exception:
    given = getattr(subscription, name) if value is ... else value
    return refusal(
        "subscription-option", f"{name} of target {subscription.id!r} is {expected}, not {given!r}"
    )
