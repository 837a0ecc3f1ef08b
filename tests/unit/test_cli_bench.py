"""`rulebus bench`: what it prints, writes and returns; figures are looked at for sense, not for speed.

Relies on the installed package. Must never depend on how fast this machine is."""

from __future__ import annotations

import json
import re
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest

from rulebus import Matcher
from unit.cli_runner import Outcome, Run, runner

RULES = {
    "paid": {"source": ["shop"], "state": ["paid"]},
    "dear": {"total": [{"numeric": [">", 100]}], "state": [{"anything-but": "open"}]},
    "never": {"state": ["lost"]},
    "apart": {"state": ["open"], "total": [7]},
    '<b>"&\u0001': {"$or": [{"state": ["open"]}, {"source": [{"prefix": "sh"}]}]},
}
EVENTS = [
    {"source": "shop", "detail-type": "Order", "state": "paid", "total": 150},
    {"source": "shop", "detail-type": "Order", "state": "open", "total": 5},
    {"source": "bank", "detail-type": "Transfer", "state": "done", "total": 7},
    {"state": "done"},
]
QUICK = ("--rounds", "3")


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]) -> Run:
    return runner(monkeypatch, capsysbinary)


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    rules, events = tmp_path / "rules.json", tmp_path / "events.jsonl"
    rules.write_text(json.dumps(RULES), encoding="utf-8")
    events.write_bytes(b"".join(json.dumps(event).encode() + b"\n" for event in EVENTS * 20))
    return rules, events


def measured(run: Run, files: tuple[Path, Path], *more: object) -> dict[str, Any]:
    outcome = run("bench", "-r", files[0], files[1], *QUICK, "--json", *more)
    assert outcome.status == 0, outcome.err
    found: dict[str, Any] = json.loads(outcome.out)
    return found


def test_matches_and_what_never_matched(run: Run, files: tuple[Path, Path]) -> None:
    found = measured(run, files)
    assert (found["input"]["rules"], found["input"]["events"]) == (5, 80)
    assert found["matches"]["total"] == 20 * (3 + 1)
    assert found["matches"]["per_event"] == 1.0
    assert found["never_matched"] == 2
    assert {one["name"]: one["why"] for one in found["never_matched_rules"]} == {
        "never": 'no event meets /state ["lost"]',
        "apart": "each of its conditions is met by some event, but no event meets all of them",
    }


def test_events_that_no_rule_matched_by_kind(run: Run, files: tuple[Path, Path]) -> None:
    found = measured(run, files)["unmatched"]
    assert found == {
        "events": 40,
        "shapes": [
            {"shape": "bank · Transfer", "events": 20, "first_line": 3},
            {"shape": "{state}", "events": 20, "first_line": 4},
        ],
    }


def test_looks_are_counted_and_explained(run: Run, files: tuple[Path, Path]) -> None:
    by_name = {one["name"]: one for one in measured(run, files)["expensive"]}
    assert (by_name["paid"]["looks"], by_name["paid"]["matches"]) == (20, 20)
    # More than 100 is rarer than not open.
    assert (by_name["dear"]["looks"], by_name["dear"]["matches"]) == (20, 20)
    assert 'rarest condition, /total [{"numeric":[">",100]}], is met by 25 %' in by_name["dear"]["why"]
    either = by_name['<b>"&\u0001']
    assert (either["looks"], either["matches"], either["fields"]) == (60, 40, 1)
    assert "its $or is met by up to 75 %" in either["why"]
    assert "never" not in by_name


def test_families_fields_growth_and_reference(run: Run, files: tuple[Path, Path]) -> None:
    found = measured(run, files)
    families = {one["name"]: one["rules"] for one in found["families"]}
    assert families == {"exact": 4, "numeric": 1, "anything-but": 1, "prefix": 1, "$or": 1}
    fields = {one["name"]: one["rules"] for one in found["fields"]}
    assert fields == {"/state": 5, "/source": 2, "/total": 2}
    assert [one["rules"] for one in found["growth"]] == [1, 5]
    assert (found["reference"]["events"], found["reference"]["disagreed"]) == (80, 0)
    assert found["reference"]["matches"] == 80


def test_figures_make_sense(run: Run, files: tuple[Path, Path]) -> None:
    found = measured(run, files, "--threads", 2)
    assert found["input"]["threads"] == 2
    for part in ("lines", "calls", "control"):
        spread = found[part]["ns_per_event"]
        assert 0 < spread["low"] <= spread["median"] <= spread["high"]
        assert found[part]["events_per_s"] == pytest.approx(1e9 / spread["median"])
    for part in ("fastest", "every"):
        values = list(found["latency"][part].values())
        assert values == sorted(values)
        assert values[0] > 0
    assert found["memory"]["index_bytes"] > 0
    assert found["memory"]["pattern_bytes"] == sum(len(json.dumps(pattern)) for pattern in RULES.values())


