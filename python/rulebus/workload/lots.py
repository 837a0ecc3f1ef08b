"""Events in the shape of San Francisco's city lots, the file on which event-ruler and quamina measure
themselves.

Invented data with the public benchmarks' frequencies: early keys that rules ask for, then long coordinate
arrays. Lots come sorted by block as in the real file; condominiums share a polygon and a MAPBLKLOT. Relies
on `chance` only; must never depend on anything but its arguments. The rules stand in `lots_rules`.
"""

from __future__ import annotations

from collections.abc import Iterator

from rulebus.workload.chance import Chance, weighted

__all__ = ["LANDMARK_X", "LANDMARK_Y", "TOWER_X", "lots"]

# Places that rules name exactly: the first corner of lot 0778102, the second corner of the tower 0777101,
# and the second corner of every parcel made of several polygons.
LANDMARK_X = -122.42093176543312
TOWER_X = -122.42240155612883
LANDMARK_Y = 37.76480196218471

# How often a street stands in the real file's 213,068 lines, for the streets that the rule sets tell apart.
_STREETS_NAMED = {
    "17TH": 1619, "FOLSOM": 1390, "FULTON": 1910, "MOULTON": 22, "FUNSTON": 477, "MASON": 2657,
    "MASONIC": 293,
    "HYDE": 1758, "CHESTNUT": 825, "BEACH": 211, "JEFFERSON": 131, "CRANLEIGH": 7, "ACADIA": 13,
    "ACEVEDO": 11,
    "BLAKE": 142, "BLYTHDALE": 300, "DRUMM": 13, "DRAKE": 25, "RHODE ISLAND": 320, "RHINE": 8, "LAKE": 600,
    "WATERLAKE": 104, "FLEMING": 60, "GRIJALVA PARKING": 40, "BUENA VISTA LANDING": 20, "VAN NING": 1843,
    "SANTIAGO": 600, "CHICAGO": 82, "MISSION": 5200, "HARRISON": 1700, "WASHINGTON": 1650, "JACKSON": 1300,
    "STOCKTON": 900, "CLAYTON": 800, "SUTTON": 500, "LEXINGTON": 150, "KINGSTON": 130, "MADISON": 110,
    "SIMON": 64,
}  # fmt: skip
# The others, most frequent first; none begins or ends with what a rule asks for.
_STREETS_OTHER = (
    "MARKET", "GEARY", "CALIFORNIA", "SACRAMENTO", "BALBOA", "CABRILLO", "PACIFIC", "BROADWAY", "TARAVAL",
    "NORIEGA", "PINE", "JUDAH", "KIRKHAM", "LOMBARD", "VALLEJO", "HAIGHT", "OAK", "FELL", "BUSH", "POST",
    "BAKER", "BRODERICK", "BRYANT", "CASTRO", "DIAMOND", "DOLORES", "EUREKA", "ELLIS", "EDDY", "FILBERT",
    "FILLMORE", "GUERRERO", "GOUGH", "GREEN", "GROVE", "HAYES", "HOWARD", "INDIANA", "JONES", "JERSEY",
    "KANSAS", "LAGUNA", "LIBERTY", "MORAGA", "MCALLISTER", "NATOMA", "NOE", "OCTAVIA", "ORTEGA", "PAGE",
    "PIERCE", "POTRERO", "QUINTARA", "RIVERA", "RUSSIA", "SANCHEZ", "SCOTT", "SHRADER", "STEINER", "TURK",
    "TEHAMA", "ULLOA", "UTAH", "VALENCIA", "VICENTE", "WALLER", "WEBSTER", "WAWONA", "YORK", "2ND", "3RD",
    "4TH", "6TH", "8TH", "12TH", "16TH", "18TH", "20TH", "22ND", "24TH", "25TH", "28TH", "30TH", "33RD",
    "36TH", "38TH", "41ST", "43RD", "45TH", "47TH", "SAN JOSE", "SAN BRUNO", "VAN NESS", "WEST PORTAL",
    "HOLLY PARK", "YERBA BUENA",
)  # fmt: skip
_REAL_LINES = 213_068
_KINDS = (
    ("ST", 116386), ("AVE", 66000), ("BLVD", 6500), ("DR", 5600), ("WAY", 5200), ("TER", 2000), ("PL", 1500),
    ("CT", 1100), ("LN", 700),
    ("RD", 700), ("MT", 674), ("CIR", 350), ("HWY", 150), ("PLZ", 120), ("ALY", 100), ("PARK", 100),
    ("STWY", 15), (None, 5873),
)  # fmt: skip
# Parcels that rules name: (block, lot) -> units in the real file. 3027A has 59 lots of its own instead.
_NAMED_PARCELS = {
    ("0777", "101"): 218, ("0778", "102"): 2, ("1430", "022"): 1, ("2607", "117"): 101, ("2607", "218"): 35,
    ("3745", "012"): 655,
}  # fmt: skip


