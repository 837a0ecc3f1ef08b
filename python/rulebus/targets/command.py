"""A command as a target: started for each call, with the deliveries as JSON lines on its standard input.

Relies on `subprocess`. Must never start a shell unless asked to, keep more of the output than is reported, or leave a
process behind when a try is given up.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import shlex
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar

from rulebus.attempt import ANSWER_BYTES, Failure, FailureKind
from rulebus.clock import Clock, SystemClock
from rulebus.errors import BusError
from rulebus.targets.protocol import Delivery, Outcomes

__all__ = ["EXIT_KINDS", "CommandTarget"]

EXIT_KINDS: Mapping[int, FailureKind] = MappingProxyType({64: "permanent", 65: "permanent", 75: "throttled"})
"""Exit codes with a class of their own, after sysexits: 64 bad usage, 65 bad data, 75 try later. Others: retryable."""

_POLL_S = 0.02
_GRACE_S = 1.0


class CommandTarget:
    """Runs a command with the event on its standard input.

    >>> from rulebus.event import AcceptedEvent
    >>> from rulebus.origin import Origin
    >>> from rulebus.targets.protocol import Delivery
    >>> event = AcceptedEvent("default", "1", b'{"id":"1"}', 0.0)
    >>> delivery = Delivery(event, event.body, Origin("default", "all", "command"))
    >>> CommandTarget(["grep", "-q", '"id":"1"']).deliver([delivery])
    >>> CommandTarget(["false"]).deliver([delivery])[0].code
    'EXIT_1'

    `command` is a list of words, or one text that is split into words as a shell would, without a shell; with
    ``shell=True`` the text is a shell's. Each delivery is one line of JSON; where the subscription has a `batch_size`
    above 1, one process gets as many lines, and its exit code speaks for all of them. 0 means taken; other codes are
    failures ``EXIT_n``, of the class that `exit_kinds` or else `EXIT_KINDS` names, otherwise retryable; a signal is
    ``SIGNAL_n``, retryable; a command that does not exist or may not be run is permanent, ``COMMAND_NOT_STARTED``.
    After `timeout_s`, or at the delivery's own deadline if that is earlier, the whole process group gets SIGTERM, a
    second later SIGKILL.

    The environment gets RULEBUS_BUS, RULEBUS_RULE, RULEBUS_TARGET, RULEBUS_ATTEMPT, RULEBUS_EVENT_ID and
    RULEBUS_DELIVERY_ID (of the first delivery of a batch). The beginning of what the command writes, to either output,
    is kept with a failure.
    """

    defaults: ClassVar[Mapping[str, Any]] = {}
    """Options of the subscription when the user gives none."""

    __slots__ = ("_clock", "_cwd", "_env", "_kinds", "_shell", "_timeout_s", "_words")

    def __init__(
        self,
        command: str | Sequence[str],
        *,
        shell: bool = False,
        timeout_s: float = 60.0,
        env: Mapping[str, str] | None = None,
        cwd: str | os.PathLike[str] | None = None,
        exit_kinds: Mapping[int, FailureKind] | None = None,
        clock: Clock | None = None,
    ) -> None:
        if os.name != "posix":
            raise BusError(
                "target-command", "commands are run on POSIX systems only; use a function target here"
            )
        self._words = _words(command, shell)
        if not 0 < timeout_s <= 86_400:
            raise BusError(
                "target-timeout", f"timeout_s of a command is from 0 to 86,400 seconds, not {timeout_s!r}"
            )
        self._shell = shell
        self._timeout_s = timeout_s
        self._env = dict(env or {})
        self._cwd = cwd
        self._kinds = {**EXIT_KINDS, **(exit_kinds or {})}
        self._clock = SystemClock() if clock is None else clock

    def deliver(self, deliveries: Sequence[Delivery]) -> Outcomes:
        """Runs the command once, with all of them."""
        from rulebus.targets.file import one_line

        limit = self._timeout_s
        deadlines = [d.deadline for d in deliveries if d.deadline is not None]
        if deadlines:
            limit = min(limit, max(0.0, min(deadlines) - self._clock.monotonic()))
        data = b"".join(one_line(delivery) for delivery in deliveries)
        failure = self._run(data, self._environment(deliveries[0]), limit)
        return None if failure is None else [failure] * len(deliveries)

    def _environment(self, delivery: Delivery) -> dict[str, str]:
        return {
            **os.environ,
            "RULEBUS_BUS": delivery.origin.bus,
            "RULEBUS_RULE": delivery.origin.rule,
            "RULEBUS_TARGET": delivery.origin.target,
            "RULEBUS_ATTEMPT": str(delivery.attempt),
            "RULEBUS_EVENT_ID": delivery.event.id,
            "RULEBUS_DELIVERY_ID": delivery.id,
            **self._env,
        }

    def _run(self, data: bytes, environment: dict[str, str], limit_s: float) -> Failure | None:
        try:
            process = subprocess.Popen(
                self._words,
                shell=self._shell,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=environment,
                cwd=self._cwd,
                bufsize=0,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            # Too many processes or too little memory pass; a missing program does not.
            passing = isinstance(error, BlockingIOError) or (
                isinstance(error, OSError) and error.errno in (12, 23, 24)
            )
            kind: FailureKind = "retryable" if passing else "permanent"
            return Failure(
                kind,
                "COMMAND_NOT_STARTED",
                f"the command {self._name()!r} could not be started: {reason}",
                status=type(error).__name__,
            )
        ended, answer = _converse(process, data, limit_s)
        if not ended:
            _end(process)
            return Failure(
                "retryable",
                "TIMEOUT",
                f"the command {self._name()!r} did not end within {limit_s:g} s",
                answer=answer,
            )
        return self._judge(process.returncode, answer)

    def _judge(self, code: int, answer: bytes) -> Failure | None:
        if code == 0:
            return None
        if code < 0:
            return Failure(
                "retryable",
                f"SIGNAL_{-code}",
                f"the command {self._name()!r} was ended by signal {-code}",
                status=str(code),
                answer=answer,
            )
        return Failure(
            self._kinds.get(code, "retryable"),
            f"EXIT_{code}",
            f"the command {self._name()!r} ended with code {code}",
            status=str(code),
            answer=answer,
        )

    def _name(self) -> str:
        """The program alone: its arguments may be nobody's business."""
        text = self._words if isinstance(self._words, str) else self._words[0]
        return os.path.basename(text.split()[0])

    def describe(self) -> str:
        """The program's name, without its arguments."""
        return f"command {self._name()}"

    def close(self) -> None:
        """Nothing to give back: every process ends within its call."""

    def __repr__(self) -> str:
        return f"<CommandTarget {self._name()}>"


