"""A bus on a SQLite store is killed at random moments, again and again: nothing acknowledged is lost.

After each kill the store's files are copied and read: what was acknowledged is delivered, pending or a dead letter; the
next process repeats only what was pending there. Relies on crash_child. The rounds are seeded by their number, the
moments are the machine's.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from integration.crash_child import REPLAYED, TARGETS
from integration.tree import ROOT
from rulebus.stores.protocol import Recovered
from rulebus.stores.sqlite import SqliteStore

CHILD = ROOT / "tests" / "integration" / "crash_child.py"
Delivery = tuple[str, str]


def lines(path: Path) -> list[str]:
    return path.read_text().split("\n")[:-1] if path.exists() else []


class Victim:
    """The store's folder over all rounds, and what is known of it."""

    def __init__(self, folder: Path, chance: random.Random) -> None:
        self.folder, self.chance = folder, chance
        self.took: Counter[Delivery] = Counter()
        self.pending: set[Delivery] = set()
        self.dead: set[Delivery] = set()
        self.repeated = 0
        self.most_in_flight = 0

    def start(self, turn: str, mode: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-P", str(CHILD), str(self.folder), turn, mode]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    def kill(self, turn: str) -> None:
        """One round: start, let it work for a moment, kill."""
        with self.start(turn, "put") as process:
            assert process.stdout is not None
            early = self.chance.random() < 0.2  # Now and then while it is still opening the store.
            if not early:
                assert process.stdout.readline() == "ready\n"
            try:
                process.wait(self.chance.uniform(0.0, 0.6))
                raise AssertionError("the process ended by itself")
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)

    def drain(self) -> None:
        """The last round: everything that is pending is delivered."""
        with self.start("last", "drain") as process:
            assert process.wait(180) == 0

    def judge(self, turn: str) -> None:
        """Compares what the store holds with what was written down."""
        took = [tuple(line.split()) for line in lines(self.folder / f"took-{turn}")]
        in_turn: Counter[Delivery] = Counter((target, name) for target, name in took)
        assert max(in_turn.values(), default=1) == 1, "a process delivered something twice"
        again = {one for one in in_turn if one in self.took}
        assert again <= self.pending, "something was repeated that was recorded as delivered"
        self.repeated += len(again)
        before = self.pending
        self.took += in_turn
        self.pending, self.dead = self.read()
        meant, acked = set(lines(self.folder / "meant")), lines(self.folder / "acked")
        assert {name for _, name in {*self.took, *self.pending, *self.dead}} <= meant, "invented"
        for name in acked:
            for target in TARGETS:
                one = (target, name)
                assert one in self.took or one in self.pending or one in self.dead, f"{one} is lost"
        assert not self.pending & self.dead
        in_flight = {one for one in in_turn if one in self.pending}
        self.most_in_flight = max(self.most_in_flight, len(in_flight))
        # One after another: what is not recorded is the end of what was delivered.
        order = [(target, name) for target, name in took if target == "good"]
        unrecorded = [one for one in order if one in in_flight]
        assert order[len(order) - len(unrecorded) :] == unrecorded
        assert {one for one in before if one not in self.pending} <= {*self.took, *self.dead}

    def read(self) -> tuple[set[Delivery], set[Delivery]]:
        """What is pending and what is dead."""
        store, recovered = copied(self.folder, "bus.db")
        pairs = pending(store, recovered)
        assert len(set(pairs)) == len(pairs)
        dead: set[Delivery] = set()
        after = 0
        while page := store.dead_letters(after, 500):
            dead |= {(letter.target, name_of(letter.event.body)) for letter in page}
            after = page[-1].id
        assert len(dead) == store.count_dead_letters()
        store.close()
        return set(pairs), dead


