"""When an event happened, by its envelope: the order of archives.

Relies on `event` and `_json`. COST: a search for the key in the envelope's head; a parse only where that fails.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import lru_cache

from rulebus import _json
from rulebus.event import AcceptedEvent

__all__ = ["event_time"]

# The bus writes `account` before `time`, and no text before it can hold a quote that is not escaped.
_TIME = re.compile(rb'"account":"[^"\\]*","time":"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)"')


def event_time(event: AcceptedEvent) -> float:
    """Seconds since 1970 of the envelope's `time`; when it was accepted, if the envelope has no such time.

    >>> event_time(AcceptedEvent("b", "1", b'{"account":"1","time":"2026-11-26T03:38:05Z"}', 0.0))
    1795664285.0
    """
    match = _TIME.search(event.body, 0, 4096)
    if match:
        return _seconds(match[1].decode())
    try:
        return _seconds(_json.loads(event.body)["time"])
    except (ValueError, KeyError, TypeError):
        return event.accepted_at


@lru_cache(maxsize=256)
def _seconds(text: str) -> float:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).timestamp()
