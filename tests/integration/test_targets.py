"""The table of targets: every target can be measured, a miss is shown as a miss, the README has a place for it.

Relies on benches/ as a package of the checkout. Must never measure anything that takes long, nor assert a speed."""

from __future__ import annotations

import subprocess
import sys

import pytest
from benches.catalogue import load
from benches.target_print import line, table
from benches.target_rows import BOUNDS, WANTED, Row

from integration.tree import ROOT
from rulebus.workload import LOTS_SETS


def test_every_target_names_a_workload_that_is_there() -> None:
    assert sorted(name for group in WANTED["lots"] for name in group["sets"]) == sorted(LOTS_SETS)
    names = {workload.name for workload in load()}
    assert {f"envelopes/{name}" for name in WANTED["envelopes"]} <= names
    assert {"envelopes/full-1000000", "needles/20000", "clones/10000"} <= names
    assert all(bound > 0 for bound in BOUNDS.values())


def test_reached_and_by_how_much() -> None:
    slow = Row("k", "time", 150.0, "ns", 100.0)
    quick = Row("k", "rate", 300.0, "/s", 200.0, at_least=True)
    told, absent = Row("k", "told", 5.0, "ns"), Row("k", "absent", None, "ns", 3.0, note="why")
    assert [row.reached for row in (slow, quick, told, absent)] == [False, True, None, None]
    assert slow.times == pytest.approx(2 / 3)
    assert quick.times == pytest.approx(1.5)
    assert (told.times, absent.times) == (None, None)
    # As close as it gets, but a miss.
    assert Row("k", "time", 100.0000001, "ns", 100.0).reached is False


def test_a_miss_is_shown_as_one() -> None:
    rows = [
        Row("a", "x", 150.0, "ns", 100.0),
        Row("b", "x", 1.0, "ns", 100.0),
        Row("b", "y", 9.0, "×", 12.0, at_least=True),
        Row("c", "x", None, "ns", note="not here"),
    ]
    assert line(rows[0]).startswith("NOT REACHED a")
    assert line(rows[3]).endswith("not here")
    assert table(rows).splitlines()[2:] == [
        "| `a`: x | ≤ 100 ns | 150 ns | 0.67 | **not reached** |",
        "| `b`: x; y | ≤ 100 ns; ≥ 12 × | 1 ns; 9 × | 100.00; 0.75 | 1 of 2 reached |",
        "| `c`: x | told | not measured | – |  |",
    ]


def test_the_readme_has_a_place_for_the_table() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert text.index("<!-- targets -->") < text.index("<!-- end of targets -->")


@pytest.mark.slow
def test_one_row_from_the_command_line() -> None:
    command = [
        sys.executable,
        "-P",
        "benches/run.py",
        "--targets",
        "--no-record",
        "--no-instructions",
        "--markdown",
    ]
    done = subprocess.run(
        [*command, "--rounds", "1", "-w", "killers/or-product"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 1), done.stderr
    assert "| `killers/or-product`: seven $or of four added | ≤ 1 ms |" in done.stdout
    none = subprocess.run([*command, "-w", "absent"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert none.returncode == 2
    assert "no target is called absent" in none.stderr