def copied(folder: Path, name: str) -> tuple[SqliteStore, Recovered]:
    """The store in a copy of its files: the next process finds them untouched."""
    copy = folder / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    copy.mkdir()
    for file in (name, f"{name}-wal"):
        if (folder / file).exists():
            shutil.copy(folder / file, copy / file)
    store = SqliteStore(copy / name)
    return store, store.recover()


def pending(store: SqliteStore, recovered: Recovered) -> list[Delivery]:
    """Target and event's name of each pending delivery."""
    targets = {number: key[2] for number, key in recovered.subscriptions.items()}
    pairs = [(seq, number) for number, places in recovered.pending.items() for seq in places]
    pairs += [(retry.seq, retry.subscription) for retry in recovered.retries]
    events = {event.seq: event for event in store.fetch(sorted({seq for seq, _ in pairs}))}
    return [(targets[number], name_of(events[seq].body)) for seq, number in pairs]


def name_of(body: bytes) -> str:
    return str(json.loads(body)["detail"]["n"])


def killed(folder: Path, rounds: int) -> Victim:
    victim = Victim(folder, random.Random(7))
    for turn in range(rounds):
        victim.kill(str(turn))
        victim.judge(str(turn))
    victim.drain()
    victim.judge("last")
    assert victim.pending == set()
    acked = lines(folder / "acked")
    assert len(acked) > 10 * rounds
    for name in acked:
        for target in TARGETS:
            number = int(name.rsplit("-")[-1])
            if target == "flaky" and number % 13 == 0:
                assert victim.took[target, name] == 0
                assert (target, name) in victim.dead
            elif target != "flaky":
                assert victim.took[target, name] >= 1
    print(
        f"\n{rounds} kills, {len(acked)} events acknowledged, {sum(victim.took.values())} deliveries, "
        f"{len(victim.dead)} dead letters, {victim.repeated} repeated, at most {victim.most_in_flight} in flight"
    )
    return victim


@pytest.mark.slow
def test_nothing_is_lost_in_twelve_kills(tmp_path: Path) -> None:
    began = time.monotonic()
    victim = killed(tmp_path, 12)
    assert sum(victim.took.values()) > 100
    assert time.monotonic() - began < 300


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.skipif(os.environ.get("RULEBUS_PROFILE") != "long", reason="a minute; with RULEBUS_PROFILE=long")
def test_nothing_is_lost_in_sixty_kills(tmp_path: Path) -> None:
    victim = killed(tmp_path, 60)
    assert sum(victim.took.values()) > 1000


@pytest.mark.slow
def test_a_killed_replay_goes_on_exactly_where_it_was(tmp_path: Path) -> None:
    """What was put so far is always the beginning of the archive, each event once; only pending deliveries repeat."""
    victim = Victim(tmp_path, random.Random(11))
    names = [str(n) for n in range(REPLAYED)]
    took: set[str] = set()
    waiting: list[str] = []
    kills = repeated = 0
    for turn in range(40):
        with victim.start(str(turn), "replay") as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            try:
                assert process.wait(victim.chance.uniform(0.1, 0.5) if turn < 30 else 120) == 0
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                kills += 1
        in_turn = [line.split()[1] for line in lines(tmp_path / f"replayed-{turn}")]
        assert len(set(in_turn)) == len(in_turn)
        assert took & set(in_turn) <= set(waiting)
        repeated += len(took & set(in_turn))
        took |= set(in_turn)
        store, recovered = copied(tmp_path, "replay.db")
        waiting = [name for _, name in pending(store, recovered)]
        assert len(set(waiting)) == len(waiting)
        progress = store.documents("replay-progress")
        count = json.loads(progress["again"])[2] if progress else 0
        status = store.documents("replay")
        store.close()
        assert took | set(waiting) == set(names[:count])
        if process.returncode == 0:
            break
    assert kills >= 2
    assert (took, waiting) == (set(names), [])
    assert json.loads(status["again"])["state"] == "COMPLETED"
    print(f"\n{kills} kills of a replay, {repeated} deliveries repeated")
