"""A rule: a named pattern or schedule with a state, and its targets, each with its own options.

`Subscription` is the record of one target of one rule: what to deliver to, in what form, how often, in what order.
Relies on `pattern`, `retry`, `targets`, `transform`. Records only; the work is the dispatcher's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeAlias, runtime_checkable

from rulebus.attempt import FailureKind
from rulebus.event import Event
from rulebus.retry import CLASSIC, RetryPolicy
from rulebus.targets.protocol import Target

__all__ = [
    "AsTarget",
    "HasTarget",
    "InputTransformer",
    "MissedTicks",
    "Rule",
    "RuleState",
    "Subscription",
    "target_of",
]

RuleState: TypeAlias = Literal["ENABLED", "DISABLED"]
MissedTicks: TypeAlias = Literal["skip", "catch_up"]


@runtime_checkable
class HasTarget(Protocol):
    """What can be forwarded to: an `EventBus` or `AsyncEventBus`."""

    def as_target(self) -> Target:
        """A target that leads there."""


AsTarget: TypeAlias = "Target | HasTarget | Callable[..., Any] | str"
"""A target, or what one can be made of: a bus, a function, a string that names one."""


@dataclass(frozen=True, slots=True)
class InputTransformer:
    """A template with the places of the event that fill it; AWS's InputTransformer."""

    input_template: str
    """1-8192 characters with ``<name>`` placeholders."""
    input_paths_map: Mapping[str, str] = field(default_factory=dict)
    """Placeholder name to a path such as ``$.detail.total``; at most 100."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """One target of one rule, with its options.

    At most one of `input`, `input_path`, `input_transformer`. Numbers have units in their names.
    """

    target: AsTarget
    """What takes the deliveries. A function, a bus or a string becomes a `Target` when the subscription is put: that is what
    `EventBus.targets` shows."""
    id: str
    """Names it within the rule: letters, digits, ``.-_``, at most 64."""
    input: str | None = None
    """Constant JSON that is delivered instead of the event, at most 8192 characters."""
    input_path: str | None = None
    """The part of the event that is delivered: ``$.detail``."""
    input_transformer: InputTransformer | None = None
    """A template that makes the input."""
    retry: RetryPolicy = CLASSIC
    """When a failed delivery is tried again."""
    dead_letter: AsTarget | None = None
    """Where deliveries go that were given up; None: they stay in the store."""
    failure_kinds: Mapping[str, FailureKind] = field(default_factory=dict)
    """Overrides the class of failures by their code: ``{"HTTP_404": "permanent"}``."""
    concurrency: int = 1
    """Calls of the target at a time."""
    batch_size: int = 1
    """Deliveries in a call, at most."""
    batch_window_s: float = 0.0
    """How long to wait for a batch to fill; 0: whatever is there."""
    rate_per_s: float | None = None
    """Deliveries a second, at most; more wait, none is dropped."""
    timeout_s: float | None = None
    """How long a try may take; None: as long as it likes. A try of a thread cannot be ended from outside: it is counted
    as failed and its late answer ignored."""
    order_by: str | Callable[[Event], Any] | None = None
    """Deliveries of one key go one after another, in the order accepted, and a failing one holds only its key. A path
    (``$.detail.order-id``) or a function of the event. A path that leads nowhere gives the key None. A key is a JSON value
    (equal ones are one key, however spelt), bytes, an enum member, UUID, date, or a tuple or dataclass of such; an event
    for which the function raises, or gives anything else, is a dead letter with the reason ``ORDER_KEY``."""
    deduplicate_s: float = 0.0
    """Deliveries of an event id that was delivered within so many seconds before are skipped and counted."""
    max_pending: int | None = None
    """Pending deliveries at which the door waits or refuses; None: the bus's."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule as `EventBus.rule` and `EventBus.rules` show it."""

    name: str
    """Letters, digits, ``.-_``, at most 64."""
    bus: str
    """Name of its bus."""
    pattern: str | None
    """The pattern's JSON text, or None for a rule with a schedule alone."""
    schedule: str | None = None
    """``rate(5 minutes)`` or ``cron(0 10 * * ? *)``."""
    state: RuleState = "ENABLED"
    """A disabled rule matches nothing."""
    description: str = ""
    subscriptions: tuple[Subscription, ...] = ()
    """Its targets, in the order put."""
    missed_ticks: MissedTicks = "skip"
    """What becomes of ticks of the schedule that came due while nobody could make them."""


def target_of(given: AsTarget) -> Target:
    """What a subscription that was put leads to. Raises TypeError for what is no `Target` yet."""
    if isinstance(given, Target):
        return given
    raise TypeError(f"{given!r} is no Target yet: a bus makes one of it when the subscription is put")
