"""Many events in one call: `match_many`, `match_lines`, `count_lines`. A bad event is a value, never the loss of the batch."""

import mmap
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import rulebus

RULES: dict[Any, Any] = {"one": {"x": [1]}, ("two", 2): {"x": [2, 1]}, "text": {"x": [{"prefix": "t"}]}}


@pytest.fixture
def matcher() -> rulebus.Matcher:
    return rulebus.Matcher(RULES)


def lines(count: int) -> bytes:
    return b"".join(b'{"x": %d}\n' % (number % 4) for number in range(count))


@pytest.mark.parametrize("threads", [0, 1, 2, 1000])
def test_match_many(matcher: rulebus.Matcher, threads: int) -> None:
    events: list[Any] = [
        b'{"x": 1}',
        '{"x": 2}',
        {"x": "text"},
        bytearray(b"{}"),
        memoryview(b'{"x": 3}'),
    ] * 700
    assert matcher.match_many(events, threads) == [["one", ("two", 2)], [("two", 2)], ["text"], [], []] * 700
    assert matcher.match_many(iter(events[:5]), threads=threads)[2] == ["text"]
    assert matcher.match_many([], threads) == []


def test_bad_events_stand_in_their_places(matcher: rulebus.Matcher) -> None:
    events: list[Any] = [b'{"x": 1}', b"{", {"x": {1}}, 5, "[]", {"x": 1}]
    result = matcher.match_many(events)
    codes = [event.code if isinstance(event, rulebus.EventError) else event for event in result]
    assert codes == [
        ["one", ("two", 2)],
        "event-truncated",
        "unsupported-type",
        "unsupported-type",
        "event-not-an-object",
        ["one", ("two", 2)],
    ]
    assert isinstance(result[3], rulebus.EventError)
    assert result[3].message == "an event is bytes, bytearray, memoryview, str or dict, not int"


@pytest.mark.parametrize(
    "one", [b"{}", "{}", {}, bytearray(b"{}"), memoryview(b"{}")], ids=lambda e: type(e).__name__
)
def test_one_event_is_not_many(matcher: rulebus.Matcher, one: Any) -> None:
    with pytest.raises(TypeError, match="for one event use match"):
        matcher.match_many(one)


def test_errors_of_the_iterable_pass_through(matcher: rulebus.Matcher) -> None:
    def failing() -> Iterator[bytes]:
        yield b"{}"
        raise LookupError("the source is gone")

    with pytest.raises(LookupError, match="the source is gone"):
        matcher.match_many(failing())
    with pytest.raises(TypeError):
        matcher.match_many(5)  # type: ignore[arg-type]


@pytest.mark.parametrize("threads", [-1, "2", 1.0])
def test_threads(matcher: rulebus.Matcher, threads: Any) -> None:
    for call in (matcher.match_many, matcher.match_lines, matcher.count_lines):
        with pytest.raises((ValueError, TypeError), match=r"threads|int"):
            call([] if call == matcher.match_many else b"", threads)


def test_match_lines(matcher: rulebus.Matcher) -> None:
    buffer = b'{"x": 1}\n\n  \r\n{"x": 2}\r\n{"x":\n{"x": 4}\n{"x": "t"} x\n{"x": 1}'
    result = matcher.match_lines(buffer)
    assert len(result) == 6
    assert result[0] == ["one", ("two", 2)]
    assert result[1] == [("two", 2)]
    assert [event.code for event in (result[2], result[4])] == ["event-truncated", "trailing-text"]
    assert result[-1] == result[5] == ["one", ("two", 2)]
    assert result[3] == []
    assert list(result)[3:] == [[], *result[4:5], ["one", ("two", 2)]] or len(list(result)) == 6
    assert result[::5] == [["one", ("two", 2)]] * 2
    assert repr(result) == "<rulebus.LinesResult: 6 events, 5 matches, 2 errors>"
    for index in (6, -7, 1 << 70):
        with pytest.raises(IndexError):
            result[index]
    with pytest.raises(TypeError):
        result["1"]  # type: ignore[index]


def test_errors_name_their_places_in_the_buffer(matcher: rulebus.Matcher) -> None:
    buffer = b'{"x": 1}\n\n{"x": tru}\n{"x": 1}\n{"y": "\xff"}\n'
    (first, error), (second, other) = matcher.match_lines(buffer).errors
    assert (first, error.code, error.line, error.column) == (1, "invalid-literal", 3, 10)
    assert buffer[error.offset :].startswith(b"}\n{")
    assert error.excerpt == '    3 | {"x": tru}\n      |          ^'
    assert (second, other.code, other.line) == (3, "invalid-utf8", 5)
    assert [number for number, _ in matcher.count_lines(buffer).errors] == [1, 3]


