"""A logger as a target: every event one record of the standard library's logging.

Relies on `logging`. Never configures it: handlers and levels are the application's.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from rulebus.targets.protocol import Delivery, Outcomes

__all__ = ["LogTarget"]


class LogTarget:
    """Writes each event, or the input made of it, as one log record.

    >>> LogTarget("shop.events", level="DEBUG").describe()
    'log shop.events at DEBUG'

    The record's message is the JSON text; it carries the attributes ``event_id``, ``bus``, ``rule`` and ``target``
    for formatters that show them. A level that is not enabled costs nothing but the call.
    """

    __slots__ = ("_level", "_logger")

    def __init__(
        self, logger: str | logging.Logger = "rulebus.events", *, level: int | str = logging.INFO
    ) -> None:
        self._logger = logging.getLogger(logger) if isinstance(logger, str) else logger
        known = logging.getLevelNamesMapping()
        if isinstance(level, str) and level.upper() not in known:
            raise ValueError(f"no log level is called {level!r}; there are {', '.join(known)}")
        self._level = known[level.upper()] if isinstance(level, str) else level

    def deliver(self, deliveries: Sequence[Delivery]) -> Outcomes:
        """Logs them in their order."""
        if self._logger.isEnabledFor(self._level):
            for delivery in deliveries:
                origin = delivery.origin
                self._logger.log(
                    self._level,
                    "%s",
                    delivery.input.decode("utf-8", "replace"),
                    extra={
                        "event_id": delivery.event.id,
                        "bus": origin.bus,
                        "rule": origin.rule,
                        "target": origin.target,
                    },
                )
        return None

    def describe(self) -> str:
        """The logger's name and the level."""
        return f"log {self._logger.name} at {logging.getLevelName(self._level)}"

    def close(self) -> None:
        """Nothing to give back: loggers are the application's."""
