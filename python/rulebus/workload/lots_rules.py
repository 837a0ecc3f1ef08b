"""The rule sets that event-ruler's own benchmark puts on the city lots, by operator, and their combinations.

Relies on the landmark coordinates of `lots`; must never change a set without changing its recorded match
counts (`benches/workloads`). LAST_FIELD asks for the line's last field, so that nobody can stop reading
early.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from rulebus.workload.lots import LANDMARK_X, LANDMARK_Y, TOWER_X

__all__ = ["LOTS_SETS", "lots_rules"]

_LOT_GLOBS = ("143*", "2*0*1*7", "*218", "3*5*2", "VA*IL")
_ENDINGS = ("ON", "KE", "MM", "ING", "GO")
_MIDDLE, _WEST, _EAST = -122.41600944012424, -122.46471267081272, -122.4063085128395


def _property(field: str, *conditions: object) -> dict[str, Any]:
    return {"properties": {field: list(conditions)}}


def _each(field: str, make: Callable[[str], object], values: Iterable[str]) -> list[dict[str, Any]]:
    return [_property(field, make(value)) for value in values]


def _anything_but(make: Callable[[str], object], *values: str) -> list[dict[str, Any]]:
    """Five rules: two streets, the kind of street, the kind of geometry, the house number."""
    conditions = [{"anything-but": make(value)} for value in values]
    fields = ("STREET", "STREET", "ST_TYPE", "", "FROM_ST")
    return [
        _property(field, condition) if field else {"geometry": {"type": [condition]}}
        for field, condition in zip(fields, conditions, strict=True)
    ]


def _numeric(place: str, exact_x: float, several: dict[str, Any]) -> list[dict[str, Any]]:
    def on_x(*comparison: object) -> dict[str, Any]:
        return {place: {"x": [{"numeric": list(comparison)}]}}

    return [
        {"geometry": {"type": ["Polygon"], **on_x("=", exact_x)}},
        {"geometry": {"type": ["MultiPolygon"], place: several}},
        {"geometry": on_x("<", _MIDDLE)},
        {"geometry": on_x(">", _MIDDLE)},
        {"geometry": on_x(">", _WEST, "<", _EAST)},
    ]


def _ignore_case(value: str) -> dict[str, str]:
    return {"equals-ignore-case": value}


_SETS: dict[str, list[dict[str, Any]]] = {
    "EXACT": _each("MAPBLKLOT", str, ("1430022", "2607117", "2607218", "3745012", "VACSTWIL")),
    "WILDCARD": _each("MAPBLKLOT", lambda v: {"wildcard": v}, _LOT_GLOBS),
    "PREFIX": _each("STREET", lambda v: {"prefix": v}, ("AC", "BL", "DR", "FU", "RH")),
    "PREFIX_EIC": _each("STREET", lambda v: {"prefix": _ignore_case(v)}, ("Ac", "bL", "dR", "Fu", "rH")),
    "SUFFIX": _each("STREET", lambda v: {"suffix": v}, _ENDINGS),
    "SUFFIX_AS_WILDCARD": _each("STREET", lambda v: {"wildcard": "*" + v}, _ENDINGS),
    "SUFFIX_EIC": _each("STREET", lambda v: {"suffix": _ignore_case(v)}, ("oN", "Ke", "mM", "InG", "gO")),
    "EQUALS_IGNORE_CASE": [
        *_each("STREET", _ignore_case, ("jefferson", "bEaCh", "HyDe", "CHESTNUT")),
        *_each("ST_TYPE", _ignore_case, ("st",)),
    ],
    "ANYTHING_BUT": _anything_but(lambda v: [v], "FULTON", "MASON", "ST", "Polygon", "441"),
    "ANYTHING_BUT_IGNORE_CASE": _anything_but(
        lambda v: {"equals-ignore-case": [v]}, "Fulton", "Mason", "st", "polygon", "441"
    ),
    "ANYTHING_BUT_PREFIX": _anything_but(lambda v: {"prefix": v}, "FULTO", "MASO", "S", "Poly", "44"),
    "ANYTHING_BUT_SUFFIX": _anything_but(lambda v: {"suffix": v}, "ULTON", "ASON", "T", "olygon", "41"),
    "ANYTHING_BUT_WILDCARD": _each("MAPBLKLOT", lambda v: {"anything-but": {"wildcard": v}}, _LOT_GLOBS),
    "NUMERIC": _numeric("firstCoordinates", LANDMARK_X, {"z": [{"numeric": ["=", 0]}]}),
    "COMPLEX_ARRAYS": _numeric("coordinates", TOWER_X, {"y": [{"numeric": ["=", LANDMARK_Y]}]}),
    "LAST_FIELD": [{"geometry": {"firstCoordinates": {"z": [value]}}} for value in range(5)],
}
_COMBINATIONS = {
    "PARTIAL_COMBO": (
        "NUMERIC", "EXACT", "PREFIX", "ANYTHING_BUT", "ANYTHING_BUT_IGNORE_CASE",
        "ANYTHING_BUT_PREFIX", "ANYTHING_BUT_SUFFIX", "ANYTHING_BUT_WILDCARD",
    ),
    "COMBO": (
        "NUMERIC", "EXACT", "PREFIX", "ANYTHING_BUT", "ANYTHING_BUT_IGNORE_CASE",
        "ANYTHING_BUT_PREFIX", "ANYTHING_BUT_SUFFIX", "ANYTHING_BUT_WILDCARD", "COMPLEX_ARRAYS",
    ),
    "COMMON_COMBO": ("EXACT", "PREFIX", "ANYTHING_BUT", "EQUALS_IGNORE_CASE", "WILDCARD"),
}  # fmt: skip

LOTS_SETS: tuple[str, ...] = (*_SETS, *_COMBINATIONS)
"""Names of the rule sets, single operators first."""


def lots_rules(name: str) -> list[tuple[str, dict[str, Any]]]:
    """The rules of one set as (rule name, pattern): 5, or 25 to 45 in a combination.

    >>> lots_rules("EXACT")[0]
    ('EXACT-1', {'properties': {'MAPBLKLOT': ['1430022']}})
    """
    if name not in LOTS_SETS:
        raise ValueError(f"unknown rule set {name!r}; expected one of {', '.join(LOTS_SETS)}")
    parts = _COMBINATIONS.get(name, (name,))
    return [(f"{part}-{k}", pattern) for part in parts for k, pattern in enumerate(_SETS[part], 1)]
