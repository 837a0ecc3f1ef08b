"""What operator families, fields and single rules cost, by leaving them out: the same events through the whole set and
through a set without them, in alternating rounds, in processor time.

Relies on `rounds.differences`: the median of the differences of neighbouring rounds, with its quartiles; a cost whose
lower quartile is not above zero is not told from nothing. Must never present costs that share rules as if they added up.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Collection, Sequence

from rulebus.matcher import Matcher
from rulebus.measure.conditions import Condition, conditions, families
from rulebus.measure.plan import Plan
from rulebus.measure.report import Cost
from rulebus.measure.rounds import Spread, alternate, differences

__all__ = ["Costs"]

_EVENTS = 10_000
_RULES = 200_000
_FIELDS = 20
# Two matchers of the same rules differ by some nanoseconds, as their hash seeds fall: small sets are built anew.
_INSTANCES = 3
_REBUILT = 20_000
_NOWHERE = "\x01 occurs nowhere"


class Costs:
    """Leaves things out of one plan's rules."""

    def __init__(self, plan: Plan, matcher: Matcher) -> None:
        self.plan = plan
        step = max(1, len(plan.sample) // _EVENTS)
        self.events = plan.sample[::step][:_EVENTS]
        self.buffer = b"\n".join(self.events)
        self.rules, self.whole = plan.rules, matcher
        if len(plan.rules) > _RULES:
            # Sets of this size take seconds to build, and one is built for each family.
            names = list(plan.rules)
            self.rules = {name: plan.rules[name] for name in names[:: -(-len(names) // _RULES)]}
            self.whole = plan.build(self.rules)

    def leave_out(self, names: Collection[str]) -> Spread:
        """Nanoseconds of processor time an event that these rules cost together."""
        rest = {name: text for name, text in self.rules.items() if name not in names}
        if len(self.rules) > _REBUILT:
            return self._difference([(self.whole, self.plan.build(rest))])
        return self._difference(
            [(self.plan.build(self.rules), self.plan.build(rest)) for _ in range(_INSTANCES)]
        )

    def families(self) -> list[Cost]:
        """What the rules of each operator family cost together, the dearest first."""
        users: dict[str, set[str]] = {}
        for name in self.rules:
            for family in families(self.plan.nodes[name]):
                users.setdefault(family, set()).add(name)
        found = [Cost(family, len(names), self.leave_out(names)) for family, names in users.items()]
        return sorted(found, key=lambda cost: -cost.cpu_ns_per_event.median)

    def fields(self) -> list[Cost]:
        """What reading each of the most wanted fields costs; the others are one entry."""
        wanted = Counter(
            field for node in self.plan.nodes.values() for field in {one.path for one in conditions(node)}
        )
        chosen = [path for path, _ in wanted.most_common(_FIELDS)]
        rest = [path for path in wanted if path not in set(chosen)]
        never = json.dumps([_NOWHERE])
        one_each = {path: Condition(path, never).pattern() for path in wanted}
        groups: dict[str, list[tuple[str, ...]]] = {Condition(path, never).field: [path] for path in chosen}
        if rest:
            groups[f"{len(rest)} other {'field' if len(rest) == 1 else 'fields'}"] = rest
        found = []
        for name, paths in groups.items():
            left = set(paths)
            without = {path: pattern for path, pattern in one_each.items() if path not in left}
            pairs = [(self._of(one_each), self._of(without)) for _ in range(_INSTANCES)]
            found.append(Cost(name, sum(wanted[path] for path in paths), self._difference(pairs)))
        return sorted(found, key=lambda cost: -cost.cpu_ns_per_event.median)

    def _of(self, patterns: dict[tuple[str, ...], str]) -> Matcher:
        return self.plan.build({json.dumps(path): pattern for path, pattern in patterns.items()})

    def _difference(self, pairs: Sequence[tuple[Matcher, Matcher]]) -> Spread:
        """What the first of each pair takes more than the second, over all rounds of all pairs."""
        buffer = self.buffer

        def run(matcher: Matcher) -> Callable[[], object]:
            return lambda: matcher.match_lines(buffer)

        whole: list[float] = []
        rest: list[float] = []
        for larger, smaller in pairs:
            rounds = max(2, -(-self.plan.rounds // len(pairs)))
            taken = alternate({"whole": run(larger), "rest": run(smaller)}, rounds, clock=time.process_time)
            whole += taken["whole"]
            rest += taken["rest"]
        return differences(whole, rest, 1e9 / len(self.events))
