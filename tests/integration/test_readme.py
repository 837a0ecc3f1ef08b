"""Runs every python and console block of README.md: values must be as promised, commands must succeed and
print what is shown. `make demo` and `make test` are the two commands that run this very test, so they are
only named.

Relies on the installed package; runs commands in an empty folder."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

from integration.tree import Block, blocks, run_python

BLOCKS = blocks("README.md")


def steps(block: Block) -> list[tuple[str, str]]:
    """(command, what it prints) of a console block."""
    found: list[tuple[str, str]] = []
    for line in block.text.splitlines(keepends=True):
        if line.startswith("$ "):
            found.append((line[2:].strip(), ""))
        else:
            found[-1] = (found[-1][0], found[-1][1] + line)
    return found


def test_every_block_is_run_or_named() -> None:
    assert {block.language for block in BLOCKS} == {"python", "console"}


def test_python_blocks_say_what_happens() -> None:
    names: dict[str, object] = {}
    compared = sum(run_python(block, names) for block in BLOCKS if block.language == "python")
    assert compared >= 8


def test_console_blocks_print_what_they_show(tmp_path: Path) -> None:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    ran = 0
    for block in BLOCKS:
        for command, shown in steps(block) if block.language == "console" else []:
            if shlex.split(command)[0] == "make":
                assert command in {"make demo", "make test"}
                continue
            done = subprocess.run(
                command,
                shell=True,
                cwd=tmp_path,
                env={**os.environ, "PATH": path},
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, f"{command}: {done.stderr}"
            if shown:
                assert done.stdout == shown, command
            ran += 1
    assert ran >= 5
