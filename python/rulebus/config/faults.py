"""What is wrong with a router file: all of it at once, each fault with place, excerpt, expectation and remedy.

Relies on `errors`. A fault never hides another one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from rulebus.config.places import Path, Place
from rulebus.errors import RulebusError

__all__ = ["ConfigError", "Fault", "spell"]

_WIDTH = 96


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong."""

    message: str
    """What, with the offending text."""
    path: Path
    """Keys and indices from the top."""
    place: Place
    """Line and column, from 1."""
    expected: str = ""
    """What would have been right, and how to mend it."""
    detail: str = ""
    """More lines, such as the error of a pattern with its own excerpt."""


class ConfigError(RulebusError, ValueError):
    """A router file was refused; nothing of it was done."""

    __module__ = "rulebus"

    def __init__(self, file: str, text: str, faults: Sequence[Fault]) -> None:
        super().__init__(file, text, tuple(faults))
        self.file, self.faults = file, tuple(sorted(faults, key=lambda fault: fault.place))
        self._lines = text.split("\n")

    def __str__(self) -> str:
        many = "1 fault" if len(self.faults) == 1 else f"{len(self.faults)} faults"
        return "\n\n".join([f"{self.file}: {many}", *(self.show(fault) for fault in self.faults)])

    def show(self, fault: Fault) -> str:
        """One fault as people read it."""
        line, column = fault.place
        parts = [f"{self.file}:{line}:{column}: {fault.message}"]
        if fault.path:
            parts.append(f"  at {spell(fault.path)}")
        if 0 < line <= len(self._lines):
            shown = self._lines[line - 1].rstrip("\r").replace("\t", " ")
            start = max(0, column - _WIDTH // 2) if len(shown) > _WIDTH else 0
            parts.append(f"{line:5} | {shown[start : start + _WIDTH]}")
            parts.append(f"      | {' ' * (column - 1 - start)}^")
        if fault.detail:
            parts.extend(f"    {part}" for part in fault.detail.split("\n"))
        if fault.expected:
            parts.append(f"  expected {fault.expected}")
        return "\n".join(parts)


def spell(path: Path) -> str:
    """A path as people write it.

    >>> spell(("rules", 0, "targets", 1, "id"))
    'rules[0].targets[1].id'
    >>> spell(("targets", "the shop"))
    'targets."the shop"'
    """
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            key = part if re.fullmatch(r"[A-Za-z0-9_-]+", part) else json.dumps(part, ensure_ascii=False)
            text += f".{key}" if text else key
    return text
