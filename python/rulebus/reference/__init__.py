"""The reference: event patterns matched the slow and obvious way, in pure Python, as the oracle for everything else.

Written from the specification alone and relies on the standard library alone. Must never import the native module or
anything of the package outside this folder, so that no fault can be shared with what it judges.
"""

from __future__ import annotations

from rulebus.reference.errors import ReferenceEventError, ReferencePatternError
from rulebus.reference.matching import ReferenceMatcher, matches
from rulebus.reference.pattern import ReferencePattern, parse

__all__ = [
    "ReferenceEventError",
    "ReferenceMatcher",
    "ReferencePattern",
    "ReferencePatternError",
    "matches",
    "parse",
]
