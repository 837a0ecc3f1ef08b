"""Measures a set of rules on events: every part of a `Report`, in an order in which none disturbs another.

Memory first, in a process that has built nothing yet; then the rounds. Relies on `Matcher` as users have it, also for
the sets that are left out or cut down. Must never time a call whose matches were not compared with those of the other
calls.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import orjson

from rulebus.matcher import Matcher
from rulebus.measure.costs import Costs
from rulebus.measure.judgement import judge
from rulebus.measure.looks import Looks, count_looks
from rulebus.measure.machine import machine
from rulebus.measure.memory import allocated_bytes, resident_bytes
from rulebus.measure.plan import Plan
from rulebus.measure.report import (
    Build,
    Expensive,
    Growth,
    Input,
    Latency,
    Matches,
    Memory,
    Report,
    Speed,
    Unmatched,
)  # fmt: skip
from rulebus.measure.rounds import Spread, alternate, quantile
from rulebus.measure.unmatched import find_unmatched

__all__ = ["METHODS", "WrongCountError", "study"]

_NEVER_SHOWN = 1_000
_EXPENSIVE = 100
_TOGETHER = 10
_QUANTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p999": 0.999, "max": 1.0}
METHODS = {
    "lines": "match_lines over all events in chunks of 2,500, one pass a round; median of the rounds, low and high are quartiles",
    "calls": "match(bytes), one call an event, over at most 20,000 evenly spread events; median of the rounds",
    "processor time": "everything called cpu: what threads of this process ran, which a neighbour's load disturbs less than the time on the wall",
    "control": "orjson.loads of the same events in the same rounds: tells a slower machine from slower rules",
    "latency": "each call timed by itself, both readings of the clock included; fastest: each event's fastest call, every: all calls with whatever disturbed them",
    "memory": "index as the matcher counts it; allocated and resident as growth of this process while the first matcher was built, names and texts not included",
    "growth": "processor time of one thread for evenly spread parts of the rules, alternating with the whole; events that match fewer rules also cost less",
    "families": "left out: processor time of the whole set less that of a set without the rules that use the family, in alternating rounds; families share rules, so the costs do not add up",
    "fields": "left out: processor time of a set that asks for every field once and for no value that occurs, less that of the same set without the field; it is the cost of reading the field, not of its conditions",
    "expensive": "counted: events that meet a rule's rarest condition, which is how often the index must look at the rule at best; the common cost of the first ten by leaving them out",
    "reference": "rulebus.reference on evenly spread events and rules, within a budget of time",
}  # fmt: skip


class WrongCountError(Exception):
    """Two ways of matching the same events did not find the same number of matches."""


def study(plan: Plan, tick: Callable[[str], None] = lambda stage: None) -> Report:
    """Measure everything; `tick` is called with the name of each stage as it begins."""
    tick("build")
    matcher, memory = _memory(plan)
    build = _build(plan)
    tick("matches")
    counted = matcher.count_lines(b"\n".join(plan.lines), threads=plan.threads)
    total = sum(counted.counts.values())
    tick("throughput")
    lines, calls, control = _speeds(plan, matcher, total)
    tick("latency")
    latency = _latency(plan, matcher)
    tick("growth")
    growth = _growth(plan, matcher)
    tick("conditions")
    looks = count_looks(plan.nodes, b"\n".join(plan.lines), plan.validation)
    costs = Costs(plan, matcher)
    tick("operators")
    families = costs.families()
    tick("fields")
    fields = costs.fields()
    tick("rules")
    expensive, every = _expensive(plan, looks, counted.counts)
    together = costs.leave_out({one.name for one in expensive[:_TOGETHER]}) if expensive else None
    never = [name for name in plan.rules if name not in counted.counts]
    tick("unmatched")
    unmatched = find_unmatched(matcher, plan.chunks, plan.numbers)
    tick("reference")
    judgement = judge(matcher.match, plan.rules, plan.lines, budget_s=plan.judge_s)
    return Report(
        date=datetime.now(tz=UTC).isoformat(timespec="seconds"),
        machine=machine(),
        input=_input(plan),
        methods=METHODS,
        matches=Matches(total, total / len(plan.lines), every / len(plan.lines)),
        build=build,
        memory=memory,
        lines=lines,
        calls=calls,
        control=control,
        latency=latency,
        growth=growth,
        families=families,
        fields=fields,
        expensive=expensive,
        expensive_cpu_ns_per_event=together,
        never_matched=len(never),
        never_matched_rules=[
            {"name": name, "why": looks.why_never(plan.nodes[name])} for name in never[:_NEVER_SHOWN]
        ],
        unmatched=Unmatched(*unmatched),
        reference=judgement,
    )


def _input(plan: Plan) -> Input:
    rules = hashlib.sha256()
    for name, text in plan.rules.items():
        rules.update(f"{len(name)} {name}{len(text)} {text}".encode("utf-8", "surrogatepass"))
    events = b"\n".join(plan.lines)
    return Input(
        plan.rules_from, len(plan.rules), rules.hexdigest(), plan.events_from, len(plan.lines), len(events),
        hashlib.sha256(events).hexdigest(), plan.bad_events, plan.cut, plan.validation, plan.threads,
    )  # fmt: skip


def _memory(plan: Plan) -> tuple[Matcher, Memory]:
    # What the first matcher of a process brings along belongs to no rule.
    plan.build({"warm": '{"x": ["up"]}'}).match(b"{}")
    resident, allocated = resident_bytes(), allocated_bytes()
    matcher = plan.build(plan.rules)
    allocated_after, resident_after = allocated_bytes(), resident_bytes()
    return matcher, Memory(
        sum(len(text.encode("utf-8", "surrogatepass")) for text in plan.rules.values()),
        matcher.stats().size_bytes,
        None if allocated is None or allocated_after is None else max(0, allocated_after - allocated),
        None if resident is None or resident_after is None else max(0, resident_after - resident),
    )


def _build(plan: Plan) -> Build:
    taken: list[float] = []
    cpu: list[float] = []
    # Large sets take seconds: three times then, otherwise as often as everything.
    while len(taken) < 3 or (len(taken) < plan.rounds and sum(taken) < 2.0):
        begin, cpu_begin = time.perf_counter(), time.process_time()
        plan.build(plan.rules)
        cpu.append(time.process_time() - cpu_begin)
        taken.append(time.perf_counter() - begin)
    seconds = Spread.of(taken)
    return Build(seconds, Spread.of(cpu), len(plan.rules) / seconds.median)


def _speeds(plan: Plan, matcher: Matcher, total: int) -> tuple[Speed, Speed, Speed]:
    chunks, sample, loads, match = plan.chunks, plan.sample, orjson.loads, matcher.match
    calls_total = len(matcher.match_lines(b"\n".join(sample)).rules)
    cpu: dict[str, list[float]] = {"lines": [], "calls": [], "control": []}

    def lines() -> None:
        begin = time.process_time()
        found = sum([len(matcher.match_lines(chunk, threads=plan.threads).rules) for chunk in chunks])
        cpu["lines"].append(time.process_time() - begin)
        _same("match_lines", found, total)

    def calls() -> None:
        begin = time.process_time()
        found = sum([len(match(event)) for event in sample])
        cpu["calls"].append(time.process_time() - begin)
        _same("match", found, calls_total)

    def control() -> None:
        begin = time.process_time()
        for event in sample:
            _parsed(loads, event)
        cpu["control"].append(time.process_time() - begin)

    taken = alternate({"lines": lines, "calls": calls, "control": control}, plan.rounds)
    return (
        _speed(taken["lines"], cpu["lines"], plan.lines),
        _speed(taken["calls"], cpu["calls"], sample),
        _speed(taken["control"], cpu["control"], sample),
    )


def _parsed(loads: Callable[[bytes], object], event: bytes) -> None:
    try:
        loads(event)
    except ValueError:
        # orjson refuses some texts that the level accepts; the time it took is what counts.
        return


def _same(what: str, found: int, expected: int) -> None:
    if found != expected:
        raise WrongCountError(f"{what} found {found:,} matches where {expected:,} were counted")


def _speed(seconds: list[float], cpu: list[float], events: Sequence[bytes]) -> Speed:
    spread = Spread.of(seconds, 1e9 / len(events))
    return Speed(
        1e9 / spread.median,
        1e3 * sum(map(len, events)) / len(events) / spread.median,
        spread,
        Spread.of(cpu[1:], 1e9 / len(events)),
    )


def _latency(plan: Plan, matcher: Matcher) -> Latency:
    match, clock, sample = matcher.match, time.perf_counter_ns, plan.sample
    fastest, every = [0] * len(sample), []
    for number in range(max(3, plan.rounds // 2)):
        taken = []
        for event in sample:
            begin = clock()
            match(event)
            taken.append(clock() - begin)
        if number == 0:  # warming up
            fastest = taken
            continue
        every += taken
        fastest = list(map(min, fastest, taken))
    empty = []
    for _ in range(2_000):
        begin = clock()
        empty.append(clock() - begin)
    return Latency(len(sample), len(every), Spread.of(empty).median, _quantiles(fastest), _quantiles(every))


def _quantiles(values: list[int]) -> dict[str, float]:
    ordered = sorted(values)
    return {name: quantile(ordered, part) for name, part in _QUANTILES.items()}


def _growth(plan: Plan, matcher: Matcher) -> list[Growth]:
    names = list(plan.rules)
    sizes = sorted({max(1, len(names) // 100), max(1, len(names) // 10), len(names)})
    sets: dict[int, tuple[Matcher, float]] = {}
    for size in sizes:
        chosen = [names[number * len(names) // size] for number in range(size)]
        begin = time.perf_counter()
        part = plan.build({name: plan.rules[name] for name in chosen})
        sets[size] = (part if size < len(names) else matcher, time.perf_counter() - begin)
    chunks = plan.chunks
    matches = {
        size: sum(len(part.match_lines(chunk).rules) for chunk in chunks) for size, (part, _) in sets.items()
    }

    def run(part: Matcher, expected: int) -> Callable[[], None]:
        return lambda: _same(
            "match_lines", sum([len(part.match_lines(chunk).rules) for chunk in chunks]), expected
        )

    taken = alternate(
        {str(size): run(part, matches[size]) for size, (part, _) in sets.items()},
        plan.rounds,
        clock=time.process_time,
    )
    events = len(plan.lines)
    return [
        Growth(size, build_s, matches[size] / events, Spread.of(taken[str(size)], 1e9 / events))
        for size, (_, build_s) in sets.items()
    ]


def _expensive(plan: Plan, looks: Looks, matches: dict[str, int]) -> tuple[list[Expensive], int]:
    """The rules that are looked at most, and all looks together."""
    counted = {name: looks.of(node) for name, node in plan.nodes.items()}
    most = sorted((name for name in counted if counted[name]), key=lambda name: -counted[name])[:_EXPENSIVE]
    found = []
    for name in most:
        node = plan.nodes[name]
        why = looks.why_expensive(node, matches.get(name, 0))
        found.append(Expensive(name, counted[name], matches.get(name, 0), len(node.parts), why))
    return found, sum(counted.values())
