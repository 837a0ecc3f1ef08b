"""`rulebus run` treated roughly: signals at every moment, streams that are closed, pipes, bad requests, narrow terminals.

Relies on the helpers of `test_cli_run`. Waits on what the process says and writes, never on time alone.
"""

from __future__ import annotations

import fcntl
import gzip
import http.client
import json
import os
import pty
import re
import signal
import socket
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from integration.test_cli_run import COMMAND, EVENT, ROUTER, Running, lines, rulebus, start, until

__all__ = ["start"]

HTTP = '[input]\nhttp = "127.0.0.1:0"\n'


def totals(folder: Path) -> list[int]:
    return [event["detail"]["total"] for event in lines(folder / "all.jsonl")]


def where(running: Running) -> tuple[str, int]:
    host, port = running.says("listening on ").split("listening on http://")[1].split("/")[0].rsplit(":", 1)
    return host.strip("[]"), int(port)


def ask(place: tuple[str, int], body: bytes, **headers: str) -> tuple[int, dict[str, object]]:
    connection = http.client.HTTPConnection(*place, timeout=20)
    given = {
        "Content-Type": "application/json",
        **{name.replace("_", "-"): text for name, text in headers.items()},
    }
    connection.request("POST", "/events", body, given)
    answer = connection.getresponse()
    read = json.load(answer)
    connection.close()
    return answer.status, read


def test_reloads_under_load_lose_no_event(tmp_path: Path, start: Callable[..., Running]) -> None:
    router, other = tmp_path / "router.toml", tmp_path / "other.toml"
    more = '[[rules]]\nname = "more"\npattern = {source = ["nobody"]}\ntargets = ["all"]\n'
    texts = [HTTP + ROUTER, HTTP + ROUTER.replace("all.jsonl", "./all.jsonl") + more, HTTP + "bad"]
    router.write_text(texts[0])
    running = start()
    place = where(running)
    accepted: list[int] = []
    over = threading.Event()

    def put(first: int) -> None:
        while not over.is_set():
            body = "".join(EVENT % number for number in range(first, first + 20)).encode()
            status, answer = ask(place, body, Content_Type="application/x-ndjson")
            assert (status, answer["FailedEntryCount"]) == (200, 0)
            accepted.extend(range(first, first + 20))
            first += 20

    threads = [threading.Thread(target=put, args=(million * 10**6,)) for million in range(2)]
    for thread in threads:
        thread.start()
    for number in range(60):
        other.write_text(texts[number % 3])
        other.rename(router)
        running.process.send_signal(signal.SIGHUP)
        until(lambda count=number: len(accepted) > 20 * count, "events between two reloads")
    over.set()
    for thread in threads:
        thread.join()
    files = len(os.listdir(f"/proc/{running.process.pid}/fd")) if os.path.isdir("/proc/self/fd") else 0
    assert running.ends() == 0
    assert sorted(totals(tmp_path)) == sorted(accepted)
    assert files < 40, "reloads leave files open"


def test_a_signal_while_it_drains_ends_nothing_early(tmp_path: Path, start: Callable[..., Running]) -> None:
    slow = "import time, pathlib; pathlib.Path('began').touch(); time.sleep(1); pathlib.Path('ended').touch()"
    command = f'command = [{json.dumps(sys.executable)}, "-c", "{slow}"]'
    (tmp_path / "router.toml").write_text(HTTP + ROUTER.replace('file = "all.jsonl"', command))
    running = start()
    ask(where(running), (EVENT % 1).encode())
    until((tmp_path / "began").exists, "the delivery")
    running.process.send_signal(signal.SIGTERM)
    running.process.send_signal(signal.SIGHUP)
    assert running.process.wait(30) == 0
    assert (tmp_path / "ended").exists()


def test_a_second_signal_does_not_wait(tmp_path: Path, start: Callable[..., Running]) -> None:
    command = f'command = [{json.dumps(sys.executable)}, "-c", "import time; time.sleep(60)"]'
    (tmp_path / "router.toml").write_text(HTTP + ROUTER.replace('file = "all.jsonl"', command))
    running = start()
    place = where(running)
    ask(place, (EVENT % 1).encode())
    running.process.send_signal(signal.SIGTERM)

    def refused() -> bool:
        with socket.socket() as door:
            return door.connect_ex(place) != 0

    until(refused, "the end of the endpoint")
    assert running.ends() == -signal.SIGTERM
    running.says("ended at once by a second signal")


def test_once_ends_although_a_schedule_would_go_on(tmp_path: Path) -> None:
    tick = '[[rules]]\nname = "tick"\nschedule = "rate(1 hour)"\ntargets = ["log:"]\n'
    (tmp_path / "router.toml").write_text(ROUTER + tick)
    done = rulebus(tmp_path, "run", "router.toml", "--once", "--events", "-", text=EVENT % 1)
    assert (done.returncode, totals(tmp_path)) == (0, [1])


