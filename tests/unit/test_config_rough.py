"""Router files that somebody damaged or wrote in haste: each is refused with a sentence at its place, and none crashes.

Relies on `rulebus.config`.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rulebus.config.faults import ConfigError
from rulebus.config.schema import read_router
from rulebus.config.targets import Secret
from rulebus.config.text import router_text

RULE = '[[rules]]\nname = "r"\npattern = {a = [1]}\n'
ONE = RULE + '[[rules.targets]]\ntarget = "log:"\n'


def refusal(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        read_router(text, Path("router.toml"))
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a = " + "[" * 5_000 + "]" * 5_000, "nested too deeply"),
        ("[bus]\nmax_pending = " + "9" * 5_000, "not TOML"),
        ("[bus]\nmax_pending = 0x" + "f" * 9_000, "a number of 36000 bits"),
        ("[bus]\nput_timeout_s = inf", "put_timeout_s is inf"),
        ("[bus]\nput_timeout_s = nan", "put_timeout_s is nan"),
        ('[input]\nhttp = "127.0.0.1:\u00b2"', "host and port"),
        ('[input]\nfiles = ["a\\u0000b"]', "stands in files"),
        ('[store]\npath = "a\\u0000b"', "path holds a NUL character"),
        ('[rules]\nname = "r"', "two brackets: [[rules]]"),
        ('"" = 1', '"" is not known here'),
        ('[targets.x]\nbus = "nope"', "one of default"),
        (RULE + 'targets = ["bus:nope"]', "a bus of this file: bus:default"),
        ('[targets.x]\naddress = "bus:nope"', "a bus of this file: bus:default"),
        ('[targets.billing]\nfile = "x"\n' + RULE + 'targets = ["biling"]', "expected billing?"),
        (ONE + "concurency = 3", "expected concurrency?"),
        (ONE + "rate_per_s = 0", "a number above 0"),
        (ONE + "timeout_s = 0", "a number above 0"),
        (ONE + "retry = {base_s = inf}", "base_s is inf"),
        (ONE + "retry = {waits_s = [true]}", "waits_s is no list of seconds"),
        ('[targets.x]\nurl = "https://x.example"\ntimeout_s = 61', "at most 60"),
    ],
)
def test_what_is_wrong_is_said(text: str, said: str) -> None:
    assert said in refusal(text)


def test_a_file_of_another_encoding_shows_its_line(tmp_path: Path) -> None:
    path = tmp_path / "router.toml"
    path.write_bytes(b"# one\n# caf\xe9\n")
    with pytest.raises(ConfigError, match=r":2:6: not UTF-8: byte 0xe9"):
        router_text(path)


def test_marks_and_line_ends_of_other_systems_are_read(tmp_path: Path) -> None:
    path = tmp_path / "router.toml"
    path.write_bytes(b"\xef\xbb\xbf" + ONE.replace("\n", "\r\n").encode())
    assert [rule.name for rule in read_router(router_text(path), path).rules] == ["r"]


def test_a_device_is_not_read_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rulebus.config.text._MOST_BYTES", 1 << 20)
    with pytest.raises(ConfigError, match="larger than 1 MiB"):
        router_text(Path("/dev/zero"))


def test_a_running_bus_waits_for_no_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "router.toml")
    with pytest.raises(OSError, match="no ordinary file"):
        router_text(tmp_path / "router.toml", running=True)


@pytest.mark.parametrize(
    ("data", "said"), [(b"", "is empty"), (b" \n", "is empty"), (b"\xff\xfe", "not text in UTF-8")]
)
def test_a_secret_is_something_or_refused_without_showing_it(tmp_path: Path, data: bytes, said: str) -> None:
    (tmp_path / "secret").write_bytes(data)
    with pytest.raises(ValueError, match=said) as caught:
        Secret(file=tmp_path / "secret").read()
    assert "0xff" not in str(caught.value)
