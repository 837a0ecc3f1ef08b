"""The step of a history of delivery in which dead letters are sent again, with what must be true of each.

Relies on `delivery_history`, which calls it."""

from __future__ import annotations

from concurrent.futures import Future
from typing import TYPE_CHECKING

from rulebus.dead_letter import DeadLetter
from rulebus.errors import StoreError
from rulebus.stores.protocol import Changes

if TYPE_CHECKING:
    from delivery_history import History


def redrive(history: History) -> None:
    """Some of the dead letters are sent again, unless their own target has them in hand. (Where a write is durable at
    once: else the step would not come back.)"""
    if history.durable and not history.prompt:
        return
    known = {letter.id: letter for letter in history.store.dead_letters(limit=10**6)}
    theirs = {
        d.letter.id
        for _, job in history.letter_jobs
        if not job.over
        for d in job.deliveries
        if d.letter is not None
    }
    write, written = history.store.write, list[Changes]()

    def noted(changes: Changes) -> Future[None] | None:
        future = write(changes)
        written.append(changes)
        return future

    chosen: set[int] = set()

    def where(letter: DeadLetter) -> bool:
        if history.choose(3) == 0:
            chosen.add(letter.id)
        return letter.id in chosen

    setattr(history.store, "write", noted)  # noqa: B010 - a method is replaced
    try:
        result = history.dispatcher.redrive(where)
    except StoreError:
        assert history.durable, "a memory fails"
        result = None
    finally:
        setattr(history.store, "write", write)  # noqa: B010
    sent: set[int] = set()
    for changes in (one for one in written if one.appended):
        assert len(changes.appended) == len(changes.buried)
        for (event, _), id in zip(changes.appended, changes.buried, strict=True):
            assert id not in sent | history.redriven, "a letter was sent twice"
            assert id in chosen - theirs - history.taken_here, "a letter was sent that is not to be"
            sent.add(id)
            letter = known[id]
            assert (event.id, event.body) == (letter.event.id, letter.event.body)
            side = next(side for side in history.sides if side.name == letter.rule)
            side.begin(event, history.clock.monotonic())
    history.redriven |= sent
    if result is not None:
        assert result.sent == len(sent)
        assert result.matched == len(chosen)
        assert len(chosen) == result.sent + result.taken + result.without_target + result.without_room
        assert result.taken == len(chosen & (theirs | history.taken_here))
