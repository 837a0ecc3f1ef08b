"""Router files: what they mean, and that every fault is found in one reading, each at its place.

Relies on `rulebus.config`; nothing here opens or connects anything.
"""

from __future__ import annotations

from pathlib import Path

import pytest

import rulebus
from rulebus.config.faults import ConfigError
from rulebus.config.schema import RouterConfig, read_router
from rulebus.config.targets import Secret

WHOLE = """
buses = ["orders"]

[bus]
max_pending = 10
when_full = "refuse"

[store]
path = "data/orders.db"

[input]
bus = "orders"
http = "127.0.0.1:0"
files = ["in.jsonl"]

[retry.patient]
maximum_retry_attempts = 7
waits_s = [0, 5, 60]

[archives.all]
bus = "orders"
retention_days = 30
pattern = {source = [{prefix = "shop"}]}

[targets.billing]
url = "https://billing.example/orders"
timeout_s = 10
[targets.billing.connection]
kind = "basic"
username = "shop"
password = {env = "BILLING_PASSWORD"}

[targets.audit]
file = "audit.jsonl"
fsync = true

[targets.mail]
command = ["sendmail", "-t"]

[[rules]]
name = "big"
bus = "orders"
description = "worth a look"
pattern = '{"detail": {"total": [{"numeric": [">", 100]}]}}'
[[rules.targets]]
target = "billing"
retry = "patient"
input_path = "$.detail"
order_by = "$.detail.order"
dead_letter = "audit"
failure_kinds = {HTTP_404 = "permanent"}
[[rules.targets]]
target = "mail"
id = "letters"
batch_window_s = 0.5
retry = {maximum_retry_attempts = 1}

[[rules]]
name = "every-hour"
schedule = "rate(1 hour)"
state = "DISABLED"
targets = ["log:ticks"]
"""


def read(text: str) -> RouterConfig:
    return read_router(text, Path("conf/router.toml"))


def faults(text: str) -> dict[str, tuple[int, int]]:
    """Every message with its place."""
    with pytest.raises(ConfigError) as caught:
        read(text)
    return {fault.message: fault.place for fault in caught.value.faults}


def test_a_whole_file_is_read() -> None:
    config = read(WHOLE)
    assert config.buses == ("default", "orders")
    assert config.options == {"max_pending": 10, "when_full": "refuse"}
    assert config.store.path == Path("conf/data/orders.db")
    assert config.input.files == (Path("conf/in.jsonl"),)
    assert (config.archives[0].retention_days, config.archives[0].pattern) == (
        30,
        '{"source":[{"prefix":"shop"}]}',
    )
    big, hourly = config.rules
    first, second = big.subscriptions
    assert first.options["retry"].waits_s == (0.0, 5.0, 60.0)
    assert (first.options["id"], first.dead_letter, first.options["order_by"]) == (
        "billing",
        "audit",
        "$.detail.order",
    )
    assert (second.options["id"], second.options["retry"].maximum_retry_attempts) == ("letters", 1)
    assert (hourly.pattern, hourly.schedule, hourly.state) == (None, "rate(1 hour)", "DISABLED")
    assert hourly.subscriptions[0].options["id"] == "log-ticks"


def test_secrets_are_places_and_not_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BILLING_PASSWORD", "hunter2")
    config = read(WHOLE)
    assert config.targets["billing"].connection["password"] == Secret(env="BILLING_PASSWORD")
    assert "hunter2" not in repr(config)
    monkeypatch.delenv("BILLING_PASSWORD")
    with pytest.raises(ValueError, match="BILLING_PASSWORD is not set"):
        config.targets["billing"].connection["password"].read()


def test_texts_may_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    text = '[targets.eu]\naddress = {env = "EU_TARGET", default = "./eu.jsonl"}\n'
    assert read(text).targets["eu"].what == str(Path("conf/eu.jsonl").absolute())
    monkeypatch.setenv("EU_TARGET", "log:eu")
    assert read(text).targets["eu"].what == "log:eu"
    assert faults('[targets.eu]\naddress = {env = "NOT_SET_ANYWHERE"}\n') == {
        "the environment variable NOT_SET_ANYWHERE is not set": (2, 11)
    }


