"""Makes a bus of a router file, and brings a running bus up to the state of a changed file.

Both are the same work: what the file says is put, what it no longer says goes (its pending deliveries are made first).
Relies on `schema` and on the bus's own surface. A target that rules share is opened once and kept over a reload as long
as its definition stays the same, so that connections and files survive.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, cast

from rulebus.bus.async_event_bus import AsyncEventBus
from rulebus.config.rules import FileRule, FileSubscription
from rulebus.config.schema import RouterConfig
from rulebus.config.targets import Secret, TargetConfig
from rulebus.errors import BusError
from rulebus.rule import Subscription
from rulebus.targets.protocol import Target

__all__ = ["Changed", "Router"]


@dataclass(slots=True)
class Changed:
    """What an application of a file did, by names ``BUS/RULE``."""

    put: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    same: int = 0
    notes: list[str] = field(default_factory=list)
    """What people should know, as sentences."""


class Router:
    """A bus that follows a router file."""

    def __init__(self, config: RouterConfig, bus: AsyncEventBus) -> None:
        self.config, self.bus = config, bus
        self._targets: dict[str, tuple[TargetConfig | str, Target]] = {}
        self._rules: dict[tuple[str, str], FileRule] = {}

    def apply(self, config: RouterConfig) -> Changed:
        """Brings the bus to the state of the file. Raises `BusError` (and has then changed nothing that serves rules) when
        a target cannot be made."""
        changed = Changed()
        self._note_what_needs_a_restart(config, changed)
        for name in config.buses:
            if name not in self.bus.buses():
                self.bus.create_bus(name)
        targets = self._open_targets(config)
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            self._apply_rules(config, targets, changed)
        changed.notes.extend(str(warning.message) for warning in said)
        for name, (definition, _) in list(self._targets.items()):
            if targets.get(name, (None, None))[0] != definition:
                del self._targets[name]
        self._targets.update(targets)
        # What needs a restart is as it was.
        self.config = replace(self.config, file=config.file, targets=config.targets, rules=config.rules)
        return changed

    def _note_what_needs_a_restart(self, config: RouterConfig, changed: Changed) -> None:
        for what in ("store", "options", "input", "archives"):
            if getattr(config, what) != getattr(self.config, what):
                changed.notes.append(f"a change of {'bus' if what == 'options' else what} needs a restart")
        for name in set(self.config.buses) - set(config.buses):
            changed.notes.append(f"the bus {name} is no longer in the file; it is kept until the restart")

    def _open_targets(self, config: RouterConfig) -> dict[str, tuple[TargetConfig | str, Target]]:
        """Every target that rules name; those whose definition did not change are kept."""
        opened: dict[str, tuple[TargetConfig | str, Target]] = {}
        for rule in config.rules:
            for subscription in rule.subscriptions:
                for name in (subscription.target, subscription.dead_letter):
                    if name is None or name in opened:
                        continue
                    definition = config.targets.get(name, name)
                    known = self._targets.get(name)
                    if known is not None and known[0] == definition:
                        opened[name] = known
                    else:
                        opened[name] = (definition, self._open(definition))
        return opened

    def _open(self, definition: TargetConfig | str) -> Target:
        name = definition if isinstance(definition, str) else definition.name
        try:
            if isinstance(definition, str):
                return open_address(definition, self.bus)
            return open_definition(definition, self.bus)
        except (ValueError, TypeError) as error:
            raise BusError("target-options", f"the target {name!r} cannot be made: {error}") from error

    def _apply_rules(
        self, config: RouterConfig, targets: Mapping[str, tuple[TargetConfig | str, Target]], changed: Changed
    ) -> None:
        wanted = {(rule.bus, rule.name): rule for rule in config.rules}
        for key, rule in wanted.items():
            names = {
                name
                for sub in rule.subscriptions
                for name in (sub.target, sub.dead_letter)
                if name is not None
            }
            fresh = any(self._targets.get(name) is not targets[name] for name in names)
            if self._rules.get(key) == rule and not fresh:
                changed.same += 1
                continue
            self._put(rule, targets)
            self._rules[key] = rule
            changed.put.append("/".join(key))
        for key in [key for key in self._rules if key not in wanted]:
            self.bus.bus(key[0]).delete_rule(key[1], with_targets=True)
            del self._rules[key]
            changed.removed.append("/".join(key))

    def _put(self, rule: FileRule, targets: Mapping[str, tuple[TargetConfig | str, Target]]) -> None:
        bus = self.bus.bus(rule.bus)
        subscriptions = [_subscription(one, targets) for one in rule.subscriptions]
        old = self._rules.get((rule.bus, rule.name))
        bus.put_rule(
            rule.name,
            rule.pattern,
            targets=subscriptions,
            schedule=rule.schedule,
            state="ENABLED" if rule.state == "ENABLED" else "DISABLED",
            description=rule.description,
        )
        if old is not None:
            ids = {one.options["id"] for one in rule.subscriptions}
            gone = [one.options["id"] for one in old.subscriptions if one.options["id"] not in ids]
            if gone:
                bus.remove_targets(rule.name, gone)


def _subscription(
    one: FileSubscription, targets: Mapping[str, tuple[TargetConfig | str, Target]]
) -> Subscription:
    target = targets[one.target][1]
    defaults = cast(Mapping[str, Any], getattr(target, "defaults", {}))
    letters = None if one.dead_letter is None else targets[one.dead_letter][1]
    return Subscription(target=target, dead_letter=letters, **{**defaults, **one.options})


def open_definition(definition: TargetConfig, bus: AsyncEventBus) -> Target:
    """Makes the target of a definition."""
    return _OPENERS[definition.kind](definition, bus)


def _url(definition: TargetConfig, bus: AsyncEventBus) -> Target:
    from rulebus.targets.http import HttpTarget

    options = {name: _revealed(value) for name, value in definition.options.items()}
    if definition.connection:
        options["connection"] = _connection(definition.connection)
    return HttpTarget(str(definition.what), **options)


def _connection(given: Mapping[str, Any]) -> Any:
    from rulebus.targets.http import ApiKeyConnection, BasicConnection, OAuthConnection

    kinds: dict[str, Callable[..., Any]] = {
        "basic": BasicConnection,
        "api-key": ApiKeyConnection,
        "oauth": OAuthConnection,
    }
    read = {name: _revealed(value) for name, value in given.items() if name != "kind"}
    return kinds[given["kind"]](**read)


def _revealed(value: Any) -> Any:
    return value.read() if isinstance(value, Secret) else value


def _file(definition: TargetConfig, bus: AsyncEventBus) -> Target:
    from rulebus.targets.file import FileTarget

    return FileTarget(str(definition.what), **definition.options)


def _command(definition: TargetConfig, bus: AsyncEventBus) -> Target:
    from rulebus.targets.command import CommandTarget

    what = definition.what if isinstance(definition.what, str) else list(definition.what)
    return CommandTarget(what, **definition.options)


def _bus(definition: TargetConfig, bus: AsyncEventBus) -> Target:
    return bus.bus(str(definition.what)).as_target()


def _log(definition: TargetConfig, bus: AsyncEventBus) -> Target:
    from rulebus.targets.log import LogTarget

    return LogTarget(str(definition.what), **definition.options)


def _address(definition: TargetConfig, bus: AsyncEventBus) -> Target:
    return open_address(str(definition.what), bus, **definition.options)


def open_address(address: str, bus: AsyncEventBus, **options: Any) -> Target:
    """The target of an address: ``bus:NAME``, or whatever the registry knows."""
    from rulebus.targets.registry import open_target

    if address.startswith("bus:"):
        return bus.bus(address[4:]).as_target()
    return open_target(address, **options)


_OPENERS: dict[str, Callable[[TargetConfig, AsyncEventBus], Target]] = {
    "url": _url, "file": _file, "command": _command, "bus": _bus, "log": _log, "address": _address,
}  # fmt: skip
