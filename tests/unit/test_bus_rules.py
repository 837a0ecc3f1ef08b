"""Rules and targets of a bus: what is put, changed, removed, and what events see of it. Relies on the package."""

from __future__ import annotations

import itertools
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

import rulebus
from rulebus.targets.bus import BusTarget
from rulebus.testing.clock import FakeClock

SHOP = {"source": ["shop"]}
ENTRY = {"Source": "shop", "DetailType": "Order", "Detail": '{"n":1}'}


@pytest.fixture
def bus() -> Iterator[rulebus.EventBus]:
    with rulebus.EventBus(clock=FakeClock()) as bus:
        yield bus


def put(bus: rulebus.EventBus, **changes: Any) -> rulebus.PutResult:
    result = bus.put_events([{**ENTRY, **changes}])
    assert bus.wait_idle(10)
    return result


class Sink:
    """A function that remembers what it got."""

    def __init__(self) -> None:
        self.events: list[Any] = []

    def __call__(self, event: Any) -> None:
        self.events.append(event)


def test_put_rule_is_an_upsert_that_resets_and_keeps_targets(bus: rulebus.EventBus) -> None:
    sink = Sink()
    made = bus.put_rule("r", SHOP, [sink], state="DISABLED", description="all of the shop")
    assert (made.pattern, made.state, made.description) == (
        '{"source":["shop"]}',
        "DISABLED",
        "all of the shop",
    )
    put(bus)
    assert sink.events == []
    again = bus.put_rule("r", '{"source": ["shop"], "detail-type": ["Order"]}')
    assert (again.state, again.description) == ("ENABLED", "")
    assert again.pattern == '{"source": ["shop"], "detail-type": ["Order"]}'
    assert [s.id for s in again.subscriptions] == ["Sink"]
    put(bus)
    put(bus, DetailType="Other")
    assert len(sink.events) == 1


def test_a_refused_change_changes_nothing(bus: rulebus.EventBus) -> None:
    sink = Sink()
    bus.put_rule("r", SHOP, [sink])
    before, generation = bus.rule("r"), bus.generation
    with pytest.raises(rulebus.PatternError):
        bus.put_rule("r", {"source": "shop"})
    with pytest.raises(rulebus.BusError, match="target-kind"):
        bus.put_rule("r", {"source": ["x"]}, [5])  # type: ignore[list-item]
    with pytest.raises(rulebus.BusError, match="target-kind"):
        bus.put_rule("new", SHOP, [sink, object()])  # type: ignore[list-item]
    with pytest.raises(rulebus.BusError):
        bus.put_targets("r", rulebus.Subscription(target=sink, id="x", input_path="detail"))  # type: ignore[arg-type]
    with pytest.raises(rulebus.BusError):
        bus.remove_targets("r", ["Sink", "nobody"])
    assert bus.rule("r") == before
    assert [rule.name for rule in bus.rules()] == ["r"]
    put(bus)
    assert len(sink.events) == 1
    assert bus.generation > generation, "each try may count as a change, but matches as before"


def test_every_target_of_every_matching_rule_gets_the_event(bus: rulebus.EventBus) -> None:
    one, two, three = Sink(), Sink(), Sink()
    bus.put_rule("a", SHOP, [one, two])
    bus.put_rule("b", {"detail": {"n": [1]}}, [three, one])
    result = put(bus)
    assert [len(sink.events) for sink in (one, two, three)] == [2, 1, 1]
    assert {event.id for sink in (one, two, three) for event in sink.events} == {result[0].event_id}
    assert len({id(event) for event in one.events}) == 2


def test_the_same_target_under_two_ids_is_two_deliveries(bus: rulebus.EventBus) -> None:
    sink = Sink()
    bus.put_rule("a", SHOP, [sink, sink])
    assert [s.id for s in bus.targets("a")] == ["Sink", "Sink-2"]
    put(bus)
    assert len(sink.events) == 2
    bus.put_targets("a", sink)
    assert [s.id for s in bus.targets("a")] == ["Sink", "Sink-2"], "put again it is the one that is there"
    other = Sink()
    bus.put_targets("a", other)
    assert [s.id for s in bus.targets("a")] == ["Sink", "Sink-2", "Sink-3"]


