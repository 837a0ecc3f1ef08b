"""Targets from strings. Relies on entry points written into a temporary folder; opens no connection."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from rulebus.errors import BusError
from rulebus.targets.command import CommandTarget
from rulebus.targets.registry import TargetRegistry, open_target


@pytest.mark.parametrize(
    ("text", "described"),
    [
        ("orders.jsonl", "file orders.jsonl"),
        ("./orders", "file ./orders"),
        ("/var/log/orders", "file /var/log/orders"),
        ("file:///var/log/my%20orders.jsonl?fsync=1", "file /var/log/my orders.jsonl"),
        ("FILE:///a", "file /a"),
        ("https://billing.example/orders?key=k", "POST https://billing.example/orders"),
        ("arn:aws:sqs:eu-central-1:123456789012:orders", "sqs arn:aws:sqs:eu-central-1:123456789012:orders"),
        ("sqs://orders?region=eu-central-1", "sqs orders"),
        (
            "arn:aws:lambda:eu-central-1:123456789012:function:bill",
            "lambda arn:aws:lambda:eu-central-1:123456789012:function:bill",
        ),
        ("arn:aws:sns:eu-central-1:123456789012:news", "sns arn:aws:sns:eu-central-1:123456789012:news"),
        (
            "arn:aws:states:eu-central-1:123456789012:stateMachine:Order",
            "states arn:aws:states:eu-central-1:123456789012:stateMachine:Order",
        ),
        ("arn:aws:dynamodb:eu-central-1:123456789012:table/orders", "dynamodb orders"),
        (
            "arn:aws:kinesis:eu-central-1:123456789012:stream/orders",
            "kinesis arn:aws:kinesis:eu-central-1:123456789012:stream/orders",
        ),
        ("arn:aws:logs:eu-central-1:123456789012:log-group:/aws/events/orders:*", "logs /aws/events/orders"),
    ],
)
def test_built_in_schemes(text: str, described: str) -> None:
    assert open_target(text).describe() == described


def test_log_targets() -> None:
    assert open_target("log:shop.events?level=debug").describe() == "log shop.events at DEBUG"
    assert open_target("log://shop.events").describe() == "log shop.events at INFO"
    assert "INFO" in open_target("log:").describe()


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("kafka://broker/topic", "target-scheme", "kafka"),
        ("orders", "target-scheme", "begins with its scheme"),
        ("", "target-scheme", "https:"),
        ("file://host/path", "target-path", "three slashes"),
        ("file:", "target-path", "path"),
        ("arn:aws:ec2:eu-central-1:123456789012:instance/i-1", "target-arn", "ec2"),
        ("arn:aws:sqs:x", "target-arn", "arn:"),
        ("https://", "target-url", "host"),
    ],
)
def test_what_is_no_target_is_refused(text: str, code: str, words: str) -> None:
    with pytest.raises(BusError) as caught:
        open_target(text)
    assert caught.value.code == code
    assert words in caught.value.message


def test_no_library_is_imported_before_a_target_is_made() -> None:
    program = (
        "import sys, rulebus.targets.http, rulebus.targets.aws, rulebus.targets.registry, rulebus.schedule\n"
        "assert not {'aiohttp', 'boto3', 'botocore', 'yarl', 'orjson'} & set(sys.modules), sorted(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-P", "-c", program], check=True)


def test_options_reach_the_constructor_and_wrong_ones_are_named() -> None:
    with pytest.raises(BusError) as caught:
        open_target("orders.jsonl", colour="red")
    assert caught.value.code == "target-options"
    assert "colour" in caught.value.message


def test_registered_schemes_belong_to_their_registry() -> None:
    registry = TargetRegistry()
    registry.register_target("CMD", lambda text, **options: CommandTarget(text.partition(":")[2], **options))
    assert registry.open("cmd:cat -n", timeout_s=3).describe() == "command cat"
    assert "cmd" in registry.schemes()
    with pytest.raises(BusError):
        TargetRegistry().open("cmd:cat")
    with pytest.raises(BusError) as caught:
        registry.register_target("x:", CommandTarget)
    assert caught.value.code == "target-scheme"


def test_entry_points_of_installed_packages_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broker_target.py").write_text(
        "from rulebus.targets.file import FileTarget\n"
        "def factory(text, **options):\n    return FileTarget('/broker/' + text.partition('://')[2], **options)\n"
    )
    info = tmp_path / "broker_target-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broker-target\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[rulebus.targets]\nbroker = broker_target:factory\nlost = broker_target:missing\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "broker_target", raising=False)
    assert open_target("broker://topic").describe() == "file /broker/topic"
    with pytest.raises(BusError) as caught:
        open_target("lost://topic")
    assert caught.value.code == "target-entry-point"
    with pytest.raises(BusError):
        TargetRegistry(use_entry_points=False).open("broker://topic")
