"""The reference: what a plain matcher in Python costs that gives every answer. Patterns are parsed once."""

from __future__ import annotations

from benches.engines import Rules
from rulebus.reference import ReferenceMatcher


class Adapter:
    """The pure-Python matcher."""

    name = "reference"

    def build(self, rules: Rules) -> int:
        self.matcher = ReferenceMatcher(dict(rules))
        return len(rules)

    def match(self, event: bytes) -> int:
        return len(self.matcher.match(event))
