"""The rules of a router file: patterns, schedules, targets with their options, and rules that stand in files of their own.

Relies on `reader`. A pattern is a TOML table, JSON text, or a file; whichever it is, its fault is shown at its place.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rulebus.config.reader import Table, nearest
from rulebus.config.targets import TargetConfig, check_address, is_path, placed
from rulebus.errors import BusError, PatternError
from rulebus.pattern import Pattern
from rulebus.retry import CLASSIC, RetryPolicy
from rulebus.rule import InputTransformer
from rulebus.rules import read_rules

__all__ = [
    "FileRule",
    "FileSubscription",
    "Known",
    "bus_of",
    "read_pattern",
    "read_policy",
    "read_rules_section",
]

_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
_KINDS = ("permanent", "retryable", "throttled")


@dataclass(frozen=True, slots=True)
class FileSubscription:
    """One target of one rule as the file has it."""

    target: str
    """Name of a target of the file, or an address such as ``log:``."""
    options: Mapping[str, Any]
    """Options of `rulebus.Subscription`, beside target and dead letter."""
    dead_letter: str | None = None
    """Likewise a name or an address."""


@dataclass(frozen=True, slots=True)
class FileRule:
    """One rule as the file has it."""

    name: str
    bus: str
    pattern: str | None
    schedule: str | None
    state: str
    description: str
    subscriptions: tuple[FileSubscription, ...]


@dataclass(frozen=True, slots=True)
class Known:
    """What rules may name, and where their paths begin."""

    buses: tuple[str, ...]
    targets: Mapping[str, TargetConfig]
    profiles: Mapping[str, RetryPolicy]
    folder: Path


def read_rules_section(top: Table, known: Known) -> Iterator[FileRule]:
    """The rules of ``[[rules]]`` and ``[[rule_files]]``; a name stands once for each bus."""
    seen: set[tuple[str, str]] = set()
    for section, key, read in (("rules", "name", _rule), ("rule_files", "path", _rules_from_file)):
        for table in top.listed(section):
            for rule in read(table, known):
                if (rule.bus, rule.name) in seen:
                    table.fault(
                        key, f"the bus {rule.bus} has two rules of the name {rule.name!r}", "another name"
                    )
                seen.add((rule.bus, rule.name))
                yield rule


def _rule(
    table: Table,
    known: Known,
) -> Iterator[FileRule]:
    name = table.text("name", required=True)
    if name and not _NAME.fullmatch(name):
        table.fault("name", f"{name!r} cannot name a rule", "letters, digits and .-_, at most 64 characters")
    bus = bus_of(table, known.buses)
    pattern = read_pattern(table) if "pattern" in table else None
    schedule = table.optional_text("schedule")
    if schedule is not None:
        _check_schedule(table, schedule)
    if pattern is None and schedule is None and "pattern" not in table:
        table.fault(None, "a rule has neither pattern nor schedule", 'pattern = {source = ["…"]}')
    state = table.choice("state", ("ENABLED", "DISABLED"), "ENABLED")
    description = table.text("description")
    subscriptions = tuple(_subscriptions(table, known))
    table.done()
    yield FileRule(name, bus, pattern, schedule, state, description, subscriptions)


def _rules_from_file(
    table: Table,
    known: Known,
) -> Iterator[FileRule]:
    path = table.text("path", required=True)
    bus = bus_of(table, known.buses)
    subscriptions = tuple(_subscriptions(table, known))
    table.done()
    if not path:
        return
    try:
        found = read_rules(known.folder / path)
    except OSError as error:
        table.fault(
            "path", f"{path!r} cannot be read: {error.strerror}", "a rules file, or a folder of NAME.json"
        )
        return
    for problem in found.problems:
        table.fault("path", f"{path!r} is no good rules file", detail=str(problem))
    for text in found.rules:
        if not _NAME.fullmatch(text.name):
            table.fault(
                "path",
                f"{text.name!r} in {path} cannot name a rule",
                "letters, digits and .-_, at most 64 characters",
            )
            continue
        try:
            pattern = Pattern(text.pattern).json
        except PatternError as error:
            table.fault("path", f"a rule of {path!r} is bad", detail=text.report(error))
            continue
        yield FileRule(text.name, bus, pattern, None, "ENABLED", "", subscriptions)


def bus_of(table: Table, buses: tuple[str, ...]) -> str:
    """The key ``bus``: one of the file's buses."""
    return table.choice("bus", buses, "default")


def read_pattern(table: Table) -> str | None:
    """The key ``pattern``: a TOML table, or JSON text in quotes."""
    given = table.raw("pattern")
    if isinstance(given, dict):
        try:
            given = json.dumps(given, ensure_ascii=False, separators=(",", ":"))
        except (TypeError, ValueError) as error:
            table.fault(
                "pattern",
                f"the pattern holds what JSON has not: {error}",
                "text, numbers, true, false, lists",
            )
            return None
    if not isinstance(given, str):
        table.fault("pattern", f"pattern is {given!r}", "a table, or JSON text in quotes")
        return None
    try:
        Pattern(given)
    except PatternError as error:
        table.fault("pattern", "the pattern is bad", detail=str(error))
        return None
    return given


def _check_schedule(table: Table, text: str) -> None:
    from rulebus.schedule import parse

    try:
        parse(text)
    except (BusError, ValueError) as error:
        table.fault("schedule", f"schedule is {text!r}", detail=str(error))


