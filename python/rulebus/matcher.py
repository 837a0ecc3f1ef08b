"""A live set of named rules, matched against events.

The matching, the names and the locks lie in the native module; here are the conveniences of a mapping,
pickling and records. Relies on `rulebus.pattern` and `rulebus.explanation`; holds no state of its own.
"""

from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from rulebus import _core
from rulebus._core import LinesResult
from rulebus.errors import EventError
from rulebus.explanation import Explanation
from rulebus.pattern import EventLike, Pattern, PatternLike

__all__ = ["LineCounts", "LinesResult", "Matcher", "MatcherStats", "RuleCost", "Validation"]

Validation: TypeAlias = Literal["strict", "checked", "trusted"]
"""How much of an event's text is checked; see `Matcher`."""


@dataclass(frozen=True, slots=True)
class MatcherStats:
    """Sizes of a matcher at one moment."""

    rules: int
    """Rules."""
    conjunctions: int
    """Different conjunctions in them; equal ones are kept once."""
    paths: int
    """Different paths that the rules ask for, and the paths above them."""
    operands: int
    """Different texts, numbers and addresses that the rules compare with."""
    size_bytes: int
    """Memory of the index; names are not counted."""
    generation: int
    """Number of changes so far."""
    segments: int
    """Parts of the index; every event visits each of them."""
    observed: int
    """Events observed while they were matched, one in some thousands; 0 without ``adapt``."""
    adapted: int
    """How often the index was built anew because events met many rules in vain."""


@dataclass(frozen=True, slots=True)
class LineCounts:
    """What `Matcher.count_lines` counted."""

    counts: dict[Any, int]
    """How many events each rule matched, in the order put; rules that matched none are left out."""
    events: int
    """Number of events, bad ones included."""
    errors: tuple[tuple[int, EventError], ...]
    """Index of each bad event and what is wrong with it."""


@dataclass(frozen=True, slots=True)
class RuleCost:
    """What one rule costs, and why; see `Matcher.costs`. Shares are of events, and may exceed 1."""

    name: Any
    """The rule."""
    access: str | None
    """The conditions under which the rule is looked up first, as a pattern; None if it has none that could be looked up."""
    expected: float
    """Estimated share of events for which the rule's conditions have to be tried one by one."""
    tried: float | None
    """The share of the sample's events for which they were; None without a sample."""
    matched: float | None
    """The share of the sample's events that the rule matched; None without a sample."""

    @property
    def unselective(self) -> bool:
        """Whether the rule is tried for at least every second event, and matches few of those.

        Such a rule costs every event some tens of nanoseconds. What helps is one more condition that few
        events meet: an exact value, a prefix, an address block.
        """
        if self.tried is None or self.matched is None:
            return self.expected >= 0.5
        return self.tried >= 0.5 and self.matched < 0.5 * self.tried


