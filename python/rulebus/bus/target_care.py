"""Which targets are in use, so that each is closed once: when nothing leads to it any more, or with the bus.

Relies on `delivery.state` for what is still on its way. Closes nothing itself. Called under the rule book's lock.
"""

from __future__ import annotations

from rulebus.delivery.state import SubscriptionState
from rulebus.rule import Subscription, target_of
from rulebus.targets.protocol import Target

__all__ = ["TargetCare"]


class TargetCare:
    """Counts the subscriptions of each target, dead-letter targets too."""

    __slots__ = ("_leaving", "_uses")

    def __init__(self) -> None:
        self._uses: dict[int, tuple[Target, int]] = {}
        self._leaving: list[tuple[Target, SubscriptionState]] = []

    def use(self, subscription: Subscription) -> None:
        """A subscription leads to its targets."""
        for target in _targets(subscription):
            _, count = self._uses.get(id(target), (target, 0))
            self._uses[id(target)] = (target, count + 1)

    def leave(self, subscription: Subscription, state: SubscriptionState) -> None:
        """It leads there no more; what is on its way still does."""
        for target in _targets(subscription):
            _, count = self._uses.get(id(target), (target, 0))
            if count == 0:
                continue  # Closed with the bus.
            self._uses[id(target)] = (target, count - 1)
            self._leaving.append((target, state))

    def idle(self) -> list[Target]:
        """Targets to close: nothing leads to them and nothing is on its way. Given once."""
        staying: list[tuple[Target, SubscriptionState]] = []
        found: list[Target] = []
        busy = {id(target) for target, state in self._leaving if not _over(state)}
        for target, state in self._leaving:
            _, count = self._uses.get(id(target), (target, 0))
            if count > 0:
                continue  # Put again meanwhile.
            if id(target) in busy:
                staying.append((target, state))
            elif self._uses.pop(id(target), None) is not None:
                found.append(target)
        self._leaving = staying
        return found

    def all(self) -> list[Target]:
        """Every target that was not closed yet. Given once."""
        found = [target for target, _ in self._uses.values()]
        self._uses.clear()
        self._leaving.clear()
        return found


def _targets(subscription: Subscription) -> list[Target]:
    given = [subscription.target, subscription.dead_letter]
    return [target_of(one) for one in given if one is not None]


def _over(state: SubscriptionState) -> bool:
    """Whether nothing is on its way by a subscription that ended, or was led elsewhere."""
    letters = state.letters
    if state.in_flight or (letters is not None and letters.in_flight):
        return False
    return state.closing is None or (state.pending == 0 and (letters is None or letters.pending == 0))
