"""Commands as targets: the contract, exit codes, time limits, output. Relies on a POSIX system with sh and cat."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import pytest

from rulebus.errors import BusError
from rulebus.targets.command import CommandTarget
from rulebus.testing.targets_contract import TargetContract, delivery_of


class TestContract(TargetContract):
    secrets = ("hunter2",)
    large_bytes = 1_000_000  # More than a pipe holds.

    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.path = tmp_path / "events.jsonl"

    def make(self) -> CommandTarget:
        self.path.touch()
        return CommandTarget(f"cat >> '{self.path}' # hunter2", shell=True)

    def taken(self) -> list[bytes]:
        return self.path.read_bytes().splitlines()

    def make_unavailable(self) -> CommandTarget:
        return CommandTarget(["sh", "-c", "exit 1", "hunter2"])

    def make_refusing(self) -> CommandTarget:
        return CommandTarget(["/nowhere/at-all", "hunter2"])


def outcome(target: CommandTarget, input: bytes = b"{}", **more: object) -> object:
    delivery = delivery_of(input)
    for name, value in more.items():
        setattr(delivery, name, value)
    answer = target.deliver([delivery])
    return None if answer is None else answer[0]


def sh(script: str, **options: object) -> CommandTarget:
    return CommandTarget(["sh", "-c", script], **options)  # type: ignore[arg-type]


def alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize(
    ("script", "kind", "code"),
    [
        ("exit 1", "retryable", "EXIT_1"),
        ("exit 64", "permanent", "EXIT_64"),
        ("exit 65", "permanent", "EXIT_65"),
        ("exit 75", "throttled", "EXIT_75"),
        ("exit 7", "permanent", "EXIT_7"),
        ("kill -9 $$", "retryable", "SIGNAL_9"),
    ],
)
def test_exit_codes_have_classes(script: str, kind: str, code: str) -> None:
    failure = outcome(sh(script, exit_kinds={7: "permanent"}))
    assert (failure.kind, failure.code) == (kind, code)  # type: ignore[attr-defined]


def test_the_beginning_of_both_outputs_is_kept_and_the_rest_is_not() -> None:
    failure = outcome(sh("echo out; echo err >&2; head -c 3000000 /dev/zero | tr '\\0' x; exit 3"))
    assert failure.answer[:8] == b"out\nerr\n"  # type: ignore[attr-defined]
    assert len(failure.answer) == 512  # type: ignore[attr-defined]


def test_a_command_that_reads_nothing_may_succeed() -> None:
    assert outcome(CommandTarget(["true"]), b"x" * 500_000) is None


def test_what_takes_too_long_is_ended_with_its_children(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    # A child that ignores SIGTERM, and a leader that waits for it.
    script = f"(trap '' TERM; echo $$ > {pids}; while :; do sleep 0.05; done) & echo started; wait"
    began = time.monotonic()
    failure = outcome(sh(script, timeout_s=2))
    assert (failure.kind, failure.code, failure.answer) == ("retryable", "TIMEOUT", b"started\n")  # type: ignore[attr-defined]
    assert time.monotonic() - began < 10
    group = int(pids.read_text())
    while alive(group):  # Killed; gone as soon as init has collected it.
        assert time.monotonic() - began < 10


def test_the_deadline_of_the_try_counts_when_it_is_earlier() -> None:
    began = time.monotonic()
    failure = outcome(CommandTarget(["sleep", "30"]), deadline=time.monotonic() + 0.2)
    assert failure.code == "TIMEOUT"  # type: ignore[attr-defined]
    assert time.monotonic() - began < 10


def test_a_child_left_in_the_background_does_not_hold_the_call() -> None:
    began = time.monotonic()
    assert outcome(sh("sleep 25 & exit 0", timeout_s=24)) is None
    assert time.monotonic() - began < 20


def test_the_command_knows_where_the_event_comes_from() -> None:
    program = "import json,os,sys; sys.stderr.write(json.dumps({k: v for k, v in os.environ.items() if k.startswith('RULEBUS_') or k == 'MORE'})); sys.exit(1)"
    failure = outcome(CommandTarget([sys.executable, "-c", program], env={"MORE": "yes"}), attempt=3)
    assert json.loads(failure.answer) == {  # type: ignore[attr-defined]
        "RULEBUS_BUS": "default",
        "RULEBUS_RULE": "rule",
        "RULEBUS_TARGET": "target",
        "RULEBUS_ATTEMPT": "3",
        "RULEBUS_EVENT_ID": "e-1",
        "RULEBUS_DELIVERY_ID": "e-1/rule/target",
        "MORE": "yes",
    }


def test_no_shell_unless_asked(tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    assert outcome(CommandTarget(f"true ; touch {trap}")) is None
    assert not trap.exists()
    assert outcome(CommandTarget(f"true ; touch {trap}", shell=True)) is None
    assert trap.exists()


@pytest.mark.parametrize(
    ("command", "options", "code"),
    [
        ("", {}, "target-command"),
        ([], {}, "target-command"),
        ("echo 'open", {}, "target-command"),
        (["echo"], {"shell": True}, "target-command"),
        ("echo", {"timeout_s": 0}, "target-timeout"),
    ],
)
def test_what_is_no_command_is_refused(command: object, options: dict[str, object], code: str) -> None:
    with pytest.raises(BusError) as caught:
        CommandTarget(command, **options)  # type: ignore[arg-type]
    assert caught.value.code == code
