"""What the tests of archives share: events of chosen seconds, and a bus that writes down what it is given.

Relies on stores and the fake clock. Must never sleep."""

from __future__ import annotations

from rulebus.archive import Archives, Replays
from rulebus.event import AcceptedEvent
from rulebus.stores.protocol import Changes, Store
from rulebus.testing import FakeClock

START = 1_795_662_000.0
"""2026-11-26T03:00:00Z."""


def event(number: int, second: int | None = None) -> AcceptedEvent:
    """An event of that second after START."""
    second = number if second is None else second
    time = f"2026-11-26T{3 + second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}Z"
    body = (
        f'{{"version":"0","id":"e-{number}","detail-type":"T","source":"s,\\"resources\\":","account":"1",'
        f'"time":"{time}","region":"eu","resources":["a"],"detail":{{"n":{number},"resources":1}}}}'
    )
    return AcceptedEvent("orders", f"e-{number}", body.encode(), START)


def write(store: Store, changes: Changes) -> None:
    future = store.write(changes)
    if future is not None:
        future.result(timeout=60)


class Bus:
    """Both callbacks of a replay, over a store."""

    def __init__(self, store: Store, clock: FakeClock) -> None:
        self.store, self.clock = store, clock
        self.put_events: list[AcceptedEvent] = []
        self.put_at: list[float] = []
        self.calls: list[tuple[str, tuple[str, ...] | None, tuple[str, float, int, int]]] = []
        self.attached: dict[tuple[str, str], str | None] = {}
        self.fault: BaseException | None = None
        self.archives = Archives(store, clock, self.attach, self.detach)
        self.replays = Replays(store, clock, self.archives, self.put, self.match)

    def attach(self, bus: str, archive: str, pattern: str | None) -> None:
        self.attached[bus, archive] = pattern

    def detach(self, bus: str, archive: str) -> None:
        del self.attached[bus, archive]

    def put(
        self,
        bus: str,
        events: list[AcceptedEvent],
        rules: tuple[str, ...] | None,
        progress: tuple[str, float, int, int],
    ) -> None:
        if self.fault is not None:
            raise self.fault
        write(self.store, Changes(appended=[(event, ()) for event in events], replay=progress))
        self.put_events += events
        self.put_at += [self.clock.monotonic()] * len(events)
        self.calls.append((bus, rules, progress))

    def match(
        self, bus: str, envelopes: list[bytes], rules: tuple[str, ...] | None
    ) -> list[list[tuple[str, tuple[str, ...]]]]:
        """Even numbers match rule `even` with two targets, multiples of three rule `three` with one."""
        found = []
        for envelope in envelopes:
            assert b'"replay-name":"' in envelope
            number = int(envelope.split(b'"detail":{"n":')[1].split(b",")[0])
            both = [("even", ("a", "b"))] * (number % 2 == 0) + [("three", ("a",))] * (number % 3 == 0)
            found.append([route for route in both if rules is None or route[0] in rules])
        return found

    def fill(self, count: int, archive: str = "all", step: int = 1) -> None:
        """An archive with events of second 0, step, 2 step … in a shuffled order of arrival."""
        self.archives.create(archive, "orders")
        numbers = sorted(range(count), key=lambda n: n * 7919 % 101)
        write(self.store, Changes(archived=[(archive, event(n, n * step)) for n in numbers]))

    @property
    def ids(self) -> list[str]:
        return [one.id for one in self.put_events]
