"""Event routing for Python at the speed of Rust: the event bus of the AWS EventBridge kind, as a library.

The public names, each defined in one module below. Importing this package imports no third-party library.

>>> import rulebus
>>> matcher = rulebus.Matcher({"big-orders": {"detail": {"total": [{"numeric": [">", 100]}]}}})
>>> matcher.match(b'{"detail": {"total": 120}}')
['big-orders']
"""

from rulebus._core import LinesResult, __version__
from rulebus.errors import EventError, PatternError, RulebusError, RuleSetError
from rulebus.explanation import Alternative, Explanation, FieldCondition, OrCondition
from rulebus.matcher import LineCounts, Matcher, MatcherStats
from rulebus.pattern import Pattern

__all__ = [
    "Alternative",
    "EventError",
    "Explanation",
    "FieldCondition",
    "LineCounts",
    "LinesResult",
    "Matcher",
    "MatcherStats",
    "OrCondition",
    "Pattern",
    "PatternError",
    "RuleSetError",
    "RulebusError",
    "__version__",
]
