"""What events and rules of the envelope workload have in common: kinds of event, their shares, their
entities, vocabulary.

An entity (an instance, tenant, customer, service, account) is a number; its name is a pure function of the
number, so that a rule can name an entity which events carry without either having seen the other. Relies on
`chance.identifier`; must never draw random values of its own.
"""

from __future__ import annotations

from rulebus.workload.chance import identifier

__all__ = [
    "ACCOUNTS", "API_CALLS", "BUCKET_WORDS", "COUNTRIES", "CURRENCIES", "EXTENSIONS", "FINDINGS",
    "INSTANCE_STATES", "KINDS", "REGIONS",
    "SHIPPING", "TASK_STATES", "WORDS", "account", "customer", "instance", "service", "suspect", "tenant",
    "universe",
]  # fmt: skip

# Kind of event -> its share of the stream and of the entities.
KINDS = {"ec2": 0.20, "s3": 0.25, "shop": 0.30, "ecs": 0.10, "cloudtrail": 0.10, "guardduty": 0.05}

REGIONS = {"us-east-1": 5, "us-west-2": 3, "eu-west-1": 2, "ap-southeast-2": 1, "eu-central-1": 1}
WORDS = [
    "alpha",
    "bravo",
    "carbon",
    "delta",
    "ember",
    "fjord",
    "glacier",
    "harbor",
    "indigo",
    "jasper",
    "kelp",
    "lumen",
    "meadow",
    "nickel",
    "onyx",
    "pebble",
    "quartz",
    "river",
    "sable",
    "tundra",
    "umber",
    "violet",
    "willow",
    "zephyr",
]
BUCKET_WORDS = WORDS
EXTENSIONS = ("json", "parquet", "csv.gz", "png", "pdf", "log")
SHIPPING = ("standard", "express", "pickup", "overnight")
CURRENCIES = ("USD", "EUR", "GBP", "JPY")
COUNTRIES = ("US", "DE", "FR", "GB", "JP", "BR", "IN", "CA", "AU", "SE")
INSTANCE_STATES = ("pending", "running", "stopping", "stopped", "shutting-down", "terminated")
TASK_STATES = ("PROVISIONING", "PENDING", "RUNNING", "STOPPING", "STOPPED")
API_CALLS = (
    "PutObject", "CreateUser", "DeleteUser", "AssumeRole", "AttachRolePolicy", "CreateAccessKey",
    "RunInstances", "TerminateInstances",
    "UpdateFunctionCode20150331v2", "DescribeInstances",
)  # fmt: skip
FINDINGS = (
    "UnauthorizedAccess:EC2/SSHBruteForce", "Recon:EC2/PortProbeUnprotectedPort",
    "CryptoCurrency:EC2/BitcoinTool.B!DNS",
    "Backdoor:EC2/DenialOfService.Dns", "Trojan:EC2/DNSDataExfiltration",
)  # fmt: skip


def universe(kind: str, entities: int) -> int:
    """How many entities a kind has when all kinds together have `entities`."""
    return max(1, int(KINDS[kind] * entities))


def instance(number: int) -> str:
    return f"i-0{identifier(1, number):016x}"


def suspect(number: int) -> str:
    """An instance that GuardDuty reports; none of those that change their state."""
    return f"i-0{identifier(2, number):016x}"


def tenant(number: int) -> str:
    return f"tnt-{number:06d}"


def customer(number: int) -> str:
    return f"cus_{identifier(3, number) >> 8:014x}"


def service(number: int) -> str:
    return f"service:svc-{identifier(4, number) >> 24:010x}"


def account(number: int) -> str:
    return f"{100_000_000_000 + identifier(5, number) % 900_000_000_000:012d}"


# The accounts that own the resources; entity accounts appear as callers in CloudTrail only.
ACCOUNTS = tuple(account(number) for number in range(50))
