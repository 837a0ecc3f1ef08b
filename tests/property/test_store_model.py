"""The SQLite store against a model of dicts: random histories with closing, crashing (the files copied as they stand)
and opening again.

Relies on the protocol alone. Writes that nobody waited for may be there after a crash or not; everything else must be.
"""

from __future__ import annotations

import shutil
import tempfile
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from rulebus.attempt import Attempt, Failure
from rulebus.dead_letter import DeadLetter
from rulebus.event import AcceptedEvent
from rulebus.stores.event_time import event_time
from rulebus.stores.protocol import Changes, Retry, SubscriptionKey
from rulebus.stores.sqlite import SqliteStore

FAST = Path("/dev/shm")
texts = st.text(st.characters(codec="utf-8"), max_size=8)
seconds = st.integers(0, 59)
sizes = st.sampled_from([0, 10, 300, 9_000])
Pair = tuple[int, int]


class StoreModel(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="rulebus", dir=FAST if FAST.is_dir() else None))
        self.turn = 0
        self.path = self.root / "0.db"
        self.store = SqliteStore(self.path)
        self.store.recover()
        self.keys: dict[SubscriptionKey, int] = {}
        self.named: set[SubscriptionKey] = set()
        self.events: dict[int, AcceptedEvent] = {}
        self.pending: set[Pair] = set()
        self.maybe: set[Pair] = set()
        self.retries: dict[Pair, Retry] = {}
        self.letters: dict[int, DeadLetter] = {}
        self.archives: dict[str, list[AcceptedEvent]] = {}
        self.documents: dict[str, bytes] = {}
        self.last_place = self.last_letter = 0
        self.unawaited: list[Future[None]] = []

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.store.close()
            shutil.rmtree(self.root)

    def number(self, index: int) -> int:
        key = ("bus", f"rule-{index}", "é")
        number = self.store.number(key)
        assert self.keys.setdefault(key, number) == number
        return number

    def write(self, changes: Changes) -> None:
        self.store.write(changes).result(60)
        # Whatever was queued before it is durable, too.
        for future in self.unawaited:
            assert future.done()
        self.unawaited.clear()
        self.pending -= self.maybe
        for pair in self.maybe:
            self.retries.pop(pair, None)
        self.maybe.clear()

    @rule(
        drawn=st.lists(
            st.tuples(st.sets(st.integers(0, 4)), texts, sizes, st.none() | texts, st.booleans(), seconds),
            max_size=12,
        ),
        times=st.sampled_from([1, 1, 3]),  # Large calls are kept in another way.
    )
    def append(self, drawn: list[tuple[set[int], str, int, str | None, bool, int]], times: int) -> None:
        changes = Changes()
        for indices, text, size, replay, kept, second in drawn * times:
            time = f'"account":"1","time":"2026-11-26T03:00:{second:02}Z"'
            body = f'{{{time},"t":"{"x" * size}"}}'.encode()
            event = AcceptedEvent(text, f"id {text}", body, 0.1 + second, second, replay)
            numbers = tuple(self.number(index) for index in sorted(indices))
            changes.appended.append((event, numbers))
            if kept:
                changes.archived.append(("all", event))
        self.write(changes)
        for event, numbers in changes.appended:
            assert event.seq > self.last_place
            self.last_place = event.seq
            self.named |= {key for key, number in self.keys.items() if number in numbers}
            if numbers:
                self.events[event.seq] = event
                self.pending |= {(event.seq, number) for number in numbers}
        for name, event in changes.archived:
            self.archives.setdefault(name, []).append(event)

    def some(self, data: st.DataObject) -> list[Pair]:
        if not self.pending:
            return []
        ordered = sorted(self.pending)
        if data.draw(st.booleans()):
            return ordered[: data.draw(st.integers(1, len(ordered)))]
        return data.draw(st.lists(st.sampled_from(ordered), unique=True, max_size=10))

    @rule(data=st.data(), awaited=st.booleans())
    def settle(self, data: st.DataObject, awaited: bool) -> None:
        done = self.some(data)
        if awaited:
            self.write(Changes(done=done))
            self.pending -= set(done)
            for pair in done:
                self.retries.pop(pair, None)
        else:
            self.unawaited.append(self.store.write(Changes(done=done)))
            self.maybe |= set(done)

    @rule(data=st.data(), due=st.floats(0, 2e9), tries=st.integers(0, 3), text=texts)
    def fail(self, data: st.DataObject, due: float, tries: int, text: str) -> None:
        failure = Failure("retryable", "CODE", text, text, due / 3, text.encode()[:512])
        attempts = tuple(Attempt(due / 7 + n, n / 10, failure) for n in range(tries))
        failed = [Retry(*pair, due, attempts) for pair in self.some(data)]
        self.write(Changes(retries=failed))
        for retry in failed:
            if (retry.seq, retry.subscription) in self.pending:
                self.retries[retry.seq, retry.subscription] = retry

    @rule(data=st.data(), text=texts, input=st.none() | st.binary(max_size=20))
    def give_up(self, data: st.DataObject, text: str, input: bytes | None) -> None:
        pairs = self.some(data)[:5]
        dead = [
            (*pair, DeadLetter(self.events[pair[0]], text, "t", input, "R", text, None, (), 1.5))
            for pair in pairs
        ]
        self.write(Changes(dead=dead))
        self.pending -= set(pairs)
        for pair in pairs:
            self.retries.pop(pair, None)
        stored = self.store.dead_letters(self.last_letter)
        assert len(stored) == len(dead)
        for kept, (_, _, letter) in zip(stored, dead, strict=True):
            assert kept.id > self.last_letter
            self.last_letter = kept.id
            self.letters[kept.id] = letter

    @rule(data=st.data())
    def bury(self, data: st.DataObject) -> None:
        if self.letters:
            ids = data.draw(st.lists(st.sampled_from(sorted(self.letters)), unique=True, max_size=4))
            self.write(Changes(buried=ids))
            for id in ids:
                del self.letters[id]

    @rule(second=seconds)
    def forget(self, second: int) -> None:
        before = (
            event_time(AcceptedEvent("", "", b'{"account":"1","time":"2026-11-26T03:00:00Z"}', 0)) + second
        )
        kept = self.archives.get("all", [])
        gone = [event for event in kept if event_time(event) < before]
        assert self.store.forget("all", before) == len(gone)
        self.archives["all"] = [event for event in kept if event_time(event) >= before]

    @rule(name=st.sampled_from("abc"), document=st.none() | st.binary(max_size=30))
    def keep(self, name: str, document: bytes | None) -> None:
        self.store.put_document("kind", name, document)
        if document is None:
            self.documents.pop(name, None)
        else:
            self.documents[name] = document

    @rule()
    def reopen(self) -> None:
        self.store.close()
        assert all(future.result(0) is None for future in self.unawaited)
        self.unawaited.clear()
        self.open(self.path)

    @rule()
    def crash(self) -> None:
        """The files as they stand, opened by another; the first store never gets to close them."""
        self.turn += 1
        path = self.root / f"{self.turn}.db"
        # The log last: what is committed between the two copies is in it.
        shutil.copy(self.path, path)
        shutil.copy(f"{self.path}-wal", f"{path}-wal")
        self.store.close()
        self.unawaited.clear()
        self.path = path
        self.open(path)

    def open(self, path: Path) -> None:
        self.store = SqliteStore(path)
        recovered = self.store.recover()
        found = {(seq, number) for number, places in recovered.pending.items() for seq in places}
        for places in recovered.pending.values():
            assert list(places) == sorted(set(places))
        retries = {(retry.seq, retry.subscription): retry for retry in recovered.retries}
        assert not found & set(retries)
        # Of what nobody waited for, either.
        assert self.pending - self.maybe <= found | set(retries) <= self.pending
        certain = self.pending - self.maybe
        assert retries.keys() & certain == self.retries.keys() & certain
        assert all(self.retries[pair] == retry for pair, retry in retries.items())
        # From here on it is certain, or what is drawn next would depend on the moment of the crash.
        self.store.write(Changes(done=sorted(self.maybe))).result(60)
        self.pending = certain
        self.retries = {pair: retry for pair, retry in retries.items() if pair in certain}
        self.maybe.clear()
        for number, key in recovered.subscriptions.items():
            assert self.keys[key] == number
        assert self.named <= set(recovered.subscriptions.values())
        self.keys = {key: number for number, key in recovered.subscriptions.items()}

    @invariant()
    def it_holds_what_the_model_holds(self) -> None:
        if not hasattr(self, "store"):
            return
        certain = sorted({seq for seq, _ in self.pending - self.maybe})
        assert [shown(event) for event in self.store.fetch(certain)] == [
            shown(self.events[seq]) for seq in certain
        ]
        letters = self.store.dead_letters()
        assert [letter.id for letter in letters] == sorted(self.letters)
        for letter in letters:
            expected = self.letters[letter.id]
            assert shown(letter.event) == shown(expected.event)
            assert letter == replace(expected, event=letter.event)
        kept = [shown(event)[1:] for _, event in self.store.archived("all", 0, 1e12)]
        expected_kept = sorted(self.archives.get("all", []), key=event_time)
        assert kept == [shown(event)[1:] for event in expected_kept]
        assert self.store.documents("kind") == self.documents


def shown(event: AcceptedEvent) -> tuple[object, ...]:
    return (event.seq, event.bus, event.id, event.body, event.accepted_at, event.hops, event.replay)


TestStoreModel = StoreModel.TestCase
TestStoreModel.settings = settings(
    settings.default,
    max_examples=max(40, settings.default.max_examples // 10) if settings.default else 40,
    stateful_step_count=25,
)