@pytest.mark.parametrize(
    ("streams", "status", "said"),
    [
        ("--events - <&-", 2, "standard input: it is closed"),
        ("--events events.jsonl --json >&-", 0, ""),
        ("--events events.jsonl --json 2>&-", 0, '"successes": 3'),
        ("--events events.jsonl --json 2>/dev/full", 0, '"successes": 3'),
        ("--events events.jsonl --json >/dev/full", 2, "No space left"),
        ("--events . --json", 2, "cannot read .: Is a directory"),
    ],
)
def test_closed_and_full_streams(tmp_path: Path, streams: str, status: int, said: str) -> None:
    (tmp_path / "router.toml").write_text(ROUTER)
    (tmp_path / "events.jsonl").write_text("".join(EVENT % n for n in range(3)))
    command = " ".join([*COMMAND, "run", "router.toml", streams])
    done = subprocess.run(
        ["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == status, done.stderr
    assert said in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert len(totals(tmp_path)) == (0 if status == 2 and "full" not in streams else 3)


def test_standard_output_holds_the_figures_alone(tmp_path: Path) -> None:
    (tmp_path / "router.toml").write_text(ROUTER.replace('["all"]', '["all", "log:shop"]'))
    done = rulebus(tmp_path, "run", "router.toml", "--events", "-", "--json", text=EVENT % 1 + "bad\n")
    assert json.loads(done.stdout)["successes"] == 2
    assert '"total":1' in done.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('http_token = {env = "RULEBUS_NO_SUCH_TOKEN"}', "RULEBUS_NO_SUCH_TOKEN is not set"),
        ('http_token = {file = "empty"}', "empty is empty"),
    ],
)
def test_an_endpoint_without_its_token_does_not_start(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "router.toml").write_text(HTTP + text + "\n" + ROUTER)
    done = rulebus(tmp_path, "run", "router.toml")
    assert (done.returncode, said in done.stderr, "Traceback" in done.stderr) == (2, True, False)


def test_a_token_is_asked_for(tmp_path: Path, start: Callable[..., Running]) -> None:
    (tmp_path / "token").write_text("s3cret\n")
    (tmp_path / "router.toml").write_text(HTTP + 'http_token = {file = "token"}\n' + ROUTER)
    place = where(start())
    event = (EVENT % 1).encode()
    for wrong in (
        "",
        "Bearer",
        "Bearer s3cre",
        "Bearer s3cret2",
        "s3cret",
        "Basic s3cret",
        "Bearer \xff\xfe",
    ):
        assert ask(place, event, **({"Authorization": wrong} if wrong else {}))[0] == 401, wrong
    assert ask(place, event, Authorization="Bearer s3cret")[0] == 200
    assert ask(place, event, Authorization="bearer s3cret", Origin="https://page.example")[0] == 200


def test_bad_requests_are_answered_in_json(tmp_path: Path, start: Callable[..., Running]) -> None:
    (tmp_path / "router.toml").write_text(HTTP.replace("127.0.0.1", "[::1]") + ROUTER)
    running = start()
    place = where(running)
    event = (EVENT % 1).encode()
    for body, headers, status, said in (
        (event, {"Origin": "https://page.example"}, 403, "web pages"),
        (event, {"Content_Encoding": "gzip"}, 400, "gzip"),
        (b'{"Entries": "x"}', {}, 400, "Entries is no list"),
        (b"[" * 100_000, {}, 400, "not JSON"),
        (b"[1]", {}, 400, "expected an object"),
        (b"x" * (17 << 20), {}, 413, "Too Large"),
    ):
        answer = ask(place, body, **headers)
        assert (answer[0], said in str(answer[1]["message"])) == (status, True), answer
    assert ask(place, gzip.compress(event), Content_Encoding="gzip")[0] == 200
    many = b"[" + b",".join([event] * 2_500) + b"]"
    status, answer = ask(place, many)
    assert (status, answer["FailedEntryCount"], len(list(answer["Entries"]))) == (200, 0, 2_500)  # type: ignore[call-overload]
    assert running.ends() == 0
    assert len(totals(tmp_path)) == 2_501


@pytest.mark.parametrize("columns", [40, 80, 160])
def test_the_screen_fits_its_terminal(tmp_path: Path, columns: int) -> None:
    name = "everything-that-comes-from-the-shop"
    (tmp_path / "router.toml").write_text(ROUTER.replace('"all"\npattern', f'"{name}"\npattern'))
    (tmp_path / "events.jsonl").write_text(EVENT % 1 + "bad\n")
    pid, terminal = pty.fork()
    if pid == 0:  # pragma: no cover - the child
        os.chdir(tmp_path)
        # readline, where a test imported it, sets COLUMNS behind Python's back.
        environment = {
            **{name: os.environ[name] for name in os.environ if name not in ("COLUMNS", "LINES")},
            "TERM": "xterm",
        }
        fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        os.execve(sys.executable, [*COMMAND, "run", "router.toml", "--events", "events.jsonl"], environment)
    shown = b""
    try:
        while block := os.read(terminal, 65536):
            shown += block
    except OSError:  # the child's end of the terminal is closed
        pass
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 1
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode())
    assert "events.jsonl:2: the line is not JSON" in text, "what was said stays above the numbers"
    heads = [line.rstrip() for line in re.split(r"[\r\n]+", text) if "done" in line and "queue" in line]
    assert heads
    assert all(len(line) <= columns and line.endswith(("dead", "p99")) for line in heads), heads
