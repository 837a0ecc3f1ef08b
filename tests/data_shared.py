"""Finds the folder of shared data beside the checkout, for tests that compare with recorded verdicts.

Relies on the layout `CHECKOUT/../shared/data`. Must never be needed for a test to pass: `shared_lines` skips with the
reason when the folder is not there, and nothing of the folder is copied into the repository.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

DATA = Path(__file__).resolve().parents[1].parent / "shared" / "data"


def shared_lines(name: str) -> Iterator[dict[str, Any]]:
    """The records of one JSON Lines file of the shared data; skips the test if the file is not there."""
    path = DATA / name
    if not path.is_file():
        pytest.skip(f"needs ../shared/data/{name} beside the checkout, which is not there")
    with path.open(encoding="utf-8") as lines:
        return iter([json.loads(line) for line in lines])
