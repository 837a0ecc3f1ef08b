"""What all tests share: where the checkout is, plain modules of this folder importable by name, hypothesis' profiles.

Relies on running from any folder; RULEBUS_PROFILE=long takes 20,000 examples for each property instead of 500. Must
never put python/ on the import path: tests see the installed wheel.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parent.parent
for folder in (ROOT / "tests", ROOT):
    if str(folder) not in sys.path:
        sys.path.append(str(folder))

# Events are drawn after the rules that they nearly match, which is slow to draw and not a fault of the property.
SLOW_TO_DRAW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
for profile, examples in (("default", 500), ("long", 20_000)):
    settings.register_profile(
        f"rulebus-{profile}",
        max_examples=examples,
        deadline=None,
        suppress_health_check=SLOW_TO_DRAW,
        print_blob=True,
    )
settings.load_profile(f"rulebus-{os.environ.get('RULEBUS_PROFILE', 'default')}")


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT
