"""Typed values out of TOML tables: each getter checks, notes a fault with its place, and goes on with a default.

So one run over a file finds everything that is wrong with it. `done` refuses keys that nobody asked for and names the
nearest known one. Relies on `faults` and `places`.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rulebus.config.faults import Fault, spell
from rulebus.config.places import Path, Place

__all__ = ["Faults", "Table", "nearest"]

_MISSING: Any = object()
_MOST_WHOLE = 10**15
_MOST_NUMBER = 1e15
_NAMES = {
    str: "text in quotes", bool: "true or false", int: "a whole number", float: "a number", dict: "a table", list: "a list",
}  # fmt: skip


class Faults:
    """Collects what is wrong with one file."""

    def __init__(self, places: Mapping[Path, Place]) -> None:
        self.places, self.found = places, list[Fault]()

    def place(self, path: Path) -> Place:
        """The place of a path, or of the nearest table around it."""
        while path and path not in self.places:
            path = path[:-1]
        return self.places.get(path, (1, 1))

    def add(self, path: Path, message: str, expected: str = "", detail: str = "") -> None:
        """Notes a fault."""
        self.found.append(Fault(message, path, self.place(path), expected, detail))


class Table:
    """One table of the file, read key by key."""

    def __init__(self, value: Mapping[str, Any], path: Path, faults: Faults) -> None:
        self.value, self.path, self.faults = value, path, faults
        self._asked: set[str] = set()

    def __contains__(self, key: str) -> bool:
        self._asked.add(key)  # so that a misspelt key is told of every key that might have been meant
        return key in self.value

    def fault(self, key: str | None, message: str, expected: str = "", detail: str = "") -> None:
        """Notes a fault of a key, or of the whole table."""
        self.faults.add(self.path if key is None else (*self.path, key), message, expected, detail)

    def _take(self, key: str, kinds: tuple[type, ...], default: Any, required: bool) -> Any:
        self._asked.add(key)
        value = self.value.get(key, _MISSING)
        if str in kinds and isinstance(value, dict) and "env" in value:
            value = self._from_environment(key, value)
        if value is _MISSING:
            if required and key not in self.value:
                self.fault(None, f"{key} is missing", f"{key} = … ({_NAMES[kinds[0]]})")
            return default
        # bool is an int for Python, not for people.
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            self.fault(key, f"{key} is {_spell(value)}", " or ".join(_NAMES[kind] for kind in kinds))
            return default
        if isinstance(value, str) and "\0" in value:
            self.fault(key, f"{key} holds a NUL character", "text without it")
            return default
        return value

    def _from_environment(self, key: str, given: Mapping[str, Any]) -> Any:
        """Text may stand in the environment: ``{env = "NAME", default = "…"}``."""
        inner = Table(given, (*self.path, key), self.faults)
        name, default = inner.text("env"), inner.optional_text("default")
        inner.done()
        value = os.environ.get(name, default)
        if value is None:
            self.fault(
                key, f"the environment variable {name} is not set", "a default beside env, or the variable"
            )
            return _MISSING
        return value

    def text(self, key: str, default: str = "", *, required: bool = False) -> str:
        """Text."""
        return str(self._take(key, (str,), default, required))

    def optional_text(self, key: str) -> str | None:
        """Text, or None when the key is not there."""
        value = self._take(key, (str,), None, False)
        return None if value is None else str(value)

    def flag(self, key: str, default: bool = False) -> bool:
        """True or false."""
        return bool(self._take(key, (bool,), default, False))

    def whole(self, key: str, default: int, *, least: int = 0, most: int = _MOST_WHOLE) -> int:
        """A whole number within bounds."""
        value = int(self._take(key, (int,), default, False))
        if not least <= value <= most:
            bounds = f"at least {least:,}" if most == _MOST_WHOLE else f"{least:,} to {most:,}"
            shown = f"{value:,}" if abs(value) < 10**18 else _spell(value)
            self.fault(key, f"{key} is {shown}", bounds)
            return default
        return value

    def number(
        self,
        key: str,
        default: float | None = None,
        *,
        least: float = 0.0,
        most: float = _MOST_NUMBER,
        above: float | None = None,
    ) -> float | None:
        """A number that is neither below `least` nor beyond `most`, and `above` something if that is given."""
        value = self._take(key, (float, int), default, False)
        if value is not None and not (least <= value <= most and (above is None or value > above)):
            bounds = f"above {above:g}" if above is not None else f"of at least {least:g}"
            upper = "" if most == _MOST_NUMBER else f" and at most {most:g}"
            self.fault(key, f"{key} is {_spell(value)}", f"a number {bounds}{upper}")
            return default
        return None if value is None else float(value)

    def choice(self, key: str, choices: Sequence[str], default: str) -> str:
        """One of some words."""
        value = self.text(key, default)
        if value not in choices:
            self.fault(key, f"{key} is {_spell(value)}", nearest(choices, value))
            return default
        return value

    def texts(self, key: str) -> list[str]:
        """A list of texts."""
        values = self._take(key, (list,), [], False)
        good = []
        for number, value in enumerate(values):
            if isinstance(value, str) and "\0" not in value:
                good.append(value)
            else:
                self.faults.add((*self.path, key, number), f"{_spell(value)} stands in {key}", _NAMES[str])
        return good

    def text_map(self, key: str) -> dict[str, str]:
        """A table of texts."""
        values = self._take(key, (dict,), {}, False)
        good = {}
        for name, value in values.items():
            if isinstance(value, str):
                good[name] = value
            else:
                self.faults.add((*self.path, key, name), f"{name} is {_spell(value)}", _NAMES[str])
        return good

    def table(self, key: str) -> Table | None:
        """A table, or None when it is not there."""
        value = self._take(key, (dict,), None, False)
        return None if value is None else Table(value, (*self.path, key), self.faults)

    def raw(self, key: str) -> Any:
        """Whatever stands there, or None."""
        self._asked.add(key)
        return self.value.get(key)

    def named(self, key: str) -> Iterator[tuple[str, Table]]:
        """The tables below ``[key.NAME]``."""
        if (outer := self.table(key)) is not None:
            for name, value in outer.value.items():
                if isinstance(value, dict):
                    yield name, Table(value, (*outer.path, name), self.faults)
                else:
                    outer.fault(name, f"{name} is {_spell(value)}", f"a table: [{key}.{name}]")

    def listed(self, key: str) -> Iterator[Table]:
        """The tables below ``[[key]]``."""
        if isinstance(self.value.get(key), dict):
            self._asked.add(key)
            self.fault(key, f"{key} is one table", f"a list of tables, with two brackets: [[{key}]]")
            return
        for number, value in enumerate(self._take(key, (list,), [], False)):
            path = (*self.path, key, number)
            if isinstance(value, dict):
                yield Table(value, path, self.faults)
            else:
                self.faults.add(path, f"{_spell(value)} stands in {key}", f"a table: [[{key}]]")

    def done(self) -> None:
        """Refuses every key that nobody asked for."""
        for key in self.value:
            if key not in self._asked:
                self.fault(key, f"{spell((key,))} is not known here", nearest(sorted(self._asked), key))


def _spell(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) and abs(value) > 10**18:
        return f"a number of {value.bit_length()} bits"
    text = "a table" if isinstance(value, dict) else "a list" if isinstance(value, list) else repr(value)
    return text if len(text) <= 60 else text[:57] + "…"


def nearest(choices: Sequence[str], given: str) -> str:
    """What is expected of a word that is none of the choices; the one that is most like it first."""
    near = difflib.get_close_matches(given, choices, n=1)
    all_of_them = ", ".join(choices)
    return f"{near[0]}? Known: {all_of_them}" if near else f"one of {all_of_them}"
