"""What rules cost, learning from a sample, and the index that is merged while rules change.

Relies on counts, never on times or exact estimates.
"""

from __future__ import annotations

import json
import mmap
from pathlib import Path

import pytest

import rulebus


def sample(number: int) -> bytes:
    """Nearly all events are of tenant t0 and of kind k9."""
    events = [
        {"tenant": f"t{n}" if n % 50 == 49 else "t0", "kind": "k1" if n % 25 == 0 else "k9"}
        for n in range(number)
    ]
    return b"\n".join(json.dumps(event).encode() for event in events)


@pytest.fixture
def matcher() -> rulebus.Matcher:
    """By the rules alone a tenant is rarer than a kind."""
    rules = {n: {"tenant": [f"t{0 if n % 200 == 0 else n}"], "kind": [f"k{n % 9}"]} for n in range(1_000)}
    return rulebus.Matcher({**rules, "others": {"kind": [{"anything-but": "k9"}]}})


def test_costs_without_a_sample(matcher: rulebus.Matcher) -> None:
    costs = matcher.costs()
    assert len(costs) == 1_001
    assert costs[0] == rulebus.RuleCost(
        "others", '{"kind":[{"anything-but":"k9"}]}', costs[0].expected, None, None
    )
    assert costs[0].unselective
    assert [cost.expected for cost in costs] == sorted((cost.expected for cost in costs), reverse=True)
    by_name = {cost.name: cost for cost in costs}
    assert by_name[7].access == '{"tenant":["t7"]}'
    assert not by_name[7].unselective
    assert 0 < by_name[7].expected < 0.01
    assert rulebus.Matcher().costs() == []


def test_costs_count_over_a_sample(matcher: rulebus.Matcher) -> None:
    by_name = {cost.name: cost for cost in matcher.costs(sample(1_000) + b"\nno event\n")}
    assert by_name["others"].tried == 1
    assert by_name["others"].matched == pytest.approx(0.04)
    assert by_name["others"].unselective
    found = matcher.count_lines(sample(1_000)).counts
    assert {name: cost.matched for name, cost in by_name.items() if cost.matched} == {
        name: count / 1_000 for name, count in found.items()
    }
    assert all(cost.tried is not None and cost.tried >= (cost.matched or 0) for cost in by_name.values())
    assert {cost.tried for cost in matcher.costs(b"no event")} == {None}


def test_a_rule_that_matches_what_it_is_tried_for_is_selective() -> None:
    matcher = rulebus.Matcher({"all": {"tenant": [{"exists": True}]}})
    assert matcher.costs()[0].unselective
    assert not matcher.costs(sample(10))[0].unselective


def test_a_sample_moves_rules_to_what_few_events_hold(matcher: rulebus.Matcher, tmp_path: Path) -> None:
    def tried() -> float:
        return sum(cost.tried or 0 for cost in matcher.costs(sample(1_000)) if cost.name != "others")

    before, answers = tried(), list(matcher.match_lines(sample(1_000)))
    path = tmp_path / "sample.jsonl"
    path.write_bytes(sample(1_000))
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        assert matcher.tune(mapped) == 1_000
    assert tried() < before / 4
    assert list(matcher.match_lines(sample(1_000))) == answers
    matcher.put("new", {"tenant": ["t0"], "kind": ["k1"]})
    assert {cost.access for cost in matcher.costs() if cost.name == "new"} == {'{"kind":["k1"]}'}
    assert matcher.tune(b"no event\n") == 0
    with pytest.raises(TypeError, match=r"^JSON lines are "):
        matcher.tune({"tenant": "t0"})  # type: ignore[arg-type, unused-ignore]


def test_changes_rebuild_little_and_merges_end_in_few_segments() -> None:
    matcher = rulebus.Matcher((n, f'{{"k":["v{n}"]}}') for n in range(30_000))
    assert matcher._work() == (0, 0, 0)
    for number in range(30_000, 33_000):
        matcher.put(number, f'{{"k":["v{number}"]}}')
        if number % 3 == 0:
            matcher.remove(number - 1)
    matcher._wait_for_merges()
    _, most_at_once, in_background = matcher._work()
    assert most_at_once <= 512 < in_background
    assert matcher.stats().segments <= 4
    matcher.compact()
    assert matcher.stats().segments == 1
    assert matcher.stats().conjunctions == len(matcher) == 32_000
    for number in (0, 29_999, 30_000, 32_999):
        expected = [] if number in range(29_999, 33_000) and number % 3 == 2 and number < 32_999 else [number]
        assert matcher.match({"k": f"v{number}"}) == expected


@pytest.mark.parametrize("threads", [0, 1, 3])
def test_matches_lines(matcher: rulebus.Matcher, threads: int) -> None:
    lines = (sample(500) + b"\nno event\n\n") * 30
    answers = matcher.matches_lines(lines, threads)
    assert (answers.format, answers.readonly, len(answers)) == ("B", True, 501 * 30)
    one_by_one = [bool(matcher.match(line)) for line in sample(500).splitlines()]
    assert answers.tolist() == [*map(int, one_by_one), 255] * 30
    assert bytes(rulebus.Matcher().matches_lines(b"{}\n[]")) == b"\x00\xff"


def test_numpy_takes_the_answers_without_a_copy(matcher: rulebus.Matcher) -> None:
    numpy = pytest.importorskip("numpy", reason="numpy is not installed")
    answers = numpy.asarray(matcher.matches_lines(sample(500)))
    assert answers.dtype == numpy.uint8
    assert not answers.flags.owndata
    assert int((answers == 1).sum()) == sum(bool(matcher.match(line)) for line in sample(500).splitlines())
