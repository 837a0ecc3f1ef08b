"""Names of records: the day, a kind, and a number from the second of a day on. Must never name a file that is there."""

from __future__ import annotations

import datetime
from pathlib import Path

__all__ = ["RECORD", "next_stem"]

RECORD = Path(__file__).with_name("record")


def next_stem(kind: str) -> tuple[str, str]:
    """Today, and the name of the next record of a kind without its ending."""
    day = datetime.datetime.now(tz=datetime.UTC).date().isoformat()
    RECORD.mkdir(exist_ok=True)
    number = 1
    while True:
        stem = f"{day}{f'-{kind}' if kind else ''}{f'-{number}' if number > 1 else ''}"
        if not (RECORD / f"{stem}.json").exists():
            return day, stem
        number += 1