def _subscriptions(
    table: Table,
    known: Known,
) -> Iterator[FileSubscription]:
    """The key ``targets``: names or addresses, or tables with options."""
    given = table.raw("targets")
    if given is None:
        return
    if not isinstance(given, list):
        table.fault("targets", "targets is not a list", 'targets = ["NAME"] or [[rules.targets]]')
        return
    ids: set[str] = set()
    for number, value in enumerate(given):
        path = (*table.path, "targets", number)
        if isinstance(value, str):
            inner = Table({"target": value}, path, table.faults)
        elif isinstance(value, dict):
            inner = Table(value, path, table.faults)
        else:
            table.faults.add(path, f"{value!r} is no target", "a name or an address in quotes, or a table")
            continue
        subscription = _subscription(inner, known)
        id = subscription.options["id"]
        if id in ids:
            inner.fault(
                "id" if "id" in inner else None, f"two targets have the id {id!r}", "an id of its own: id = …"
            )
        ids.add(id)
        yield subscription


def _subscription(
    table: Table,
    known: Known,
) -> FileSubscription:
    target = table.text("target", required=True)
    _check_target(table, "target", target, known)
    options: dict[str, Any] = {
        "id": table.text("id", re.sub(r"[^A-Za-z0-9._-]+", "-", target).strip("-")[:64])
    }
    if not _NAME.fullmatch(options["id"]) and target:
        table.fault(
            "id", f"{options['id']!r} cannot be an id", "letters, digits and .-_, at most 64 characters"
        )
    _read_input(table, options)
    options["retry"] = _retry(table, known.profiles)
    for key, least in (("concurrency", 1), ("batch_size", 1), ("max_pending", 1)):
        if key in table:
            options[key] = table.whole(key, least, least=least)
    for key in ("batch_window_s", "deduplicate_s"):
        if key in table:
            options[key] = table.number(key, 0.0)
    for key in ("rate_per_s", "timeout_s"):
        if key in table:
            options[key] = table.number(key, above=0.0)
    if (order := table.optional_text("order_by")) is not None:
        options["order_by"] = order
    kinds = table.text_map("failure_kinds")
    for code, kind in kinds.items():
        if kind not in _KINDS:
            table.faults.add(
                (*table.path, "failure_kinds", code), f"{kind!r} is no class of failures", " or ".join(_KINDS)
            )
    if kinds:
        options["failure_kinds"] = kinds
    dead_letter = table.optional_text("dead_letter")
    if dead_letter is not None:
        _check_target(table, "dead_letter", dead_letter, known)
    table.done()
    letters = None if dead_letter is None else _placed(dead_letter, known)
    return FileSubscription(_placed(target, known), options, letters)


def _read_input(table: Table, options: dict[str, Any]) -> None:
    """At most one of input, input_path and input_transformer."""
    from rulebus.transform import compile_transform

    given: dict[str, Any] = {}
    if (constant := table.optional_text("input")) is not None:
        given["input"] = constant
    if (path := table.optional_text("input_path")) is not None:
        given["input_path"] = path
    if (inner := table.table("input_transformer")) is not None:
        template = inner.text("input_template", required=True)
        paths = inner.text_map("input_paths_map")
        inner.done()
        given["input_transformer"] = InputTransformer(template, paths)
    try:
        compile_transform(**given)
    except (BusError, ValueError) as error:
        table.fault(next(reversed(given)), "the target's input is bad", detail=str(error))
    options.update(given)


def _placed(name: str, known: Known) -> str:
    return name if name in known.targets else placed(name, known.folder)


def _check_target(table: Table, key: str, name: str, known: Known) -> None:
    if not name or name in known.targets:
        return
    if ":" not in name and not is_path(name):
        table.fault(
            key,
            f"there is no target of the name {name!r}",
            f"{nearest(list(known.targets), name)}, or an address such as log:"
            if known.targets
            else "a table [targets.NAME], or an address such as log:",
        )
    elif (problem := check_address(name, known.buses)) is not None:
        table.fault(key, f"{name!r} is no target", problem)


def _retry(table: Table, profiles: Mapping[str, RetryPolicy]) -> RetryPolicy:
    if isinstance(table.raw("retry"), dict):
        inner = table.table("retry")
        return read_policy(inner) if inner is not None else CLASSIC
    name = table.choice("retry", tuple(profiles), "classic")
    return profiles[name]


def read_policy(table: Table) -> RetryPolicy:
    """The keys of a retry policy."""
    given: dict[str, Any] = {}
    if "maximum_retry_attempts" in table:
        given["maximum_retry_attempts"] = table.whole("maximum_retry_attempts", 185, most=185)
    for key in ("maximum_event_age_in_seconds", "base_s", "factor", "cap_s"):
        if (value := table.number(key)) is not None:
            given[key] = value
    if "waits_s" in table:
        waits = table.raw("waits_s")
        if isinstance(waits, list) and all(type(wait) in (int, float) and 0 <= wait < 1e9 for wait in waits):
            given["waits_s"] = tuple(float(wait) for wait in waits)
        else:
            table.fault("waits_s", "waits_s is no list of seconds", "waits_s = [0, 5, 60]")
    table.done()
    try:
        return RetryPolicy(**given)
    except ValueError as error:
        table.fault(None, "the retry policy is bad", str(error))
        return CLASSIC
