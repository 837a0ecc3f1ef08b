"""Counts the instructions of fixed cases under valgrind and holds them to the recorded counts: `python benches/gates.py`.

Exits with 1 when a case needs more than 3 % more than recorded, or finds another number of matches; `--accept` records
what was counted. Instructions do not depend on the machine's load, and valgrind shows every x86-64 machine as one with
AVX2. They do depend on the compiler: with another one than recorded, and where valgrind is not installed, it says so
and judges nothing. Relies on the crate in benches/gates and on `rulebus.workload` for inputs. Must never install
anything.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from rulebus import workload

__all__ = ["instructions_of", "main", "verdicts"]

ROOT = Path(__file__).resolve().parent.parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
RECORD = Path(__file__).with_name("gates") / "counts.json"
ALLOWED = 0.03
ACCEPT = 'make gates GATES="--accept"'
EVENTS = 200


def main(arguments: list[str] | None = None) -> int:
    """Count, compare or record; returns the exit status."""
    given = _arguments(arguments)
    reason = _missing()
    if reason:
        print(f"instruction counts: skipped, {reason}")
        return 2 if given.accept else 0
    about = _about()
    recorded = json.loads(RECORD.read_text(encoding="utf-8")) if RECORD.exists() else None
    if recorded and not given.accept and recorded["compiler"] != about["compiler"]:
        print(
            f"instruction counts: skipped, they were recorded with {recorded['compiler']} and this is "
            f"{about['compiler']}; on the machine that decides, record them anew with: {ACCEPT}"
        )
        return 0
    counted = _count()
    if given.accept:
        before = recorded["cases"] if recorded else {}
        RECORD.write_text(json.dumps({**about, "cases": counted}, indent=1) + "\n", encoding="utf-8")
        for name, case in counted.items():
            old = before.get(name, {}).get("instructions")
            print(f"{name:28} {case['instructions']:>13,} {_change(case['instructions'], old):>10}")
        print(
            f"recorded in {RECORD.relative_to(ROOT)}; say in the commit what was bought, or why it became less"
        )
        return 0
    if recorded is None:
        print(f"instruction counts: nothing is recorded; record them with: {ACCEPT}")
        return 1
    lines, failed = verdicts(recorded["cases"], counted)
    print("\n".join(lines))
    return 1 if failed else 0


def verdicts(recorded: dict[str, Any], counted: dict[str, Any]) -> tuple[list[str], bool]:
    """A line for each case and a last one; whether any failed."""
    lines, worse, better = [], [], []
    for name in dict.fromkeys([*recorded, *counted]):
        old, new = recorded.get(name), counted.get(name)
        if old is None or new is None:
            worse.append(name)
            lines.append(f"{name:28} {'is not recorded' if old is None else 'is recorded but was not run'}")
            continue
        instructions, before = new["instructions"], old["instructions"]
        word = ""
        if new["count"] != old["count"]:
            worse.append(name)
            word = (
                f"FOUND {new['count']:,} INSTEAD OF {old['count']:,}: find out why; never accept it to pass"
            )
        elif instructions > before * (1 + ALLOWED):
            worse.append(name)
            word = f"MORE THAN +{100 * ALLOWED:.0f} %"
        elif instructions < before * (1 - ALLOWED):
            better.append(name)
            word = "better"
        lines.append(f"{name:28} {instructions:>13,} {_change(instructions, before):>10}  {word}")
    last = f"instruction counts: {len(counted)} cases, {len(worse)} failed"
    if worse:
        last += (
            f" ({', '.join(worse)}); when that was bought with something, say so in the commit and: {ACCEPT}"
        )
    elif better:
        last += f"; {len(better)} better than recorded, which holds the gain: {ACCEPT}"
    return [*lines, last], bool(worse)


def _arguments(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="gates.py", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--accept", action="store_true", help="record what is counted now")
    return parser.parse_args(arguments)


def _missing() -> str | None:
    if shutil.which("valgrind") is None:
        return "valgrind is not installed here (Debian: apt-get install valgrind)"
    if platform.machine() not in {"x86_64", "AMD64"}:
        return f"they were recorded on x86_64 and this is {platform.machine()}"
    return None


def _about() -> dict[str, str]:
    def said(*command: str) -> str:
        return subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout.strip()

    return {"compiler": said("rustc", "--version"), "valgrind": said("valgrind", "--version")}


def _change(new: int, old: int | None) -> str:
    return f"{100 * (new / old - 1):+.2f} %" if old else "new"


def instructions_of(rules: Iterable[str], events: Sequence[bytes]) -> int | None:
    """Instructions of matching some events at `checked`; None where they cannot be counted."""
    if _missing():
        return None
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _write(folder / "rules.jsonl", (text.encode() for text in rules))
        _write(folder / "events.jsonl", events)
        counted = _run(folder, "rules.jsonl", "events.jsonl")
    return int(counted["match"]["instructions"])


def _count() -> dict[str, Any]:
    """Instructions and count of every case, in the order in which they run."""
    folder = TARGET / "gates"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    _inputs(folder)
    return _run(folder, ".")


def _run(folder: Path, *arguments: str) -> dict[str, Any]:
    """Run the crate's program in a folder, under callgrind; the dumps stay there."""
    subprocess.run(["cargo", "build", "--quiet", "--release", "-p", "rulebus-gates"], check=True, cwd=ROOT)
    command = [
        "valgrind", "--tool=callgrind", "--collect-atstart=no", "--toggle-collect=rulebus_gates::measured",
        "--dump-after=rulebus_gates::measured", "--callgrind-out-file=out",
        str((TARGET / "release" / "rulebus-gates").resolve()), *arguments,
    ]  # fmt: skip
    # The smallest environment: what lies on the stack below the program should not change with the user's.
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=folder, env={"LC_ALL": "C"}
    )
    if done.returncode:
        sys.exit(f"valgrind ended with {done.returncode}:\n{done.stderr}")
    cases = [line.rsplit(" ", 1) for line in done.stdout.splitlines()]
    dumps = [_total(folder / f"out.{number}") for number in range(1, len(cases) + 1)]
    return {
        name: {"instructions": total, "count": int(count)}
        for (name, count), total in zip(cases, dumps, strict=True)
    }


