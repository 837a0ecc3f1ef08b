"""JSON in Python: the one place that knows which library does it (orjson), so that it can be changed.

Imported inside the functions that need it by whatever `import rulebus` loads, since that must stay light.
Must never be used to decide what matches: that is the engine's work, on the bytes as they came.
"""

from __future__ import annotations

from typing import Any

import orjson

__all__ = ["JsonError", "dumps", "dumps_text", "loads"]

JsonError = orjson.JSONDecodeError
"""What `loads` raises: a `ValueError` with the place."""


def loads(text: bytes | bytearray | memoryview | str) -> Any:
    """The value of a JSON text. Integers beyond 64 bits become floats."""
    return orjson.loads(text)


def dumps(value: Any) -> bytes:
    """Compact JSON in UTF-8. Raises TypeError for what JSON cannot hold, naming the type."""
    return orjson.dumps(value)


def dumps_text(value: Any) -> str:
    """The same as `str`."""
    return orjson.dumps(value).decode()
