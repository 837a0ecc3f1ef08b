"""The generators: the same data for the same arguments, in the promised shapes and shares; rules that match.

Relies on the installed package. Must never pin more of the data than digests: a change of those
changes every recorded match count in benches/workloads."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest

import rulebus
from rulebus import workload
from rulebus.workload.__main__ import main


def digest(lines: Iterable[bytes]) -> str:
    return hashlib.sha256(b"\n".join(lines)).hexdigest()[:16]


def texts(rules: Iterable[tuple[str, object]]) -> list[bytes]:
    return [json.dumps(rule).encode() for rule in rules]


def test_the_data_stay_what_they_were() -> None:
    assert digest(workload.envelopes(2_000)) == "b179b0266819cbb6"
    assert digest(workload.lots(2_000)) == "f4f6752cfc15e591"
    assert {mix: digest(texts(workload.rules(mix, 500))) for mix in workload.MIXES} == {
        "simple": "9b2b4c1bb68062b1",
        "exact": "18e8c3cbc75bd057",
        "common": "c672bd7a247f9fd2",
        "full": "d4139a98700e42ec",
        "hard": "26cec6d9c6557a3c",
        "wild": "5650e7c989040e6d",
    }
    assert (
        digest(texts(rule for name in workload.LOTS_SETS for rule in workload.lots_rules(name)))
        == "0cebdb6d59cd5bee"
    )


def test_seeds_differ() -> None:
    assert digest(workload.envelopes(10, seed=1)) != digest(workload.envelopes(10, seed=2))
    assert digest(workload.lots(10, seed=1)) != digest(workload.lots(10, seed=2))
    assert list(workload.rules("full", 20, seed=1)) != list(workload.rules("full", 20, seed=2))


def test_envelopes_have_the_promised_shape() -> None:
    lines = list(workload.envelopes(5_000))
    events = [json.loads(line) for line in lines]
    keys = {"version", "id", "detail-type", "source", "account", "time", "region", "resources", "detail"}
    assert all(set(event) == keys for event in events)
    assert len({event["id"] for event in events}) == 5_000
    assert 930 < sum(map(len, lines)) / 5_000 < 1_010
    shares = Counter(event["source"] for event in events)
    for source, share in (
        ("com.acme.shop", 0.30),
        ("aws.s3", 0.25),
        ("aws.ec2", 0.20),
        ("aws.guardduty", 0.05),
    ):
        assert shares[source] / 5_000 == pytest.approx(share, abs=0.02)


def test_lots_have_the_promised_shape() -> None:
    lines = list(workload.lots(5_000))
    lots = [json.loads(line) for line in lines]
    assert 830 < sum(map(len, lines)) / 5_000 < 970
    blocks = [lot["properties"]["BLOCK_NUM"] for lot in lots]
    assert blocks == sorted(blocks, key=lambda block: (block == "VACST", block[:4]))
    assert all(lot["geometry"]["firstCoordinates"]["z"] == 0.0 for lot in lots)
    assert all(list(lot["geometry"])[-1] == "firstCoordinates" for lot in lots)
    assert {lot["geometry"]["type"] for lot in lots} == {"Polygon", "MultiPolygon"}


@pytest.mark.parametrize("count", [0, 1, 7, 1_000])
def test_exactly_as_many_as_asked_for(count: int) -> None:
    assert sum(1 for _ in workload.envelopes(count)) == count
    assert sum(1 for _ in workload.lots(count)) == count
    assert len(dict(workload.rules("full", count))) == count


@pytest.mark.parametrize("mix", workload.MIXES)
def test_every_rule_is_valid_and_a_small_set_begins_a_large_one(mix: str) -> None:
    rules = list(workload.rules(mix, 3_000))
    assert list(workload.rules(mix, 40)) == rules[:40]
    assert len(rulebus.Matcher(rules)) == 3_000


def test_mixes_use_what_they_promise() -> None:
    def used(mix: str) -> set[str]:
        text = json.dumps([pattern for _, pattern in workload.rules(mix, 3_000)])
        operators = (
            "prefix",
            "suffix",
            "wildcard",
            "cidr",
            "numeric",
            "anything-but",
            "equals-ignore-case",
            "exists",
            "$or",
        )
        return {operator for operator in operators if f'"{operator}"' in text}

    common = {"prefix", "anything-but", "equals-ignore-case", "exists"}
    full = common | {"suffix", "wildcard", "cidr", "numeric", "$or"}
    assert [used(mix) for mix in ("exact", "common", "full", "hard", "wild")] == [
        {"exists"},
        common,
        full,
        full,
        {"wildcard"},
    ]
    assert used("simple") == {"exists"}


def test_entities_are_shared_by_rules_and_events() -> None:
    matcher = rulebus.Matcher(dict(list(workload.rules("full", 1_000, entities=500))[10:]))
    counts = matcher.count_lines(b"\n".join(workload.envelopes(3_000, entities=500))).counts
    assert sum(1 for count in counts.values() if count) > 400


def test_every_lots_set_matches_something() -> None:
    events = b"\n".join(workload.lots(3_000))
    for name in workload.LOTS_SETS:
        counts = rulebus.Matcher(workload.lots_rules(name)).count_lines(events).counts
        assert sum(counts.values()) > 0, name


def test_killers_and_families_match_what_they_should() -> None:
    found = {}
    for name, (rules, events) in workload.killers().items():
        matcher = rulebus.Matcher(rules)
        found[name] = [matcher.match(event) for event in events]
    assert found["sibling-arrays"] == [["matches"]]
    assert found["or-product"] == [["product"], []]
    assert found["overlapping-wildcards"][3] == []
    assert len(found["overlapping-wildcards"][0]) == 200
    assert found["anything-but-crowd"][1] == []
    rules, events = workload.needles(500, events=300)
    hits = sum(
        any(needle["wildcard"].strip("*").encode() in event for needle in rules[0][1]["detail"]["hashes"])
        for event in events
    )
    assert sum(bool(rulebus.Matcher(rules).match(event)) for event in events) == hits > 30
    rules, events = workload.clone_family(300, events=300)
    assert 20 < sum(len(rulebus.Matcher(rules).match(event)) for event in events) < 150


def test_unknown_names_are_refused_with_those_that_exist() -> None:
    with pytest.raises(ValueError, match="simple, exact, common, full, hard, wild"):
        workload.rules("fool", 1)
    with pytest.raises(ValueError, match="EXACT, WILDCARD"):
        workload.lots_rules("EXCAT")
    with pytest.raises(ValueError, match="at most 70,000"):
        list(workload.rules("wild", 80_000))


def test_written_as_json_lines(capsysbinary: pytest.CaptureFixture[bytes], tmp_path: Path) -> None:
    assert main(["envelopes", "3"]) == 0
    assert capsysbinary.readouterr().out == b"".join(line + b"\n" for line in workload.envelopes(3))
    assert main(["rules", "full", "25"]) == 0
    file = tmp_path / "r.jsonl"
    file.write_bytes(capsysbinary.readouterr().out)
    from rulebus.rules import load_rules

    assert {k: json.loads(v) for k, v in load_rules(file).items()} == dict(workload.rules("full", 25))
    for arguments in (
        ["lots", "2"],
        ["lots-rules", "COMBO"],
        ["needles", "2"],
        ["clones", "2", "--events", "4"],
    ):
        assert main(arguments) == 0
        for line in capsysbinary.readouterr().out.splitlines():
            assert isinstance(json.loads(line), dict)
