"""Fixtures of the benchmark suites: workloads and matchers, made once.

Relies on pytest-benchmark and on the catalogue. Must never let a run pass whose count of matches is not the
recorded one.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
if str(ROOT) not in sys.path:
    sys.path.append(str(ROOT))

from benches.catalogue import Workload, load  # noqa: E402

from rulebus import Matcher  # noqa: E402

Named = Callable[[str], Workload]
Ready = Callable[[str], tuple[Workload, Matcher]]


@cache
def _named(name: str) -> Workload:
    (workload,) = load(name)
    return workload


@cache
def _ready(name: str) -> tuple[Workload, Matcher]:
    return _named(name), Matcher(_named(name).texts())


@pytest.fixture(scope="session")
def named() -> Named:
    """The workload of a name."""
    return _named


@pytest.fixture(scope="session")
def ready() -> Ready:
    """The workload of a name with a matcher that holds its rules."""
    return _ready