def test_a_target_of_the_same_id_is_replaced_in_its_place(bus: rulebus.EventBus) -> None:
    old, new = Sink(), Sink()
    as_target = rulebus.FunctionTarget
    bus.put_rule("a", SHOP, [rulebus.Subscription(target=as_target(old), id="x"), Sink()])
    bus.put_targets("a", [rulebus.Subscription(target=as_target(new), id="x", concurrency=4)])
    assert [(s.id, s.concurrency) for s in bus.targets("a")] == [("x", 4), ("Sink", 1)]
    put(bus)
    assert (len(old.events), len(new.events)) == (0, 1)


def test_enable_disable_delete(bus: rulebus.EventBus) -> None:
    sink = Sink()
    bus.put_rule("a", SHOP, sink)
    bus.disable_rule("a")
    put(bus)
    assert (sink.events, bus.rule("a").state) == ([], "DISABLED")
    bus.enable_rule("a")
    put(bus)
    assert len(sink.events) == 1
    with pytest.raises(rulebus.BusError, match="rule-has-targets") as caught:
        bus.delete_rule("a")
    assert caught.value.aws_message == "Rule can't be deleted since it has targets."
    bus.remove_targets("a", "Sink")
    put(bus)
    bus.delete_rule("a")
    bus.put_rule("b", SHOP, sink)
    bus.delete_rule("b", with_targets=True)
    put(bus)
    assert (len(sink.events), bus.rules()) == (1, [])


def test_rules_by_prefix_and_in_order(bus: rulebus.EventBus) -> None:
    for name in ("b-1", "a-1", "b-0"):
        bus.put_rule(name, SHOP)
    bus.put_rule("b-1", {"source": ["x"]})
    assert [rule.name for rule in bus.rules()] == ["b-1", "a-1", "b-0"]
    assert [rule.name for rule in bus.rules("b-")] == ["b-1", "b-0"]


def test_a_publish_says_the_rules_it_saw(bus: rulebus.EventBus) -> None:
    first = put(bus).generation
    bus.put_rule("a", SHOP, Sink())
    second = put(bus).generation
    assert first < second == bus.generation == put(bus).generation
    bus.disable_rule("a")
    assert put(bus).generation > second


