"""The examples run as a user runs them, and come to what they should. Relies on the installed package."""

from __future__ import annotations

import subprocess
import sys

import pytest

from integration.tree import ROOT


def run(name: str) -> dict[str, int]:
    """What an example prints, run in a process of its own with warnings as errors."""
    done = subprocess.run(
        [sys.executable, "-P", "-W", "error", str(ROOT / "examples" / name)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    pairs = [line.rsplit(None, 1) for line in done.stdout.splitlines()]
    return {what.strip(): int(number) for what, number in pairs}


@pytest.mark.slow
def test_embed_threads() -> None:
    assert run("embed_threads.py") == {
        "billed": 200,
        "shipped": 200,
        "counted": 400,
        "retries": 20,
        "dead letters": 0,
    }


@pytest.mark.slow
def test_embed_asyncio() -> None:
    assert run("embed_asyncio.py") == {"billed": 99, "letters": 10, "dead letters": 1}
