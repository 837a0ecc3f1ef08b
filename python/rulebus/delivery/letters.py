"""Dead letters on their way to their own target, and those that are sent again.

A letter is stored first; then it is read from the store and offered to the subscription's dead-letter target, once a
process. Taken: deleted. Not taken: it stays, and is counted. Relies on `state`, `stores`, `_json`. Must never hold more
letters in memory than `_MOST`, however many the store has.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import Any

from rulebus.clock import Clock
from rulebus.dead_letter import DeadLetter
from rulebus.delivery.claims import Claims
from rulebus.delivery.settling import Settler
from rulebus.delivery.state import SubscriptionState
from rulebus.event import AcceptedEvent
from rulebus.rule import Subscription
from rulebus.stores.protocol import Store, SubscriptionKey
from rulebus.targets.protocol import Delivery

__all__ = ["Letters", "letter_json"]

_MOST = 2000
_PAGE = 500
_BATCH = 10


class _Carrier(AcceptedEvent):
    """A dead letter in a queue of events."""

    __slots__ = ("letter",)

    def __init__(self, letter: DeadLetter) -> None:
        event = letter.event
        super().__init__(event.bus, event.id, event.body, letter.dead_at, event.hops, event.replay, event.seq)
        self.letter = letter


def letter_json(letter: DeadLetter, rule_arn: str, target: str) -> bytes:
    """A dead letter as its target gets it: its record, and AWS's attribute names beside."""
    from rulebus import _json

    record: dict[str, Any] = letter.to_dict()
    record["RULE_ARN"] = rule_arn
    record["TARGET_ARN"] = target
    record["ERROR_CODE"] = letter.reason
    record["ERROR_MESSAGE"] = letter.message
    if letter.exhausted is not None:
        record["EXHAUSTED_RETRY_CONDITION"] = letter.exhausted
    record["RETRY_ATTEMPTS"] = max(0, len(letter.attempts) - 1)
    try:
        return _json.dumps(record)
    except (TypeError, ValueError):
        import json

        return json.dumps(record, default=str).encode()  # Halves of characters, which strict writers refuse.


class Letters:
    """Reads stored letters, and queues them for the dead-letter targets of their subscriptions."""

    __slots__ = (
        "_claims",
        "_cursor",
        "_lock",
        "_pumping",
        "_sent",
        "_settler",
        "_states",
        "_store",
        "full",
        "wanted",
    )

    def __init__(
        self,
        store: Store,
        lock: threading.Lock,
        states: dict[SubscriptionKey, SubscriptionState],
        settler: Settler,
        claims: Claims,
    ) -> None:
        self._claims = claims
        self._store = store
        self._settler = settler
        self._lock = lock
        self._states = states
        self._cursor = 0
        self._sent: dict[
            SubscriptionKey, int
        ] = {}  # Up to which letter; those of this process are not sent twice.
        self._pumping = False
        self.wanted = False
        """Whether the store may have letters that were not looked at."""
        self.full = False
        """Whether some were left in the store, because enough are queued."""

    @property
    def busy(self) -> bool:
        """Whether letters are, or should be, read from the store."""
        return self._pumping or self.wanted

    def attach(self, state: SubscriptionState, clock: Clock) -> None:
        """Gives a subscription the carrier of its dead letters, if it names a target for them. Under the lock."""
        target = state.subscription.dead_letter
        if target is None:
            return
        options = Subscription(target=target, id=state.subscription.id, batch_size=_BATCH)
        if state.letters is not None:
            state.letters.configure(options, None, state.origin, _MOST, clock)
        else:
            state.letters = SubscriptionState(
                state.key, state.number, options, None, state.origin, _MOST, clock
            )
            state.letters.letter_of = state
            state.letters.simple = False
            self._sent.setdefault(state.key, 0)
        self._cursor = min(self._cursor, self._sent[state.key])
        self.wanted = True

    def stored(self) -> None:
        """A write brought dead letters."""
        if self._sent:
            self.wanted = True

    def pump(self) -> list[SubscriptionState]:
        """Reads letters and queues them; the carriers that got any. Reads the store: not under the lock."""
        got: dict[SubscriptionState, None] = {}
        with self._lock:
            if self._pumping:
                return []  # Whoever does it sees that more is wanted.
            self._pumping = True
            self._claims.begin()
        try:
            cursor = self._begin()
            while cursor is not None:
                page = self._store.dead_letters(cursor, _PAGE)
                with self._lock:
                    if self._cursor == cursor:  # Else a subscription came that wants to see earlier ones.
                        self._queue(page, got)
                    behind = len(page) == _PAGE or self._cursor < cursor
                    if not behind and not self.wanted:
                        self._pumping = False
                        break
                cursor = self._begin()
        except BaseException:
            with self._lock:
                self.wanted = True
                self._pumping = False
            raise
        finally:
            with self._lock:
                self._claims.end()
        return list(got)

    def _begin(self) -> int | None:
        """From where to read on; None: enough are queued."""
        with self._lock:
            self.wanted = False
            queued = sum(s.letters.pending for s in self._states.values() if s.letters is not None)
            self.full = queued >= _MOST
            if self.full:
                self._pumping = False
                return None
            return self._cursor

    def _queue(self, page: list[DeadLetter], got: dict[SubscriptionState, None]) -> None:
        for letter in page:
            self._cursor = letter.id
            carrier = self._carrier(letter)
            if carrier is not None:
                carrier.append(_Carrier(letter))
                self._claims.queue(letter.id)
                carrier.pending += 1
                self._settler.pending += 1
                got[carrier] = None

    def _carrier(self, letter: DeadLetter) -> SubscriptionState | None:
        key = (letter.event.bus, letter.rule, letter.target)
        state = self._states.get(key)
        if state is None or state.letters is None or letter.id <= self._sent[key]:
            return None
        self._sent[key] = letter.id
        return state.letters

    def begins(self, carrier: AcceptedEvent) -> bool:
        """Claims a letter for a call of its target; False: a redrive has it, so nothing is to be called. Under the lock."""
        assert isinstance(carrier, _Carrier)
        return self._claims.carry(carrier.letter.id)

    @staticmethod
    def delivery(state: SubscriptionState, carrier: AcceptedEvent, deadline: float | None) -> Delivery:
        """One letter as a delivery."""
        assert isinstance(carrier, _Carrier)
        letter = carrier.letter
        owner = state.letter_of
        target = ""
        if owner is not None:
            with suppress(Exception):
                target = str(owner.target.describe())
        input = letter_json(letter, state.origin.rule_arn, target)
        return Delivery(letter.event, input, state.origin, 1, deadline, letter)
