"""A line of JSON as an entry of `put_events`: either an entry as AWS has it, or an event as buses deliver it.

The bytes of the payload are kept as they stand. Relies on `transform` for that, and on nothing of the bus.
"""

from __future__ import annotations

from typing import Any

from rulebus import _json
from rulebus.transform import compile_path

__all__ = ["EntryError", "EntryLines"]

_ENTRY = {"Source", "DetailType", "Detail", "Time", "Resources", "EventBusName", "TraceHeader"}
_SHOWN = 60


class EntryError(ValueError):
    """A line that is neither an entry nor an event."""


class EntryLines:
    """Reads lines as entries.

    >>> read = EntryLines()
    >>> read(b'{"Source": "shop", "DetailType": "OrderPlaced", "Detail": {"total": 1.50}}')["Detail"]
    b'{"total": 1.50}'
    >>> read(b'{"source": "shop", "detail-type": "OrderPlaced", "detail": {"total": 1.50}}')["Detail"]
    b'{"total": 1.50}'

    Of an event (``source``, ``detail-type``, ``detail``, and ``time`` and ``resources`` if they are there) the rest is
    left out: the bus gives it an id, an account and a region of its own.
    """

    def __init__(self) -> None:
        self._detail = compile_path("$.detail")
        self._entry_detail = compile_path("$.Detail")

    def __call__(self, line: bytes) -> dict[str, Any]:
        """The entry. Raises `EntryError` with a sentence."""
        try:
            value = _json.loads(line)
        except _json.JsonError as error:
            raise EntryError(f"the line is not JSON: {error}") from error
        if not isinstance(value, dict):
            raise EntryError(f"the line is {_short(line)}, expected an object")
        if _ENTRY & value.keys():
            detail = value.get("Detail")
            if isinstance(detail, dict):
                value["Detail"] = self._entry_detail.one(line) or detail
            return value
        missing = [key for key in ("source", "detail-type", "detail") if key not in value]
        if missing:
            raise EntryError(
                f"the line has no {', '.join(missing)}; expected an event (source, detail-type, detail) or an entry "
                "(Source, DetailType, Detail)"
            )
        entry = {"Source": value["source"], "DetailType": value["detail-type"]}
        entry["Detail"] = self._detail.one(line) if isinstance(value["detail"], dict) else value["detail"]
        if "time" in value:
            entry["Time"] = value["time"]
        if value.get("resources"):
            entry["Resources"] = value["resources"]
        return entry


def _short(line: bytes) -> str:
    text = line.decode("utf-8", "replace").strip()
    return repr(text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…")
