"""Archives: definitions that survive, retention by the clock.

Relies on the harness beside. Must never match: what an archive keeps is the bus's decision."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from rulebus.archive import Archive
from rulebus.errors import BusError, PatternError
from rulebus.stores.protocol import Changes
from rulebus.testing import FakeClock
from unit.archive.harness import START, Bus, event, write


def refused(code: str, call: Callable[[], object]) -> BusError:
    with pytest.raises(BusError) as caught:
        call()
    assert caught.value.code == code
    return caught.value


def test_an_archive_is_made_and_attached(bus: Bus) -> None:
    made = bus.archives.create("big", "orders", {"detail": {"n": [{"numeric": [">", 1]}]}}, retention_days=3)
    assert made == Archive("big", "orders", '{"detail.n":[{"numeric":[">",1]}]}', 3, "", START)
    assert bus.archives.archive("big") == made
    assert bus.attached == {("orders", "big"): made.pattern}
    bus.archives.create("all", "default", description="everything")
    assert [archive.name for archive in bus.archives.archives()] == ["all", "big"]
    assert [archive.name for archive in bus.archives.archives("default")] == ["all"]


def test_what_an_archive_cannot_be(bus: Bus) -> None:
    bus.archives.create("a", "orders")
    error = refused("archive-exists", lambda: bus.archives.create("a", "orders"))
    assert error.aws_message == "Archive a already exists."
    error = refused("unknown-archive", lambda: bus.archives.archive("b"))
    assert error.aws_message == "Archive b does not exist."
    refused("unknown-archive", lambda: bus.archives.update("b"))
    refused("unknown-archive", lambda: bus.archives.delete("b"))
    refused("unknown-archive", lambda: bus.archives.events("b"))
    refused("invalid-name", lambda: bus.archives.create("x" * 49, "orders"))
    refused("invalid-name", lambda: bus.archives.create("a b", "orders"))
    refused("invalid-retention", lambda: bus.archives.create("c", "orders", retention_days=-1))
    with pytest.raises(PatternError):
        bus.archives.create("c", "orders", '{"a": 1}')
    assert [archive.name for archive in bus.archives.archives()] == ["a"]
    assert set(bus.attached) == {("orders", "a")}


def test_an_unknown_bus_leaves_nothing(bus: Bus) -> None:
    def attach(name: str, archive: str, pattern: str | None) -> None:
        raise BusError("unknown-bus", f"there is no bus {name!r}")

    bus.archives._attach = attach
    refused("unknown-bus", lambda: bus.archives.create("a", "nowhere"))
    assert bus.archives.archives() == ()
    assert bus.store.documents("archive") == {}


def test_an_update_resets_what_it_leaves_out(bus: Bus, clock: FakeClock) -> None:
    bus.archives.create("a", "orders", {"source": ["s"]}, retention_days=3, description="d")
    clock.advance(5)
    updated = bus.archives.update("a", retention_days=1)
    assert updated == Archive("a", "orders", None, 1, "", START)
    assert bus.attached == {("orders", "a"): None}


def test_a_deleted_archive_is_gone_with_its_events(bus: Bus) -> None:
    bus.fill(10)
    assert len(list(bus.archives.events("all"))) == 10
    assert bus.archives.delete("all") == 10
    assert bus.attached == {}
    bus.archives.create("all", "orders")
    assert list(bus.archives.events("all")) == []


def test_a_new_archive_does_not_take_over_what_an_older_one_left(bus: Bus) -> None:
    write(bus.store, Changes(archived=[("a", event(1))]))
    bus.archives.create("a", "orders")
    assert list(bus.archives.events("a")) == []


def test_events_of_a_window(bus: Bus) -> None:
    bus.fill(10)
    assert [one.id for one in bus.archives.events("all", START + 3, START + 5)] == ["e-3", "e-4"]


def test_retention_is_counted_by_the_clock(bus: Bus, clock: FakeClock) -> None:
    day = 86_400
    bus.fill(10)
    bus.archives.create("short", "orders", retention_days=1)
    bus.archives.create("long", "orders", retention_days=2)
    write(bus.store, Changes(archived=[(name, event(n)) for n in range(10) for name in ("short", "long")]))
    clock.advance(day)
    assert bus.archives.expire() == 0
    clock.advance(4)
    assert bus.archives.expire() == 4
    assert [one.id for one in bus.archives.events("short")] == [f"e-{n}" for n in range(4, 10)]
    clock.advance(day)
    assert bus.archives.expire() == 6 + 4
    assert len(list(bus.archives.events("long"))) == 6
    assert len(list(bus.archives.events("all"))) == 10


def test_definitions_survive_and_are_attached_when_their_bus_is_there(reopen: Callable[[], Bus]) -> None:
    bus = reopen()
    made = bus.archives.create("a", "orders", {"source": ["s"]}, retention_days=3, description="é")
    bus.archives.create("b", "default")
    bus.archives.create("c", "default")
    bus.archives.delete("c")
    bus = reopen()
    assert bus.archives.archive("a") == made
    assert [archive.name for archive in bus.archives.archives()] == ["a", "b"]
    assert bus.attached == {}
    bus.archives.attach_bus("orders")
    assert bus.attached == {("orders", "a"): '{"source":["s"]}'}
