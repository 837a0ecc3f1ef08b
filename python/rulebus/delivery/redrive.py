"""Dead letters sent again: each becomes a new delivery of the same event to the same subscription.

The new delivery and the end of the letter are one write, so that a crash loses neither and doubles neither. Relies on
`stores`, `clock` and the dispatcher that is passed in. Must never touch a letter that it does not send.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Protocol

from rulebus.clock import Clock
from rulebus.dead_letter import DeadLetter
from rulebus.delivery.state import SubscriptionState
from rulebus.event import AcceptedEvent
from rulebus.stores.protocol import Changes, Store, SubscriptionKey

__all__ = ["RedriveResult", "redrive"]

_PAGE = 500


@dataclass(frozen=True, slots=True)
class RedriveResult:
    """What a redrive did, or in a dry run would do."""

    examined: int
    """Letters looked at."""
    matched: int
    """Those chosen."""
    sent: int
    """Those sent again; in a dry run, those that would be."""
    without_target: int
    """Chosen, but the rule or target is not there: they stay."""
    without_room: int
    """Chosen, but the target's queue was full: they stay."""
    taken: int = 0
    """Chosen, but another redrive has sent them meanwhile, or their dead-letter target is being given them."""


class _Door(Protocol):
    def state(self, key: SubscriptionKey) -> SubscriptionState | None: ...
    def reserve_for(self, keys: Sequence[SubscriptionKey]) -> list[SubscriptionState | bool]: ...
    def release(self, routes: Sequence[Sequence[SubscriptionState]]) -> None: ...
    def accept(self, batch: Sequence[tuple[AcceptedEvent, Sequence[SubscriptionState]]]) -> None: ...
    def redriven(self, state: SubscriptionState) -> None: ...
    def redriving(self, begins: bool) -> None: ...
    def claim(self, ids: Iterable[int]) -> set[int]: ...
    def unclaim(self, ids: Iterable[int]) -> None: ...
    def buried(self, ids: Iterable[int]) -> None: ...


def redrive(
    store: Store,
    clock: Clock,
    door: _Door,
    where: Callable[[DeadLetter], bool] | None,
    rate_per_s: float | None,
    dry_run: bool,
    pause: Callable[[float], None] | None,
) -> RedriveResult:
    """See `Dispatcher.redrive`."""
    if rate_per_s is not None and not rate_per_s > 0:
        raise ValueError(f"rate_per_s is more than 0 letters a second, not {rate_per_s!r}")
    door.redriving(True)
    try:
        return _redrive(store, clock, door, where, rate_per_s, dry_run, pause)
    finally:
        door.redriving(False)


def _redrive(
    store: Store,
    clock: Clock,
    door: _Door,
    where: Callable[[DeadLetter], bool] | None,
    rate_per_s: float | None,
    dry_run: bool,
    pause: Callable[[float], None] | None,
) -> RedriveResult:
    # Letters that come to be meanwhile are not sent: of those there are now, the ids come first.
    left = store.count_dead_letters()
    begun = clock.monotonic()
    wait = pause if pause is not None else threading.Event().wait
    examined = matched = sent = without_target = without_room = taken = 0
    cursor = 0
    while left > 0:
        page = store.dead_letters(cursor, min(_PAGE, left))
        if not page:
            break
        left -= len(page)
        examined += len(page)
        cursor = page[-1].id
        chosen = [letter for letter in page if where is None or where(letter)]
        matched += len(chosen)
        # A page at a time, or with a rate as many as may go in a tenth of a second.
        size = len(chosen) or 1
        if rate_per_s is not None:
            size = max(1, min(size, int(rate_per_s / 10)))
        for start in range(0, len(chosen), size):
            part = chosen[start : start + size]
            if dry_run:
                there = sum(door.state(_key(letter)) is not None for letter in part)
                sent += there
                without_target += len(part) - there
                continue
            if rate_per_s is not None:
                ahead = begun + sent / rate_per_s - clock.monotonic()
                if ahead > 0:
                    wait(ahead)
            claimed = door.claim(letter.id for letter in part)
            taken += len(part) - len(claimed)
            gone, nowhere, full = _send(store, clock, door, [one for one in part if one.id in claimed])
            sent += gone
            without_target += nowhere
            without_room += full
    return RedriveResult(examined, matched, sent, without_target, without_room, taken)


def _key(letter: DeadLetter) -> SubscriptionKey:
    return (letter.event.bus, letter.rule, letter.target)


def _send(store: Store, clock: Clock, door: _Door, letters: list[DeadLetter]) -> tuple[int, int, int]:
    """Sends letters that are claimed; what cannot be sent is given back."""
    found = door.reserve_for([_key(letter) for letter in letters])
    going = [
        (letter, (state,))
        for letter, state in zip(letters, found, strict=True)
        if not isinstance(state, bool)
    ]
    nowhere, full = found.count(False), found.count(True)
    gone = [letter.id for letter, _ in going]
    door.unclaim({letter.id for letter in letters}.difference(gone))
    if not going:
        return 0, nowhere, full
    now = clock.now()
    batch = [
        (
            # Accepted anew: its age, which bounds its retries, begins again.
            AcceptedEvent(old.bus, old.id, old.body, now, old.hops, old.replay),
            states,
        )
        for old, states in ((letter.event, states) for letter, states in going)
    ]

    def settle(stored: bool) -> None:
        if not stored:
            door.release([states for _, states in batch])
            door.unclaim(gone)
            return
        for _, states in batch:
            door.redriven(states[0])
        door.accept(batch)
        door.buried(gone)

    changes = Changes(appended=[(event, (states[0].number,)) for event, states in batch], buried=gone)
    try:
        future = store.write(changes)
    except BaseException:
        settle(False)
        raise
    if future is None:
        settle(True)
    else:
        # Whoever waits here may be interrupted: what becomes of the letters does not hang on it.
        settled = threading.Event()

        def arrived(future: Future[None]) -> None:
            try:
                settle(not future.cancelled() and future.exception() is None)
            finally:
                settled.set()

        future.add_done_callback(arrived)
        settled.wait()
        future.result()
    return len(batch), nowhere, full
