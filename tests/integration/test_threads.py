"""Matching while rules change: every answer is that of one moment between the start and the end of its call.

Relies on a rule that carries the number of the change, so that an answer tells its moment. Must never rely on timing:
what is checked holds for any schedule.
"""

from __future__ import annotations

import threading
from typing import Any

import rulebus

RULES = 10_000
WINDOW = 50
KEYS = 10
EVENTS = [b'{"k":%d,"q":"x"}' % key for key in range(KEYS)]


def state(changes: int) -> tuple[int, int]:
    """The names present after a number of changes, as a range: change 2n puts rule n, 2n + 1 removes n - WINDOW."""
    put, removed = (changes + 1) // 2, max(0, changes // 2 - WINDOW)
    return removed, put


def run(threads: list[threading.Thread], failures: list[Any]) -> None:
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
        assert not thread.is_alive(), "a thread hangs"
    assert failures == []


def test_four_threads_match_while_one_puts_and_removes_10_000_rules() -> None:
    matcher = rulebus.Matcher()
    begun = [0]  # changes that began
    ended = [0]  # changes that returned
    failures: list[Any] = []
    done = threading.Event()
    answers = [0] * 4
    different: list[set[tuple[int, ...]]] = [set() for _ in range(4)]

    def change() -> None:
        try:
            for number in range(RULES):
                begun[0] += 1
                matcher.put(number, {"k": [number % KEYS]})
                ended[0] += 1
                begun[0] += 1
                if number >= WINDOW:
                    matcher.remove(number - WINDOW)
                ended[0] += 1
        except BaseException as error:
            failures.append(error)
        finally:
            done.set()

    def match(at: int) -> None:
        try:
            turn = at
            while not done.is_set() or answers[at] < KEYS:
                key = turn % KEYS
                first = ended[0]
                found = matcher.match(EVENTS[key])
                last = begun[0]
                possible = {expected(key, changes) for changes in range(first, last + 1)}
                if tuple(found) not in possible:
                    failures.append((key, first, last, found, sorted(possible)[:3]))
                    return
                answers[at] += 1
                different[at].add(tuple(found))
                turn += 1
        except BaseException as error:
            failures.append(error)

    def expected(key: int, changes: int) -> tuple[int, ...]:
        removed, put = state(changes)
        return tuple(number for number in range(removed, put) if number % KEYS == key)

    run(
        [threading.Thread(target=change), *(threading.Thread(target=match, args=(at,)) for at in range(4))],
        failures,
    )
    assert all(count >= KEYS for count in answers)
    assert len(set().union(*different)) > 1  # the changes were seen while they were made
    assert list(matcher) == list(range(RULES - WINDOW, RULES))


def test_an_update_is_seen_whole_or_not_at_all() -> None:
    size = 500
    matcher = rulebus.Matcher({number: {"k": [1]} for number in range(size)})
    one = dict.fromkeys(range(size), '{"k":[1]}')
    two = dict.fromkeys(range(size), '{"k":[2]}')
    failures: list[Any] = []
    done = threading.Event()

    def change() -> None:
        try:
            for turn in range(100):
                matcher.update(one if turn % 2 else two)
        except BaseException as error:
            failures.append(error)
        finally:
            done.set()

    def match() -> None:
        try:
            while not done.is_set():
                found = matcher.match(b'{"k":[1]}')
                if len(found) not in (0, size):
                    failures.append(len(found))
                both = matcher.match(b'{"k":[1,2]}')
                if both != list(range(size)):
                    failures.append(both)
                many = matcher.match_many([b'{"k":1}'] * 5 + [b'{"k":2}'] * 5, threads=2)
                sizes = [len(answer) for answer in many if not isinstance(answer, rulebus.EventError)]
                if sizes not in ([size] * 5 + [0] * 5, [0] * 5 + [size] * 5):
                    failures.append(sizes)
        except BaseException as error:
            failures.append(error)

    run([threading.Thread(target=change), *(threading.Thread(target=match) for _ in range(4))], failures)


def test_many_threads_change_one_matcher() -> None:
    matcher = rulebus.Matcher()
    failures: list[Any] = []

    def change(at: int) -> None:
        try:
            for number in range(1_000):
                matcher.put((at, number), {"k": [at]})
                if number % 2:
                    matcher.remove((at, number - 1))
        except BaseException as error:
            failures.append(error)

    run([threading.Thread(target=change, args=(at,)) for at in range(4)], failures)
    assert len(matcher) == 4 * 500
    for at in range(4):
        assert matcher.match({"k": at}) == [(at, number) for number in range(1, 1_000, 2)]


def test_puts_go_on_while_many_rules_are_placed() -> None:
    matcher = rulebus.Matcher({"first": {"k": [0]}})
    many = {("bulk", number): {"k": [number], "of": ["bulk"]} for number in range(60_000)}
    many["first"] = {"k": [-1]}
    failures: list[Any] = []
    begun, done = threading.Event(), threading.Event()
    put: list[int] = []

    def update() -> None:
        try:
            begun.set()
            matcher.update(many)
        except BaseException as error:
            failures.append(error)
        finally:
            done.set()

    def change() -> None:
        try:
            begun.wait()
            while not done.is_set():
                number = len(put)
                matcher.put(
                    ("put", number), {"k": [number % KEYS], f"path-{number % 50}": [{"exists": False}]}
                )
                put.append(number)
                # All of the update is there, or nothing.
                assert len(matcher) in (1 + len(put), len(many) + len(put))
        except BaseException as error:
            failures.append(error)

    run([threading.Thread(target=update), threading.Thread(target=change)], failures)
    names = list(matcher)
    assert names[0] == "first"
    assert len(names) == len(many) + len(put)
    # The bulk stands together, in its order, behind what was put before its turn; all answer.
    at = names.index(("bulk", 0))
    assert names[at : at + 60_000] == [("bulk", number) for number in range(60_000)]
    assert [name for name in names if isinstance(name, tuple) and name[0] == "put"] == [
        ("put", n) for n in put
    ]
    assert matcher.match({"k": 0}) == [("put", n) for n in put if n % KEYS == 0]
    found = matcher.match({"k": 3, "of": "bulk"})
    assert found.count(("bulk", 3)) == 1
    assert len(found) == 1 + sum(n % KEYS == 3 for n in put)
    assert matcher.match({"k": -1}) == ["first"]
