"""JSON in Python: the one place that knows which library does it (orjson), so that it can be changed.

Imported inside the functions that need it by whatever `import rulebus` loads, since that must stay light.
Must never be used to decide what matches: that is the engine's work, on the bytes as they came.
"""

from __future__ import annotations

from typing import Any, NoReturn

import orjson

__all__ = ["JsonError", "dumps", "dumps_text", "loads"]

JsonError = orjson.JSONDecodeError
"""What `loads` raises: a `ValueError` with the place."""


def loads(text: bytes | bytearray | memoryview | str) -> Any:
    """The value of a JSON text.

    Whatever is valid JSON has one: a number beyond all floats (``1e400``) is infinite, half of a surrogate pair stays
    one in the `str`. CAUTION: an integer beyond 64 bits becomes a float, and so loses digits, as in JavaScript; only
    one that no float can hold stays an exact `int`. COST: such rarities are read by the standard library.
    """
    try:
        return orjson.loads(text)
    except JsonError:
        value = _rare(text)
        if value is _NOTHING:
            raise
        return value


_NOTHING = object()


def _rare(text: bytes | bytearray | memoryview | str) -> Any:
    """The value of a text that orjson refuses, or `_NOTHING` if it is no JSON."""
    import json

    try:
        # Decoded here, since json.loads() would let bytes pass that are no UTF-8.
        decoded = text if isinstance(text, str) else bytes(text).decode()
        return json.loads(decoded, parse_constant=_refuse, parse_int=_integer)
    except (ValueError, RecursionError):
        return _NOTHING


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _integer(text: str) -> int | float:
    """An integer; beyond 64 bits a float as everywhere, beyond those exact, beyond what Python reads infinite."""
    if len(text) < 19:
        return int(text)
    value = float(text)
    if abs(value) < 1e18:
        return int(text)
    if value in (float("inf"), float("-inf")):
        try:
            return int(text)
        except ValueError:
            return value
    exact = int(text)
    return exact if -(1 << 63) <= exact < 1 << 64 else value


def dumps(value: Any) -> bytes:
    """Compact JSON in UTF-8. Raises TypeError for what JSON cannot hold, naming the type."""
    return orjson.dumps(value)


def dumps_text(value: Any) -> str:
    """The same as `str`."""
    return orjson.dumps(value).decode()