def test_arrays(matcher: rulebus.Matcher) -> None:
    result = matcher.match_lines(lines(4))
    assert (result.offsets.format, result.rules.format) == ("Q", "I")
    assert result.offsets.readonly
    assert result.rules.readonly
    assert result.offsets.tolist() == [0, 0, 2, 3, 3]
    assert [result.names[number] for number in result.rules] == ["one", ("two", 2), ("two", 2)]
    assert result.count() == {"one": 1, ("two", 2): 2}
    assert bytes(result.rules) == b"".join(number.to_bytes(4, sys.byteorder) for number in (0, 1, 1))
    with pytest.raises(TypeError):
        result.rules[0] = 1


def test_arrays_outlive_the_result(matcher: rulebus.Matcher) -> None:
    rules = matcher.match_lines(lines(4000)).rules
    assert rules.tolist()[:3] == [0, 1, 1]
    assert len(rules) == 3000


def test_numpy_takes_the_arrays_without_a_copy(matcher: rulebus.Matcher) -> None:
    numpy = pytest.importorskip("numpy", reason="numpy is not installed")
    result = matcher.match_lines(lines(4000))
    rules = numpy.asarray(result.rules)
    assert rules.dtype == numpy.uint32
    assert not rules.flags.owndata
    assert numpy.bincount(rules).tolist() == [1000, 2000]


@pytest.mark.parametrize("threads", [0, 1, 2, 7])
def test_threads_do_not_change_the_result(matcher: rulebus.Matcher, threads: int) -> None:
    buffer = (lines(997) + b"{\n") * 60
    result, alone = matcher.match_lines(buffer, threads), matcher.match_lines(buffer)
    assert result.offsets == alone.offsets
    assert [result.names[number] for number in result.rules] == [
        alone.names[number] for number in alone.rules
    ]
    assert [(index, str(error)) for index, error in result.errors] == [(i, str(e)) for i, e in alone.errors]
    counts = matcher.count_lines(buffer, threads)
    assert counts.counts == alone.count()
    assert (counts.events, len(counts.errors)) == (998 * 60, 60)


def test_count_lines_names_rules_in_the_order_put(matcher: rulebus.Matcher) -> None:
    counts = matcher.count_lines(b'{"x": "t"}\n{"x": 2}\n')
    assert list(counts.counts) == [("two", 2), "text"]
    assert rulebus.Matcher().count_lines(lines(3)) == rulebus.LineCounts({}, 3, ())


def test_every_kind_of_buffer(matcher: rulebus.Matcher, tmp_path: Path) -> None:
    buffer = lines(1000)
    expected = list(matcher.match_lines(buffer))
    path = tmp_path / "events.jsonl"
    path.write_bytes(buffer)
    for given in (bytearray(buffer), memoryview(buffer), memoryview(bytearray(buffer)), buffer.decode()):
        assert list(matcher.match_lines(given)) == expected
    with path.open("r+b") as file:
        for access in (mmap.ACCESS_READ, mmap.ACCESS_WRITE):
            with mmap.mmap(file.fileno(), 0, access=access) as mapped:
                assert list(matcher.match_lines(mapped)) == expected
                assert list(matcher.match_lines(memoryview(mapped)[:])) == expected
    for empty in (b"", "", bytearray(), memoryview(b"")):
        assert len(matcher.match_lines(empty)) == 0
    for wrong in (None, 5, [b"{}"], {"x": 1}):
        with pytest.raises(
            TypeError, match=r"^JSON lines are bytes, bytearray, memoryview, mmap or str, not "
        ):
            matcher.match_lines(wrong)


def test_one_bad_line_among_thousands(matcher: rulebus.Matcher) -> None:
    buffer = lines(5000) + b"not json\n" + lines(5000)
    result = matcher.match_lines(buffer, threads=2)
    assert len(result) == 10_001
    assert [index for index, _ in result.errors] == [5000]
    assert result[5001] == []
    assert result[5002] == ["one", ("two", 2)]


def test_a_result_belongs_to_its_moment(matcher: rulebus.Matcher) -> None:
    result = matcher.match_lines(lines(4))
    matcher.clear()
    matcher.put("new", {"x": [1]})
    assert list(result) == [[], ["one", ("two", 2)], [("two", 2)], []]


def test_few_matches_of_many_rules_are_numbered_like_many_of_few() -> None:
    # So many rules that a result with few matches makes no table of all of them.
    matcher = rulebus.Matcher({number: {"x": [number % 7000]} for number in range(14_000)})
    result = matcher.match_lines(b'{"x": 6999}\n{"x": 5}\n{"x": 6999}\n{}\n{"x": 0}')
    assert list(result) == [[6999, 13_999], [5, 7005], [6999, 13_999], [], [0, 7000]]
    assert list(result.rules) == [0, 1, 2, 3, 0, 1, 4, 5]
    assert result.names == (6999, 13_999, 5, 7005, 0, 7000)
