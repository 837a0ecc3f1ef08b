"""What a workload's rules cost in memory, measured in a process of its own: `python benches/memory.py NAME`.

`index_bytes_per_rule` is what the matcher itself counts; `allocated_bytes_per_rule` the growth of what the C
library has handed out; `process_bytes_per_rule` the growth of the resident memory, freed memory that could
not be given back included. Relies on Linux. Must never count the rules' texts and names, which are made
before.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

__all__ = ["measure"]

ROOT = Path(__file__).resolve().parent.parent


def measure(name: str) -> dict[str, Any]:
    """Run this file for a workload and return what it found."""
    command = [sys.executable, "-P", str(Path(__file__).resolve()), name]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    if done.returncode:
        raise RuntimeError(done.stderr)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _resident_bytes() -> int:
    gc.collect()
    # Without the GNU C library what was freed may still be counted.
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class _Mallinfo(ctypes.Structure):
    """glibc's `struct mallinfo2`."""

    _fields_ = [
        (f"field_{number}", ctypes.c_size_t) for number in range(10)
    ]  # arena, ordblks, smblks, hblks, hblkhd, usmblks, fsmblks, uordblks, fordblks, keepcost


def _allocated_bytes() -> int | None:
    """Bytes handed out by the C library, or None where it does not tell."""
    try:
        mallinfo2 = ctypes.CDLL(None).mallinfo2
    except (OSError, AttributeError):
        return None
    mallinfo2.restype = _Mallinfo
    found = mallinfo2()
    return int(found.field_7 + found.field_4)


def _main(name: str) -> None:
    from benches.catalogue import load
    from rulebus import Matcher

    (workload,) = load(name)
    rules = {rule: json.dumps(pattern, separators=(",", ":")) for rule, pattern in workload.rules()}
    Matcher({"warm": {"x": ["up"]}}).match(b"{}")
    before, allocated_before = _resident_bytes(), _allocated_bytes()
    matcher = Matcher(rules)
    grown, allocated = _resident_bytes() - before, _allocated_bytes()
    found = {
        "rules": len(matcher),
        "pattern_bytes_per_rule": round(sum(map(len, rules.values())) / len(rules)),
        "index_bytes_per_rule": round(matcher.stats().size_bytes / len(rules)),
        "allocated_bytes_per_rule": None
        if allocated is None or allocated_before is None
        else round((allocated - allocated_before) / len(rules)),
        "process_bytes_per_rule": round(grown / len(rules)),
        "matches": len(matcher.match_lines(b"\n".join(workload.lines())).rules),
    }
    print(json.dumps(found))


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    _main(sys.argv[1])
