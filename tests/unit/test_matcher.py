"""`rulebus.Matcher` as a mapping of rules: putting, replacing, removing, asking, options, pickling, wrong types."""

import copy
import dataclasses
import mmap
import pickle
import subprocess
import sys
import tempfile
from typing import Any

import pytest

import rulebus

BIG = {"detail": {"total": [{"numeric": [">", 100]}]}}
EU = '{"detail": {"region": [{"prefix": "eu-"}]}}'
EVENT = b'{"detail": {"total": 120, "region": "eu-west-1"}}'


def test_matches_in_the_order_put() -> None:
    matcher = rulebus.Matcher()
    assert matcher.match(EVENT) == []
    matcher.put("z", BIG)
    matcher.put("a", EU)
    assert matcher.match(EVENT) == ["z", "a"]
    matcher.put("z", EU)
    assert matcher.match(EVENT) == ["z", "a"], "a replaced rule keeps its place"
    matcher.remove("z")
    matcher.put("z", BIG)
    assert matcher.match(EVENT) == ["a", "z"], "a rule put anew comes last"
    assert list(matcher) == ["a", "z"]


def test_every_kind_of_event_gives_the_same() -> None:
    matcher = rulebus.Matcher({"big": BIG, "eu": EU})
    text = EVENT.decode()
    with tempfile.TemporaryFile() as file:
        file.write(EVENT)
        file.flush()
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            events = [
                EVENT,
                bytearray(EVENT),
                memoryview(EVENT),
                memoryview(EVENT + b"x" * 9)[:-9],
                memoryview(bytes(b for pair in zip(EVENT, EVENT, strict=True) for b in pair))[::2],
                mapped,
                text,
                type("Text", (str,), {})(text),
                {"detail": {"total": 120, "region": "eu-west-1"}},
                {"detail.total": 120, "detail": {"region": ["eu-west-1", None]}},
            ]
            for event in events:
                assert matcher.match(event) == ["big", "eu"]  # type: ignore[arg-type]
                assert matcher.matches(event) is True  # type: ignore[arg-type]
            del events, event


def test_text_that_is_not_ascii() -> None:
    matcher = rulebus.Matcher({"é": {"é": ["😀", {"prefix": "ÿ"}]}})
    for event in ('{"é": "😀"}', '{"é": "ÿx"}', {"é": "😀"}, {"é": "ÿ"}, b'{"\\u00e9": "\\ud83d\\ude00"}'):
        assert matcher.match(event) == ["é"]
    lone = rulebus.Matcher({"lone": {"a": ["\ud800"]}})
    for event in ({"a": "\ud800"}, '{"a": "\ud800"}', '{"a": "\\ud800"}', b'{"a": "\\uD800"}'):
        assert lone.match(event) == ["lone"]


def test_a_match_is_a_new_list() -> None:
    matcher = rulebus.Matcher({"big": BIG})
    matcher.match(EVENT).append("mine")
    matcher.match(b"{}").append("mine")
    assert matcher.match(EVENT) == ["big"]
    assert matcher.match(b"{}") == []


def test_membership_length_and_removal() -> None:
    matcher = rulebus.Matcher({"big": BIG, "eu": EU})
    assert len(matcher) == 2
    assert "big" in matcher
    assert "other" not in matcher
    matcher.remove("big")
    assert "big" not in matcher
    assert matcher.match(EVENT) == ["eu"]
    with pytest.raises(KeyError, match="big"):
        matcher.remove("big")
    matcher.discard("big")
    matcher.discard("eu")
    assert len(matcher) == 0
    assert repr(matcher) == "<rulebus.Matcher with 0 rules>"
    assert bool(matcher) is False


def test_clear() -> None:
    matcher = rulebus.Matcher({number: {"a": [number]} for number in range(100)})
    matcher.clear()
    matcher.clear()
    assert (len(matcher), list(matcher), matcher.match({"a": 1})) == (0, [], [])
    matcher.put("again", {"a": [1]})
    assert matcher.match({"a": 1}) == ["again"]


@pytest.mark.parametrize(
    "rules",
    [
        {"a": {"x": [1]}, "b": {"y": [2]}},
        [("a", {"x": [1]}), ("b", '{"y": [2]}')],
        (pair for pair in [("a", b'{"x": [1]}'), ("b", rulebus.Pattern({"y": [2]}))]),
        [("a", {"z": [0]}), ("b", {"y": [2]}), ("a", {"x": [1]})],
    ],
    ids=["dict", "list", "generator", "repeated"],
)
def test_update(rules: Any) -> None:
    matcher = rulebus.Matcher({"first": {"x": [1]}})
    matcher.update(rules)
    assert list(matcher) == ["first", "a", "b"]
    assert matcher.match({"x": 1, "y": 2}) == ["first", "a", "b"]
    matcher.update({})
    assert len(matcher) == 3


