"""A schedule expression, read once: which kind it is, and what both kinds can say.

Relies on `rate` and `cron`. Must never ask a clock: whoever has a schedule says what time it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from rulebus.schedule.cron import Cron
from rulebus.schedule.error import ScheduleError
from rulebus.schedule.rate import Rate

__all__ = ["LONGEST", "Schedule", "parse"]

LONGEST = 256
"""Characters of an expression; AWS's limit."""


class Schedule(Protocol):
    """When a rule is due. Immutable; times are seconds since 1970, UTC."""

    @property
    def text(self) -> str:
        """The expression, as it was given."""

    def next_after(self, epoch_s: float, anchor_s: float = 0.0) -> float | None:
        """The first due time after this moment, never the moment itself; None when there is none any more.

        A rate counts from `anchor_s` on, the moment its rule was made: it is due one period later, and so on. For cron
        expressions the anchor means nothing.
        """

    def between(self, after_s: float, until_s: float, anchor_s: float = 0.0) -> Iterator[float]:
        """All due times after the first moment, up to the second and with it; what was missed while nobody was there."""


def parse(text: str) -> Schedule:
    """The schedule that an expression describes. Raises `ScheduleError`.

    >>> schedule = parse("cron(0/20 8-17 ? * MON-FRI *)")
    >>> schedule.next_after(1_700_000_000)  # Tuesday, 2023-11-14 22:13:20
    1700035200.0
    >>> parse("rate(5 minutes)").next_after(1000.0, anchor_s=900.0)
    1200.0

    Validates completely. COST: some 100 µs; `next_after` some 25 µs, below a millisecond also where it is never due.
    """
    if not isinstance(text, str):
        raise TypeError(
            f"a schedule expression is a str such as 'rate(5 minutes)', not {type(text).__name__}"
        )
    if len(text) > LONGEST:
        raise ScheduleError(
            "schedule-too-long",
            f"an expression of {len(text)} characters",
            text[:60],
            expected=f"at most {LONGEST}",
        )
    for prefix, kind in (("rate(", Rate), ("cron(", Cron)):
        if text.startswith(prefix):
            if not text.endswith(")"):
                raise ScheduleError(
                    "schedule-kind",
                    f"the expression does not end with the bracket of {prefix}",
                    text,
                    len(text.rstrip()),
                    expected=f'")" as the last character, as in {kind.EXAMPLE}',
                )
            return kind.read(text, len(prefix))
    word = text.partition("(")[0]
    raise ScheduleError(
        "schedule-kind",
        f'"{word}" is no kind of schedule' if word else "there is no expression",
        text,
        0,
        len(word),
        f"{Rate.EXAMPLE} or {Cron.EXAMPLE}, in lower case, without blanks before or behind",
    )