class Matcher(_core.Matcher):
    """A live set of named rules.

    >>> matcher = Matcher({"big": {"source": ["shop.cart"], "detail": {"total": [{"numeric": [">", 100]}]}}})
    >>> matcher.put("eu", '{"detail": {"region": [{"prefix": "eu-"}]}}')
    >>> matcher.match(b'{"source": "shop.cart", "detail": {"total": 120, "region": "eu-west-1"}}')
    ['big', 'eu']
    >>> matcher.match({"source": "shop.cart", "detail": {"total": 80}})
    []

    Names may be any hashable objects; the same objects come back, in the order in which the rules were put.
    A rule that replaces one of an equal name keeps its place, as in a dict.

    Any number of threads may match while others change rules: a call sees the rules of one moment, and every
    change that returned before the call began. Matching never waits for a change, and a change never waits
    for the merging of the index, which a background thread does. Long work lets other threads run. A forked
    child may go on matching and changing its copy.

    `validation` says how much of an event's text is checked: ``strict`` (the default) everything, as RFC 8259
    has it, so that no answer and no error depends on which rules there are; ``checked`` the whole text for
    strings, UTF-8 and brackets, and the grammar wherever rules look; ``trusted`` nothing, for events that were
    checked before.

    ``adapt`` (the default) lets the matcher observe one event in some thousands. Where events meet many rules in
    vain, because they are looked up by a value that is rare among rules and common among events, a background
    thread builds the index anew; merges use what was observed, too. Answers never change, only their costs, as
    with `tune`, which does the same for a sample at once. Without ``adapt`` only rules decide, and `tune`.

    The limits: ``max_event_bytes``, ``max_event_depth`` (nesting), ``max_event_values`` (values on the rules'
    paths), ``max_array_steps`` (of the search for consistent array elements); ``max_pattern_bytes``,
    ``max_pattern_depth`` (1000 at most), ``max_pattern_paths`` (on one branch, 256 at most),
    ``max_or_branches`` (where ``$or`` has to be expanded), ``max_wildcard_complexity`` (AWS's measure; None
    accepts any).
    """

    __slots__ = ()

    def __new__(
        cls,
        rules: Mapping[Any, PatternLike] | Iterable[tuple[Any, PatternLike]] | None = None,
        *,
        adapt: bool = True,
        validation: Validation = "strict",
        max_event_bytes: int = 16 << 20,
        max_event_depth: int = 1000,
        max_event_values: int = 1 << 20,
        max_array_steps: int = 1_000_000,
        max_pattern_bytes: int = 16 << 20,
        max_pattern_depth: int = 1000,
        max_pattern_paths: int = 256,
        max_or_branches: int = 4096,
        max_wildcard_complexity: int | None = None,
    ) -> "Matcher":
        self = super().__new__(
            cls,
            adapt=adapt,
            validation=validation,
            max_event_bytes=max_event_bytes,
            max_event_depth=max_event_depth,
            max_event_values=max_event_values,
            max_array_steps=max_array_steps,
            max_pattern_bytes=max_pattern_bytes,
            max_pattern_depth=max_pattern_depth,
            max_pattern_paths=max_pattern_paths,
            max_or_branches=max_or_branches,
            max_wildcard_complexity=max_wildcard_complexity,
        )
        if rules is not None:
            self.update(rules)
        return self

    def put(self, name: Hashable, pattern: PatternLike) -> None:
        """Adds a rule, or replaces the one of that name.

        The pattern is `str`, bytes, a dict or a `Pattern`. Every match that begins after the call sees the rule.
        Raises `PatternError` for a bad pattern; the rule of that name, if any, stays as it was.
        """
        self._put(name, pattern)

    def update(self, rules: Mapping[Any, PatternLike] | Iterable[tuple[Any, PatternLike]]) -> None:
        """Puts many rules as one change, much faster than one by one.

        >>> matcher = Matcher()
        >>> matcher.update((number, {"id": [number]}) for number in range(1000))
        >>> matcher.match({"id": 7})
        [7]

        Many patterns are read on as many threads as there are processors, without the interpreter.
        COST: four to five microseconds of processor time a rule. Raises `RuleSetError` with the error of every
        bad pattern; then nothing is changed.
        """
        try:
            given = rules if type(rules) is dict else dict(rules)
        except ValueError as error:
            raise TypeError(
                f"rules are a mapping or an iterable of (name, pattern) pairs: {error}"
            ) from error
        self._update(given)

    def remove(self, name: Hashable) -> None:
        """Removes a rule; `KeyError` if there is none of that name."""
        if not self._remove(name):
            raise KeyError(name)

    def discard(self, name: Hashable) -> None:
        """Removes a rule if there is one of that name."""
        self._remove(name)

    def pattern(self, name: Hashable) -> Pattern:
        """The pattern of a rule, in canonical form; `KeyError` if there is none of that name.

        It may be spelt otherwise than what was put, but accepts the same events.

        >>> Matcher({"eu": {"detail": {"region": ["eu"]}}}).pattern("eu")
        rulebus.Pattern('{"detail.region":["eu"]}')
        """
        text = self._pattern(name)
        if text is None:
            raise KeyError(name)
        return Pattern(text, **self._options())

    def explain(self, name: Hashable, event: EventLike) -> Explanation:
        """Why a rule matches an event or does not; `KeyError` if there is no rule of that name.

        >>> matcher = Matcher({"eu": {"region": [{"prefix": "eu-"}]}})
        >>> matcher.explain("eu", {"region": "us-east-1"}).matched
        False
        """
        text = self._explain(name, event)
        if text is None:
            raise KeyError(name)
        return Explanation.from_json(text)

    def count_lines(self, buffer: Any, threads: int = 1) -> LineCounts:
        """Counts how many of the events in JSON lines each rule matches; builds no lists.

        >>> Matcher({"a": {"x": [1]}, "b": {"x": [2]}}).count_lines(b'{"x": 1}\\n{"x": 1}\\n{"x": 3}\\n')
        LineCounts(counts={'a': 2}, events=3, errors=())
        """
        return LineCounts(*self._count_lines(buffer, threads))

    def costs(self, sample: Any = None) -> list[RuleCost]:
        """What each rule costs, the most expensive first.

        With a sample, events as JSON lines, it is counted how often each rule was tried and how often it
        matched; without one there are only the estimates by which the index was built. COST: some microseconds
        a rule, and a match for each event of the sample.

        >>> matcher = Matcher({"one": {"id": ["i-1"], "state": ["up"]}, "not-up": {"state": [{"anything-but": "up"}]}})
        >>> for cost in matcher.costs(b'{"id": "i-1", "state": "up"}\\n{"id": "i-2", "state": "up"}'):
        ...     print(cost.name, cost.access, cost.tried, cost.matched, cost.unselective)
        not-up {"state":[{"anything-but":"up"}]} 1.0 0.0 True
        one {"id":["i-1"]} 0.5 0.5 False
        """
        found, events = self._costs(sample)
        costs = [
            RuleCost(
                name,
                access,
                expected,
                None if counted is None or not events else counted[0] / events,
                None if counted is None or not events else counted[1] / events,
            )
            for name, access, expected, counted in found
        ]
        return sorted(costs, key=lambda cost: -(cost.expected if cost.tried is None else cost.tried))

    def items(self) -> Iterator[tuple[Any, Pattern]]:
        """The names with their patterns, in the order put, as they are at this moment."""
        options = self._options()
        return ((name, Pattern(text, **options)) for name, text in self._items())

    def stats(self) -> MatcherStats:
        """Sizes of the matcher at this moment. COST: a few microseconds."""
        return MatcherStats(*self._stats())

    def __iter__(self) -> Iterator[Any]:
        """The names in the order in which they were put, as they are at this moment."""
        return iter(self._names())

    def __repr__(self) -> str:
        return f"<rulebus.Matcher with {len(self)} rules>"

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickling and copying build the rules anew."""
        return _rebuild, (type(self), self._items(), self._options())


def _rebuild(cls: type[Matcher], rules: list[tuple[Any, str]], options: dict[str, Any]) -> Matcher:
    return cls(rules, **options)
