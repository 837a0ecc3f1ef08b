"""The targets of a router file: ``[targets.NAME]`` with one of url, file, command, bus, log or address, and its options.

Relies on `reader`. Secrets are never in the file: ``{env = "NAME"}`` or ``{file = "PATH"}`` stands where one is needed,
and is read when the target is made. Must never print a secret, nor keep one in a record.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rulebus.config.reader import Table

__all__ = ["Secret", "TargetConfig", "check_address", "is_path", "placed", "read_secret", "read_target"]

_KINDS = ("url", "file", "command", "bus", "log", "address")
_METHODS = ("POST", "PUT", "PATCH", "DELETE", "GET", "HEAD", "OPTIONS")
_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


@dataclass(frozen=True, slots=True)
class Secret:
    """Where a secret is to be found."""

    env: str | None = None
    file: Path | None = None

    def read(self) -> str:
        """The secret. Raises ValueError that says where it was looked for, never what was found."""
        if self.env is not None:
            if not (value := os.environ.get(self.env)):
                raise ValueError(f"the environment variable {self.env} is not set, or empty")
            return value
        assert self.file is not None
        try:
            value = self.file.read_text(encoding="utf-8").strip()
        except OSError as error:
            raise ValueError(f"{self.file} cannot be read: {error.strerror}") from error
        except UnicodeDecodeError:
            raise ValueError(f"{self.file} is not text in UTF-8") from None  # which would show a part of it
        if not value:
            # An empty token would let everybody in.
            raise ValueError(f"{self.file} is empty")
        return value


@dataclass(frozen=True, slots=True)
class TargetConfig:
    """One target of the file."""

    name: str
    kind: str
    """One of url, file, command, bus, log, address."""
    what: str | tuple[str, ...]
    """The URL, path, words of the command, bus, logger or address."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Options of its constructor."""
    connection: Mapping[str, Any] = field(default_factory=dict)
    """Of an HTTP target: ``kind`` and what a connection of that kind takes, secrets as `Secret`."""


def read_target(name: str, table: Table, folder: Path, buses: tuple[str, ...]) -> TargetConfig:
    """Reads ``[targets.NAME]``."""
    named = [kind for kind in _KINDS if kind in table]
    if len(named) != 1:
        said = f"it has {' and '.join(named)}" if named else "it has none of them"
        table.fault(
            None, f"the target {name!r} needs one of {', '.join(_KINDS)}; {said}", 'url = "https://…"'
        )
        return TargetConfig(name, "", "")
    kind = named[0]
    config = _READERS[kind](name, table, folder)
    if kind == "bus" and config.what:
        table.choice("bus", buses, "default")
    elif (
        kind == "address" and config.what and (problem := check_address(str(config.what), buses)) is not None
    ):
        table.fault("address", f"{config.what!r} is no target", problem)
    table.done()
    return config


def _http(name: str, table: Table, folder: Path) -> TargetConfig:
    options: dict[str, Any] = {}
    url = table.text("url", required=True)
    if url and not url.startswith(("https://", "http://")):
        table.fault("url", f"url is {url!r}", "https://…")
    if "method" in table:
        options["method"] = table.choice("method", _METHODS, "POST")
    if "path_parameters" in table:
        options["path_parameters"] = tuple(table.texts("path_parameters"))
    for key in ("headers", "query"):
        if key in table:
            options[key] = table.text_map(key)
    if "timeout_s" in table:
        options["timeout_s"] = table.number("timeout_s", 5.0, least=1.0, most=60.0)
    if "allow" in table:
        options["allow"] = tuple(table.texts("allow"))
    if "signature" in table:
        options["signature"] = read_secret(table, "signature", folder)
    connection = table.table("connection")
    return TargetConfig(name, "url", url, options, _connection(connection, folder) if connection else {})


def _connection(table: Table, folder: Path) -> dict[str, Any]:
    """``[targets.NAME.connection]``: basic, api-key or oauth."""
    kind = table.choice("kind", ("basic", "api-key", "oauth"), "basic")
    read: dict[str, Any] = {"kind": kind}
    if kind == "basic":
        read["username"] = table.text("username", required=True)
        read["password"] = read_secret(table, "password", folder)
    elif kind == "api-key":
        read["name"] = table.text("name", required=True)
        read["value"] = read_secret(table, "value", folder)
    else:
        read["token_url"] = table.text("token_url", required=True)
        read["client_id"] = table.text("client_id", required=True)
        read["client_secret"] = read_secret(table, "client_secret", folder)
        if (scope := table.optional_text("scope")) is not None:
            read["scope"] = scope
        if "credentials" in table:
            read["credentials"] = table.choice("credentials", ("header", "body"), "header")
        if "parameters" in table:
            read["parameters"] = table.text_map("parameters")
    table.done()
    return read


