"""What all tests share: where the checkout is, and plain modules of this folder importable by name.

Relies on running from any folder. Must never put python/ on the import path: tests see the installed
wheel."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
for folder in (ROOT / "tests", ROOT):
    if str(folder) not in sys.path:
        sys.path.append(str(folder))


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT
