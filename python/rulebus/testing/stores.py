"""What every store must do, as tests: inherit the suite, say how your store is opened, run pytest.

`StoreContract` holds for all stores, `DurableStoreContract` adds what survives. Relies on pytest's `tmp_path` alone and
imports no pytest. Must never know how a store keeps things: only the protocol is asked.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from pathlib import Path

from rulebus.attempt import Attempt, Failure
from rulebus.dead_letter import DeadLetter
from rulebus.errors import StoreError
from rulebus.event import AcceptedEvent
from rulebus.stores.protocol import Changes, Recovered, Retry, Store

__all__ = ["DurableStoreContract", "StoreContract"]

_EVER = (float("-inf"), float("inf"))


def _event(number: int, second: int = 0, *, bus: str = "orders", filler: str = "") -> AcceptedEvent:
    """An event of that second of an hour, with a body that is its own."""
    time = f"2026-11-26T03:{second // 60:02}:{second % 60:02}Z"
    body = (
        f'{{"version":"0","id":"e-{number}","detail-type":"OrderPlaced","source":"shop","account":"123456789012",'
        f'"time":"{time}","region":"eu","resources":[],"detail":{{"number":{number},"filler":"é{filler}"}}}}'
    )
    return AcceptedEvent(bus, f"e-{number}", body.encode(), 1_795_000_000.25 + number, number % 3)


_FIRST_SECOND = 1_795_662_000.0
"""Second 0 of `_event`, in seconds since 1970."""


def _seen(event: AcceptedEvent) -> tuple[object, ...]:
    return (event.bus, event.id, event.body, event.accepted_at, event.hops, event.replay)


def _write(store: Store, changes: Changes) -> None:
    future = store.write(changes)
    if future is not None:
        assert future.result(timeout=60) is None


def _attempt(number: int) -> Attempt:
    failure = Failure("throttled", "HTTP_429", 'too "many"\n', "429", 1.1 * number, b"\xff\x00answer")
    return Attempt(1_795_000_000.123456 + number, 0.1 * number, failure)


def _letter(event: AcceptedEvent, *, input: bytes | None = None, tries: int = 2) -> DeadLetter:
    attempts = tuple(_attempt(number) for number in range(tries))
    return DeadLetter(
        event, "big", "billing", input, "HTTP_429", "gave up", "MaximumRetryAttempts", attempts, 99.5
    )


def _shown(letter: DeadLetter) -> tuple[object, ...]:
    """All of a letter but its id."""
    said = (letter.rule, letter.target, letter.input, letter.reason, letter.message)
    return (_seen(letter.event), *said, letter.exhausted, letter.attempts, letter.dead_at)


def _refused(code: str, call: Callable[[], object]) -> None:
    raised = None
    try:
        call()
    except StoreError as error:
        raised = error
    assert raised is not None, f"expected StoreError[{code}], nothing was raised"
    assert raised.code == code, f"expected {code}, got {raised}"


def _pending(recovered: Recovered) -> dict[int, list[int]]:
    return {number: list(places) for number, places in recovered.pending.items() if list(places)}


class StoreContract:
    """Inherit it in a test module, implement `open`:

    >>> class TestMine(StoreContract):
    ...     def open(self, folder):
    ...         from rulebus.stores.memory import MemoryStore
    ...         return MemoryStore()
    """

    def open(self, folder: Path) -> Store:
        """A store that keeps what it keeps in this folder; not yet recovered. Asked again, it opens the same."""
        raise NotImplementedError("say how your store is opened: def open(self, folder) -> Store")

    def opened(self, folder: Path) -> Store:
        """The same, recovered."""
        store = self.open(folder)
        store.recover()
        return store

    # Places and numbers.

    def test_a_new_store_is_empty(self, tmp_path: Path) -> None:
        store = self.open(tmp_path)
        recovered = store.recover()
        assert (recovered.subscriptions, _pending(recovered), list(recovered.retries)) == ({}, {}, [])
        assert store.dead_letters() == []
        assert store.count_dead_letters() == 0
        assert store.documents("archive") == {}
        assert list(store.archived("none", *_EVER)) == []
        assert store.forget("none") == 0
        assert store.fetch([]) == []
        store.close()

    def test_a_subscription_keeps_its_number(self, tmp_path: Path) -> None:
        store = self.opened(tmp_path)
        keys = [("default", "r", "t"), ("orders", "r", "t"), ("default", "r2", "t"), ("default", "r", "t2")]
        numbers = [store.number(key) for key in keys]
        assert len(set(numbers)) == 4
        assert [store.number(key) for key in reversed(keys)] == numbers[::-1]
        store.close()

    def test_places_are_set_before_write_returns_and_rise(self, tmp_path: Path) -> None:
        store = self.opened(tmp_path)
        number = store.number(("orders", "r", "t"))
        places: list[int] = []
        for first in range(0, 30, 10):
            events = [_event(n) for n in range(first, first + 10)]
            future = store.write(
                Changes(appended=[(event, (number,) if event.hops else ()) for event in events])
            )
            places += [event.seq for event in events]
            if future is not None:
                future.result(timeout=60)
        assert places == sorted(set(places))
        assert places[0] > 0
        store.close()

    def test_threads_get_places_of_their_own(self, tmp_path: Path) -> None:
        store = self.opened(tmp_path)
        number = store.number(("orders", "r", "t"))
        places: list[list[int]] = [[] for _ in range(8)]

        def put(mine: list[int]) -> None:
            for n in range(25):
                events = [_event(n), _event(n + 1)]
                _write(store, Changes(appended=[(event, (number,)) for event in events]))
                mine += [event.seq for event in events]

        threads = [threading.Thread(target=put, args=(mine,)) for mine in places]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert all(mine == sorted(mine) for mine in places)
        assert len({place for mine in places for place in mine}) == 8 * 50
        store.close()

    def test_empty_changes_are_fine(self, tmp_path: Path) -> None:
        store = self.opened(tmp_path)
        _write(store, Changes())
        store.close()

    # Dead letters.

    def test_letters_come_back_as_they_were(self, tmp_path: Path) -> None:
        store = self.opened(tmp_path)
        number = store.number(("orders", "r", "t"))
        events = [_event(n) for n in range(3)]
        _write(store, Changes(appended=[(event, (number,)) for event in events]))
        letters = [
            _letter(events[0]),
            _letter(events[1], input=b"", tries=0),
            _letter(events[2], input=b'"\xc3\xa9"'),
        ]
        _write(store, Changes(dead=[(letter.event.seq, number, letter) for letter in letters]))
        kept = store.dead_letters()
        assert [_shown(letter) for letter in kept] == [_shown(letter) for letter in letters]
        assert len(kept) == store.count_dead_letters() == 3
        ids = [letter.id for letter in kept]
        assert ids == sorted(set(ids))
        assert ids[0] > 0
        assert [letter.event.seq for letter in kept] == [event.seq for event in events]
        store.close()

    def test_letters_page(self, tmp_path: Path) -> None:
        store = self.opened(tmp_path)
        _write(store, Changes(dead=[(n, 1, _letter(_event(n), tries=1)) for n in range(300)]))
        pages: list[list[DeadLetter]] = []
        after = 0
        while page := store.dead_letters(after, 70):
            pages.append(page)
            after = page[-1].id
        assert [len(page) for page in pages] == [70, 70, 70, 70, 20]
        assert [letter.event.id for page in pages for letter in page] == [f"e-{n}" for n in range(300)]
        assert len(store.dead_letters()) == 300
        store.close()

    def test_buried_letters_are_gone_and_their_ids_not_given_again(self, tmp_path: Path) -> None:
        store = self.opened(tmp_path)
        _write(store, Changes(dead=[(n, 1, _letter(_event(n))) for n in range(3)]))
        ids = [letter.id for letter in store.dead_letters()]
        _write(store, Changes(buried=[ids[0], ids[2], 10_000]))
        assert [letter.id for letter in store.dead_letters()] == [ids[1]]
        assert store.count_dead_letters() == 1
        _write(store, Changes(buried=[ids[1]], dead=[(9, 1, _letter(_event(9)))]))
        (last,) = store.dead_letters()
        assert last.id > ids[2]
        store.close()

    # Archives.

    def test_an_archive_is_ordered_by_time_then_arrival(self, tmp_path: Path) -> None:
        store = self.opened(tmp_path)
        seconds = [5, 3, 3, 9, 0, 5, 3]
        events = [_event(n, second) for n, second in enumerate(seconds)]
        _write(store, Changes(archived=[("a", event) for event in events[:4]]))
        _write(store, Changes(archived=[("a", event) for event in events[4:]] + [("b", events[0])]))
        kept = list(store.archived("a", *_EVER))
        assert [event.id for _, event in kept] == ["e-4", "e-1", "e-2", "e-6", "e-0", "e-5", "e-3"]
        assert {_seen(event) for _, event in kept} == {_seen(event) for event in events}
        assert len({number for number, _ in kept}) == 7
        assert [event.id for _, event in store.archived("b", *_EVER)] == ["e-0"]
        store.close()

    def test_a_window_has_its_start_and_not_its_end(self, tmp_path: Path) -> None:
        store = self.opened(tmp_path)
        _write(store, Changes(archived=[("a", _event(n, n)) for n in range(10)]))

        def ids(start: float, end: float) -> list[str]:
            return [event.id for _, event in store.archived("a", _FIRST_SECOND + start, _FIRST_SECOND + end)]

        assert ids(3, 6) == ["e-3", "e-4", "e-5"]
        assert ids(3.5, 6.5) == ["e-4", "e-5", "e-6"]
        assert ids(4, 4) == []
        store.close()

    def test_a_scan_goes_on_after_a_place(self, tmp_path: Path) -> None:
        store = self.opened(tmp_path)
        _write(store, Changes(archived=[("a", _event(n, n // 3)) for n in range(12)]))
        kept = list(store.archived("a", *_EVER))
        for place, (number, event) in enumerate(kept):
            second = float(int(event.id[2:]) // 3)
            rest = list(store.archived("a", *_EVER, (_FIRST_SECOND + second, number)))
            assert [event.id for _, event in rest] == [event.id for _, event in kept[place + 1 :]]
        later = store.archived("a", _FIRST_SECOND + 2, _EVER[1], (_FIRST_SECOND, kept[0][0]))
        assert [event.id for _, event in later] == [f"e-{n}" for n in range(6, 12)]
        store.close()

    def test_an_archive_takes_and_gives_while_it_is_read(self, tmp_path: Path) -> None:
        store = self.opened(tmp_path)
        for first in range(0, 5000, 1000):
            _write(store, Changes(archived=[("a", _event(n, n // 10)) for n in range(first, first + 1000)]))
        ids: list[str] = []
        for _, event in store.archived("a", *_EVER):
            if len(ids) == 10:
                _write(store, Changes(archived=[("a", _event(7000, 3000))]))
                assert store.forget("a", _FIRST_SECOND + 1) == 10
            ids.append(event.id)
        assert ids == [f"e-{n}" for n in range(5000)] + ["e-7000"]
        store.close()

    def test_forget_deletes_what_is_older_and_says_how_much(self, tmp_path: Path) -> None:
        store = self.opened(tmp_path)
        _write(store, Changes(archived=[(name, _event(n, n)) for n in range(10) for name in ("a", "b")]))
        assert store.forget("a", _FIRST_SECOND + 4) == 4
        assert store.forget("a", _FIRST_SECOND + 4) == 0
        assert [event.id for _, event in store.archived("a", *_EVER)] == [f"e-{n}" for n in range(4, 10)]
        assert store.forget("a") == 6
        assert list(store.archived("a", *_EVER)) == []
        assert len(list(store.archived("b", *_EVER))) == 10
        _write(store, Changes(archived=[("a", _event(11, 11))]))
        assert len(list(store.archived("a", *_EVER))) == 1
        store.close()

    def test_an_event_is_appended_and_archived_in_one_write(self, tmp_path: Path) -> None:
        store = self.opened(tmp_path)
        event = _event(1)
        changes = Changes(
            appended=[(event, (store.number(("b", "r", "t")),))], archived=[("a", event), ("b", event)]
        )
        _write(store, changes)
        assert event.seq > 0
        for name in ("a", "b"):
            assert [_seen(kept) for _, kept in store.archived(name, *_EVER)] == [_seen(event)]
        store.close()

    # Documents.

    def test_documents_are_kept_by_kind_and_name(self, tmp_path: Path) -> None:
        store = self.opened(tmp_path)
        store.put_document("archive", "a", b'{"n":1.50,"t":"\xc3\xa9"}')
        store.put_document("archive", "b", b"{}")
        store.put_document("replay", "a", b"[]")
        store.put_document("archive", "b", b'{"new":true}')
        assert store.documents("archive") == {"a": b'{"n":1.50,"t":"\xc3\xa9"}', "b": b'{"new":true}'}
        store.put_document("archive", "a", None)
        store.put_document("archive", "nobody", None)
        assert store.documents("archive") == {"b": b'{"new":true}'}
        assert store.documents("replay") == {"a": b"[]"}
        store.close()

    def test_progress_of_a_replay_is_a_document(self, tmp_path: Path) -> None:
        store = self.opened(tmp_path)
        _write(store, Changes(replay=("again", 1_795_662_000.125, 7, 2)))
        _write(store, Changes(replay=("again", 1_795_662_001.0, 9, 4)))
        assert store.documents("replay-progress") == {"again": b"[1795662001.0,9,4]"}
        store.close()

    def test_a_closed_store_says_so(self, tmp_path: Path) -> None:
        store = self.opened(tmp_path)
        store.close()
        store.close()
        for call in (
            lambda: store.write(Changes()),
            lambda: store.number(("b", "r", "t")),
            store.dead_letters,
            store.count_dead_letters,
            lambda: store.documents("archive"),
            lambda: store.put_document("archive", "a", b"{}"),
            lambda: store.forget("a"),
            lambda: list(store.archived("a", *_EVER)),
        ):
            _refused("store-closed", call)


class DurableStoreContract(StoreContract):
    """The suite for stores that outlive the process: what is written is there when the store is opened again."""

    def reopened(self, store: Store, folder: Path) -> tuple[Store, Recovered]:
        """Closes a store and opens its successor."""
        store.close()
        again = self.open(folder)
        return again, again.recover()

    def test_it_says_that_it_is_durable(self, tmp_path: Path) -> None:
        store = self.opened(tmp_path)
        assert store.durable is True
        store.close()

    def test_what_was_not_done_is_pending(self, tmp_path: Path) -> None:
        store = self.opened(tmp_path)
        one, two = store.number(("b", "r", "1")), store.number(("b", "r", "2"))
        events = [_event(n) for n in range(200)]
        subscriptions = [(one, two), (one,), (two,), ()]
        _write(store, Changes(appended=[(event, subscriptions[n % 4]) for n, event in enumerate(events)]))
        _write(store, Changes(done=[(event.seq, one) for event in events[::8]]))
        _write(store, Changes(done=[(event.seq, two) for event in events[2::8]] + [(1 << 40, 9)]))
        _write(store, Changes(done=[(event.seq, one) for event in events[::8]]))
        store, recovered = self.reopened(store, tmp_path)
        expected = {
            one: [e.seq for n, e in enumerate(events) if n % 4 in (0, 1) and n % 8 != 0],
            two: [e.seq for n, e in enumerate(events) if n % 4 in (0, 2) and n % 8 != 2],
        }
        assert _pending(recovered) == expected
        places = sorted({place for some in expected.values() for place in some})
        assert [_seen(event) for event in store.fetch(places)] == [
            _seen(event) for event in events if event.seq in set(places)
        ]
        assert [event.seq for event in store.fetch(places[5:50:3])] == places[5:50:3]
        store.close()

    def test_numbers_and_places_go_on(self, tmp_path: Path) -> None:
        store = self.opened(tmp_path)
        keys = [("b", "r", str(n)) for n in range(5)]
        numbers = [store.number(key) for key in keys]
        event = _event(1)
        _write(store, Changes(appended=[(event, tuple(numbers))]))
        _write(store, Changes(done=[(event.seq, number) for number in numbers]))
        store, recovered = self.reopened(store, tmp_path)
        assert recovered.subscriptions == dict(zip(numbers, keys, strict=True))
        assert _pending(recovered) == {}
        assert store.number(keys[3]) == numbers[3]
        assert store.number(("b", "r", "new")) not in numbers
        after = _event(2)
        _write(store, Changes(appended=[(after, (numbers[0],))]))
        assert after.seq > event.seq
        store.close()

    def test_an_event_stays_while_one_delivery_is_pending(self, tmp_path: Path) -> None:
        store = self.opened(tmp_path)
        one, two = store.number(("b", "r", "1")), store.number(("b", "r", "2"))
        event, other = _event(1), _event(2)
        _write(store, Changes(appended=[(event, (one, two)), (other, (one,))]))
        _write(store, Changes(done=[(event.seq, one), (other.seq, one)]))
        assert [_seen(kept) for kept in store.fetch([event.seq])] == [_seen(event)]
        _refused("store-no-event", lambda: store.fetch([event.seq, other.seq]))
        _write(store, Changes(done=[(event.seq, two)]))
        _refused("store-no-event", lambda: store.fetch([event.seq]))
        store.close()

    def test_retries_come_back_and_are_not_pending_besides(self, tmp_path: Path) -> None:
        store = self.opened(tmp_path)
        one, two = store.number(("b", "r", "1")), store.number(("b", "r", "2"))
        events = [_event(n) for n in range(5)]
        _write(store, Changes(appended=[(event, (one, two)) for event in events]))
        places = [event.seq for event in events]
        first = [Retry(place, one, 1_795_000_000.1 + place, (_attempt(1),)) for place in places]
        _write(store, Changes(retries=first))
        second = Retry(places[0], one, 1_795_000_100.7, (_attempt(1), _attempt(2)))
        _write(store, Changes(retries=[second], done=[(places[1], one)]))
        _write(store, Changes(dead=[(places[2], one, _letter(events[2]))]))
        store, recovered = self.reopened(store, tmp_path)
        assert sorted(recovered.retries, key=lambda retry: retry.seq) == [second, *first[3:]]
        assert _pending(recovered) == {two: places}
        _write(store, Changes(done=[(places[0], one), (places[3], one)] + [(place, two) for place in places]))
        store, recovered = self.reopened(store, tmp_path)
        assert recovered.retries == [first[4]]
        assert _pending(recovered) == {}
        assert [_seen(event) for event in store.fetch([places[4]])] == [_seen(events[4])]
        store.close()

    def test_a_retry_of_something_done_is_forgotten(self, tmp_path: Path) -> None:
        store = self.opened(tmp_path)
        one = store.number(("b", "r", "1"))
        event = _event(1)
        _write(store, Changes(appended=[(event, (one,))]))
        _write(store, Changes(done=[(event.seq, one)]))
        _write(store, Changes(retries=[Retry(event.seq, one, 5.0, ())]))
        store, recovered = self.reopened(store, tmp_path)
        assert (recovered.retries, _pending(recovered)) == ([], {})
        store.close()

    def test_a_dead_letter_is_stored_and_its_delivery_not_pending(self, tmp_path: Path) -> None:
        store = self.opened(tmp_path)
        one, two = store.number(("b", "r", "1")), store.number(("b", "r", "2"))
        event = _event(1)
        _write(store, Changes(appended=[(event, (one, two))]))
        letter = _letter(event, input=b"[1]")
        _write(store, Changes(dead=[(event.seq, one, letter)]))
        store, recovered = self.reopened(store, tmp_path)
        assert _pending(recovered) == {two: [event.seq]}
        (kept,) = store.dead_letters()
        assert _shown(kept) == _shown(letter)
        # Redriven: the same event at a new place, the letter buried, as one.
        again = _event(1)
        _write(store, Changes(appended=[(again, (one,))], buried=[kept.id]))
        store, recovered = self.reopened(store, tmp_path)
        assert _pending(recovered) == {one: [again.seq], two: [event.seq]}
        assert store.dead_letters() == []
        store.close()

    def test_all_in_one_write(self, tmp_path: Path) -> None:
        store = self.opened(tmp_path)
        one = store.number(("b", "r", "1"))
        old = [_event(n) for n in range(3)]
        _write(store, Changes(appended=[(event, (one,)) for event in old]))
        new = _event(9)
        retry = Retry(old[0].seq, one, 12.5, (_attempt(1),))
        changes = Changes(
            appended=[(new, (one,))],
            archived=[("a", new)],
            retries=[retry],
            dead=[(old[1].seq, one, _letter(old[1]))],
            done=[(old[2].seq, one)],
            replay=("again", 1.5, 2, 3),
        )
        _write(store, changes)
        store, recovered = self.reopened(store, tmp_path)
        assert _pending(recovered) == {one: [new.seq]}
        assert recovered.retries == [retry]
        assert store.count_dead_letters() == 1
        assert len(list(store.archived("a", *_EVER))) == 1
        assert store.documents("replay-progress") == {"again": b"[1.5,2,3]"}
        store.close()

    def test_archives_letters_and_documents_survive(self, tmp_path: Path) -> None:
        store = self.opened(tmp_path)
        _write(store, Changes(archived=[("a", _event(n, 9 - n)) for n in range(10)]))
        _write(store, Changes(dead=[(1, 1, _letter(_event(1)))]))
        store.put_document("archive", "a", b"{}")
        numbers = [number for number, _ in store.archived("a", *_EVER)]
        (letter,) = store.dead_letters()
        _write(store, Changes(buried=[letter.id]))
        store.forget("a", _FIRST_SECOND + 5)
        store, _ = self.reopened(store, tmp_path)
        assert [number for number, _ in store.archived("a", *_EVER)] == numbers[5:]
        assert store.documents("archive") == {"a": b"{}"}
        _write(store, Changes(archived=[("a", _event(10, 50))], dead=[(2, 1, _letter(_event(2)))]))
        assert max(number for number, _ in store.archived("a", *_EVER)) > max(numbers)
        assert store.dead_letters()[0].id > letter.id
        store.close()

    def test_large_events_and_large_writes(self, tmp_path: Path) -> None:
        store = self.opened(tmp_path)
        one = store.number(("b", "r", "1"))
        large = [_event(n, filler="x" * 1_000_000) for n in range(3)]
        many = [_event(n, filler="y" * 100) for n in range(20_000)]
        _write(store, Changes(appended=[(event, (one,)) for event in (*large, *many)]))
        _write(store, Changes(archived=[("a", event) for event in large]))
        store, recovered = self.reopened(store, tmp_path)
        assert _pending(recovered) == {one: [event.seq for event in (*large, *many)]}
        assert [_seen(event) for event in store.fetch([event.seq for event in large])] == list(
            map(_seen, large)
        )
        assert [_seen(event) for _, event in store.archived("a", *_EVER)] == list(map(_seen, large))
        _write(store, Changes(done=[(event.seq, one) for event in (*large, *many)]))
        store, recovered = self.reopened(store, tmp_path)
        assert _pending(recovered) == {}
        store.close()

    def test_what_is_done_without_waiting_is_kept_by_close(self, tmp_path: Path) -> None:
        store = self.opened(tmp_path)
        one = store.number(("b", "r", "1"))
        events = [_event(n) for n in range(100)]
        store.write(Changes(appended=[(event, (one,)) for event in events]))
        for event in events[:99]:
            store.write(Changes(done=[(event.seq, one)]))
        store, recovered = self.reopened(store, tmp_path)
        assert _pending(recovered) == {one: [events[99].seq]}
        store.close()

    def test_threads_that_write_at_once_lose_nothing(self, tmp_path: Path) -> None:
        store = self.opened(tmp_path)
        numbers = [store.number(("b", "r", str(n))) for n in range(4)]
        left: list[list[tuple[int, int]]] = [[] for _ in numbers]

        def put(number: int, mine: list[tuple[int, int]]) -> None:
            for n in range(40):
                event = _event(n)
                _write(store, Changes(appended=[(event, tuple(numbers))]))
                done: Iterable[int] = (other for other in numbers if other != number or n % 2)
                store.write(Changes(done=[(event.seq, other) for other in done]))
                if not n % 2:
                    mine.append((number, event.seq))

        threads = [
            threading.Thread(target=put, args=(number, mine))
            for number, mine in zip(numbers, left, strict=True)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        store, recovered = self.reopened(store, tmp_path)
        expected = {number: [place for _, place in mine] for number, mine in zip(numbers, left, strict=True)}
        assert _pending(recovered) == expected
        store.close()
