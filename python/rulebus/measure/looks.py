"""Counts, over real events, how often each condition of each rule is met; from that, how often the index must look
at each rule, which rules can never match, and why.

A rule is found through one of its conditions, at best through its rarest. So the number of events that meet the
rarest one is how often the rule is looked at, if the index chooses well: counted, not timed, and the same on every
machine. For `$or` the looks of the alternatives add up. Relies on a matcher that holds every different condition as a
rule of its own. Must never take a condition for met without asking the engine.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rulebus.matcher import Matcher, Validation
from rulebus.measure.conditions import Both, Condition, Either, Node, conditions

__all__ = ["Looks", "count_looks"]


@dataclass(frozen=True, slots=True)
class Looks:
    """How often the conditions of rules were met by a number of events."""

    events: int
    met: Mapping[Condition, int]

    def of(self, node: Node) -> int:
        """Events for which the index has to look at a pattern, at best."""
        if isinstance(node, Condition):
            return self.met.get(node, 0)
        if isinstance(node, Either):
            return min(self.events, sum(self.of(one) for one in node.alternatives))
        return min((self.of(part) for part in node.parts), default=self.events)

    def rarest(self, node: Both) -> Condition | None:
        """The condition that fewest events meet."""
        return min(conditions(node), key=lambda one: self.met.get(one, 0), default=None)

    def why_expensive(self, node: Both, matches: int) -> str:
        """A sentence that says why a rule is looked at as often as it is."""
        looks = self.of(node)
        share = f"{100 * looks / self.events:.3g} % of the events" if self.events else "no event"
        if any(isinstance(part, Either) for part in node.parts) and all(
            self.of(part) >= looks for part in node.parts if isinstance(part, Condition)
        ):
            reason = f"its $or is met by up to {share}"
        else:
            rarest = self.rarest(node)
            which = "even its rarest condition" if len(list(conditions(node))) > 1 else "its only condition"
            reason = f"{which}, {rarest}, is met by {share}"
        if matches >= looks:
            return f"{reason}, and all of them match"
        return f"{reason}; {100 * matches / looks:.3g} % of those match" if looks else reason

    def why_never(self, node: Both) -> str:
        """A sentence that says why a rule matched no event."""
        missing = [part for part in node.parts if self.of(part) == 0]
        if not missing:
            return "each of its conditions is met by some event, but no event meets all of them"
        shown = [
            str(part) if isinstance(part, Condition) else "any alternative of its $or" for part in missing
        ]
        more = f" (and {len(shown) - 2} more)" if len(shown) > 2 else ""
        return f"no event meets {' or '.join(shown[:2])}{more}"


def count_looks(nodes: Mapping[str, Both], buffer: bytes, validation: Validation) -> Looks:
    """Count on JSON lines how many events meet each condition of the rules.

    >>> from rulebus.measure.conditions import take_apart
    >>> node = take_apart('{"a": [1], "b": [2]}')
    >>> looks = count_looks({"r": node}, b'{"a": 1, "b": 3}\\n{"a": 1}', "checked")
    >>> looks.of(node), looks.why_never(node)
    (0, 'no event meets /b [2]')
    """
    different = dict.fromkeys(one for node in nodes.values() for one in conditions(node))
    matcher: Matcher = Matcher(((one, one.pattern()) for one in different), validation=validation)
    counted = matcher.count_lines(buffer)
    return Looks(counted.events - len(counted.errors), counted.counts)
