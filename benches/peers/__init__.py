"""Rivals written in other languages, each a program of its own that is built on demand and runs beside rulebus.

A rival runs in a child process with a limit on time and memory, since some sets make it take all of both. Relies on
cargo and on crates.io for the first build. Must never report a speed without its count of matches.
"""

from __future__ import annotations

import json
import resource
import subprocess
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

__all__ = ["Rival", "Run"]

ROOT = Path(__file__).resolve().parent.parent.parent
_MEMORY_BYTES = 4 << 30


@dataclass(frozen=True, slots=True)
class Run:
    """What a rival did with rules and events."""

    taken: int
    """Rules that went in."""
    build_s: float
    ns_per_event: float
    events: int
    """Events it saw in its time, the first ones."""
    matches: int


class Rival:
    """A rival's program, built when it is first needed."""

    def __init__(self, name: str, target: Path) -> None:
        self.name = name
        self._target = target

    @cached_property
    def why_not(self) -> str | None:
        """Why it cannot be had here, or None."""
        manifest = Path(__file__).with_name(self.name) / "Cargo.toml"
        command = ["cargo", "build", "--quiet", "--release", "--locked", "--manifest-path", str(manifest)]
        done = subprocess.run(
            [*command, "--target-dir", str(self._target)], capture_output=True, text=True, check=False
        )
        return (
            None
            if done.returncode == 0
            else f"{self.name} cannot be built here: {done.stderr.strip()[-300:]}"
        )

    def run(self, rules: Iterable[str], events: list[bytes], *, rounds: int, seconds: float) -> Run | None:
        """Measure it; None when it ends without an answer, in four times the seconds or four gigabytes."""
        if self.why_not:
            return None
        with tempfile.TemporaryDirectory() as folder:
            given, lines = Path(folder, "rules.jsonl"), Path(folder, "events.jsonl")
            given.write_text("\n".join(rules) + "\n", encoding="utf-8")
            lines.write_bytes(b"\n".join(events) + b"\n")
            try:
                done = subprocess.run(
                    [
                        str(self._target / "release" / f"peer-{self.name}"),
                        str(given),
                        str(lines),
                        str(rounds),
                        str(seconds),
                    ],
                    capture_output=True,
                    text=True,
                    check=True,
                    timeout=20 + 4 * seconds,
                    preexec_fn=_limit,
                )
            except (subprocess.TimeoutExpired, subprocess.CalledProcessError):
                return None
        return Run(**json.loads(done.stdout))


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
