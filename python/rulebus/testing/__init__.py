"""Tools for testing with rulebus: hypothesis strategies for patterns, events that nearly match, and rule sets.

Relies on hypothesis, which `import rulebus` never needs. Everything is drawn as JSON text, because spelling matters to
the language. Must never use the native module: what is drawn here judges it.
"""

from __future__ import annotations

from rulebus.testing.spelling import respell
from rulebus.testing.strategies import events, events_for, patterns, rule_sets

__all__ = ["events", "events_for", "patterns", "respell", "rule_sets"]
