"""Names of rules: any hashable objects, given back as they are, whatever their `__eq__` does, from any number of threads."""

import gc
import sys
import threading
import weakref
from collections.abc import Callable
from typing import Any

import pytest

import rulebus

ONE = {"x": [1]}
EVENT = b'{"x": 1}'


class Name:
    """Equal by value; all hashes collide on request."""

    def __init__(self, value: Any, hashed: int | None = None) -> None:
        self.value, self.hashed = value, hashed

    def __hash__(self) -> int:
        return hash(self.value) if self.hashed is None else self.hashed

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Name) and other.value == self.value


def test_the_same_objects_come_back() -> None:
    names: list[Any] = [
        "text",
        1,
        2.5,
        None,
        ("a", 1),
        frozenset({1}),
        b"bytes",
        Name("x"),
        object(),
        int,
        len,
    ]
    matcher = rulebus.Matcher(dict.fromkeys(names, ONE))
    for found in (
        matcher.match(EVENT),
        list(matcher),
        matcher.match_lines(EVENT)[0],
        matcher.match_many([EVENT])[0],
    ):
        assert len(found) == len(names)
        assert all(one is other for one, other in zip(found, names, strict=True))


def test_names_are_equal_as_in_a_dict() -> None:
    first, second = Name("same"), Name("same")
    matcher = rulebus.Matcher({first: ONE, 1: ONE})
    matcher.put(second, {"x": [2]})
    assert len(matcher) == 2
    assert matcher.match(b'{"x": 2}')[0] is first, "the name put first stays, as in a dict"
    matcher.put(True, {"x": [3]})
    matcher.remove(1.0)
    assert list(matcher) == [first]
    nan = float("nan")
    matcher.put(nan, ONE)
    assert nan in matcher
    other = float("nan")
    assert other not in matcher


def test_colliding_hashes() -> None:
    names = [Name(number, hashed=7) for number in range(300)]
    matcher = rulebus.Matcher()
    for name in names:
        matcher.put(name, ONE)
    for name in names[::2]:
        matcher.remove(Name(name.value, hashed=7))
    assert [name.value for name in matcher.match(EVENT)] == list(range(1, 300, 2))
    assert Name(2, hashed=7) not in matcher
    assert Name(3, hashed=7) in matcher


@pytest.mark.parametrize("name", [[], {}, set(), ([],)], ids=repr)
def test_unhashable_names(name: Any) -> None:
    matcher = rulebus.Matcher({"rule": ONE})
    calls: list[Callable[[], Any]] = [
        lambda: matcher.put(name, ONE),
        lambda: matcher.update([(name, ONE)]),
        lambda: matcher.remove(name),
        lambda: matcher.discard(name),
        lambda: name in matcher,
        lambda: matcher.pattern(name),
        lambda: matcher.explain(name, EVENT),
    ]
    for call in calls:
        with pytest.raises(TypeError, match="unhashable"):
            call()
    assert list(matcher) == ["rule"]


def test_errors_of_a_name_pass_through_and_change_nothing() -> None:
    class Broken(Name):
        __hash__ = Name.__hash__

        def __eq__(self, other: object) -> bool:
            raise ArithmeticError("not comparable")

    matcher = rulebus.Matcher({Broken("a", 7): ONE})
    for call in (lambda: matcher.put(Name("b", 7), ONE), lambda: matcher.remove(Name("b", 7))):
        with pytest.raises(ArithmeticError, match="not comparable"):
            call()
    assert len(matcher) == 1
    assert len(matcher.match(EVENT)) == 1


def test_a_name_may_change_the_matcher_while_it_is_compared() -> None:
    matcher = rulebus.Matcher()

    class Meddler(Name):
        __hash__ = Name.__hash__
        meddled = False

        def __eq__(self, other: object) -> bool:
            if not Meddler.meddled:
                Meddler.meddled = True
                matcher.put(Name("meddled", 7), ONE)
                matcher.remove(Name("first", 7))
            return super().__eq__(other)

    matcher.put(Name("first", 7), ONE)
    matcher.put(Meddler("second", 7), ONE)
    matcher.put(Name("third", 7), ONE)
    assert [name.value for name in matcher.match(EVENT)] == ["meddled", "second", "third"]


