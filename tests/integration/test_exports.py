"""The public names: each there, each with one home, and none that costs who does not ask for it.

Relies on the installed package."""

from __future__ import annotations

import subprocess
import sys

import rulebus

LIGHT = """
import sys, rulebus
rulebus.Matcher({"a": {"b": [1]}}).match(b'{"b": 1}')
heavy = {"orjson", "asyncio", "sqlite3", "concurrent.futures", "uuid", "logging", "rulebus.bus", "rulebus.delivery",
         "rulebus.stores", "rulebus.archive", "rulebus.event"}
print(sorted(heavy & set(sys.modules)))
"""


def python(program: str) -> str:
    done = subprocess.run(
        [sys.executable, "-P", "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout.strip()


def test_matching_imports_nothing_of_the_bus() -> None:
    assert python(LIGHT) == "[]"


def test_the_threaded_bus_does_not_import_asyncio() -> None:
    program = (
        "import sys, rulebus\n"
        "bus = rulebus.EventBus(); bus.on({'source': ['a']}, name='r')(print); bus.close()\n"
        "print('asyncio' in sys.modules, 'sqlite3' in sys.modules)"
    )
    assert python(program) == "False False"


def test_every_name_is_there() -> None:
    for name in rulebus.__all__:
        value = getattr(rulebus, name)
        assert name in dir(rulebus)
        assert value is getattr(rulebus, name)
    assert len(set(rulebus.__all__)) == len(rulebus.__all__)


def test_a_name_that_is_not_there() -> None:
    assert not hasattr(rulebus, "EventBuss")
