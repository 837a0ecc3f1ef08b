"""What is to be measured and how thoroughly: rules, events, and the forms of them that several measurements share.

Relies on events that were accepted once: none of the lines is bad. Must never time anything itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from rulebus.matcher import Matcher, Validation
from rulebus.measure.conditions import Both, take_apart

__all__ = ["Plan"]

_CHUNK_EVENTS = 2_500
_CALLS = 20_000


@dataclass(frozen=True)
class Plan:
    """What to measure and how thoroughly."""

    rules: Mapping[str, str]
    lines: list[bytes]
    """Events without line ends, none of them bad."""
    numbers: Sequence[int]
    """Their lines in the input."""
    rules_from: str = "-"
    events_from: str = "-"
    bad_events: int = 0
    cut: bool = False
    validation: Validation = "strict"
    threads: int = 1
    rounds: int = 9
    judge_s: float = 5.0
    matcher: Callable[..., Matcher] = Matcher
    """Makes matchers; a test may pass one that lies."""

    def build(self, rules: Mapping[str, str]) -> Matcher:
        """A matcher of some rules."""
        return self.matcher(rules, validation=self.validation)

    @cached_property
    def chunks(self) -> list[bytes]:
        """The events as JSON lines, in pieces larger than a first-level cache."""
        return [
            b"\n".join(self.lines[at : at + _CHUNK_EVENTS]) for at in range(0, len(self.lines), _CHUNK_EVENTS)
        ]

    @cached_property
    def sample(self) -> list[bytes]:
        """Evenly spread events for calls one by one."""
        if len(self.lines) <= _CALLS:
            return self.lines
        return [self.lines[number * len(self.lines) // _CALLS] for number in range(_CALLS)]

    @cached_property
    def nodes(self) -> dict[str, Both]:
        """The rules taken apart."""
        return {name: take_apart(text) for name, text in self.rules.items()}
