"""What a threaded and an asynchronous bus have in common: everything that never waits.

Rules, targets, buses, statistics. `EventBus` and `AsyncEventBus` add what may wait, each in its own way. Relies on
the hub; has no state of its own but the name of its bus.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, ParamSpec, Self, TypedDict, TypeVar, Unpack

from rulebus.bus.listener import Listener
from rulebus.bus.names import check_bus_name, tame
from rulebus.bus.refusals import refusal
from rulebus.bus.subscribing import TargetLike, check_option
from rulebus.pattern import EventLike, Pattern, PatternLike
from rulebus.rule import AsTarget, InputTransformer, MissedTicks, Rule, Subscription
from rulebus.targets.bus import BusTarget
from rulebus.targets.function import FunctionTarget

if TYPE_CHECKING:
    from rulebus.attempt import FailureKind
    from rulebus.bus.hub import Hub
    from rulebus.bus.rule_book import RuleBook
    from rulebus.event import Event
    from rulebus.retry import RetryPolicy
    from rulebus.statistics import BusStatistics

__all__ = ["BusHandle", "SubscriptionOptions"]

P = ParamSpec("P")
R = TypeVar("R")


class SubscriptionOptions(TypedDict, total=False):
    """The options of `Subscription`, for `on`."""

    input: str
    input_path: str
    input_transformer: InputTransformer
    retry: RetryPolicy
    dead_letter: AsTarget
    failure_kinds: Mapping[str, FailureKind]
    concurrency: int
    batch_size: int
    batch_window_s: float
    rate_per_s: float
    timeout_s: float
    order_by: str | Callable[[Event], Any]
    deduplicate_s: float
    max_pending: int


class BusHandle(ABC):
    """A handle on one bus of a hub: rules, targets, other buses."""

    def __init__(self, hub: Hub, name: str) -> None:
        self._hub = hub
        self._name = name

    @property
    def name(self) -> str:
        """The bus's name."""
        return self._name

    @property
    def arn(self) -> str:
        """The bus's ARN, as AWS would write it."""
        return self._hub.bus_arn(self._name)

    @property
    def generation(self) -> int:
        """How often the rules of any of its buses were changed."""
        return self._book.generation

    @property
    def _book(self) -> RuleBook:
        return self._hub.book

    # Rules.

    def put_rule(
        self,
        name: str,
        pattern: PatternLike | None = None,
        targets: TargetLike | Iterable[TargetLike] = (),
        *,
        schedule: str | None = None,
        state: Literal["ENABLED", "DISABLED"] = "ENABLED",
        description: str = "",
        missed_ticks: MissedTicks = "skip",
    ) -> Rule:
        """Adds a rule, or replaces the one of that name.

        >>> import rulebus
        >>> with rulebus.EventBus() as bus:
        ...     bus.put_rule("big-orders", {"detail": {"total": [{"numeric": [">", 100]}]}}, targets=[print]).name
        'big-orders'

        As with AWS, what is not given is set back to its default, and targets that the rule has stay; `targets` are
        put to them as `put_targets` does. Every event whose publish begins after this returned sees the rule.

        A rule has a pattern, a schedule (``rate(5 minutes)``, ``cron(0 10 * * ? *)``) or both. Of ticks that came due
        while the process or its clock stood, the last is made (`missed_ticks` ``"skip"``) or all (``"catch_up"``).

        Raises `PatternError` or `BusError`; then nothing was changed.
        """
        self._hub.check_open()
        return self._book.put_rule(
            self._name, name, pattern, schedule, state, description, _listed(targets), missed_ticks
        )

    def on(
        self,
        pattern: PatternLike | None = None,
        name: str | None = None,
        *,
        schedule: str | None = None,
        batch: bool = False,
        target_id: str | None = None,
        **options: Unpack[SubscriptionOptions],
    ) -> Callable[[Callable[P, R]], Listener[P, R]]:
        """Decorates a function that is to get the events of a pattern, or the ticks of a schedule.

        >>> import rulebus
        >>> with rulebus.EventBus() as bus:
        ...     @bus.on({"source": ["shop.cart"]}, concurrency=2)
        ...     def bill(event):
        ...         print(event.detail)
        ...     _ = bus.publish(source="shop.cart", detail_type="OrderPlaced", detail={"total": 120})
        {'total': 120}
        >>> bill.rule, bill.target
        ('bill', 'bill')

        The options are those of `Subscription`; `batch=True` is for functions of a list of events (`FunctionTarget`
        says how functions are called) and sets `batch_size` to 100 if that is not given. The rule is named after the
        function, with a number behind it where that name is taken; several functions may share a `name` if they share
        the pattern. The target's id is `target_id`, or the rule's `name`, or the function's. In front of a durable store
        give names, since what is pending after a restart goes by them.

        What comes back is the function with `unsubscribe`.
        """

        given: Any = pattern
        if callable(given):  # @bus.on without parentheses, which would subscribe nothing and say nothing
            raise TypeError(
                'on is called with a pattern before it decorates: @bus.on({"source": ["shop.cart"]})'
            )
        for option in options:
            check_option(option)

        def decorate(function: Callable[P, R]) -> Listener[P, R]:
            self._hub.check_open()
            target = FunctionTarget(function, batch=batch, clock=self._hub.clock)
            wanted: dict[str, Any] = {**target.defaults, **options}
            if wanted.get("dead_letter") is not None:
                wanted["dead_letter"] = self._hub.maker.target(wanted["dead_letter"])
            own = tame(target.name, "function")
            with self._book.change():
                rule, is_new = self._rule_for(name, own, pattern, schedule)
                taken = {s.id for s in rule.subscriptions} if rule is not None else set()
                id = target_id if target_id is not None else _numbered(name or own, taken)
                subscription = Subscription(target=target, id=id, **wanted)
                where = name if name is not None else (rule.name if rule else self._free_rule_name(own))
                if is_new:
                    self.put_rule(where, pattern, [subscription], schedule=schedule)
                else:
                    self.put_targets(where, [subscription])
            return Listener(function, self, where, id, is_new)

        return decorate

    def put_targets(self, rule: str, targets: TargetLike | Iterable[TargetLike]) -> tuple[Subscription, ...]:
        """Adds targets to a rule: functions, buses, `Target` objects, URLs, or a `Subscription` with options.

        A target with an id that the rule has replaces that one; its pending deliveries go to the new one, and so does
        the same function or bus put again. Gives the subscriptions. Raises `BusError`; then nothing was changed.
        """
        self._hub.check_open()
        put = self._book.put_targets(self._name, rule, _listed(targets))
        self._sweep()
        return put

    def remove_targets(
        self, rule: str, ids: str | Iterable[str], *, pending: Literal["deliver", "dead_letter"] = "deliver"
    ) -> None:
        """Takes targets from a rule: no event published after this goes to them. What is pending is still delivered,
        or goes to the dead letters. Raises `BusError` for an id that the rule has not; then nothing was changed."""
        self._book.remove_targets(self._name, rule, ids, pending)
        self._sweep()

    def enable_rule(self, name: str) -> None:
        """Makes a rule match again."""
        self._book.set_state(self._name, name, "ENABLED")

    def disable_rule(self, name: str) -> None:
        """Makes a rule match nothing: no event published after this goes to its targets. What is pending goes on."""
        self._book.set_state(self._name, name, "DISABLED")

    def delete_rule(
        self,
        name: str,
        *,
        with_targets: bool = False,
        pending: Literal["deliver", "dead_letter"] = "deliver",
    ) -> None:
        """Removes a rule. One that has targets is removed only `with_targets`, and `pending` says what becomes of their
        deliveries. Raises `BusError`."""
        self._book.delete_rule(self._name, name, with_targets=with_targets, pending=pending)
        self._sweep()

    def rule(self, name: str) -> Rule:
        """The record of a rule; `BusError` if there is none of that name."""
        return self._book.rule(self._name, name)

    def rules(self, name_prefix: str = "") -> list[Rule]:
        """The records of the rules, in the order put."""
        return self._book.rules(self._name, name_prefix)

    def targets(self, rule: str) -> tuple[Subscription, ...]:
        """The targets of a rule with their options, in the order put."""
        return self._book.rule(self._name, rule).subscriptions

    def test_event_pattern(self, pattern: PatternLike, event: EventLike) -> bool:
        """Whether a pattern matches an event; puts nothing.

        >>> import rulebus
        >>> with rulebus.EventBus() as bus:
        ...     bus.test_event_pattern({"source": [{"prefix": "shop."}]}, {"source": "shop.cart"})
        True
        """
        return (pattern if isinstance(pattern, Pattern) else Pattern(pattern)).matches(event)

    # Buses.

    def create_bus(self, name: str) -> Self:
        """Makes another bus with the same store and dispatcher, and gives a handle on it. Raises `BusError`."""
        self._hub.create_bus(name)
        return type(self)._of(self._hub, name)

    def bus(self, name: str) -> Self:
        """A handle on another bus, by its name or ARN; `BusError` if there is none."""
        return type(self)._of(self._hub, self._book.bus(name).name)

    def buses(self) -> list[str]:
        """The names of all buses, in the order made; ``default`` is always there."""
        return list(self._book.buses)

    def delete_bus(self, name: str, *, with_rules: bool = False) -> None:
        """Removes a bus. One that has rules is removed only `with_rules`; what is pending is still delivered."""
        self._book.delete_bus(check_bus_name(name), with_rules=with_rules)
        self._sweep()

    def cycles(self) -> list[tuple[tuple[str, str, str], ...]]:
        """The ways in which rules may forward an event in a cycle, each as (bus, rule, next bus).

        Rules that name different sources, detail types, accounts or regions do not follow one another; more of a
        pattern is not weighed. A warning says the same when a target is put that closes a cycle.
        """
        return [tuple((way.bus, way.rule, way.to) for way in cycle) for cycle in self._book.cycles()]

    def statistics(self) -> BusStatistics:
        """What happened on this bus since it was made: exact counters and latency histograms."""
        return self._hub.statistics(self._name)

    def orphans(self) -> dict[tuple[str, str, str], int]:
        """Deliveries that the store had pending when it was opened, and whose target is not there (yet): how many, by bus,
        rule and target id. They wait until a target of that name is put."""
        return self._hub.dispatcher.orphans()

    def as_target(self) -> BusTarget:
        """This bus as a target for rules of others. `put_targets` makes it of the bus by itself."""
        return BusTarget(self._name, self._hub, self._hub.forward)

    @property
    def is_closed(self) -> bool:
        """Whether `close` was called."""
        return self._hub.is_closed

    @classmethod
    def _of(cls, hub: Hub, name: str) -> Self:
        """A handle on a bus of an existing hub."""
        handle = cls.__new__(cls)
        BusHandle.__init__(handle, hub, name)
        return handle

    @abstractmethod
    def _sweep(self) -> None:
        """Closes targets that nothing leads to any more; they may have to be awaited."""

    def _rule_for(
        self, name: str | None, own: str, pattern: PatternLike | None, schedule: str | None
    ) -> tuple[Rule | None, bool]:
        """The rule that a decorated function joins, and whether it has to be made."""
        if name is None:
            return None, True
        rule = self._book.find_rule(self._name, name)
        if rule is None:
            return None, True
        known = None if rule.pattern is None else Pattern(rule.pattern)
        asked = None if pattern is None else Pattern(pattern) if not isinstance(pattern, Pattern) else pattern
        if known != asked or rule.schedule != schedule:
            raise refusal(
                "rule-exists", f"rule {name!r} of bus {self._name!r} has another pattern or schedule"
            )
        return rule, False

    def _free_rule_name(self, own: str) -> str:
        return _numbered(own, {rule.name for rule in self.rules(own)})

    def __repr__(self) -> str:
        state = ", closed" if self.is_closed else ""
        return f"<{type(self).__name__} {self._name!r}{state}>"


def _listed(targets: Any) -> Sequence[Any]:
    """One target or several, as a list."""
    if isinstance(targets, Iterable) and not isinstance(targets, str | bytes | Mapping):
        return list(targets)
    return [targets]


def _numbered(name: str, taken: set[str]) -> str:
    found, number = name, 1
    while found in taken:
        number += 1
        found = f"{name}-{number}"
    return found
