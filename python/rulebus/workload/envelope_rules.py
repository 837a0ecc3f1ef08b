"""Rules for the envelope events, in mixes from one exact value to the whole pattern language.

The first ten rules of a set are broad (about one match an event in all); the others ask for source, detail
type, one entity and nought to three more fields, as tenants' subscriptions and security detections do.
Relies on `entities` for names that events carry too; must never draw from the events' stream.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rulebus.workload import entities as known
from rulebus.workload.chance import Chance, weighted
from rulebus.workload.envelope_forms import BROAD, FORMS, Condition, Form, Values

__all__ = ["MIXES", "rules"]

MIXES = ("simple", "exact", "common", "full", "hard", "wild")
"""What the rules of a mix use.

simple: source, detail type and one exact entity; exact: exact values and `exists`; common: also prefix,
anything-but lists, equals-ignore-case and `exists: false`; full: also numeric, suffix, wildcard, cidr, the
nested anything-but forms and `$or`; hard: full, and half of the S3, shop and ECS rules carry an unselective
condition of their own on a field that sorts before the entity's; wild: every rule one wildcard with two
stars on one field.
"""

_LEVEL = {"simple": 0, "exact": 0, "common": 1, "full": 2, "hard": 2}


def rules(
    mix: str, n: int, seed: int = 11, *, entities: int = 1_000_000
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield `n` rules as (name, pattern); a smaller set is the beginning of a larger one.

    >>> [name for name, _ in rules("full", 2)]
    ['instances-gone', 'uploads']
    """
    if mix not in MIXES:
        raise ValueError(f"unknown mix {mix!r}; expected one of {', '.join(MIXES)}")
    chance = Chance(f"rules-{mix}-{seed}")
    if mix == "wild":
        return _wild(n, chance)
    return _mixed(mix, n, entities, chance)


def _mixed(mix: str, n: int, entities: int, chance: Chance) -> Iterator[tuple[str, dict[str, Any]]]:
    yield from BROAD[:n]
    draw = weighted(known.KINDS.items(), chance)
    for number in range(len(BROAD), n):
        kind = draw()
        limit = known.universe(kind, entities)
        pattern = _simple(kind, limit, chance) if mix == "simple" else _narrow(kind, mix, limit, chance)
        yield f"{kind}-{number:06d}", pattern


def _wild(n: int, chance: Chance) -> Iterator[tuple[str, dict[str, Any]]]:
    """Distinct two-star wildcards; there are 73,728 of them."""
    if n > 70_000:
        raise ValueError(f"the mix wild has at most 70,000 rules, not {n:,}")
    seen: set[str] = set()
    while len(seen) < n:
        folder, extension = chance.one(("in", "out", "tmp")), chance.one(known.EXTENSIONS)
        text = f"*/{folder}*{chance.bits(12):x}.{extension}*"
        if text not in seen:
            seen.add(text)
            yield (
                f"wild-{len(seen):06d}",
                {"source": ["aws.s3"], "detail": {"object": {"key": [{"wildcard": text}]}}},
            )


def _simple(kind: str, limit: int, chance: Chance) -> dict[str, Any]:
    form = FORMS[kind]
    detail_types = ["OrderPlaced"] if kind == "shop" else form.detail_types(chance)
    pattern: dict[str, Any] = {"source": [form.source], "detail-type": detail_types}
    _put(pattern, form.path, [form.name(chance.below(limit))])
    return pattern


def _narrow(kind: str, mix: str, limit: int, chance: Chance) -> dict[str, Any]:
    form, level = FORMS[kind], _LEVEL[mix]
    pattern: dict[str, Any] = {"source": [form.source], "detail-type": form.detail_types(chance)}
    _put(pattern, *(_key if kind == "s3" else _entity)(form, level, limit, chance))
    choices = [(path, make) for lowest, path, make in form.more if lowest <= level]
    for path, make in chance.some(choices, min(len(choices), chance.one((0, 1, 1, 2, 2, 3)))):
        _put(pattern, path, make(chance))
    if level == 2 and kind == "shop" and chance.random() < 0.07:
        detail = pattern["detail"]
        detail.pop("coupon", None)
        detail.pop("metadata", None)
        detail["$or"] = [{"coupon": ["SAVE20"]}, {"metadata": {"attempt": [{"numeric": [">", 0]}]}}]
    if mix == "hard" and chance.random() < 0.5:
        _burden(kind, pattern, chance)
    return pattern


def _entity(form: Form, level: int, limit: int, chance: Chance) -> Condition:
    """One entity, or a few, by exact value or by what the mix allows."""
    entity, r = chance.below(limit), chance.random()
    if level == 0:
        r *= 0.80
    if r < 0.58:
        return form.path, [form.name(entity)]
    if r < 0.80:
        return form.path, [
            form.name(entity),
            *(form.name(chance.below(limit)) for _ in range(chance.between(1, 3))),
        ]
    if r < 0.85:
        return form.path, [{"equals-ignore-case": form.name(entity).upper()}]
    if form.prefix and (r < 0.92 or level < 2):
        return form.prefix(entity)
    if form.wildcard and level == 2 and r < 0.97:
        return form.wildcard(entity)
    if form.suffix and level == 2:
        return form.suffix(entity)
    return form.path, [form.name(entity)]


def _key(form: Form, level: int, limit: int, chance: Chance) -> Condition:
    """Objects are asked for by their tenant: no rule knows a whole key, except in the exact mix."""
    tenant = known.tenant(entity := chance.below(limit))
    folder = chance.one(("", chance.one(("in", "out", "tmp")) + "/"))
    if level == 0:
        return form.path, [form.name(entity)]
    if level == 2 and chance.random() < 0.45:
        return form.path, [{"wildcard": f"tenants/{tenant}/*.{chance.one(known.EXTENSIONS)}"}]
    return form.path, [{"prefix": f"tenants/{tenant}/{folder}"}]


def _burden(kind: str, pattern: dict[str, Any], chance: Chance) -> None:
    """A condition that nearly every event satisfies and no two rules share."""
    if kind == "s3":
        names = [f"acme-{chance.one(known.BUCKET_WORDS)}-{chance.below(500):03d}" for _ in range(2)]
        _put(pattern, "detail/bucket/name", [{"anything-but": names}], replace=True)
    elif kind == "shop":
        _put(
            pattern, "detail/amount", [{"numeric": [">", round(1 + 899 * chance.random(), 2)]}], replace=True
        )
    elif kind == "ecs":
        _put(
            pattern,
            "detail/containers/exitCode",
            [{"numeric": ["<", chance.between(1, 100_000)]}],
            replace=True,
        )


def _put(pattern: dict[str, Any], path: str, values: Values, *, replace: bool = False) -> None:
    """Set the values at a path; what stands there already stays unless `replace` is set."""
    *parents, last = path.split("/")
    for key in parents:
        pattern = pattern.setdefault(key, {})
    if replace or last not in pattern:
        pattern[last] = values
