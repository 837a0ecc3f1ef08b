"""What a figure was measured on: processor, memory, system, versions, load.

Relies on the standard library. Must never name the machine or its user.
"""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

from rulebus._core import __version__

__all__ = ["machine"]

_FLAGS = ("avx2", "avx512bw", "bmi2", "neon", "asimd")


def machine() -> dict[str, Any]:
    """The description, ready for JSON.

    >>> sorted(machine())[:3]
    ['instructions', 'load_1min', 'memory_gb']
    """
    name, flags = _processor()
    return {
        "processor": name,
        "instructions": [flag for flag in _FLAGS if flag in flags],
        "processors": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gb": _memory_gb(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "rulebus": __version__,
        "load_1min": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
    }


def _processor() -> tuple[str, set[str]]:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or "unknown", set()
    pairs = (line.split(":", 1) for line in text.split("\n\n")[0].splitlines() if ":" in line)
    fields = {key.strip(): value.strip() for key, value in pairs}
    flags = fields.get("flags", fields.get("Features", "")).split()
    return fields.get("model name", platform.machine()), set(flags)


def _memory_gb() -> float | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1)
    except (ValueError, OSError, AttributeError):
        return None
