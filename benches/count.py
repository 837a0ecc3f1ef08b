"""Counts the matches of every workload and writes `workloads/*.toml`: `python benches/count.py`.

A sample of the events is judged by the reference, all of them by the engine; both must agree on the sample.
Run it only when a generator was changed on purpose: a changed count without a changed generator is a fault.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benches.catalogue import FOLDER, Workload
from rulebus import Matcher, workload
from rulebus.reference import ReferenceMatcher

HEAD = """# {title}
# `sample_matches`: matches of `sample` events, evenly spread, counted by the reference.
# `matches`: of all `events`, counted by the engine.
# Written by benches/count.py; a changed count without a changed generator is a fault.
"""
ENVELOPE_SIZES = {
    "simple": (10, 1_000, 100_000), "exact": (1_000, 10_000, 100_000), "common": (1_000, 10_000, 100_000),
    "full": (10, 1_000, 10_000, 100_000), "hard": (10_000, 100_000), "wild": (10, 100, 1_000),
}  # fmt: skip


def plan() -> dict[str, tuple[str, list[Workload]]]:
    """The workloads, still without counts, by file."""
    lots = [
        Workload(f"lots/{name}", "lots", 50_000, {"name": name}, len(workload.lots_rules(name)), 0, 500, 0)
        for name in workload.LOTS_SETS
    ]
    envelopes = [
        Workload(
            f"envelopes/{mix}-{size}",
            "envelopes",
            50_000,
            {"mix": mix},
            size,
            0,
            max(4, min(500, 100_000 // size)),
            0,
        )
        for mix, sizes in ENVELOPE_SIZES.items()
        for size in sizes
    ]
    extremes = [
        *(
            Workload(f"needles/{n}", "needles", 2_000, {"n": n}, 1, 0, 200, 0)
            for n in (100, 789, 4_432, 20_000)
        ),
        *(Workload(f"clones/{n}", "clone_family", 10_000, {"n": n}, n, 0, 20, 0) for n in (1_000, 10_000)),
        *(
            # The reference tries all combinations of elements: it judges no event of sibling arrays.
            Workload(
                f"killers/{name}",
                "killers",
                len(events),
                {"name": name},
                len(rules),
                0,
                0 if "arrays" in name else min(4, len(events)),
                0,
            )
            for name, (rules, events) in sorted(workload.killers().items())
        ),
    ]
    return {
        "lots": ("City lots: early keys and long coordinate arrays, 5 to 45 rules by operator.", lots),
        "envelopes": (
            "EventBridge envelopes: 10 to 100,000 rules in mixes of growing difficulty.",
            envelopes,
        ),
        "extremes": ("What stalls other engines: needle lists, clone families, products.", extremes),
    }


def entry(planned: Workload) -> str:
    """One workload with its counts, as TOML."""
    rules = planned.rules()
    matcher = Matcher(rules)
    counts = matcher.count_lines(b"\n".join(planned.lines()))
    if counts.errors or counts.events != planned.events:
        raise SystemExit(f"{planned.name}: not every event was read")
    total = sum(counts.counts.values())
    reference, judged = ReferenceMatcher(dict(rules)), 0
    for line in planned.sample_lines():
        expected = reference.match(line)
        judged += len(expected)
        if sorted(matcher.match(line)) != sorted(expected):
            raise SystemExit(f"{planned.name}: engine and reference disagree on {line.decode()}")
    print(f"{planned.name:28} {total:>9,} matches, reference {judged:,} in {planned.sample}", flush=True)
    arguments = ", ".join(f"{key} = {json.dumps(value)}" for key, value in planned.arguments.items())
    lines = {
        "name": f'"{planned.name}"',
        "data": f'"{planned.data}"',
        "events": planned.events,
        "arguments": f"{{ {arguments} }}",
        "rule_count": planned.rule_count,
        "matches": total,
        "sample": planned.sample,
        "sample_matches": judged,
    }
    return "\n".join(["[[workload]]", *(f"{key} = {value}" for key, value in lines.items()), ""])


if __name__ == "__main__":
    for file, (title, workloads) in plan().items():
        text = "\n".join([HEAD.format(title=title), *map(entry, workloads)])
        (FOLDER / f"{file}.toml").write_text(text, encoding="utf-8")
