"""Every code under which a bus refuses a call, with its cause and its remedy; and the one way to raise them.

`docs/errors.md` shows this table and a test holds it to that; another test raises each of them.
Codes are stable: never rename one. Relies on `errors`.
"""

from __future__ import annotations

from typing import NamedTuple

from rulebus.errors import BusError

__all__ = ["REFUSALS", "Refusal", "refusal"]


class Refusal(NamedTuple):
    """What a code means."""

    cause: str
    remedy: str
    aws: str = ""
    """AWS's wording, with places in braces."""


REFUSALS: dict[str, Refusal] = {
    "bus-name": Refusal(
        "A bus name that is not 1-256 letters, digits, dots, hyphens or underscores",
        "Rename it; of an ARN, the bus is what stands behind `event-bus/`.",
        "1 validation error detected: Value '{name}' at 'name' failed to satisfy constraint: Member must satisfy regular expression pattern: [/\\.\\-_A-Za-z0-9]+",
    ),
    "unknown-bus": Refusal(
        "There is no bus of that name",
        "Create it with `create_bus`, or look into `buses()`.",
        "Event bus {name} does not exist.",
    ),
    "bus-exists": Refusal(
        "A bus of that name is there already",
        "Take the one that is there with `bus(name)`, or another name.",
        "Event bus {name} already exists.",
    ),
    "default-bus": Refusal(
        "The default bus cannot be deleted",
        "Delete its rules instead.",
        "Cannot delete event bus default.",
    ),
    "bus-has-rules": Refusal(
        "A bus with rules is not deleted, since their targets would fall silent",
        "Delete the rules first, or say `with_rules=True`.",
        "Cannot delete event bus {name}: it still has rules.",
    ),
    "rule-name": Refusal(
        "A rule name that is not 1-64 letters, digits, dots, hyphens or underscores",
        "Rename it.",
        "1 validation error detected: Value '{name}' at 'name' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\.\\-_A-Za-z0-9]+",
    ),
    "unknown-rule": Refusal(
        "There is no rule of that name on the bus",
        "Put it with `put_rule`, or look into `rules()`.",
        "Rule {name} does not exist on EventBus {bus}.",
    ),
    "rule-exists": Refusal(
        "`on` was given the name of a rule that has another pattern",
        "Take another name, or change the rule with `put_rule`.",
    ),
    "rule-without-condition": Refusal(
        "A rule has neither a pattern nor a schedule, so it would never do anything",
        "Give it a pattern, a schedule or both.",
        "Parameter(s) EventPattern or ScheduleExpression must be specified.",
    ),
    "rule-state": Refusal(
        "A state that is neither ENABLED nor DISABLED",
        "Write one of the two.",
        "1 validation error detected: Value '{name}' at 'state' failed to satisfy constraint: Member must satisfy enum value set: [ENABLED, DISABLED]",
    ),
    "rule-has-targets": Refusal(
        "A rule with targets is not deleted, since its pending deliveries would lose their target",
        "Remove the targets first, or say `with_targets=True`.",
        "Rule can't be deleted since it has targets.",
    ),
    "schedule-expression": Refusal(
        "A schedule that is neither `rate(N unit)` nor `cron(six fields)`",
        "Compare it with the forms in docs/schedules.md.",
        "Parameter ScheduleExpression is not valid.",
    ),
    "schedule-bus": Refusal(
        "A schedule on a bus that is not the default one, under AWS's limits",
        "Put the rule on the default bus, or allow it with `BusLimits(schedules_anywhere=True)`.",
        "ScheduleExpression is supported only on the default event bus.",
    ),
    "missed-ticks": Refusal(
        "A policy for missed ticks that is neither skip nor catch_up",
        "Write one of the two.",
    ),
    "target-id": Refusal(
        "A target id that is not 1-64 letters, digits, dots, hyphens or underscores",
        "Rename it.",
        "1 validation error detected: Value '{name}' at 'targets.1.member.id' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\.\\-_A-Za-z0-9]+",
    ),
    "target-kind": Refusal(
        "An object that is no target: no function, bus, `Target`, `Subscription` or known URL",
        "Give a function, another bus, a `Target`, a `Subscription`, or text such as `https://…` or `orders.jsonl`.",
    ),
    "target-twice": Refusal(
        "Two targets of one call have the same id",
        "Give each an id of its own.",
    ),
    "unknown-target": Refusal(
        "The rule has no target of that id",
        "Look into `targets(rule)`.",
    ),
    "too-many-targets": Refusal(
        "More targets than `BusLimits.targets_per_rule`",
        "Put them on a second rule with the same pattern, or raise the limit.",
        "The requested resource exceeds the maximum number allowed.",
    ),
    "input-for-bus": Refusal(
        "An input for a target that is a bus: buses take events as they are",
        "Leave it out here and put it on the other bus's rule.",
    ),
    "subscription-option": Refusal(
        "An option of a target is out of its range",
        "Stay within the range that the message names.",
    ),
    "too-many-entries": Refusal(
        "More entries than `BusLimits.entries_per_call`",
        "Send them in several calls, or raise the limit.",
        "1 validation error detected: Value at 'entries' failed to satisfy constraint: Member must have length less than or equal to {name}",
    ),
    "request-too-large": Refusal(
        "The entries of a call are not smaller than `BusLimits.request_bytes` together",
        "Send them in several calls, send large payloads by reference, or raise the limit.",
        "Total size of the entries in the request is over the limit.",
    ),
    "invalid-argument": Refusal(
        "`publish` was given something that an event cannot have",
        "Give what the message asks for.",
    ),
    "malformed-detail": Refusal(
        "`publish` was given a detail that is no JSON object",
        "Give a dict, or the text of one JSON object.",
        "Detail is malformed.",
    ),
    "source-reserved": Refusal(
        "`publish` was given a source that begins with `aws.`",
        "Take another source, or allow it with `BusLimits(aws_sources=True)`.",
        "Not authorized for the source.",
    ),
    "queue-full": Refusal(
        "A target of a matching rule has `max_pending` deliveries waiting, and the bus refuses or waited in vain",
        "Publish later, make the target faster (`concurrency`, `batch_size`), or raise `max_pending`.",
    ),
    "bus-option": Refusal(
        "An option of `EventBus` is out of its range",
        "Stay within the range that the message names.",
    ),
    "bus-closed": Refusal(
        "The bus was closed",
        "Open a new one.",
    ),
    "forked": Refusal(
        "The bus was made in another process, of which this one is a fork; its threads are not here",
        "Make the bus after the fork.",
    ),
    "wrong-loop": Refusal(
        "An `AsyncEventBus` was used on another event loop than the one it was entered on",
        "Make one bus for each loop.",
    ),
}


def refusal(code: str, message: str, name: str = "", bus: str = "") -> BusError:
    """The error of a code: the message, then the code's remedy; `name` and `bus` fill AWS's wording."""
    known = REFUSALS[code]
    aws = known.aws.replace("{name}", name).replace("{bus}", bus)
    return BusError(code, f"{message}. {known.remedy.replace('`', '')}", aws)