def _total(dump: Path) -> int:
    text = dump.read_text(encoding="utf-8", errors="replace")
    found = re.search(r"^(?:totals|summary): (\d+)", text, re.MULTILINE)
    if found is None or int(found[1]) == 0:
        sys.exit(f"{dump.name} holds no count: has `measured` been inlined?")
    return int(found[1])


def _write(file: Path, lines: Iterable[bytes]) -> None:
    file.write_bytes(b"\n".join(lines) + b"\n")


def _inputs(folder: Path) -> None:
    def write(name: str, lines: Iterable[bytes]) -> None:
        _write(folder / name, lines)

    def rules(name: str, pairs: Iterable[tuple[str, Any]]) -> None:
        write(name, (json.dumps(pattern).encode() for _, pattern in pairs))

    write("envelopes.jsonl", workload.envelopes(EVENTS))
    for size in (10, 1_000, 10_000):
        rules(f"full-{size}.jsonl", workload.rules("full", size))
    write("lots.jsonl", workload.lots(EVENTS))
    for name in ("EXACT", "ANYTHING_BUT", "COMPLEX_ARRAYS", "COMBO"):
        rules(f"lots-{name}.jsonl", workload.lots_rules(name))
    pairs, events = workload.needles(789, events=EVENTS)
    rules("needles-789.jsonl", pairs)
    write("needles-789-events.jsonl", events)
    for name in ("sibling-arrays", "or-product"):
        pairs, events = workload.killers()[name]
        rules(f"{name}.jsonl", pairs)
        write(f"{name}-events.jsonl", events * 20)


if __name__ == "__main__":
    raise SystemExit(main())
