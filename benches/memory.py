"""What a workload's rules cost in memory, measured in a process of its own: `python benches/memory.py NAME`.

`index_bytes_per_rule` is what the matcher itself counts; `allocated_bytes_per_rule` the growth of what the C
library has handed out; `process_bytes_per_rule` the growth of the resident memory, freed memory that could
not be given back included. Relies on Linux. Must never count the rules' texts and names, which are made
before.
"""

from __future__ import annotations

import json
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


def _main(name: str) -> None:
    from benches.catalogue import load
    from rulebus import Matcher
    from rulebus.measure.memory import allocated_bytes, resident_bytes

    (workload,) = load(name)
    rules = dict(workload.texts())
    Matcher({"warm": {"x": ["up"]}}).match(b"{}")
    before, allocated_before = resident_bytes(), allocated_bytes()
    matcher = Matcher(rules)
    allocated, after = allocated_bytes(), resident_bytes()
    size = len(rules)
    found = {
        "rules": len(matcher),
        "pattern_bytes_per_rule": round(sum(map(len, rules.values())) / len(rules)),
        "index_bytes_per_rule": round(matcher.stats().size_bytes / len(rules)),
        "allocated_bytes_per_rule": _grown(allocated_before, allocated, size),
        "process_bytes_per_rule": _grown(before, after, size),
        "matches": len(matcher.match_lines(b"\n".join(workload.lines())).rules),
    }
    print(json.dumps(found))


def _grown(before: int | None, after: int | None, rules: int) -> int | None:
    return None if before is None or after is None else round((after - before) / rules)


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    _main(sys.argv[1])