def test_the_tables_name_what_matters(run: Run, files: tuple[Path, Path]) -> None:
    outcome = run("bench", "-r", files[0], files[1], *QUICK)
    assert outcome.status == 0
    for words in (
        "match_lines, events/s", "Growth", "Operator families", "anything-but", "/state",
        'never: no event meets /state ["lost"]', "20  bank · Transfer  (first: line 3)",
        "Reference: agrees on 80 events and 5 rules",
    ):  # fmt: skip
        assert words in outcome.out, words
    assert outcome.err == ""


def test_a_workload_needs_no_files(run: Run) -> None:
    for name in ("simple-20", "lots-EXACT", "needles-5", "clones-10"):
        outcome = run("bench", "--workload", name, "--events", 50, *QUICK, "--json")
        assert outcome.status == 0, outcome.err
        assert json.loads(outcome.out)["input"]["events"] == 50


def test_input_is_cut_and_said_to_be(run: Run, files: tuple[Path, Path]) -> None:
    found = measured(run, files, "--events", 7)
    assert (found["input"]["events"], found["input"]["cut"]) == (7, True)


def test_events_from_standard_input(run: Run, files: tuple[Path, Path]) -> None:
    outcome = run("bench", "-r", files[0], *QUICK, "--json", stdin=b'\n{"state":"lost"}\r\n\n')
    assert json.loads(outcome.out)["matches"]["total"] == 1


def test_lines_that_are_no_event_are_left_out_and_reported(run: Run, files: tuple[Path, Path]) -> None:
    files[1].write_bytes(b'{"state":"lost"}\nbad\n{"state":"x"}\n')
    outcome = run("bench", "-r", files[0], files[1], *QUICK, "--json")
    found = json.loads(outcome.out)
    assert outcome.status == 1
    assert (found["input"]["events"], found["input"]["bad_events"]) == (2, 1)
    assert found["unmatched"]["shapes"] == [{"shape": "{state}", "events": 1, "first_line": 3}]
    assert "line 2" in outcome.err
    assert "1 line is no event and left out" in outcome.err


def lying(run: Run, files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, *more: object) -> Outcome:
    """A run whose matcher never names the rule "paid", in whatever way it is asked."""

    class Liar(Matcher):
        def __new__(cls, rules: Any, **options: Any) -> Any:
            false = {"source": ["\u0002"]}
            return Matcher([(n, false if n == "paid" else p) for n, p in dict(rules).items()], **options)

    monkeypatch.setattr(sys.modules["rulebus.cli.bench"], "Matcher", Liar)
    return run("bench", "-r", files[0], files[1], *QUICK, *more)


