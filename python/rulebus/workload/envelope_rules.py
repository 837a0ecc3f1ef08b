"""Rules for the envelope events, in mixes from one exact value to the whole pattern language.

The first ten rules of a set are broad (about one match an event in all); the others ask for source, detail
type, one entity and nought to three more fields, as tenants' subscriptions and security detections do.
Relies on `entities` for names that events carry too; must never draw from the events' stream.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from rulebus.workload import entities as known
from rulebus.workload.chance import Chance, weighted

__all__ = ["MIXES", "rules"]

MIXES = ("simple", "exact", "common", "full", "hard", "wild")
"""What the rules of a mix use.

simple: source, detail type and one exact entity; exact: exact values and `exists`; common: also prefix,
anything-but lists, equals-ignore-case and `exists: false`; full: also numeric, suffix, wildcard, cidr, the
nested anything-but forms and `$or`; hard: full, and half of the S3, shop and ECS rules carry an unselective
condition of their own on a field that sorts before the entity's; wild: every rule one wildcard with two
stars on one field.
"""

_BROAD: tuple[tuple[str, dict[str, Any]], ...] = (
    ("instances-gone", {"source": ["aws.ec2"], "detail-type": ["EC2 Instance State-change Notification"],
                        "detail": {"state": ["terminated", "stopped"]}}),
    ("uploads", {"source": ["aws.s3"], "detail-type": ["Object Created"], "detail": {"reason": ["PutObject"]}}),
    ("orders-by-tier", {"source": ["com.acme.shop"], "detail-type": ["OrderPlaced"],
                        "detail": {"customer": {"tier": ["basic", "gold", "platinum"]}}}),
    ("orders-cancelled", {"source": ["com.acme.shop"], "detail-type": ["OrderCancelled"]}),
    ("fargate-stopped", {"source": ["aws.ecs"], "detail-type": ["ECS Task State Change"],
                         "detail": {"lastStatus": ["STOPPED"], "launchType": ["FARGATE"]}}),
    ("user-changes", {"source": ["aws.cloudtrail"],
                      "detail": {"eventName": ["CreateUser", "DeleteUser", "CreateAccessKey"], "readOnly": [False]}}),
    ("severe-findings", {"source": ["aws.guardduty"], "detail-type": ["GuardDuty Finding"], "detail": {"severity": [8, 8.5]}}),
    ("us-shop-and-storage", {"region": ["us-east-1", "us-west-2"], "source": ["com.acme.shop", "aws.s3"]}),
    ("coupon-rush", {"source": ["com.acme.shop"],
                     "detail": {"coupon": [{"exists": True}], "shipping": {"method": ["express", "overnight"]}}}),
    ("us-compute", {"region": ["us-east-1", "us-west-2"], "source": ["aws.ec2", "aws.ecs"]}),
)  # fmt: skip

Values = list[Any]
Condition = tuple[str, Values]
_LEVEL = {"simple": 0, "exact": 0, "common": 1, "full": 2, "hard": 2}


@dataclass(frozen=True, slots=True)
class _Kind:
    """How rules for one kind of event are written; paths are keys joined with "/"."""

    source: str
    detail_types: Callable[[Chance], Values]
    path: str
    name: Callable[[int], str]
    # (lowest level of the mix, path, values)
    more: tuple[tuple[int, str, Callable[[Chance], Values]], ...]
    prefix: Callable[[int], Condition] | None = None
    wildcard: Callable[[int], Condition] | None = None
    suffix: Callable[[int], Condition] | None = None


def _always(*values: object) -> Callable[[Chance], Values]:
    return lambda _: list(values)


def _one_of(*values: object) -> Callable[[Chance], Values]:
    return lambda chance: [chance.one(values)]


def _some_of(options: tuple[str, ...], low: int, high: int) -> Callable[[Chance], Values]:
    return lambda chance: chance.some(options, chance.between(low, high))


def _compared(operator: str, *bounds: float) -> Callable[[Chance], Values]:
    return lambda chance: [{"numeric": [operator, chance.one(bounds)]}]


def _cidr(*ranges: str) -> Callable[[Chance], Values]:
    return lambda chance: [{"cidr": chance.one(ranges)}]


_regions = _some_of(tuple(sorted(known.REGIONS)), 2, 2)

_KINDS = {
    "ec2": _Kind(
        "aws.ec2", _always("EC2 Instance State-change Notification"), "detail/instance-id", known.instance,
        (
            (0, "detail/state", _some_of(known.INSTANCE_STATES, 1, 3)),
            (0, "region", _regions),
            (1, "detail/state", lambda c: [{"anything-but": [c.one(known.INSTANCE_STATES)]}]),
            (2, "detail/state", _always({"anything-but": {"prefix": "s"}})),
            (2, "detail/state", _always({"suffix": "ing"})),
        ),
        prefix=lambda e: ("resources", [{"prefix": f"arn:aws:ec2:us-east-1:{known.ACCOUNTS[e % 50]}:instance/{known.instance(e)}"}]),
        wildcard=lambda e: ("resources", [{"wildcard": f"arn:aws:ec2:*:*:instance/{known.instance(e)}"}]),
        suffix=lambda e: ("resources", [{"suffix": f"/{known.instance(e)}"}]),
    ),
    "s3": _Kind(
        "aws.s3", _always("Object Created"), "detail/object/key", lambda e: f"tenants/{known.tenant(e)}/manifest.json",
        (
            (0, "detail/reason", _one_of("PutObject", "CopyObject", "CompleteMultipartUpload")),
            (0, "region", _regions),
            (1, "detail/bucket/name", _always({"prefix": "acme-"})),
            (1, "detail/bucket/name", lambda c: [{"anything-but": [f"acme-alpha-{c.below(20):03d}", "acme-onyx-000"]}]),
            (2, "detail/object/size", _compared(">", 0, 1024, 65536, 1048576)),
            (2, "detail/source-ip-address", _cidr("10.0.0.0/8", "52.0.0.0/10", "192.168.0.0/16", "3.0.0.0/9")),
        ),
    ),
    "shop": _Kind(
        "com.acme.shop", _some_of(("OrderPlaced", "OrderPaid", "OrderShipped", "OrderCancelled"), 1, 3), "detail/customer/id", known.customer,
        (
            (0, "detail/customer/tier", _some_of(("basic", "silver", "gold", "platinum"), 1, 3)),
            (0, "detail/order/currency", _some_of(known.CURRENCIES, 2, 2)),
            (0, "detail/coupon", _always({"exists": True})),
            (0, "detail/metadata/test", _always(False)),
            (1, "detail/coupon", _always({"exists": False})),
            (1, "detail/shipping/method", lambda c: [{"anything-but": [c.one(known.SHIPPING)]}]),
            (1, "detail/customer/country", lambda c: [{"equals-ignore-case": c.one(known.COUNTRIES).lower()}, "US", "DE"]),
            (2, "detail/order/total", lambda c: [{"numeric": [c.one((">", ">=")), c.one((10, 50, 100, 250, 500))]}]),
            (2, "detail/order/total", lambda c: [{"numeric": [">", 20, "<=", c.one((200, 400, 1000))]}]),
            (2, "detail/customer/email", _one_of({"suffix": "@example.com"}, {"suffix": "@example.org"})),
            (2, "detail/customer/tier", _always({"anything-but": {"equals-ignore-case": ["BASIC"]}})),
            (2, "detail/shipping/method", _always({"anything-but": {"suffix": "night"}})),
        ),
        prefix=lambda e: ("detail/order/id", [{"prefix": f"{known.customer(e)}-"}]),
        wildcard=lambda e: ("detail/order/id", [{"wildcard": f"{known.customer(e)}-*5"}]),
    ),
    "ecs": _Kind(
        "aws.ecs", _always("ECS Task State Change"), "detail/group", known.service,
        (
            (0, "detail/lastStatus", _some_of(known.TASK_STATES, 2, 2)),
            (0, "detail/desiredStatus", _always("STOPPED")),
            (0, "detail/containers/exitCode", _always(1, 137)),
            (1, "detail/clusterArn", _always({"prefix": "arn:aws:ecs:us-"})),
            (1, "detail/launchType", _always({"anything-but": ["EC2"]})),
            (2, "detail/containers/exitCode", _compared(">", 0)),
            (2, "detail/clusterArn", _always({"suffix": ":cluster/main"})),
            (2, "detail/stoppedReason", _always({"wildcard": "Scaling*ecs-svc/*"})),
        ),
    ),
    "cloudtrail": _Kind(
        "aws.cloudtrail", _always("AWS API Call via CloudTrail"), "detail/userIdentity/accountId", known.account,
        (
            (0, "detail/eventName", _some_of(known.API_CALLS, 1, 4)),
            (0, "detail/readOnly", _always(False)),
            (1, "detail/eventName", _always({"prefix": "Create"}, {"prefix": "Delete"})),
            (1, "detail/userIdentity/type", _always({"anything-but": ["Root"]})),
            (2, "detail/sourceIPAddress", _cidr("10.0.0.0/8", "54.0.0.0/8")),
            (2, "detail/eventSource", _always({"anything-but": {"prefix": "s3"}})),
        ),
        prefix=lambda e: ("detail/userIdentity/arn", [{"prefix": f"arn:aws:sts::{known.account(e)}:"}]),
        wildcard=lambda e: ("detail/userIdentity/arn", [{"wildcard": f"arn:aws:*::{known.account(e)}:*/admin/*"}]),
    ),
    "guardduty": _Kind(
        "aws.guardduty", _always("GuardDuty Finding"), "detail/resource/instanceDetails/instanceId", known.suspect,
        (
            (0, "detail/severity", _always(8, 8.5)),
            (0, "detail/type", _some_of(known.FINDINGS, 2, 2)),
            (0, "detail/service/archived", _always(False)),
            (1, "detail/type", _always({"prefix": "Recon:"}, {"prefix": "Unauth"})),
            (2, "detail/severity", _compared(">=", 4, 5, 7)),
            (2, "detail/type", _always({"wildcard": "*:EC2/*DNS*"})),
        ),
    ),
}  # fmt: skip


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
    yield from _BROAD[:n]
    draw = weighted(known.KINDS.items(), chance)
    for number in range(len(_BROAD), n):
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
    form = _KINDS[kind]
    detail_types = ["OrderPlaced"] if kind == "shop" else form.detail_types(chance)
    pattern: dict[str, Any] = {"source": [form.source], "detail-type": detail_types}
    _put(pattern, form.path, [form.name(chance.below(limit))])
    return pattern


def _narrow(kind: str, mix: str, limit: int, chance: Chance) -> dict[str, Any]:
    form, level = _KINDS[kind], _LEVEL[mix]
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


def _entity(form: _Kind, level: int, limit: int, chance: Chance) -> Condition:
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


def _key(form: _Kind, level: int, limit: int, chance: Chance) -> Condition:
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
