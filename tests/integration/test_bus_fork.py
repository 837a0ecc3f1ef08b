"""A bus in a fork of its process: a clear error at once, never a hang, and the parent's bus goes on.

Relies on POSIX; a fork is made in a process of its own, since the threads of a test run are nobody's to fork."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

PROGRAM = """
import os, sys, rulebus
got = []
bus = rulebus.EventBus()
bus.on({"source": ["shop"]}, name="r")(got.append)
bus.publish(source="shop", detail_type="t", detail={})
assert bus.wait_idle(10)
child = os.fork()
if not child:
    calls = [
        lambda: bus.publish(source="shop", detail_type="t", detail={}),
        lambda: bus.put_rule("x", {"source": ["shop"]}),
        lambda: bus.wait_idle(),
        lambda: bus.dead_letters(),
        lambda: bus.close(),
    ]
    codes = []
    for call in calls:
        try:
            call()
        except rulebus.BusError as error:
            codes.append(error.code)
    os._exit(0 if codes == ["forked"] * len(calls) else 1)
status = os.waitpid(child, 0)[1]
bus.publish(source="shop", detail_type="t", detail={})
bus.close()
sys.exit(0 if status == 0 and len(got) == 2 else 1)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_fork_is_told() -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-W", "ignore", "-c", PROGRAM],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