def test_a_wrong_answer_is_a_loud_failure(
    run: Run, files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    page = tmp_path / "r.html"
    outcome = lying(run, files, monkeypatch, "--report", page)
    assert outcome.status == 1
    assert "WRONG ANSWERS: engine and reference disagree on 20 pairs" in outcome.err
    assert 'rule "paid": rulebus says no match for {"source": "shop"' in outcome.err
    assert "Reference: DISAGREES on 20 pairs" in outcome.out
    assert "Wrong answers:" in page.read_text(encoding="utf-8")


def test_ways_of_matching_that_differ_end_the_run(
    run: Run, files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Forgetful(Matcher):
        def match(self, event: Any, /) -> list[Any]:
            return super().match(event)[1:]

    monkeypatch.setattr(sys.modules["rulebus.cli.bench"], "Matcher", Forgetful)
    outcome = run("bench", "-r", files[0], files[1], *QUICK)
    assert (outcome.status, outcome.out) == (1, "")
    assert "match found 40 matches where 80 were counted" in outcome.err


def test_the_page_is_whole_and_asks_nobody(run: Run, files: tuple[Path, Path], tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    found = measured(run, files, "--report", file)
    text = file.read_text(encoding="utf-8")
    root = ElementTree.fromstring(text.split("\n", 1)[1])
    space = "{http://www.w3.org/1999/xhtml}"
    # The name of the vocabulary is the only address.
    assert re.findall(r"https?://[^\s\"']+", text) == ["http://www.w3.org/1999/xhtml"]
    assert not re.search(r"<(?:script|link|img|iframe|object)|url\(|@import| src=", text)
    titles = [element.text for element in root.iter(f"{space}h2")]
    assert titles[:4] == ["Growth", "Latency of a call", "Operator families", "Fields"]
    bars = [element for element in root.iter(f"{space}li") if "bar" in element.get("class", "").split()]
    assert len(bars) == len(found["families"]) + len(found["fields"]) + len(found["unmatched"]["shapes"])
    assert len(list(root.iter(f"{space}circle"))) == len(found["growth"]) + 2 * 5
    assert "&lt;b&gt;" in text
    assert "<b>" not in text
    assert "prefers-color-scheme: dark" in text
    assert "@media print" in text


def earlier(found: dict[str, Any], tmp_path: Path, factor: float, *, steady: bool = True) -> Path:
    """A document in which everything took `factor` of what it takes now, and the machine was the same."""
    old = json.loads(json.dumps(found))
    for spread in (
        old["lines"]["ns_per_event"], old["lines"]["cpu_ns_per_event"], old["calls"]["ns_per_event"],
        old["calls"]["cpu_ns_per_event"], old["build"]["cpu_seconds"],
    ):  # fmt: skip
        middle = spread["median"] * factor
        spread.update(median=middle, low=middle if steady else 0.0, high=middle if steady else 20 * middle)
    for key in old["latency"]["fastest"]:
        old["latency"]["fastest"][key] *= factor
    file = tmp_path / "old.json"
    file.write_text(json.dumps(old), encoding="utf-8")
    return file


def compared(run: Run, files: tuple[Path, Path], old: Path, *more: object) -> Outcome:
    return run("bench", "-r", files[0], files[1], *QUICK, "--compare", old, *more)


def test_a_regression_ends_with_1(run: Run, files: tuple[Path, Path], tmp_path: Path) -> None:
    old = earlier(measured(run, files), tmp_path, 0.001)
    outcome = compared(run, files, old, "--json")
    assert outcome.status == 1
    found = json.loads(outcome.out)["comparison"]
    assert "match_lines, processor time" in found["regressions"]
    assert "worse than before, beyond noise and threshold: " in outcome.err
    words = compared(run, files, old)
    assert words.status == 1
    assert re.search(r"match_lines, processor time .*WORSE", words.out)
    assert re.search(r"match_lines  .*worse, not judged", words.out)


def test_an_improvement_or_a_wide_threshold_ends_with_0(
    run: Run, files: tuple[Path, Path], tmp_path: Path
) -> None:
    found = measured(run, files)
    page = tmp_path / "r.html"
    outcome = compared(run, files, earlier(found, tmp_path, 1000), "--report", page)
    assert outcome.status == 0, outcome.err
    assert re.search(r"match_lines, processor time .*better", outcome.out)
    assert "Nothing became worse by more than 10 %" in page.read_text(encoding="utf-8")
    wide = compared(run, files, earlier(found, tmp_path, 0.001), "--threshold", 10_000_000)
    assert wide.status == 0


def test_what_may_be_chance_is_no_regression(run: Run, files: tuple[Path, Path], tmp_path: Path) -> None:
    old = earlier(measured(run, files), tmp_path, 0.5, steady=False)
    outcome = compared(run, files, old, "--json")
    changes = {one["what"]: one["verdict"] for one in json.loads(outcome.out)["comparison"]["changes"]}
    assert changes["match_lines"] == changes["match(bytes)"] == "same"


def test_other_rules_are_compared_with_a_warning(run: Run, files: tuple[Path, Path], tmp_path: Path) -> None:
    old = earlier(measured(run, files), tmp_path, 1000)
    files[0].write_text(json.dumps({"one": {"state": ["paid"]}}), encoding="utf-8")
    outcome = compared(run, files, old)
    assert "the rules differ" in outcome.out
    assert "the events differ" not in outcome.out


def test_bad_use_ends_with_2_and_says_why(run: Run, files: tuple[Path, Path], tmp_path: Path) -> None:
    empty, other, incomplete = (tmp_path / name for name in ("empty.jsonl", "other.json", "incomplete.json"))
    empty.write_bytes(b"\n")
    other.write_text('{"schema": 99}', encoding="utf-8")
    incomplete.write_text('{"schema": 1}', encoding="utf-8")
    quick = ("bench", "--workload", "simple-10", "--events", 5, *QUICK)
    for arguments, word in (
        (["bench", files[1]], "add --rules R"),
        (["bench", "-r", files[0], "absent.jsonl"], "cannot read absent.jsonl"),
        (["bench", "-r", "absent.json", files[1]], "cannot read absent.json"),
        (["bench", "-r", files[0], empty], "holds no event"),
        (["bench", "-r", "-", "-"], "cannot both"),
        (["bench", "-r", files[0], "-w", "full-10", files[1]], "cannot both"),
        (["bench", "-w", "fool-10"], "there is no workload 'fool-10'"),
        (["bench", "-w", "lots-EXACTLY"], "there is no workload"),
        (["bench", "--rounds", "1"], "--rounds"),
        (["bench", "--report", tmp_path / "absent" / "r.html"], "there is no folder"),
        ([*quick, "--compare", "absent.json"], "cannot read absent.json"),
        ([*quick, "--compare", files[1]], "is not JSON"),
        ([*quick, "--compare", files[0]], 'the key "schema" is missing'),
        ([*quick, "--compare", other], "its schema is 99"),
        ([*quick, "--compare", incomplete], "no complete report"),
    ):
        outcome = run(*arguments)
        assert (outcome.status, outcome.out) == (2, ""), arguments
        assert word in outcome.err, (arguments, outcome.err)


def test_bad_rules_are_reported_before_anything_is_measured(run: Run, files: tuple[Path, Path]) -> None:
    files[0].write_text('{"a": {"x": []}}', encoding="utf-8")
    outcome = run("bench", "-r", files[0], files[1])
    assert (outcome.status, outcome.out) == (2, "")
    assert 'rule "a", at /x, line 1' in outcome.err
