"""The Makefile's targets: each documented, each in CONTRIBUTING.md, no more than twelve; `make` alone
lists them.

Runs `make help`, and `make arm` without its tools; what the targets do is tested where it belongs."""

from __future__ import annotations

import platform
import re
import subprocess

import pytest

from integration.tree import ROOT

MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
PHONY = re.findall(r"\w+", re.search(r"^\.PHONY:(.*)$", MAKEFILE, re.MULTILINE)[1])  # type: ignore[index]


def test_every_target_is_documented() -> None:
    documented = re.findall(r"^([a-z]+):.*## \S", MAKEFILE, re.MULTILINE)
    assert sorted(documented) == sorted(PHONY)
    assert len(PHONY) <= 12


def test_make_alone_lists_the_targets() -> None:
    shown = subprocess.run(
        ["make", "-C", str(ROOT), "--no-print-directory"], capture_output=True, text=True, check=True
    )
    assert re.findall(r"^  make (\w+) ", shown.stdout, re.MULTILINE) == re.findall(
        r"^([a-z]+):.*## ", MAKEFILE, re.MULTILINE
    )


def test_contributing_lists_every_target() -> None:
    listed = re.findall(
        r"^\| `make (\w+)` \|", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert sorted(listed) == sorted(PHONY)


@pytest.mark.skipif(platform.machine() == "aarch64", reason="needs neither linker nor emulator here")
def test_arm_says_what_is_missing() -> None:
    command = ["make", "-C", str(ROOT), "--no-print-directory", "arm"]
    linker = "CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=no-such-linker"
    ran = subprocess.run([*command, linker], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout) == (2, "")
    missing, remedy = ran.stderr.split(". ", 1)
    assert missing.startswith("make arm: missing here:")
    assert "no-such-linker" in missing
    for word in ("rustup target add aarch64-unknown-linux-gnu", "gcc-aarch64-linux-gnu", "qemu-user"):
        assert word in remedy


def test_continuous_integration_runs_the_same_command() -> None:
    script = ROOT / ".ci" / "run"
    assert script.stat().st_mode & 0o111, ".ci/run can be executed"
    assert script.read_text(encoding="utf-8").rstrip().endswith("exec make check")


def test_tools_are_pinned_with_hashes() -> None:
    wanted = re.findall(
        r"^([a-z][\w-]*)", (ROOT / "requirements/dev.in").read_text(encoding="utf-8"), re.MULTILINE
    )
    pinned = re.findall(
        r"^([a-z][\w-]*)==\S+ .*\\\n +--hash=",
        (ROOT / "requirements/dev.txt").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    assert set(wanted) <= set(pinned)
