"""Seeded generators of realistic rules and events, for the demo, the benchmarks and your own measurements.

Events come as JSON texts (bytes without line ends), rules as (name, pattern) pairs that `Matcher.update`
takes. The same arguments give the same data on every machine and Python version. `python -m rulebus.workload
--help` writes them to files. Relies on the standard library only; must never import the matcher.

>>> from rulebus import workload
>>> events = b"\\n".join(workload.envelopes(1_000))
>>> rules = dict(workload.rules("full", 1_000))
"""

from rulebus.workload.envelope_rules import MIXES, rules
from rulebus.workload.envelopes import envelopes
from rulebus.workload.extremes import clone_family, killers, needles
from rulebus.workload.lots import lots
from rulebus.workload.lots_rules import LOTS_SETS, lots_rules

__all__ = [
    "LOTS_SETS",
    "MIXES",
    "clone_family",
    "envelopes",
    "killers",
    "lots",
    "lots_rules",
    "needles",
    "rules",
]
