"""What a figure was measured on: the machine as `rulebus.measure` describes it, and the rivals' versions.

Must never name the machine or its user.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import Any

from rulebus.measure.machine import machine as described

__all__ = ["machine"]


def machine() -> dict[str, Any]:
    """The description, ready for JSON."""
    return {**described(), "rivals": _versions("event-ruler", "moto")}


def _versions(*names: str) -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    return found
