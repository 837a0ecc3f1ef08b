"""The names of buses, rules and targets: what they may be, and how ARNs are made of them and read.

Relies on `refusals`. Knows no bus: whether something of a name exists is asked elsewhere.
"""

from __future__ import annotations

import re

from rulebus.bus.refusals import refusal

__all__ = [
    "DEFAULT",
    "bus_arn",
    "bus_name",
    "check_bus_name",
    "check_rule_name",
    "check_target_id",
    "rule_arn",
    "tame",
]

DEFAULT = "default"
"""Name of the bus that is always there."""

_BUS = re.compile(r"[A-Za-z0-9._-]{1,256}")
_RULE = re.compile(r"[A-Za-z0-9._-]{1,64}")
_FORM = "expected 1 to {} letters, digits, dots, hyphens and underscores"
_WILD = re.compile(r"[^A-Za-z0-9._-]+")


def bus_name(name_or_arn: str) -> str:
    """The name of a bus, given as such or as an ARN.

    >>> bus_name("orders"), bus_name("arn:aws:events:local:000000000000:event-bus/orders")
    ('orders', 'orders')
    """
    if name_or_arn.startswith("arn:"):
        return name_or_arn.rpartition(":event-bus/")[2]
    return name_or_arn


def check_bus_name(name: str) -> str:
    """The name, if a bus may have it."""
    if not isinstance(name, str) or not _BUS.fullmatch(name):
        raise refusal("bus-name", f"a bus cannot be called {name!r}: {_FORM.format(256)}", str(name))
    return name


def check_rule_name(name: str) -> str:
    """The name, if a rule may have it."""
    if not isinstance(name, str) or not _RULE.fullmatch(name):
        raise refusal("rule-name", f"a rule cannot be called {name!r}: {_FORM.format(64)}", str(name))
    return name


def check_target_id(id: str) -> str:
    """The id, if a target may have it."""
    if not isinstance(id, str) or not _RULE.fullmatch(id):
        raise refusal("target-id", f"a target cannot have the id {id!r}: {_FORM.format(64)}", str(id))
    return id


def tame(name: str, fallback: str) -> str:
    """A rule name or target id made of any text.

    >>> tame("Shop.<locals>.bill", "function"), tame("<lambda>", "function")
    ('Shop.locals.bill', 'lambda')
    """
    return _WILD.sub("", name).strip(".-_")[-60:] or fallback


def bus_arn(region: str, account: str, bus: str) -> str:
    """The ARN of a bus, as AWS would write it."""
    return f"arn:aws:events:{region}:{account}:event-bus/{bus}"


def rule_arn(region: str, account: str, bus: str, rule: str) -> str:
    """The ARN of a rule, as AWS would write it: the default bus is not named."""
    middle = "" if bus == DEFAULT else f"{bus}/"
    return f"arn:aws:events:{region}:{account}:rule/{middle}{rule}"