def test_a_finalizer_may_use_the_matcher() -> None:
    matcher = rulebus.Matcher({"other": ONE})

    class Owner:
        pass

    owner = Owner()
    weakref.finalize(owner, matcher.discard, "mine")
    weakref.finalize(owner, matcher.match, EVENT)
    matcher.put("mine", ONE)
    owner.self = owner  # type: ignore[attr-defined]
    del owner
    gc.collect()
    assert matcher.match(EVENT) == ["other"]


def test_names_are_let_go() -> None:
    name = Name("x")
    before = sys.getrefcount(name)
    matcher = rulebus.Matcher({name: ONE})
    for _ in range(100):
        matcher.match(EVENT)
        matcher.match_lines(EVENT)
        matcher.match_many([EVENT, {"x": 1}])
        matcher.explain(name, EVENT)
        matcher.put(Name("x"), ONE)
        list(matcher)
    assert sys.getrefcount(name) == before + 1
    matcher.remove(name)
    matcher.put("other", ONE)
    assert sys.getrefcount(name) == before
    matcher.put(name, ONE)
    del matcher
    assert sys.getrefcount(name) == before


def test_a_cycle_through_a_name_is_collected() -> None:
    name = Name("x")
    name.matcher = rulebus.Matcher({name: ONE, name.__hash__: ONE})  # type: ignore[attr-defined]
    alive = weakref.ref(name)
    del name
    gc.collect()
    assert alive() is None


def test_many_names() -> None:
    matcher = rulebus.Matcher({number: {"x": [number % 10]} for number in range(50_000)})
    assert matcher.match(EVENT) == list(range(1, 50_000, 10))
    matcher.clear()
    matcher.update((str(number), {"x": [number % 10]}) for number in range(50_000))
    assert matcher.match(EVENT) == [str(number) for number in range(1, 50_000, 10)]
    assert len(matcher) == 50_000


def run_together(*work: Callable[[], None]) -> None:
    """Runs functions in threads and raises what any of them raises."""
    failures: list[BaseException] = []

    def guarded(one: Callable[[], None]) -> None:
        try:
            one()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=guarded, args=(one,)) for one in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
        assert not thread.is_alive(), "a thread waits forever"
    if failures:
        raise failures[0]


def test_every_answer_is_a_state_between_start_and_end() -> None:
    """One thread counts a pair of rules up, 10,000 changes; others must see pairs whose numbers only grow."""
    matcher = rulebus.Matcher({"base": ONE})
    done = threading.Event()
    counter = [0]

    def write() -> None:
        for number in range(1, 5001):
            matcher.update({("left", number): ONE, ("right", number): ONE})
            counter[0] = number
            if number > 3:
                matcher.remove(("left", number - 3))
                matcher.remove(("right", number - 3))
        done.set()

    def check(found: list[Any], least: int, most: int) -> None:
        assert found[0] == "base"
        lefts = [name[1] for name in found[1:] if name[0] == "left"]
        rights = [name[1] for name in found[1:] if name[0] == "right"]
        assert lefts == sorted(lefts)
        assert set(lefts) <= set(rights), "a pair comes as one"
        assert len(rights) - len(lefts) <= 1
        assert all(number >= least - 3 for number in rights), (
            "a rule that was removed before the call is not seen"
        )
        assert not rights or least <= max(rights) <= most + 1

    def read(ask: Callable[[], list[Any]]) -> Callable[[], None]:
        def run() -> None:
            while not done.is_set():
                least = counter[0]
                found = ask()
                check(found, least, counter[0])

        return run

    run_together(
        write,
        read(lambda: matcher.match(EVENT)),
        read(lambda: matcher.match({"x": 1})),
        read(lambda: list(matcher.match_lines(EVENT * 1 + b"\n" + EVENT)[1])),
        read(lambda: matcher.match_many([EVENT] * 3, threads=2)[2]),  # type: ignore[arg-type,return-value]
    )


def test_writers_do_not_hinder_one_another() -> None:
    matcher = rulebus.Matcher()

    def write(writer: int) -> Callable[[], None]:
        def run() -> None:
            for number in range(1000):
                matcher.put(Name((writer, number), hashed=number % 13), {"x": [writer]})
                if number % 4:
                    matcher.remove(Name((writer, number), hashed=number % 13))

        return run

    run_together(*(write(writer) for writer in range(4)))
    assert len(matcher) == 1000
    for writer in range(4):
        assert [name.value for name in matcher.match({"x": writer})] == [
            (writer, n) for n in range(0, 1000, 4)
        ]
