"""Real rules and events that nobody here wrote, with recorded verdicts, where the folder of shared data lies beside the
checkout. Must never copy any of them into the repository.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

__all__ = ["real_data"]

DATA = Path(__file__).resolve().parent.parent.parent / "shared" / "data" / "real"


def real_data() -> tuple[dict[str, str], list[bytes], int] | str:
    """Rules by id, events, and how often they match; or why they cannot be had."""
    if not DATA.is_dir():
        return "needs ../shared/data/real beside the checkout, which is not there"
    rules = {rule["id"]: json.dumps(rule["pattern"]) for rule in _records("rules-dev.jsonl") if rule["valid"]}
    names = ("events-dev.jsonl", "events_derived-dev.jsonl")
    events = {record["id"]: record["event"] for name in names for record in _records(name)}
    truth = {record["event"]: len(record["rules"]) for record in _records("truth-dev.jsonl")}
    lines = [json.dumps(event, separators=(",", ":")).encode() for event in events.values()]
    return rules, lines, sum(truth.get(event, 0) for event in events)


def _records(name: str) -> Iterator[dict[str, Any]]:
    with (DATA / name).open(encoding="utf-8") as lines:
        yield from map(json.loads, lines)
