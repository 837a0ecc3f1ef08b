"""rulebus itself: one `match` call with the event's bytes."""

from __future__ import annotations

from benches.engines import Rules
from rulebus import Matcher


class Adapter:
    """The engine through its public class."""

    name = "rulebus"

    def build(self, rules: Rules) -> int:
        self.matcher = Matcher(rules, validation="checked")
        return len(self.matcher)

    def match(self, event: bytes) -> int:
        return len(self.matcher.match(event))

    def count_lines(self, buffer: bytes) -> int:
        """Matches of many events in one call."""
        return len(self.matcher.match_lines(buffer).rules)
