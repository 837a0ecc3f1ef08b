"""`rulebus match`: one line out per event in the order of the input, whatever the input is like.

Relies on the installed package and on subprocesses for pipes and signals. Must never depend on a terminal."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from rulebus.cli import inputs
from unit.cli_runner import Run, runner

RULES = {
    "big": {"detail": {"total": [{"numeric": [">", 100]}]}},
    "eu": {"detail": {"region": [{"prefix": "eu-"}]}},
    'näme "quoted"\n': {"source": ["x"]},
}
BIG = b'{"source":"shop","detail":{"total":150,"region":"eu-west-1"}}'
SMALL = b'{"source":"shop","detail":{"total":5,"region":"us-east-1"}}'


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    file = tmp_path / "rules.json"
    file.write_text(json.dumps(RULES), encoding="utf-8")
    return file


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]) -> Run:
    return runner(monkeypatch, capsysbinary)


def lines(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


def test_a_line_out_for_each_event(run: Run, rules: Path) -> None:
    outcome = run("match", "--rules", rules, stdin=BIG + b"\n" + SMALL + b"\n")
    assert outcome.out == '{"line": 1, "rules": ["big", "eu"]}\n{"line": 2, "rules": []}\n'
    assert (outcome.status, outcome.err) == (0, "")


def test_names_come_out_as_they_went_in(run: Run, rules: Path) -> None:
    outcome = run("match", "-r", rules, "-", stdin=b'{"source":"x"}')
    assert lines(outcome.out) == [{"line": 1, "rules": ['näme "quoted"\n']}]
    assert "näme" in outcome.out


def test_blank_lines_hold_no_event_but_count_as_lines(run: Run, rules: Path) -> None:
    outcome = run("match", "-r", rules, stdin=b"\n \t\r\n" + BIG + b"\r\n\n\n" + SMALL)
    assert [line["line"] for line in lines(outcome.out)] == [3, 6]


def test_several_files_are_named(run: Run, rules: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    first.write_bytes(BIG)
    second.write_bytes(SMALL + b"\n" + BIG + b"\n")
    outcome = run("match", "-r", rules, first, second)
    found = [(line["file"], line["line"]) for line in lines(outcome.out)]
    assert found == [(str(first), 1), (str(second), 1), (str(second), 2)]


def test_chunks_end_at_lines(run: Run, rules: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    events = [BIG, SMALL, b"", BIG + b" " * 300, SMALL] * 20
    whole = run("match", "-r", rules, stdin=b"\n".join(events))
    monkeypatch.setattr(inputs, "CHUNK_BYTES", 100)
    cut = run("match", "-r", rules, stdin=b"\n".join(events))
    assert cut == whole
    assert len(lines(cut.out)) == 80


@pytest.mark.parametrize("threads", [0, 1, 2])
def test_threads_do_not_change_the_answer(run: Run, rules: Path, threads: int) -> None:
    outcome = run("match", "-r", rules, "--threads", threads, stdin=(BIG + b"\n" + SMALL + b"\n") * 5_000)
    assert [len(line["rules"]) for line in lines(outcome.out)] == [2, 0] * 5_000  # type: ignore[arg-type]


def test_count_names_every_rule(run: Run, rules: Path) -> None:
    outcome = run("match", "-r", rules, "--count", stdin=(BIG + b"\n" + SMALL + b"\n") * 3)
    assert json.loads(outcome.out) == {"big": 3, "eu": 3, 'näme "quoted"\n': 0}
    assert outcome.status == 0


def test_a_bad_line_is_reported_and_passed_over(run: Run, rules: Path) -> None:
    outcome = run("match", "-r", rules, stdin=b'\n{"a": nul}\n' + BIG + b"\n[1]\n" + SMALL)
    assert [line["line"] for line in lines(outcome.out)] == [3, 5]
    assert outcome.status == 1
    # Where in the word the engine gives up is its own affair.
    place = re.search(r'in -, line 2, byte ([6-9])\n    2 \| {"a": nul}\n      \| ( +)\^', outcome.err)
    assert place is not None
    assert len(place[2]) == int(place[1])
    assert "line 4, byte 0" in outcome.err
    assert outcome.err.endswith("rulebus: 2 lines are no event\n")


@pytest.mark.parametrize(
    "text", [b'{"a":"\xff"}', b'{"a":', b"\x00", b"{}{}", b"\xef\xbb\xbf{}", b'{"a":1e}']
)
def test_text_that_is_no_event(run: Run, rules: Path, text: bytes) -> None:
    outcome = run("match", "-r", rules, "--validation", "strict", stdin=text + b"\n" + BIG)
    assert [line["line"] for line in lines(outcome.out)] == [2]
    assert outcome.status == 1


def test_strict_stops_at_the_first_bad_line(run: Run, rules: Path) -> None:
    stdin = BIG + b"\nbad\n" + BIG + b"\nbad\n"
    outcome = run("match", "-r", rules, "--strict", stdin=stdin)
    assert [line["line"] for line in lines(outcome.out)] == [1]
    assert (outcome.status, outcome.err.count("EventError")) == (1, 1)
    counted = run("match", "-r", rules, "--strict", "--count", stdin=stdin)
    assert (counted.status, json.loads(counted.out)["big"]) == (1, 1)


def test_no_input_is_no_event(run: Run, rules: Path) -> None:
    assert run("match", "-r", rules, stdin=b"") == run("match", "-r", rules, stdin=b"\n\n")


def test_rules_from_standard_input(run: Run, tmp_path: Path) -> None:
    (tmp_path / "e").write_bytes(BIG)
    outcome = run("match", "--rules", "-", tmp_path / "e", stdin=json.dumps(RULES).encode())
    assert outcome.out == '{"line": 1, "rules": ["big", "eu"]}\n'


def test_bad_use_ends_with_2_and_says_why(run: Run, rules: Path, tmp_path: Path) -> None:
    for arguments, word in (
        (["match"], "--rules"),
        (["match", "-r", rules, "absent.jsonl"], "cannot read absent.jsonl: no such file"),
        (["match", "-r", "absent.json"], "cannot read absent.json"),
        (["match", "-r", rules, tmp_path], "it is a folder"),
        (["match", "-r", "-", "-"], "cannot both"),
        (["match", "-r", rules, "--threads", "-1"], "--threads"),
        (["match", "-r", rules, "--validation", "lax"], "lax"),
        (["macht"], "macht"),
    ):
        outcome = run(*arguments)
        assert (outcome.status, outcome.out) == (2, ""), arguments
        assert word in outcome.err


def test_bad_rules_are_all_reported_and_none_used(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "rules.json"
    file.write_text('{"a": {"x": []},\n "b": {"x": [1]},\n "c": {"x": [{"perfix": "y"}]}}')
    outcome = run("match", "-r", file, stdin=BIG)
    assert (outcome.status, outcome.out) == (2, "")
    assert 'rule "a", at /x, line 1' in outcome.err
    assert 'rule "c", at /x/0' in outcome.err
    assert "2 of its rules are bad" in outcome.err


def process(*arguments: object) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-P", "-m", "rulebus.cli", *map(str, arguments)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe)


@pytest.mark.slow
def test_a_reader_that_goes_away_ends_it_quietly(rules: Path, tmp_path: Path) -> None:
    events = tmp_path / "events.jsonl"
    events.write_bytes((BIG + b"\n") * 200_000)
    with process("match", "-r", rules, events) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        child.stdout.read(100)
        child.stdout.close()
        assert (child.wait(30), child.stderr.read()) == (141, b"")


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_an_answer_comes_while_the_input_stays_open_and_an_interrupt_ends_it(rules: Path) -> None:
    with process("match", "-r", rules, "-") as child:
        assert child.stdin is not None
        assert child.stdout is not None
        assert child.stderr is not None
        child.stdin.write(BIG + b"\n")
        child.stdin.flush()
        assert child.stdout.readline() == b'{"line": 1, "rules": ["big", "eu"]}\n'
        # One that comes just before the interpreter begins to read is seen only after it: whoever presses Ctrl-C in that
        # moment presses it again.
        for _ in range(30):
            child.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(2)
                break
        assert child.returncode == 130
        assert child.stderr.read() == b"\nrulebus: interrupted\n"
