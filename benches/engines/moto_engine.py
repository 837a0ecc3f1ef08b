"""moto's matcher, as its `put_events` uses it: every pattern parsed once, every event parsed once."""

from __future__ import annotations

import json

from moto.events.models import EventPattern

from benches.engines import Rules


class Adapter:
    """The class that decides in moto's EventBridge; it flattens the event again for each rule."""

    name = "moto"

    def build(self, rules: Rules) -> int:
        self.patterns = [EventPattern.load(json.dumps(pattern)) for _, pattern in rules]
        return len(self.patterns)

    def match(self, event: bytes) -> int:
        parsed = json.loads(event)
        return sum(pattern.matches_event(parsed) for pattern in self.patterns)
