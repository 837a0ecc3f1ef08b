"""`rulebus check`: every bad rule with its place in the file, warnings for what is legal but not meant.

Relies on the installed package. Must never depend on the engine's wording, only on places and codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from unit.cli_runner import Run, runner


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]) -> Run:
    return runner(monkeypatch, capsysbinary)


def write(folder: Path, name: str, text: str | bytes) -> Path:
    file = folder / name
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


def findings(text: str) -> tuple[list[dict[str, object]], dict[str, int]]:
    *found, totals = map(json.loads, text.splitlines())
    return found, totals


def test_good_rules(run: Run, tmp_path: Path) -> None:
    outcome = run("check", write(tmp_path, "r.json", '{"a": {"x": [1]}, "b": {"y": ["z"]}}'))
    assert (outcome.status, outcome.out, outcome.err) == (0, "2 good, 0 bad, 0 warnings\n", "")


def test_the_house_form_with_the_place_in_the_file(run: Run, tmp_path: Path) -> None:
    text = '{\n  "ö": {"a": ["é"]},\n  "bad": {\n  "detail": {"é": [{"numeric": ["=>", 10]}]}}\n}\n'
    file = write(tmp_path, "r.json", text)
    outcome = run("check", file)
    first, where, source, caret, expected, *_ = outcome.out.splitlines()
    assert first.startswith("PatternError[")
    assert where == f'  in {file}, rule "bad", at /detail/é/0/numeric/0, line 4, column 33'
    assert source == '    4 |   "detail": {"é": [{"numeric": ["=>", 10]}]}}'
    assert caret == "      |" + " " * 33 + "^^^^"
    assert expected.startswith("  expected ")
    assert outcome.out.endswith("1 good, 1 bad, 0 warnings\n")
    assert outcome.status == 1


def test_one_bad_line_among_thousands(run: Run, tmp_path: Path) -> None:
    lines = [json.dumps({"name": f"r{k}", "pattern": {"x": [k]}}) for k in range(5_000)]
    lines[1_234] = '{"name": "r1234", "pattern": {"x": [1234}}'
    lines[2_345] = '{"name": "r2345", "pattern": {"x": "scalar"}}'
    lines[3_456] = '{"nome": "r3456", "pattern": {"x": [1]}}'
    lines[4_567] = '{"name": "r7", "pattern": {"x": [1]}}'
    found, totals = findings(run("check", "--json", write(tmp_path, "r.jsonl", "\n".join(lines))).out)
    assert sorted((f["line"], f["code"]) for f in found if str(f["code"]).startswith("rules-")) == [
        (1_235, "rules-json"), (3_457, "rules-entry"), (4_568, "rules-duplicate"),
    ]  # fmt: skip
    assert [(f["rule"], f["line"], f["pointer"]) for f in found if f["rule"]] == [("r2345", 2_346, "/x")]
    assert totals == {"good": 4_996, "bad": 4, "warnings": 0}


def test_a_long_line_is_cut_around_the_place(run: Run, tmp_path: Path) -> None:
    values = ", ".join(f'"value-{k}"' for k in range(1_000))
    outcome = run("check", write(tmp_path, "r.json", f'{{"a": {{"x": [{values}, [1], {values}]}}}}'))
    source, caret = outcome.out.splitlines()[2:4]
    assert len(source) < 120
    assert source[caret.index("^")] == "["


@pytest.mark.parametrize(
    ("pattern", "pointers"),
    [
        ('{"$or": ["x"]}', ["/$or"]),
        ('{"$or": {"a": [1]}}', ["/$or"]),
        ('{"a": {"$or": [{"prefix": "x"}, {"suffix": "y"}]}}', ["/a/$or"]),
        ('{"$or": [{"a": [1]}, {"b": [2]}]}', []),
        ('{"$or": [{"a": ["$or"]}, {"b": {"$or": [{"c": [1]}, {"d": [2]}]}}]}', []),
    ],
)
def test_an_or_that_is_an_ordinary_field_is_warned_about(
    run: Run, tmp_path: Path, pattern: str, pointers: list[str]
) -> None:
    file = write(tmp_path, "r.json", f'{{"rule":\n{pattern}}}')
    outcome = run("check", "--json", file)
    found, totals = findings(outcome.out)
    assert [f["pointer"] for f in found] == pointers
    assert all((f["severity"], f["line"], f["code"]) == ("warning", 2, "plain-or") for f in found)
    assert totals == {"good": 1, "bad": 0, "warnings": len(pointers)}
    assert outcome.status == 0
    if pointers:
        assert f'Warning[plain-or]: "$or" is an ordinary field here' in run("check", file).out  # noqa: F541


def test_several_files_and_a_folder(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "rules"
    folder.mkdir()
    write(folder, "one.json", '{"x": [1]}')
    write(folder, "two.json", '{"x": 1}')
    write(folder, "notes.txt", "not a rule")
    outcome = run("check", "--json", folder, write(tmp_path, "r.json", '{"x": {"y": [1]}}'))
    found, totals = findings(outcome.out)
    assert [(f["rule"], f["file"]) for f in found] == [("two", str(folder / "two.json"))]
    assert totals == {"good": 2, "bad": 1, "warnings": 0}


def test_standard_input_and_a_missing_file(run: Run) -> None:
    assert run("check", "-", stdin=b'{"a": {"x": [1]}}').status == 0
    outcome = run("check", "absent.json")
    assert (outcome.status, outcome.err) == (
        2,
        "rulebus: cannot read absent.json: No such file or directory\n",
    )


def test_a_name_that_no_terminal_can_show(run: Run, tmp_path: Path) -> None:
    file = write(tmp_path, "r.json", '{"\\ud800": {"x": 1}}')
    found, _ = findings(run("check", "--json", file).out)
    assert found[0]["rule"] == "\ud800"
