"""Runs the examples in the docstrings of the installed package, module by module.

Relies on the installed wheel; a module whose extra is not installed is skipped by name, nothing else is."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import rulebus

EXTRAS = {"rich", "hypothesis"}
MODULES = [
    "rulebus",
    *sorted(
        m.name for m in pkgutil.walk_packages(rulebus.__path__, "rulebus.") if not m.name.endswith("__main__")
    ),
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_of(name: str) -> None:
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name not in EXTRAS:
            raise
        pytest.skip(f"the extra that brings {error.name} is not installed")
    failed, _ = doctest.testmod(module, optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    assert failed == 0