def test_an_update_with_a_bad_rule_changes_nothing() -> None:
    matcher = rulebus.Matcher({"big": BIG})
    generation = matcher.stats().generation
    rules: dict[Any, Any] = {number: {"a": [number]} for number in range(5000)}
    rules[2500] = {"a": "x"}
    with pytest.raises(rulebus.RuleSetError) as caught:
        matcher.update(rules)
    assert [name for name, _ in caught.value.errors] == [2500]
    with pytest.raises(rulebus.PatternError):
        matcher.put("big", {"a": "x"})
    with pytest.raises(TypeError):
        matcher.update({"good": {"a": [1]}, "bad": 5})  # type: ignore[dict-item]
    assert list(matcher) == ["big"]
    assert matcher.match(EVENT) == ["big"]
    assert matcher.stats().generation == generation


def test_patterns_come_back() -> None:
    matcher = rulebus.Matcher({"big": BIG, "eu": EU})
    assert matcher.pattern("big") == rulebus.Pattern(BIG)
    assert dict(matcher.items()) == {"big": rulebus.Pattern(BIG), "eu": rulebus.Pattern(EU)}
    with pytest.raises(KeyError, match="other"):
        matcher.pattern("other")


def test_stats() -> None:
    matcher = rulebus.Matcher({"big": BIG, "eu": EU})
    stats = matcher.stats()
    assert (stats.rules, stats.conjunctions, stats.generation) == (2, 2, 1)
    assert stats.size_bytes > 0
    assert (stats.observed, stats.adapted) == (0, 0)
    assert rulebus.Matcher().stats().rules == 0
    with pytest.raises(dataclasses.FrozenInstanceError):
        stats.rules = 3  # type: ignore[misc]


@pytest.mark.parametrize("clone", [copy.copy, copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_pickles_and_copies(clone: Any) -> None:
    matcher = rulebus.Matcher({"big": BIG, ("eu", 1): EU}, validation="strict", max_event_bytes=100)
    matcher.put("big", EU)
    twin = clone(matcher)
    assert type(twin) is rulebus.Matcher
    assert list(twin.items()) == list(matcher.items())
    with pytest.raises(rulebus.EventError, match="max_event_bytes"):
        twin.match(b" " * 101)
    twin.remove("big")
    assert "big" in matcher


def test_subclasses_stay_what_they_are() -> None:
    class Mine(rulebus.Matcher):
        label = "mine"

    mine = copy.copy(Mine({"big": BIG}))
    assert isinstance(mine, Mine)
    assert mine.match(EVENT) == ["big"]


def test_validation_levels() -> None:
    loose = b'{"detail": {"region": "eu-1"}, "z": [1 2]}'
    assert rulebus.Matcher({"eu": EU}, validation="checked").match(loose) == ["eu"]
    assert rulebus.Matcher({"eu": EU}, validation="trusted").match(loose) == ["eu"]
    for strict in (rulebus.Matcher({"eu": EU}), rulebus.Matcher({"eu": EU}, validation="strict")):
        with pytest.raises(rulebus.EventError):
            strict.match(loose)
    with pytest.raises(ValueError, match='"lenient" is not one of "strict", "checked", "trusted"'):
        rulebus.Matcher(validation="lenient")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "option", ["max_event_bytes", "max_event_depth", "max_pattern_bytes", "max_wildcard_complexity"]
)
@pytest.mark.parametrize(
    ("value", "error"), [(-1, ValueError), ("1", TypeError), (1.5, TypeError), (1 << 70, ValueError)]
)
def test_options_that_make_no_sense(option: str, value: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match=option):
        rulebus.Matcher(**{option: value})


@pytest.mark.parametrize(
    "event",
    [None, 1, 1.5, ["a"], (), {"a"}, object(), memoryview(b"abcd").cast("I")],
    ids=lambda event: type(event).__name__,
)
def test_what_cannot_be_an_event(event: Any) -> None:
    matcher = rulebus.Matcher({"big": BIG})
    for call in (matcher.match, matcher.matches, lambda e: matcher.explain("big", e)):
        with pytest.raises(TypeError, match=r"^an event is bytes, bytearray, memoryview, str or dict, not "):
            call(event)


@pytest.mark.parametrize("rules", [5, "ab", [1, 2], [("a",)], [("a", 1, 2)]], ids=str)
def test_what_cannot_be_rules(rules: Any) -> None:
    with pytest.raises(TypeError):
        rulebus.Matcher(rules)


def test_the_import_is_light() -> None:
    code = (
        "import sys, time\n"
        "before = time.process_time()\n"
        "import rulebus\n"
        "spent = time.process_time() - before\n"
        "extras = {'orjson', 'click', 'rich', 'hypothesis', 'numpy', 'asyncio'} & set(sys.modules)\n"
        "print(round(spent * 1000), *extras)"
    )
    runs = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        for _ in range(3)
    ]
    spent = [run.stdout.split() for run in runs]
    assert all(len(one) == 1 for one in spent), spent
    assert min(int(one[0]) for one in spent) < 40


def test_public_names() -> None:
    for name in rulebus.__all__:
        assert hasattr(rulebus, name)
        assert name == "__version__" or getattr(rulebus, name).__doc__
