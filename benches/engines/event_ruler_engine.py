"""`event-ruler` of PyPI, a Go matcher behind cffi: it offers one call for each rule and event.

Rules that it refuses (newer operators) are left out, and the number of the others is reported."""

from __future__ import annotations

import json

import event_ruler

from benches.engines import Rules


class Adapter:
    """Patterns and events as the texts that the library takes, encoded once."""

    name = "event-ruler"

    def build(self, rules: Rules) -> int:
        texts = [json.dumps(pattern) for _, pattern in rules]
        self.patterns = [text for text in texts if _accepted(text)]
        return len(self.patterns)

    def match(self, event: bytes) -> int:
        text = event.decode()
        return sum(_matches(text, pattern) for pattern in self.patterns)


def _matches(event: str, pattern: str) -> bool:
    """It raises where a value has not the type that an operator wants: that is no match."""
    try:
        return bool(event_ruler.test_event_pattern(event, pattern))
    except RuntimeError:
        return False


def _accepted(pattern: str) -> bool:
    try:
        event_ruler.test_event_pattern("{}", pattern)
    except RuntimeError as error:
        return "invalid pattern" not in str(error)
    return True
