"""What a router file holds, as records; `read_router` makes them of a text or says all that is wrong with it.

Relies on `reader` for values and on `Pattern`, `schedule` and `RetryPolicy` for what they mean, so that a bad pattern or
expression is found when the file is read and not when the first event comes. Must never open, connect or start anything.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rulebus import retry as policies
from rulebus.config.faults import ConfigError, Fault
from rulebus.config.places import locate
from rulebus.config.reader import Faults, Table
from rulebus.config.rules import FileRule, Known, read_rules_section
from rulebus.config.targets import Secret, TargetConfig, read_secret, read_target
from rulebus.retry import RetryPolicy

__all__ = ["ArchiveConfig", "InputConfig", "RouterConfig", "StoreConfig", "read_router"]

_BUS_NAME = r"letters, digits and .-_, at most 256 characters"


@dataclass(frozen=True, slots=True)
class StoreConfig:
    """Where accepted events stay."""

    path: Path | None = None
    """A SQLite file; None: in memory."""


@dataclass(frozen=True, slots=True)
class ArchiveConfig:
    """An archive of one bus."""

    name: str
    bus: str
    pattern: str | None = None
    """JSON text; None: every event."""
    retention_days: int = 0
    """0: for ever."""


@dataclass(frozen=True, slots=True)
class InputConfig:
    """Where events come from, beside what the command line names."""

    stdin: bool = False
    files: tuple[Path, ...] = ()
    """Files of JSON lines that are watched as they grow."""
    http: str | None = None
    """Host and port of the HTTP endpoint."""
    bus: str = "default"
    """The bus of events that name none."""
    http_token: Secret | None = None
    """What requests must bring, if anything."""


@dataclass(frozen=True, slots=True)
class RouterConfig:
    """A whole router file."""

    file: Path
    store: StoreConfig
    buses: tuple[str, ...]
    archives: tuple[ArchiveConfig, ...]
    targets: dict[str, TargetConfig]
    rules: tuple[FileRule, ...]
    input: InputConfig
    options: dict[str, Any] = field(default_factory=dict)
    """Options of the bus: max_pending, when_full, put_timeout_s, max_workers."""


def read_router(text: str, file: Path) -> RouterConfig:
    """Reads a router file. Relative paths in it start at its folder. Raises `ConfigError` with every fault.

    >>> config = read_router('[[rules]]\\nname = "all"\\npattern = {source = [{prefix = ""}]}\\ntargets = ["log:"]', Path("r.toml"))
    >>> config.rules[0].name, config.rules[0].pattern
    ('all', '{"source":[{"prefix":""}]}')
    """
    try:
        document = tomllib.loads(text)
        places = locate(text)
    except RecursionError:
        deep = Fault(
            "nested too deeply to be read", (), (1, 1), "tables and lists within a hundred others at most"
        )
        raise ConfigError(str(file), text, [deep]) from None
    except ValueError as error:  # TOMLDecodeError, or a number of more digits than Python reads
        raise ConfigError(str(file), text, [_syntax(text, error)]) from error
    faults = Faults(places)
    top = Table(document, (), faults)
    folder = file.parent
    options = _options(top.table("bus"))
    store = _store(top.table("store"), folder)
    buses = tuple(dict.fromkeys(["default", *_buses(top)]))
    targets = {name: read_target(name, table, folder, buses) for name, table in top.named("targets")}
    archives = tuple(_archive(name, table, buses) for name, table in top.named("archives"))
    rules = tuple(read_rules_section(top, Known(buses, targets, _profiles(top), folder)))
    given = _input(top.table("input"), folder, buses)
    top.done()
    if faults.found:
        raise ConfigError(str(file), text, faults.found)
    return RouterConfig(file, store, buses, archives, targets, rules, given, options)


def _syntax(text: str, error: ValueError) -> Fault:
    """tomllib says the place only in its sentence."""
    message = str(error)
    if match := re.search(r"^(.*) \(at (?:line (\d+), column (\d+)|end of document)\)$", message):
        lines = text.split("\n")
        place = (int(match[2]), int(match[3])) if match[2] else (len(lines), len(lines[-1]) + 1)
        return Fault(f"not TOML: {match[1].lower()}", (), place, "TOML 1.0, see toml.io")
    return Fault(f"not TOML: {message}", (), (1, 1))


def _options(table: Table | None) -> dict[str, Any]:
    if table is None:
        return {}
    options: dict[str, Any] = {}
    for key, least in (("max_pending", 1), ("max_workers", 1)):
        if key in table:
            options[key] = table.whole(key, least, least=least)
    if "when_full" in table:
        options["when_full"] = table.choice("when_full", ("wait", "refuse"), "wait")
    if "put_timeout_s" in table:
        options["put_timeout_s"] = table.number("put_timeout_s")
    for key in ("account", "region"):
        if key in table:
            options[key] = table.text(key)
    table.done()
    return options


def _store(table: Table | None, folder: Path) -> StoreConfig:
    if table is None:
        return StoreConfig()
    path = table.text("path", required=True)
    table.done()
    return StoreConfig(folder / path if path else None)


def _buses(top: Table) -> list[str]:
    names = []
    for number, name in enumerate(top.texts("buses")):
        if re.fullmatch(r"[A-Za-z0-9._-]{1,256}", name):
            names.append(name)
        else:
            top.faults.add(("buses", number), f"{name!r} cannot name a bus", _BUS_NAME)
    return names


def _archive(name: str, table: Table, buses: tuple[str, ...]) -> ArchiveConfig:
    from rulebus.config.rules import bus_of, read_pattern

    bus = bus_of(table, buses)
    pattern = read_pattern(table) if "pattern" in table else None
    days = table.whole("retention_days", 0)
    table.done()
    return ArchiveConfig(name, bus, pattern, days)


def _profiles(top: Table) -> dict[str, RetryPolicy]:
    """The policies that rules may name: the built-in ones and ``[retry.NAME]``."""
    profiles = {"classic": policies.CLASSIC, "v2": policies.V2, "webhooks": policies.WEBHOOKS}
    from rulebus.config.rules import read_policy

    for name, table in top.named("retry"):
        profiles[name] = read_policy(table)
    return profiles


def _input(table: Table | None, folder: Path, buses: tuple[str, ...]) -> InputConfig:
    if table is None:
        return InputConfig()
    from rulebus.config.rules import bus_of

    http = table.optional_text("http")
    if http is not None:
        host, colon, port = http.rpartition(":")
        if not colon or not host or not re.fullmatch("[0-9]{1,5}", port) or int(port) > 65535:
            table.fault("http", f"http is {http!r}", 'host and port: "127.0.0.1:8080"')
    given = InputConfig(
        stdin=table.flag("stdin"),
        files=tuple(folder / path for path in table.texts("files")),
        http=http,
        bus=bus_of(table, buses),
        http_token=read_secret(table, "http_token", folder) if "http_token" in table else None,
    )
    table.done()
    return given
