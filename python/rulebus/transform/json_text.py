"""Whether a text is JSON, and where it stops being so. For definitions, which are small; never for events.

Relies on the standard library, imported when first needed. Accepts exactly RFC 8259.
"""

from __future__ import annotations

import re

__all__ = ["check_json"]

_CONSTANT = re.compile(r'"(?:[^"\\]|\\.)*"|(-?Infinity|NaN)', re.DOTALL)


def check_json(text: str) -> tuple[int, str] | None:
    """None if the text is one JSON value, else the offset (in characters) and a phrase of what is wrong."""
    import json

    try:
        text.encode()
        # Only the form is of interest: numbers of any length, no conversion.
        json.loads(text, parse_int=len, parse_float=len, parse_constant=_refuse)
    except json.JSONDecodeError as error:
        return error.pos, error.msg[:1].lower() + error.msg[1:]
    except UnicodeEncodeError as error:
        return error.start, "half of a surrogate pair, which is no character"
    except RecursionError:
        return 0, "it is nested too deep"
    except _NotJson as error:
        word = next(match for match in _CONSTANT.finditer(text) if match[1])
        return word.start(), f"JSON has no {error}"
    return None


class _NotJson(Exception):
    """A word that Python's reader knows and JSON does not."""


def _refuse(word: str) -> None:
    raise _NotJson(word)
