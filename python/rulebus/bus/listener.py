"""What `on` gives back: the function itself, and the way to end its subscription.

Relies on the handle that made it. Holds no state but names.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, Literal, ParamSpec, TypeVar

if TYPE_CHECKING:
    from rulebus.bus.handle import BusHandle

__all__ = ["Listener"]

P = ParamSpec("P")
R = TypeVar("R")


class Listener(Generic[P, R]):
    """A function that is subscribed to events. Calling it calls the function, so that tests and others still can."""

    def __init__(self, function: Callable[P, R], bus: BusHandle, rule: str, target: str, owns_rule: bool) -> None:
        functools.update_wrapper(self, function)
        self._function = function
        self._bus = bus
        self._owns_rule = owns_rule
        self.rule = rule
        """Name of its rule."""
        self.target = target
        """Its id among the rule's targets."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        return self._function(*args, **kwargs)

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        # Functions become methods when they are found on an instance; so does this.
        return self if instance is None else functools.partial(self._function, instance)

    def unsubscribe(self, *, pending: Literal["deliver", "dead_letter"] = "deliver") -> None:
        """No event that is published after this reaches the function; what is pending is still delivered, or goes to
        the dead letters. The rule goes, too, if `on` made it and nothing else is left in it. Again: does nothing."""
        rule = self._bus._book.find_rule(self._bus.name, self.rule)
        if rule is None or all(s.id != self.target for s in rule.subscriptions):
            return
        self._bus.remove_targets(self.rule, [self.target], pending=pending)
        if self._owns_rule and len(rule.subscriptions) == 1:
            self._bus.delete_rule(self.rule)

    def __repr__(self) -> str:
        return f"<Listener {self.target} of rule {self.rule} on bus {self._bus.name}>"
