"""Targets from strings: what ``https://…``, ``file:///…``, ``arn:aws:sqs:…`` or a scheme of yours stands for.

Relies on the built-in kinds, imported when a string asks for one, and on installed packages' entry points of the group
``rulebus.targets``. A registry is an object; there is none that all share.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib import metadata
from typing import Any, TypeAlias
from urllib.parse import parse_qsl, unquote, urlsplit

from rulebus.errors import BusError
from rulebus.targets.protocol import Target

__all__ = ["ENTRY_POINTS", "TargetFactory", "TargetRegistry", "open_target"]

TargetFactory: TypeAlias = Callable[..., Target]
"""Called with the whole string and the options given; answers a target."""

ENTRY_POINTS = "rulebus.targets"
"""Group of entry points: the name is the scheme, the object a `TargetFactory`."""

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):")


class TargetRegistry:
    """Opens targets by strings.

    >>> registry = TargetRegistry()
    >>> registry.open("file:///var/log/orders.jsonl").describe()
    'file /var/log/orders.jsonl'
    >>> from rulebus.targets.file import FileTarget
    >>> registry.register_target("spool", lambda text, **options: FileTarget("/var/spool/" + text[6:], **options))
    >>> registry.open("spool:orders", fsync=True).describe()
    'file /var/spool/orders'

    Built in: ``https:`` and ``http:`` (extra http), ``file:`` and plain paths that end in ``.jsonl`` or begin with
    ``/``, ``./`` or ``../``, ``log:NAME?level=DEBUG``, ``arn:aws:…`` of the AWS kinds and ``sqs://QUEUE?region=…``
    (extra aws). What is registered here goes before entry points, these before what is built in.
    """

    __slots__ = ("_factories", "_use_entry_points")

    def __init__(self, *, use_entry_points: bool = True) -> None:
        self._factories: dict[str, TargetFactory] = {}
        self._use_entry_points = use_entry_points

    def register_target(self, scheme: str, factory: TargetFactory) -> None:
        """Lets `factory` open the strings that begin with ``scheme:``. Replaces an earlier one."""
        if not _SCHEME.fullmatch(f"{scheme}:"):
            raise BusError(
                "target-scheme",
                f"{scheme!r} is no scheme: letters, digits, '+', '-' and '.', at least two, without the colon",
            )
        self._factories[scheme.lower()] = factory

    def schemes(self) -> list[str]:
        """All schemes that can be opened, sorted."""
        return sorted({*self._factories, *self._entry_points(), *_BUILT_IN})

    def open(self, text: str, /, **options: Any) -> Target:
        """The target that a string names; options go to its constructor.

        Raises `BusError`: ``target-scheme`` for an unknown scheme, ``target-options`` for an option that the kind does
        not have, and what the kind itself refuses.
        """
        match = _SCHEME.match(text)
        if match is not None:
            scheme = match[1].lower()
        elif text.endswith(".jsonl") or text.startswith(("/", "./", "../")):
            scheme = "file"
        else:
            raise BusError(
                "target-scheme",
                f"{_short(text)!r} names no target: a target begins with its scheme, one of {self._listed()}, "
                "or is the path of a .jsonl file",
            )
        factory = self._factories.get(scheme) or self._from_entry_point(scheme) or _BUILT_IN.get(scheme)
        if factory is None:
            raise BusError(
                "target-scheme",
                f"no target is registered for the scheme {scheme!r}; there are {self._listed()}. Register one with "
                f"register_target({scheme!r}, factory)",
            )
        try:
            return factory(text, **options)
        except TypeError as error:
            raise BusError(
                "target-options", f"a target of the scheme {scheme!r} cannot be made so: {error}"
            ) from error

    def _listed(self) -> str:
        return ", ".join(f"{scheme}:" for scheme in self.schemes())

    def _entry_points(self) -> dict[str, metadata.EntryPoint]:
        if not self._use_entry_points:
            return {}
        return {point.name.lower(): point for point in metadata.entry_points(group=ENTRY_POINTS)}

    def _from_entry_point(self, scheme: str) -> TargetFactory | None:
        point = self._entry_points().get(scheme)
        if point is None:
            return None
        try:
            factory: TargetFactory = point.load()
        except Exception as error:
            raise BusError(
                "target-entry-point",
                f"the package that offers targets for {scheme!r} ({point.value}) cannot be imported: {error}",
            ) from error
        return factory


def open_target(text: str, /, **options: Any) -> Target:
    """The target that a string names, from what is built in and installed. See `TargetRegistry`.

    >>> open_target("orders.jsonl").describe()
    'file orders.jsonl'
    """
    return TargetRegistry().open(text, **options)


def _short(text: str) -> str:
    """Enough of a string to know it by, and nothing behind a question mark."""
    return text.split("?", 1)[0][:80]


def _http(text: str, **options: Any) -> Target:
    from rulebus.targets.http import HttpTarget

    return HttpTarget(text, **options)


def _file(text: str, **options: Any) -> Target:
    from rulebus.targets.file import FileTarget

    if text[:5].lower() != "file:":
        return FileTarget(text, **options)
    parts = urlsplit(text)
    if parts.netloc not in ("", "localhost"):
        raise BusError(
            "target-path",
            f"{_short(text)!r} names the host {parts.netloc!r}; an absolute path has three slashes: file:///PATH",
        )
    query = dict(parse_qsl(parts.query))
    if "fsync" in query:
        options.setdefault("fsync", query["fsync"].lower() in ("1", "true", "yes"))
    return FileTarget(unquote(parts.path), **options)


def _log(text: str, **options: Any) -> Target:
    from rulebus.targets.log import LogTarget

    parts = urlsplit(text)
    query = dict(parse_qsl(parts.query))
    if "level" in query:
        options.setdefault("level", query["level"])
    name = unquote(parts.netloc or parts.path)
    return LogTarget(name, **options) if name else LogTarget(**options)


def _arn(text: str, **options: Any) -> Target:
    from rulebus.targets.aws import target_of_arn

    return target_of_arn(text, **options)


def _sqs(text: str, **options: Any) -> Target:
    from rulebus.targets.aws import SqsTarget

    parts = urlsplit(text)
    query = dict(parse_qsl(parts.query))
    for name in ("region", "endpoint_url", "message_group_id"):
        if name in query:
            options.setdefault(name, query[name])
    return SqsTarget(unquote(parts.netloc or parts.path), **options)


_BUILT_IN: dict[str, TargetFactory] = {
    "arn": _arn,
    "file": _file,
    "http": _http,
    "https": _http,
    "log": _log,
    "sqs": _sqs,
}