def lots(n: int, seed: int = 7) -> Iterator[bytes]:
    """Yield `n` city lots as JSON texts without line ends, 0.9 KB on average.

    >>> len(list(lots(10))), next(lots(1)).startswith(b'{"type":"Feature","properties":{"MAPBLKLOT":')
    (10, True)
    """
    chance = Chance(f"lots-{seed}")
    address, shape = _addresses(chance), _Shape(chance)
    several_every = max(1, n // max(1, round(n * 120 / _REAL_LINES)))
    line = 0
    for block, lot, units in _parcels(n, chance):
        polygon = shape.polygon()
        if block == "0777" and lot == "101":
            polygon[1] = (TOWER_X, polygon[1][1])
        elif block == "0778" and lot == "102":
            polygon[0] = polygon[-1] = (LANDMARK_X, polygon[0][1])
        for unit in range(units):
            if line == n:
                return
            several = line % several_every == several_every // 2
            own = lot if unit == 0 else f"{(200 + unit + 3 * (line % 97)) % 1000:03d}"
            yield _feature(block, lot, own, next(address), polygon, several)
            line += 1


def _parcels(n: int, chance: Chance) -> Iterator[tuple[str, str, int]]:
    """(block, lot, units) in order of block, about `n` units in all and never fewer."""
    scale = n / _REAL_LINES
    named = {place: max(1, round(units * scale)) for place, units in _NAMED_PARCELS.items()}
    plain = max(1, round(59 * scale))
    blocks = [b for b in range(1, 8999) if chance.random() < 0.62 or b in (777, 778, 1430, 2607, 3027, 3745)]
    spread, emitted = n - sum(named.values()) - plain - 1, 0
    for k, number in enumerate(blocks):
        block, due, lot = f"{number:04d}", spread * (k + 1) // len(blocks), 0
        for (b, name), units in named.items():
            if b == block:
                yield block, name, units
        if number == 3027:
            yield from (("3027A", f"{j:03d}", 1) for j in range(1, plain + 1))
        while emitted < due:
            lot += 1
            letter = "ABCD"[chance.below(4)] if chance.random() < 0.04 else ""
            units = min(_units(chance), due - emitted)
            if (block, f"{lot:03d}") not in named:
                emitted += units
                yield block, f"{lot:03d}{letter}", units
    yield "VACST", "WIL", 1
    for extra in range(n):
        yield "9999", f"{extra % 1000:03d}", 1


def _units(chance: Chance) -> int:
    r = chance.random()
    if r < 0.955:
        return 1
    return 2 + chance.below(12) if r < 0.9995 else chance.between(40, 300)


def _addresses(chance: Chance) -> Iterator[str]:
    """The members from FROM_ST to ODD_EVEN, ready to insert."""
    rest = _REAL_LINES - sum(_STREETS_NAMED.values())
    zipf = [1 / (k + 6) for k in range(len(_STREETS_OTHER))]
    others = [(name, rest * z / sum(zipf)) for name, z in zip(_STREETS_OTHER, zipf, strict=True)]
    street = weighted([*_STREETS_NAMED.items(), *others], chance)
    kind = weighted([(f'"{k}"' if k else "null", w) for k, w in _KINDS], chance)
    while True:
        number = _house_number(chance)
        to = number if chance.random() < 0.86 else number + 2 * chance.between(1, 12)
        odd = "O" if number % 2 else "E"
        yield (
            f'"FROM_ST":"{number}","TO_ST":"{to}","STREET":"{street()}","ST_TYPE":{kind()},"ODD_EVEN":"{odd}"'
        )


def _house_number(chance: Chance) -> int:
    """House numbers; 441 and its relatives (44…, …41) as often as in the real file."""
    r = chance.random()
    if r < 0.0115:
        return 441
    if r < 0.0188:
        return chance.one((44, 440, 442, 443, 4401, 4410, 445, 449))
    if r < 0.0260:
        return chance.one((41, 241, 541, 1241, 741, 1941))
    if r < 0.04:
        return 0
    number = 1 + int(1800 * chance.random() * chance.random())
    return number + 3 if number % 100 == 41 or str(number).startswith("44") else number


class _Shape:
    """Polygons around a random place in the city."""

    def __init__(self, chance: Chance) -> None:
        self.chance = chance

    def polygon(self) -> list[tuple[float, float]]:
        """Corners, the first repeated at the end."""
        r, corners = self.chance.random, self._corners()
        x, y = self._longitude(), 37.7085 + 0.102 * r()
        reach = 0.0001 + 0.00001 * corners
        points = [(x + reach * (2 * r() - 1), y + reach * (2 * r() - 1)) for _ in range(corners - 1)]
        points.append(points[0])
        return points

    def _longitude(self) -> float:
        """Seven of ten lots lie west of -122.416, six of ten between -122.4647 and -122.4063."""
        r, u = self.chance.random(), self.chance.random()
        if r < 0.345:
            return -122.5135 + 0.04869 * u
        if r < 0.6995:
            return -122.46461 + 0.04841 * u
        if r < 0.941:
            return -122.41580 + 0.00939 * u
        return -122.40621 + 0.04021 * u

    def _corners(self) -> int:
        r, chance = self.chance.random(), self.chance
        if r < 0.44:
            return 5
        if r < 0.80:
            return chance.between(6, 10)
        if r < 0.965:
            return chance.between(11, 24)
        if r < 0.9992:
            return chance.between(25, 90)
        return min(4000, int(200 / (1.0 - chance.random()) ** 0.77))


def _feature(
    block: str, lot: str, own: str, address: str, polygon: list[tuple[float, float]], several: bool
) -> bytes:
    """One line; `own` is the unit's lot number in a condominium that stands on `lot`."""
    if several:
        polygon = [polygon[0], (polygon[1][0], LANDMARK_Y), *polygon[2:]]
    points = ",".join([f'{{"x":{x!r},"y":{y!r},"z":0.0}}' for x, y in polygon])
    kind, ring = ("MultiPolygon", f"[[[{points}]]]") if several else ("Polygon", f"[[{points}]]")
    x, y = polygon[0]
    return (
        f'{{"type":"Feature","properties":{{"MAPBLKLOT":"{block}{lot}","BLKLOT":"{block}{own}",'
        f'"BLOCK_NUM":"{block}",'
        f'"LOT_NUM":"{own}",{address}}},"geometry":{{"type":"{kind}","coordinates":{ring},'
        f'"firstCoordinates":{{"x":{x!r},"y":{y!r},"z":0.0}}}}}}'
    ).encode()
