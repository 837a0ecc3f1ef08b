"""How rules for the envelope events are written, as tables: ten broad rules, a form for each kind of event.

Relies on `entities` for the names that events carry; must never draw a random value outside the functions
that a form holds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rulebus.workload import entities as known
from rulebus.workload.chance import Chance

__all__ = ["BROAD", "FORMS", "Condition", "Form", "Values"]

Values = list[Any]
Condition = tuple[str, Values]


@dataclass(frozen=True, slots=True)
class Form:
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

FORMS = {
    "ec2": Form(
        "aws.ec2",
        _always("EC2 Instance State-change Notification"),
        "detail/instance-id",
        known.instance,
        (
            (0, "detail/state", _some_of(known.INSTANCE_STATES, 1, 3)),
            (0, "region", _regions),
            (1, "detail/state", lambda c: [{"anything-but": [c.one(known.INSTANCE_STATES)]}]),
            (2, "detail/state", _always({"anything-but": {"prefix": "s"}})),
            (2, "detail/state", _always({"suffix": "ing"})),
        ),
        prefix=lambda e: (
            "resources",
            [{"prefix": f"arn:aws:ec2:us-east-1:{known.ACCOUNTS[e % 50]}:instance/{known.instance(e)}"}],
        ),
        wildcard=lambda e: ("resources", [{"wildcard": f"arn:aws:ec2:*:*:instance/{known.instance(e)}"}]),
        suffix=lambda e: ("resources", [{"suffix": f"/{known.instance(e)}"}]),
    ),
    "s3": Form(
        "aws.s3",
        _always("Object Created"),
        "detail/object/key",
        lambda e: f"tenants/{known.tenant(e)}/manifest.json",
        (
            (0, "detail/reason", _one_of("PutObject", "CopyObject", "CompleteMultipartUpload")),
            (0, "region", _regions),
            (1, "detail/bucket/name", _always({"prefix": "acme-"})),
            (
                1,
                "detail/bucket/name",
                lambda c: [{"anything-but": [f"acme-alpha-{c.below(20):03d}", "acme-onyx-000"]}],
            ),
            (2, "detail/object/size", _compared(">", 0, 1024, 65536, 1048576)),
            (
                2,
                "detail/source-ip-address",
                _cidr("10.0.0.0/8", "52.0.0.0/10", "192.168.0.0/16", "3.0.0.0/9"),
            ),
        ),
    ),
    "shop": Form(
        "com.acme.shop",
        _some_of(("OrderPlaced", "OrderPaid", "OrderShipped", "OrderCancelled"), 1, 3),
        "detail/customer/id",
        known.customer,
        (
            (0, "detail/customer/tier", _some_of(("basic", "silver", "gold", "platinum"), 1, 3)),
            (0, "detail/order/currency", _some_of(known.CURRENCIES, 2, 2)),
            (0, "detail/coupon", _always({"exists": True})),
            (0, "detail/metadata/test", _always(False)),
            (1, "detail/coupon", _always({"exists": False})),
            (1, "detail/shipping/method", lambda c: [{"anything-but": [c.one(known.SHIPPING)]}]),
            (
                1,
                "detail/customer/country",
                lambda c: [{"equals-ignore-case": c.one(known.COUNTRIES).lower()}, "US", "DE"],
            ),
            (
                2,
                "detail/order/total",
                lambda c: [{"numeric": [c.one((">", ">=")), c.one((10, 50, 100, 250, 500))]}],
            ),
            (2, "detail/order/total", lambda c: [{"numeric": [">", 20, "<=", c.one((200, 400, 1000))]}]),
            (2, "detail/customer/email", _one_of({"suffix": "@example.com"}, {"suffix": "@example.org"})),
            (2, "detail/customer/tier", _always({"anything-but": {"equals-ignore-case": ["BASIC"]}})),
            (2, "detail/shipping/method", _always({"anything-but": {"suffix": "night"}})),
        ),
        prefix=lambda e: ("detail/order/id", [{"prefix": f"{known.customer(e)}-"}]),
        wildcard=lambda e: ("detail/order/id", [{"wildcard": f"{known.customer(e)}-*5"}]),
    ),
    "ecs": Form(
        "aws.ecs",
        _always("ECS Task State Change"),
        "detail/group",
        known.service,
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
    "cloudtrail": Form(
        "aws.cloudtrail",
        _always("AWS API Call via CloudTrail"),
        "detail/userIdentity/accountId",
        known.account,
        (
            (0, "detail/eventName", _some_of(known.API_CALLS, 1, 4)),
            (0, "detail/readOnly", _always(False)),
            (1, "detail/eventName", _always({"prefix": "Create"}, {"prefix": "Delete"})),
            (1, "detail/userIdentity/type", _always({"anything-but": ["Root"]})),
            (2, "detail/sourceIPAddress", _cidr("10.0.0.0/8", "54.0.0.0/8")),
            (2, "detail/eventSource", _always({"anything-but": {"prefix": "s3"}})),
        ),
        prefix=lambda e: ("detail/userIdentity/arn", [{"prefix": f"arn:aws:sts::{known.account(e)}:"}]),
        wildcard=lambda e: (
            "detail/userIdentity/arn",
            [{"wildcard": f"arn:aws:*::{known.account(e)}:*/admin/*"}],
        ),
    ),
    "guardduty": Form(
        "aws.guardduty",
        _always("GuardDuty Finding"),
        "detail/resource/instanceDetails/instanceId",
        known.suspect,
        (
            (0, "detail/severity", _always(8, 8.5)),
            (0, "detail/type", _some_of(known.FINDINGS, 2, 2)),
            (0, "detail/service/archived", _always(False)),
            (1, "detail/type", _always({"prefix": "Recon:"}, {"prefix": "Unauth"})),
            (2, "detail/severity", _compared(">=", 4, 5, 7)),
            (2, "detail/type", _always({"wildcard": "*:EC2/*DNS*"})),
        ),
    ),
}

BROAD: tuple[tuple[str, dict[str, Any]], ...] = (
    (
        "instances-gone",
        {
            "source": ["aws.ec2"],
            "detail-type": ["EC2 Instance State-change Notification"],
            "detail": {"state": ["terminated", "stopped"]},
        },
    ),
    (
        "uploads",
        {"source": ["aws.s3"], "detail-type": ["Object Created"], "detail": {"reason": ["PutObject"]}},
    ),
    (
        "orders-by-tier",
        {
            "source": ["com.acme.shop"],
            "detail-type": ["OrderPlaced"],
            "detail": {"customer": {"tier": ["basic", "gold", "platinum"]}},
        },
    ),
    ("orders-cancelled", {"source": ["com.acme.shop"], "detail-type": ["OrderCancelled"]}),
    (
        "fargate-stopped",
        {
            "source": ["aws.ecs"],
            "detail-type": ["ECS Task State Change"],
            "detail": {"lastStatus": ["STOPPED"], "launchType": ["FARGATE"]},
        },
    ),
    (
        "user-changes",
        {
            "source": ["aws.cloudtrail"],
            "detail": {"eventName": ["CreateUser", "DeleteUser", "CreateAccessKey"], "readOnly": [False]},
        },
    ),
    (
        "severe-findings",
        {"source": ["aws.guardduty"], "detail-type": ["GuardDuty Finding"], "detail": {"severity": [8, 8.5]}},
    ),
    ("us-shop-and-storage", {"region": ["us-east-1", "us-west-2"], "source": ["com.acme.shop", "aws.s3"]}),
    (
        "coupon-rush",
        {
            "source": ["com.acme.shop"],
            "detail": {"coupon": [{"exists": True}], "shipping": {"method": ["express", "overnight"]}},
        },
    ),
    ("us-compute", {"region": ["us-east-1", "us-west-2"], "source": ["aws.ec2", "aws.ecs"]}),
)
