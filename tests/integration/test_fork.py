"""Processes that fork or end while a matcher merges in the background.

Relies on `os.fork`; each case runs in a process of its own, so that a hang is a failure and not the end of the
tests. Must never rely on how far a merge has come: what is checked holds at any moment.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

PRELUDE = """
import os, sys, threading
import rulebus

def pattern(number):
    return '{"k":["v%d"],"n":[%d]}' % (number, number % 100)

def event(number):
    return b'{"k":"v%d","n":%d}' % (number, number % 100)

RULES = 20_000
matcher = rulebus.Matcher((number, pattern(number)) for number in range(RULES))

def check(matcher, numbers):
    for number in numbers:
        assert matcher.match(event(number)) == [number], (number, matcher.match(event(number)))
"""


def run(code: str) -> str:
    command = [sys.executable, "-P", "-W", "error", "-c", PRELUDE + code]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_children_match_and_change_whatever_their_parent_was_doing() -> None:
    """The parent forks at every stage of many merges; children add, replace and remove, and merge on their own."""
    out = run("""
children = []
for turn in range(12):
    for number in range(RULES + turn * 700, RULES + turn * 700 + 700):
        matcher.put(number, pattern(number))
        if number % 5 == 0:
            matcher.remove(number)
    child = os.fork()
    if not child:
        try:
            mine = range(10**6, 10**6 + 3_000)
            for number in mine:
                matcher.put(number, pattern(number))
            matcher.put(3, pattern(999_999))
            matcher.remove(4)
            check(matcher, [*range(10, 20), *mine[::97]])
            assert matcher.match(event(999_999)) == [3] and matcher.match(event(4)) == []
            assert len(matcher) == RULES + 560 * (turn + 1) + len(mine) - 1 == matcher.stats().rules
            matcher.compact()
            assert matcher.stats().segments == 1
            check(matcher, [*range(10, 20), *mine[::97]])
            assert matcher.pattern(12) == rulebus.Pattern(pattern(12))
            os._exit(0)
        except BaseException as error:
            print(repr(error), file=sys.stderr, flush=True)
            os._exit(1)
    children.append(child)
statuses = [os.waitpid(child, 0)[1] for child in children]
assert not any(statuses), statuses
check(matcher, [3, 4, *range(RULES + 1, RULES + 5), RULES + 8399])
print(len(matcher))
""")
    assert out == f"{20_000 + 12 * 560}\n"


def test_a_process_ends_while_its_matcher_merges() -> None:
    """Nobody joins the background thread: neither the end of the interpreter nor that of the matcher."""
    out = run("""
for turn in range(3):
    matcher.update((number, pattern(number)) for number in range(10**6 * turn, 10**6 * turn + 30_000))
other = rulebus.Matcher((number, pattern(number)) for number in range(RULES))
for number in range(RULES, RULES + 600):
    other.put(number, pattern(number))
del other
print("end", flush=True)
""")
    assert out == "end\n"


def test_a_forked_child_of_a_thread_that_changes_rules() -> None:
    """One thread puts and removes all the time, another forks: the child begins with the rules of one moment."""
    if not hasattr(os, "fork"):
        pytest.skip("this system has no fork")
    out = run("""
import warnings
warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 warns of any fork beside threads
stop = threading.Event()

def change():
    number = RULES
    while not stop.is_set():
        matcher.put(number, pattern(number))
        if number >= RULES + 50:
            matcher.remove(number - 50)
        number += 1

thread = threading.Thread(target=change)
thread.start()
statuses = []
for turn in range(20):
    child = os.fork()
    if not child:
        try:
            before = list(matcher)
            assert len(before) == len(matcher) and before[:RULES] == list(range(RULES))
            matcher.put("mine", pattern(5))
            matcher.remove(6)
            assert matcher.match(event(5)) == [5, "mine"] and matcher.match(event(6)) == []
            assert len(matcher) == len(before)
            os._exit(0)
        except BaseException as error:
            print(repr(error), file=sys.stderr, flush=True)
            os._exit(1)
    statuses.append(os.waitpid(child, 0)[1])
stop.set()
thread.join()
assert not any(statuses), statuses
print("end")
""")
    assert out == "end\n"