def read_secret(table: Table, key: str, folder: Path) -> Secret | None:
    """``key = {env = "NAME"}`` or ``{file = "PATH"}``; text in the file itself is refused."""
    if key not in table:
        table.fault(None, f"{key} is missing", f'{key} = {{env = "NAME"}}')
        table.raw(key)
        return None
    if not isinstance(table.raw(key), dict):
        table.fault(
            key,
            f"{key} stands in the file",
            f'{key} = {{env = "NAME"}} or {{file = "PATH"}}: secrets stay out',
        )
        return None
    inner = table.table(key)
    assert inner is not None
    env, file = inner.optional_text("env"), inner.optional_text("file")
    inner.done()
    if (env is None) == (file is None):
        table.fault(key, f"{key} needs env or file", f'{key} = {{env = "NAME"}}')
        return None
    return Secret(env, None if file is None else folder / file)


def _file(name: str, table: Table, folder: Path) -> TargetConfig:
    path = table.text("file", required=True)
    options: dict[str, Any] = {"fsync": table.flag("fsync")}
    return TargetConfig(name, "file", str(folder / path), options)


def _command(name: str, table: Table, folder: Path) -> TargetConfig:
    options: dict[str, Any] = {}
    given = table.raw("command")
    what: str | tuple[str, ...] = ""
    if isinstance(given, str) and given:
        what, options["shell"] = given, True
        if not table.flag("shell"):
            table.fault(
                "command",
                "the command is one text",
                'a list of words: command = ["prog", "-x"]; or shell = true',
            )
    else:
        what = tuple(table.texts("command"))
        if not what:
            table.fault("command", "the command has no words", 'command = ["prog", "-x"]')
        table.flag("shell")
    if "timeout_s" in table:
        options["timeout_s"] = table.number("timeout_s", 60.0, above=0.0)
    if "env" in table:
        options["env"] = table.text_map("env")
    cwd = table.optional_text("cwd")
    options["cwd"] = str(folder / cwd) if cwd is not None else str(folder) if str(folder) else None
    return TargetConfig(name, "command", what, options)


def _bus(name: str, table: Table, folder: Path) -> TargetConfig:
    return TargetConfig(name, "bus", table.text("bus", required=True))


def _log(name: str, table: Table, folder: Path) -> TargetConfig:
    options: dict[str, Any] = {}
    if "level" in table:
        options["level"] = table.choice("level", _LEVELS, "INFO")
    return TargetConfig(name, "log", table.text("log", "rulebus.events") or "rulebus.events", options)


def _address(name: str, table: Table, folder: Path) -> TargetConfig:
    address = table.text("address", required=True)
    inner = table.table("options")
    return TargetConfig(
        name, "address", placed(address, folder), dict(inner.value) if inner is not None else {}
    )


_READERS = {
    "url": _http, "file": _file, "command": _command, "bus": _bus, "log": _log, "address": _address,
}  # fmt: skip


def is_path(address: str) -> bool:
    """Whether an address is the path of a file of JSON lines."""
    return address.startswith(("/", "./", "../")) or (":" not in address and address.endswith(".jsonl"))


def placed(address: str, folder: Path) -> str:
    """An address as it is opened: paths in a router file start at its folder."""
    return str(folder.absolute() / address) if is_path(address) else address


def check_address(address: str, buses: tuple[str, ...]) -> str | None:
    """What is wrong with an address such as ``log:``; None if a target can probably be made of it."""
    from rulebus.targets.registry import TargetRegistry

    scheme, colon, rest = address.partition(":")
    if scheme == "bus":
        return None if rest in buses else f"a bus of this file: {', '.join(f'bus:{one}' for one in buses)}"
    if is_path(address):
        return None
    known = TargetRegistry().schemes()
    if colon and scheme.lower() in known:
        return None
    return f"one that begins with {', '.join(f'{one}:' for one in ('bus', *known))}, or the path of a .jsonl file"
