"""Measures a set of rules on events: speed, latency, memory, growth, and what each part of the rules costs.

The machinery behind `rulebus bench`; docs/measuring.md describes the figures. Relies on the public `Matcher` and on
the reference; must never print.

>>> from rulebus.measure import Plan, study
>>> plan = Plan({"paid": '{"state": ["paid"]}'}, [b'{"state": "paid"}', b'{"state": "open"}'], range(1, 3), rounds=3)
>>> study(plan).matches.total
1
"""

from rulebus.measure.comparison import Change, Comparison, DocumentError, compare
from rulebus.measure.page import page
from rulebus.measure.plan import Plan
from rulebus.measure.report import SCHEMA, Report
from rulebus.measure.rounds import Spread, alternate
from rulebus.measure.study import METHODS, WrongCountError, study

__all__ = [
    "METHODS",
    "SCHEMA",
    "Change",
    "Comparison",
    "DocumentError",
    "Plan",
    "Report",
    "Spread",
    "WrongCountError",
    "alternate",
    "compare",
    "page",
    "study",
]
