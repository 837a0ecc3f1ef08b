"""What a workload's rules cost in memory, measured in a process of its own: `python benches/memory.py NAME`.

`process_bytes_per_rule` is the growth of the process's resident memory after all that was needed only for
building was given back; `index_bytes_per_rule` is what the matcher itself counts. Relies on /proc (Linux).
Must never count the rules' texts and names, which are made before.
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


def _main(name: str) -> None:
    from benches.catalogue import load
    from rulebus import Matcher

    (workload,) = load(name)
    rules = {rule: json.dumps(pattern, separators=(",", ":")) for rule, pattern in workload.rules()}
    Matcher({"warm": {"x": ["up"]}}).match(b"{}")
    before = _resident_bytes()
    matcher = Matcher(rules)
    grown = _resident_bytes() - before
    found = {
        "rules": len(matcher),
        "pattern_bytes_per_rule": round(sum(map(len, rules.values())) / len(rules)),
        "index_bytes_per_rule": round(matcher.stats().size_bytes / len(rules)),
        "process_bytes_per_rule": round(grown / len(rules)),
        "matches": len(matcher.match_lines(b"\n".join(workload.lines())).rules),
    }
    print(json.dumps(found))


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    _main(sys.argv[1])
