"""Counts the matches of every workload and writes `workloads/*.toml`: `python benches/count.py [GLOB…]`.

A sample of the events is judged by the reference, all of them by the engine; both must agree on the sample. Sets too
large for the reference are counted twice, whole and in ten parts whose matches must add up; a smaller set is the
beginning of a larger one, and the reference judged that. With GLOBs the other workloads keep what is recorded. Run it only when a generator was changed on purpose: a changed count without a changed generator is a fault.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import sys
from fnmatch import fnmatchcase
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benches.catalogue import FOLDER, Workload, load
from rulebus import Matcher, workload
from rulebus.reference import ReferenceMatcher

HEAD = """# {title}
# `sample_matches`: matches of `sample` events, evenly spread, counted by the reference.
# `matches`: of all `events`, counted by the engine.
# Written by benches/count.py; a changed count without a changed generator is a fault.
"""
# The reference needs minutes to parse more.
_JUDGED = 100_000
ENVELOPE_SIZES = {
    "simple": (10, 1_000, 100_000, 1_000_000), "exact": (1_000, 10_000, 100_000),
    "common": (1_000, 10_000, 100_000, 1_000_000), "full": (10, 1_000, 10_000, 100_000, 1_000_000), "hard": (10_000, 100_000), "wild": (10, 100, 1_000),
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
            max(4, min(500, 100_000 // size)) if size <= _JUDGED else 0,
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
    total, judged = _large(planned) if planned.rule_count > _JUDGED else _judged(planned)
    print(f"{planned.name:28} {total:>9,} matches, reference {judged:,} in {planned.sample}", flush=True)
    return written(dataclasses.replace(planned, matches=total, sample_matches=judged))


def _judged(planned: Workload) -> tuple[int, int]:
    """Matches of all events, and of the sample by the reference."""
    rules = planned.rules()
    matcher = Matcher(rules)
    total = _total(planned, matcher)
    reference, judged = ReferenceMatcher(dict(rules)), 0
    for line in planned.sample_lines():
        expected = reference.match(line)
        judged += len(expected)
        if sorted(matcher.match(line)) != sorted(expected):
            raise SystemExit(f"{planned.name}: engine and reference disagree on {line.decode()}")
    return total, judged


def _large(planned: Workload) -> tuple[int, int]:
    """Matches of all events, by the whole set and by its parts."""
    total = _total(planned, Matcher(planned.texts()))
    texts, size, added = planned.texts(), -(-planned.rule_count // 10), 0
    while part := dict(itertools.islice(texts, size)):
        added += _total(planned, Matcher(part))
    if added != total:
        raise SystemExit(f"{planned.name}: {total} matches in all, but {added} by its parts")
    return total, 0


def _total(planned: Workload, matcher: Matcher) -> int:
    counts = matcher.count_lines(b"\n".join(planned.lines()))
    if counts.errors or counts.events != planned.events:
        raise SystemExit(f"{planned.name}: not every event was read")
    return sum(counts.counts.values())


def written(counted: Workload) -> str:
    """A workload as TOML."""
    arguments = ", ".join(f"{key} = {json.dumps(value)}" for key, value in counted.arguments.items())
    lines = {
        "name": f'"{counted.name}"',
        "data": f'"{counted.data}"',
        "events": counted.events,
        "arguments": f"{{ {arguments} }}",
        "rule_count": counted.rule_count,
        "matches": counted.matches,
        "sample": counted.sample,
        "sample_matches": counted.sample_matches,
    }
    return "\n".join(["[[workload]]", *(f"{key} = {value}" for key, value in lines.items()), ""])


def main(globs: list[str]) -> None:
    """Count what fits the globs, or all."""
    recorded = {workload.name: workload for workload in load()}
    for file, (title, workloads) in plan().items():
        parts = [HEAD.format(title=title)]
        for planned in workloads:
            wanted = not globs or any(fnmatchcase(planned.name, glob) for glob in globs)
            parts.append(entry(planned) if wanted else written(recorded[planned.name]))
        (FOLDER / f"{file}.toml").write_text("\n".join(parts), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