def _words(command: str | Sequence[str], shell: bool) -> str | list[str]:
    if shell:
        if not isinstance(command, str) or not command.strip():
            raise BusError(
                "target-command", "with shell=True the command is one text, such as 'jq .detail >> log'"
            )
        return command
    try:
        words = shlex.split(command) if isinstance(command, str) else [os.fspath(word) for word in command]
    except ValueError as error:
        raise BusError("target-command", f"the command cannot be split into words: {error}") from None
    if not words or not words[0].strip():
        raise BusError(
            "target-command", "a command needs at least the name of a program, such as ['jq', '.detail']"
        )
    return words


def _converse(process: subprocess.Popen[bytes], data: bytes, limit_s: float) -> tuple[bool, bytes]:
    """Feeds the process and listens until it ends; whether it did in time, and the beginning of what it wrote.

    Ends with the process, not with its output: a child that it left in the background may hold that open for ever.
    """
    stdin, stdout = process.stdin, process.stdout
    assert stdin is not None
    assert stdout is not None
    deadline = time.monotonic() + limit_s
    answer = bytearray()
    pending = memoryview(data)
    os.set_blocking(stdin.fileno(), False)
    os.set_blocking(stdout.fileno(), False)
    with contextlib.ExitStack() as stack:
        stack.callback(stdout.close)
        stack.callback(_close_quietly, stdin)
        selector = stack.enter_context(selectors.DefaultSelector())
        selector.register(stdin, selectors.EVENT_WRITE)
        selector.register(stdout, selectors.EVENT_READ)
        ending = _ending(process)
        if ending is not None:
            stack.callback(os.close, ending)
            selector.register(ending, selectors.EVENT_READ)
        while process.poll() is None:
            left = deadline - time.monotonic()
            if left <= 0:
                return False, bytes(answer)
            for key, _ in selector.select(left if ending is not None else min(left, _POLL_S)):
                if key.fileobj is stdin:
                    pending = _feed(stdin.fileno(), pending)
                    if not pending:
                        selector.unregister(stdin)
                        _close_quietly(stdin)
                elif key.fileobj is stdout and not _listen(stdout.fileno(), answer):
                    selector.unregister(stdout)
        _listen(stdout.fileno(), answer, everything=True)
    return True, bytes(answer)


def _ending(process: subprocess.Popen[bytes]) -> int | None:
    """A descriptor that becomes readable when the process ends; None where the system has none."""
    try:
        return os.pidfd_open(process.pid)
    except (AttributeError, OSError):
        return None


def _feed(fd: int, pending: memoryview) -> memoryview:
    try:
        return pending[os.write(fd, pending[:65_536]) :]
    except BlockingIOError:
        return pending
    except OSError:  # The command does not want the rest; its exit code says whether that is well.
        return pending[len(pending) :]


def _listen(fd: int, answer: bytearray, *, everything: bool = False) -> bool:
    """Reads what is there, keeps the beginning; False at the end of the output."""
    while True:
        try:
            chunk = os.read(fd, 65_536)
        except BlockingIOError:
            return True
        except OSError:
            return False
        if not chunk:
            return False
        answer += chunk[: max(0, ANSWER_BYTES - len(answer))]
        if not everything or len(answer) >= ANSWER_BYTES:
            return True


def _close_quietly(stream: Any) -> None:
    with contextlib.suppress(OSError):
        stream.close()


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ends the process and everything it started in its group."""
    _signal(process, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_GRACE_S)
    # The group outlives its leader: what ignored SIGTERM is still in it.
    _signal(process, getattr(signal, "SIGKILL", signal.SIGTERM))
    process.wait()


def _signal(process: subprocess.Popen[bytes], number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)