@pytest.fixture
def busy_threads() -> Iterator[None]:
    """Lets threads take turns a thousand times more often than usual."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(5e-6)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.usefixtures("busy_threads")
def test_rules_change_while_events_flow() -> None:
    """Each event goes to the targets of one moment: a rule and its twin are changed as one, so both or none get it."""
    with rulebus.EventBus(max_pending=1_000_000) as bus:
        got: list[list[str]] = [[], []]
        for at in (0, 1):
            bus.put_rule(f"twin-{at}", SHOP, lambda event, at=at: got[at].append(event.id))
        stop = threading.Event()

        def change() -> None:
            while not stop.is_set():
                with bus._book.change():
                    bus.disable_rule("twin-0")
                    bus.disable_rule("twin-1")
                with bus._book.change():
                    bus.enable_rule("twin-0")
                    bus.enable_rule("twin-1")

        changing = threading.Thread(target=change)
        changing.start()
        generations: list[int] = []
        while len(set(generations)) < 20 and len(generations) < 20_000:
            generations.append(bus.put_events([ENTRY] * 3).generation)
        stop.set()
        changing.join()
        assert bus.wait_idle(10)
    assert sorted(got[0]) == sorted(got[1])
    assert generations == sorted(generations)
    assert len(set(generations)) >= 20


@pytest.mark.usefixtures("busy_threads")
def test_a_removed_target_gets_nothing_that_is_published_later() -> None:
    """Three threads publish numbers that they take when they begin; a target comes and goes meanwhile."""
    numbers = itertools.count()
    steady: list[int] = []
    fickle: list[int] = []
    returned: list[int] = []
    without: set[int] = set()
    rounds = 0
    stop = threading.Event()

    def publish() -> None:
        while not stop.is_set():
            number = next(numbers)
            bus.put_events([{**ENTRY, "Detail": f'{{"n":{number}}}'}])
            returned.append(number)

    with rulebus.EventBus() as bus:
        bus.put_rule("r", SHOP, lambda event: steady.append(event.detail["n"]))
        publishers = [threading.Thread(target=publish) for _ in range(3)]
        for thread in publishers:
            thread.start()
        while rounds < 25:
            rounds += 1
            target = rulebus.FunctionTarget(lambda event: fickle.append(event.detail["n"]))
            bus.put_targets("r", rulebus.Subscription(target=target, id="fickle"))
            here = next(numbers)
            while next(numbers) < here + 20:
                stop.wait(0.0005)
            bus.remove_targets("r", "fickle")
            gone = next(numbers)
            while next(numbers) < gone + 20:
                stop.wait(0.0005)
            # Begun after the target was gone and ended before it is back.
            without.update(number for number in returned[-2000:] if number > gone)
        stop.set()
        for thread in publishers:
            thread.join()
        assert bus.wait_idle(20)
        total = bus.statistics().total
        assert total.balanced
        assert total.successes == len(steady) + len(fickle)
    assert len(steady) == len(set(steady)) > 500
    assert len(fickle) == len(set(fickle)) > 0
    assert len(without) > 100
    assert without.isdisjoint(fickle)


# The decorator.


def test_on_gives_the_function_back(bus: rulebus.EventBus) -> None:
    seen: list[str] = []

    @bus.on(SHOP)
    def bill(event: Any) -> str:
        """Bills."""
        seen.append(event["detail-type"])
        return "billed"

    put(bus)
    assert seen == ["Order"]
    assert bill({"detail-type": "direct"}) == "billed"
    assert (bill.__name__, bill.__doc__, bill.rule, bill.target) == ("bill", "Bills.", bill.rule, bill.target)
    assert bill.target.endswith("bill")
    bill.unsubscribe()
    bill.unsubscribe()
    put(bus)
    assert seen == ["Order", "direct"]
    assert bus.rules() == []


def test_on_finds_free_names_and_shares_rules_of_one_pattern(bus: rulebus.EventBus) -> None:
    calls: list[str] = []

    def handler(event: Any) -> None:
        calls.append("handler")

    one, two = bus.on(SHOP)(handler), bus.on(SHOP)(handler)
    assert two.rule == f"{one.rule}-2"
    three, four = bus.on(SHOP, name="shared")(handler), bus.on('{"source":["shop"]}', name="shared")(handler)
    assert (three.rule, four.rule) == ("shared", "shared")
    assert [s.id for s in bus.targets("shared")] == [three.target, f"{three.target}-2"]
    put(bus)
    assert len(calls) == 4
    with pytest.raises(rulebus.BusError, match="rule-exists"):
        bus.on({"source": ["other"]}, name="shared")(handler)
    three.unsubscribe()
    assert bus.rule("shared").name == "shared"
    four.unsubscribe()


def test_on_takes_the_options_of_a_subscription(bus: rulebus.EventBus) -> None:
    got: list[Any] = []
    bus.on(SHOP, name="d", input_path="$.detail", target_id="t", retry=rulebus.V2, concurrency=3)(got.append)
    (subscription,) = bus.targets("d")
    assert (subscription.id, subscription.retry, subscription.concurrency) == ("t", rulebus.V2, 3)
    put(bus)
    assert got == [{"n": 1}]


def test_on_batches(bus: rulebus.EventBus) -> None:
    got: list[int] = []

    @bus.on(SHOP, batch=True, batch_window_s=60)
    def many(events: list[rulebus.Event]) -> None:
        got.append(len(events))

    assert bus.targets(many.rule)[0].batch_size == 100
    bus.put_events([ENTRY] * 100)
    assert bus.wait_idle(10)
    assert got == [100]


def test_asynchronous_handlers_of_a_threaded_bus(bus: rulebus.EventBus) -> None:
    got: list[str] = []

    @bus.on(SHOP)
    async def handler(event: rulebus.Event) -> None:
        got.append(threading.current_thread().name)

    put(bus)
    put(bus)
    assert got == ["rulebus-loop"] * 2


# Buses.


def test_buses(bus: rulebus.EventBus) -> None:
    orders = bus.create_bus("orders")
    assert bus.buses() == ["default", "orders"]
    assert orders.name == "orders"
    assert orders.arn == "arn:aws:events:local:000000000000:event-bus/orders"
    assert bus.bus(orders.arn).name == "orders"
    mine, theirs = Sink(), Sink()
    bus.put_rule("r", SHOP, mine)
    orders.put_rule("r", SHOP, theirs)
    put(bus)
    put(bus, EventBusName="orders")
    put(bus, EventBusName=orders.arn)
    put(orders)
    assert (len(mine.events), len(theirs.events)) == (1, 3)
    assert (bus.statistics().events, orders.statistics().events) == (1, 3)
    with pytest.raises(rulebus.BusError, match="bus-has-rules"):
        bus.delete_bus("orders")
    bus.delete_bus("orders", with_rules=True)
    assert bus.buses() == ["default"]
    fault = put(bus, EventBusName="orders")[0]
    assert (fault.error_code, fault.error_message) == (
        "ResourceNotFoundException",
        "Event bus orders does not exist.",
    )
    with pytest.raises(rulebus.BusError, match="unknown-bus"):
        put(orders)


def test_one_call_for_several_buses(bus: rulebus.EventBus) -> None:
    sinks = {"default": Sink(), "a": Sink(), "b": Sink()}
    for name, sink in sinks.items():
        handle = bus if name == "default" else bus.create_bus(name)
        handle.put_rule("r", SHOP, sink)
    result = bus.put_events(
        [
            {**ENTRY, "EventBusName": "b"},
            ENTRY,
            {**ENTRY, "EventBusName": "nowhere"},
            {**ENTRY, "EventBusName": "a", "Time": "2026-01-02T03:04:05Z", "Resources": ["x"]},
            {**ENTRY, "Detail": "{"},
            {**ENTRY, "EventBusName": "b"},
        ]
    )
    assert bus.wait_idle(10)
    ids = result.event_ids
    assert [id is None for id in ids] == [False, False, True, False, True, False]
    assert [event.id for event in sinks["b"].events] == [ids[0], ids[5]]
    assert [event.id for event in sinks["default"].events] == [ids[1]]
    (event,) = sinks["a"].events
    assert (event.id, event.time, event.resources) == (ids[3], "2026-01-02T03:04:05Z", ["x"])
    assert (bus.statistics().refused, bus.statistics().events) == (2, 1)


def test_as_target_names_the_bus(bus: rulebus.EventBus) -> None:
    target = bus.create_bus("b").as_target()
    assert isinstance(target, BusTarget)
    assert target.describe() == "bus b"


# Targets are closed once.


class Closing:
    def __init__(self) -> None:
        self.closed = 0
        self.got = 0

    def deliver(self, deliveries: Any) -> None:
        assert not self.closed
        self.got += len(deliveries)

    def describe(self) -> str:
        return "closing"

    def close(self) -> None:
        self.closed += 1


def test_targets_are_closed_when_nothing_leads_to_them() -> None:
    bus = rulebus.EventBus()
    shared, own, letters, kept = Closing(), Closing(), Closing(), Closing()
    bus.put_rule("a", SHOP, [shared, rulebus.Subscription(target=own, id="own", dead_letter=letters)])
    bus.put_rule("b", SHOP, [shared, kept])
    put(bus)
    bus.delete_rule("a", with_targets=True)
    assert (own.closed, letters.closed, shared.closed) == (1, 1, 0)
    bus.put_targets("b", rulebus.Subscription(target=own, id="closing"))
    assert shared.closed == 1, "its id was taken by another"
    bus.close()
    assert [target.closed for target in (shared, own, letters, kept)] == [1, 2, 1, 1]
    assert bus.close().pending == 0
    assert kept.closed == 1


def test_a_target_that_cannot_be_closed_does_not_hinder_the_end(caplog: pytest.LogCaptureFixture) -> None:
    class Bad(Closing):
        def close(self) -> None:
            raise OSError("still busy")

    bus = rulebus.EventBus()
    good = Closing()
    bus.put_rule("a", SHOP, [Bad(), good])
    bus.close()
    assert good.closed == 1
    assert "still busy" in caplog.text