def test_every_fault_is_found_at_its_place() -> None:
    text = """
buses = ["ok", "not ok"]
[bus]
max_pending = 0
[targets.a]
url = "ftp://x"
methot = "GET"
[targets.b]
[targets.c]
url = "https://x.example"
[targets.c.connection]
kind = "basic"
username = "u"
password = "in the file"
[[rules]]
name = "one"
targets = ["nowhere"]
[[rules]]
name = "one"
pattern = {a = [{numerik = ["=", 1]}]}
[[rules]]
name = "bad name"
schedule = "rate(10 seconds)"
[[rules.targets]]
target = "c"
input = "{}"
input_path = "$.detail"
[[rules.targets]]
target = "c"
"""
    found = faults(text)
    assert found["'not ok' cannot name a bus"] == (2, 16)
    assert found["max_pending is 0"] == (4, 15)
    assert found["url is 'ftp://x'"] == (6, 7)
    assert found["methot is not known here"] == (7, 10)
    assert found[
        "the target 'b' needs one of url, file, command, bus, log, address; it has none of them"
    ] == (8, 1)
    assert found["password stands in the file"] == (14, 12)
    assert found["a rule has neither pattern nor schedule"] == (15, 1)
    assert found["there is no target of the name 'nowhere'"] == (17, 12)
    assert found["the bus default has two rules of the name 'one'"] == (19, 8)
    assert found["the pattern is bad"] == (20, 11)
    assert found["'bad name' cannot name a rule"] == (22, 8)
    assert found["schedule is 'rate(10 seconds)'"] == (23, 12)
    assert found["the target's input is bad"] == (27, 14)
    assert found["two targets have the id 'c'"] == (28, 1)


def test_a_report_shows_line_caret_and_remedy() -> None:
    with pytest.raises(ConfigError) as caught:
        read('[input]\nhtpp = "127.0.0.1:80"\n')
    assert str(caught.value) == (
        "conf/router.toml: 1 fault\n\n"
        "conf/router.toml:2:8: htpp is not known here\n"
        "  at input.htpp\n"
        '    2 | htpp = "127.0.0.1:80"\n'
        "      |        ^\n"
        "  expected http? Known: bus, files, http, http_token, stdin"
    )


@pytest.mark.parametrize(
    ("text", "place"),
    [("a = [1,\n", (2, 1)), ("a = 1\nb == 2\n", (2, 4)), ("x\n", (1, 2)), ("a = 1\na = 2", (2, 6))],
)
def test_what_is_no_toml_has_a_place(text: str, place: tuple[int, int]) -> None:
    (found,) = faults(text).values()
    assert found == place


@pytest.mark.parametrize(
    ("key", "value", "what"),
    [
        ("concurrency", "0", "concurrency is 0"),
        ("concurrency", "true", "concurrency is true"),
        ("batch_window_s", "-1", "batch_window_s is -1"),
        ("rate_per_s", '"fast"', "rate_per_s is 'fast'"),
        ("retry", '"never"', "retry is 'never'"),
        ("retry", "{maximum_retry_attempts = 1000}", "maximum_retry_attempts is 1,000"),
        ("failure_kinds", '{HTTP_404 = "fatal"}', "'fatal' is no class of failures"),
        ("dead_letter", '"nowhere:x"', "'nowhere:x' is no target"),
        ("input_path", '"detail"', "the target's input is bad"),
    ],
)
def test_bad_options_of_a_target_are_refused(key: str, value: str, what: str) -> None:
    text = (
        f'[[rules]]\nname = "r"\npattern = {{a = [1]}}\n[[rules.targets]]\ntarget = "log:"\n{key} = {value}\n'
    )
    assert what in faults(text)


def test_rules_of_a_rules_file_share_their_targets(tmp_path: Path) -> None:
    (tmp_path / "rules.json").write_text('{"a": {"x": [1]}, "b": {"y": [2]}}')
    text = '[[rule_files]]\npath = "rules.json"\ntargets = ["log:"]\n'
    config = read_router(text, tmp_path / "router.toml")
    assert [(rule.name, len(rule.subscriptions)) for rule in config.rules] == [("a", 1), ("b", 1)]
    (tmp_path / "rules.json").write_text('{"a": {"x": 1}, "b": {"y": [2]}, "c d": {"y": [2]}}')
    with pytest.raises(ConfigError) as caught:
        read_router(text, tmp_path / "router.toml")
    assert len(caught.value.faults) == 2
    assert "must be an object or an array" in str(caught.value) or "PatternError" in str(caught.value)


def test_errors_of_router_files_are_errors_of_rulebus() -> None:
    assert issubclass(ConfigError, rulebus.RulebusError)
