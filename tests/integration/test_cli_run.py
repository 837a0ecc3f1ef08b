"""`rulebus run` as a process: events in, targets called, signals, reload, store and exit status.

Relies on the installed command and on POSIX signals. Waits on what the process says and writes, never on time alone.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

COMMAND = [sys.executable, "-P", "-m", "rulebus.cli"]
EVENT = '{"source":"shop","detail-type":"OrderPlaced","detail":{"total":%d}}\n'


def rulebus(folder: Path, *arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments],
        check=False,
        cwd=folder,
        input=text,
        capture_output=True,
        text=True,
        timeout=60,
    )


def until(condition: Callable[[], Any], what: str) -> Any:
    """Waits for another process, up to half a minute."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.02)
    raise AssertionError(f"did not come about: {what}")


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


class Running:
    """A router that runs."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.log = folder / "run.log"
        self._file = self.log.open("wb")
        self.process = subprocess.Popen(
            [*COMMAND, "run", "router.toml", "--no-status", *arguments],
            cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._file,
        )  # fmt: skip

    def says(self, text: str, times: int = 1) -> str:
        def said() -> str:
            found = self.log.read_text()
            return found if found.count(text) >= times else ""

        return str(until(said, f"{text!r} in {self.log.read_text()!r}"))

    def ends(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(30)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()
        self._file.close()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    running: list[Running] = []

    def begin(*arguments: str) -> Running:
        running.append(Running(tmp_path, *arguments))
        return running[-1]

    yield begin
    for one in running:
        one.close()


ROUTER = """
[targets.all]
file = "all.jsonl"
[[rules]]
name = "all"
pattern = {source = ["shop"]}
targets = ["all"]
"""


def test_events_of_a_file_are_delivered_and_bad_lines_reported(tmp_path: Path) -> None:
    (tmp_path / "router.toml").write_text(ROUTER)
    (tmp_path / "events.jsonl").write_text(EVENT % 1 + "\n" + "nonsense\n" + EVENT % 2 + '{"source":"x"}\n')
    done = rulebus(tmp_path, "run", "router.toml", "--events", "events.jsonl", "--json")
    assert done.returncode == 1
    assert [event["detail"]["total"] for event in lines(tmp_path / "all.jsonl")] == [1, 2]
    shown = json.loads(done.stdout)
    assert (shown["accepted"], shown["bad_lines"], shown["successes"], shown["pending"]) == (2, 2, 2, 0)
    assert "events.jsonl:3: the line is not JSON" in done.stderr
    assert "events.jsonl:5: the line has no detail-type, detail" in done.stderr


def test_standard_input_is_read_to_its_end(tmp_path: Path) -> None:
    (tmp_path / "router.toml").write_text(ROUTER)
    done = rulebus(
        tmp_path, "run", "router.toml", "--events", "-", text="".join(EVENT % n for n in range(2_000))
    )
    assert done.returncode == 0, done.stderr
    assert sorted(event["detail"]["total"] for event in lines(tmp_path / "all.jsonl")) == list(range(2_000))


def test_a_bad_file_starts_nothing(tmp_path: Path) -> None:
    (tmp_path / "router.toml").write_text(ROUTER.replace('"all"]', '"nowhere"]'))
    for arguments in (["--check"], ["--events", "-"]):
        done = rulebus(tmp_path, "run", "router.toml", *arguments)
        assert done.returncode == 2
        assert "router.toml:7:12: there is no target of the name 'nowhere'" in done.stderr
    assert not (tmp_path / "all.jsonl").exists()
    assert rulebus(tmp_path, "run", "missing.toml").returncode == 2


def test_a_retry_is_waited_for_when_the_events_end(tmp_path: Path) -> None:
    script = "import pathlib, sys; p = pathlib.Path('tries'); n = len(p.read_text()) if p.exists() else 0; "
    script += "p.write_text('x' * (n + 1)); sys.exit(0 if n else 75)"
    (tmp_path / "router.toml").write_text(
        f'[targets.twice]\ncommand = [{json.dumps(sys.executable)}, "-c", {json.dumps(script)}]\n'
        '[[rules]]\nname = "r"\npattern = {source = ["shop"]}\n'
        '[[rules.targets]]\ntarget = "twice"\nretry = {base_s = 0.05}\n'
    )
    done = rulebus(tmp_path, "run", "router.toml", "--events", "-", "--json", text=EVENT % 1)
    assert done.returncode == 0, done.stderr
    shown = json.loads(done.stdout)
    assert (shown["successes"], shown["retries"]) == (1, 1)


def test_a_growing_file_is_followed_and_sigterm_drains(tmp_path: Path, start: Callable[..., Running]) -> None:
    (tmp_path / "router.toml").write_text(
        '[store]\npath = "store.db"\n[input]\nfiles = ["in.jsonl"]\n' + ROUTER
    )
    source, all_of_them = tmp_path / "in.jsonl", tmp_path / "all.jsonl"
    source.write_text(EVENT % 1)
    running = start()
    until(lambda: len(lines(all_of_them)) == 1, "the first event")
    with source.open("a") as file:
        file.write(EVENT % 2 + '{"half":')
        file.flush()
        until(lambda: len(lines(all_of_them)) == 2, "the second event")
        file.write(" a line}\n" + EVENT % 3)
    until(lambda: len(lines(all_of_them)) == 3, "the third event")
    assert running.ends() == 1  # one line was bad
    assert "in.jsonl:3: the line" in running.says("bad lines")
    with source.open("a") as file:
        file.write(EVENT % 4)
    again = start()
    until(lambda: len(lines(all_of_them)) == 4, "the event that came meanwhile")
    assert again.ends() == 0
    assert [event["detail"]["total"] for event in lines(all_of_them)] == [1, 2, 3, 4]


def test_sighup_reads_the_rules_again(tmp_path: Path, start: Callable[..., Running]) -> None:
    (tmp_path / "router.toml").write_text('[input]\nhttp = "127.0.0.1:0"\n' + ROUTER)
    running = start()
    address = running.says("listening on ").split("listening on ")[1].split()[0]

    def put(total: int) -> dict[str, Any]:
        request = urllib.request.Request(
            address, (EVENT % total).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return dict(json.load(answer))

    assert put(1)["FailedEntryCount"] == 0
    changed = '[targets.big]\nfile = "big.jsonl"\n[[rules]]\nname = "big"\ntargets = ["big"]\n'
    changed += 'pattern = {detail = {total = [{numeric = [">", 5]}]}}\n'
    (tmp_path / "router.toml").write_text('[input]\nhttp = "127.0.0.1:0"\n' + changed)
    running.process.send_signal(signal.SIGHUP)
    running.says("1 put, 1 removed")
    assert put(10)["FailedEntryCount"] == 0
    (tmp_path / "router.toml").write_text("not toml")
    running.process.send_signal(signal.SIGHUP)
    running.says("reload refused")
    assert put(11)["FailedEntryCount"] == 0
    until(lambda: len(lines(tmp_path / "big.jsonl")) == 2, "the events of the new rule")
    with urllib.request.urlopen(address.replace("/events", "/statistics"), timeout=10) as answer:
        statistics = json.load(answer)
    assert sum(bus["events"] for bus in statistics["buses"]) == 3
    assert running.ends() == 0
    assert [event["detail"]["total"] for event in lines(tmp_path / "all.jsonl")] == [1]


def test_the_endpoint_refuses_with_a_sentence(tmp_path: Path, start: Callable[..., Running]) -> None:
    (tmp_path / "router.toml").write_text('[input]\nhttp = "127.0.0.1:0"\n' + ROUTER)
    running = start()
    address = running.says("listening on ").split("listening on ")[1].split()[0]

    def post(body: bytes, kind: str = "application/json") -> tuple[int, dict[str, Any]]:
        request = urllib.request.Request(address, body, {"Content-Type": kind})
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    status, answer = post(b"{")
    assert (status, "not JSON" in answer["message"]) == (400, True)
    status, answer = post(b"7")
    assert (status, "neither an object nor a list" in answer["message"]) == (400, True)
    status, answer = post(('[%s, {"Source": "s"}]' % (EVENT % 1)).encode())
    assert (status, answer["FailedEntryCount"], answer["Entries"][1]["ErrorCode"]) == (
        200,
        1,
        "InvalidArgument",
    )
    status, answer = post((EVENT % 2 + EVENT % 3).encode(), "application/x-ndjson")
    assert (status, len(answer["Entries"])) == (200, 2)
    with urllib.request.urlopen(address.replace("/events", "/health"), timeout=10) as health:
        assert json.load(health) == {"status": "ok"}
    assert running.ends(signal.SIGINT) == 1


def test_a_second_run_on_the_same_store_is_refused(tmp_path: Path, start: Callable[..., Running]) -> None:
    (tmp_path / "router.toml").write_text(
        '[store]\npath = "store.db"\n[input]\nfiles = ["in.jsonl"]\n' + ROUTER
    )
    running = start()
    running.says("1 put")
    second = rulebus(tmp_path, "run", "router.toml")
    assert second.returncode == 2
    assert "store-in-use" in second.stderr
    assert str(running.process.pid) in second.stderr
    assert running.ends() == 0


def test_killed_in_the_middle_the_next_run_delivers_the_rest(
    tmp_path: Path, start: Callable[..., Running]
) -> None:
    router = '[store]\npath = "store.db"\n[input]\nhttp = "127.0.0.1:0"\n' + ROUTER
    (tmp_path / "router.toml").write_text(router.replace('file = "all.jsonl"', 'command = ["sleep", "60"]'))
    running = start()
    address = running.says("listening on ").split("listening on ")[1].split()[0]
    body = "".join(EVENT % n for n in range(50)).encode()
    request = urllib.request.Request(address, body, {"Content-Type": "application/x-ndjson"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert json.load(answer)["FailedEntryCount"] == 0
    running.process.kill()
    running.process.wait(30)
    (tmp_path / "router.toml").write_text(router.replace('name = "all"', 'name = "renamed"'))
    renamed = rulebus(tmp_path, "run", "router.toml", "--once", "--events", os.devnull)
    assert "50 deliveries wait in the store for default/all/all, which is not in the file" in renamed.stderr
    (tmp_path / "router.toml").write_text(router)
    done = rulebus(tmp_path, "run", "router.toml", "--once", "--events", os.devnull)
    assert done.returncode == 0, done.stderr
    assert sorted(event["detail"]["total"] for event in lines(tmp_path / "all.jsonl")) == list(range(50))
