"""The page on router files: its examples are good files, and its table names every key that the reader knows.

Relies on the page's form: toml blocks, and one table row for each table of the file.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from integration.tree import ROOT, blocks, table
from rulebus.config import reader
from rulebus.config.faults import ConfigError
from rulebus.config.schema import read_router

PAGE = "docs/router.md"
ROWS = {
    row[0].replace("`", ""): row[1] for row in table((ROOT / PAGE).read_text(encoding="utf-8"), "## Keys")
}

# What a file of each kind has at least, so that the reader asks for everything else.
SAMPLES = {
    "top": "nonsense = 1\n",
    "[bus]": "[bus]\nnonsense = 1\n",
    "[store]": '[store]\npath = "a"\nnonsense = 1\n',
    "[input]": "[input]\nnonsense = 1\n",
    "[retry.NAME]": "[retry.x]\nnonsense = 1\n",
    "[archives.NAME]": "[archives.x]\nnonsense = 1\n",
    "[[rules]]": '[[rules]]\nname = "x"\npattern = {a = [1]}\nnonsense = 1\n',
    "targets of a rule": '[[rules]]\nname = "x"\npattern = {a = [1]}\n[[rules.targets]]\ntarget = "log:"\nnonsense = 1\n',
    "[[rule_files]]": '[[rule_files]]\npath = "x"\nnonsense = 1\n',
}


@pytest.mark.parametrize("number", range(len([b for b in blocks(PAGE) if b.language == "toml"])))
def test_examples_are_good_router_files(number: int) -> None:
    block = [b for b in blocks(PAGE) if b.language == "toml"][number]
    config = read_router(block.text, Path("router.toml"))
    assert config.rules


@pytest.mark.parametrize("name", SAMPLES)
def test_every_key_is_in_the_table(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # With every key "there", a getter that looks first whether its key is there is seen, too.
    asked: set[str] = set()
    remember = reader.Table.done

    def done(self: reader.Table) -> None:
        if "nonsense" in self.value:
            asked.update(self._asked)
        remember(self)

    def contains(self: reader.Table, key: str) -> bool:
        if "nonsense" in self.value:
            asked.add(key)
        return key in self.value

    monkeypatch.setattr(reader.Table, "done", done)
    monkeypatch.setattr(reader.Table, "__contains__", contains)
    with pytest.raises(ConfigError):
        read_router(SAMPLES[name], Path("router.toml"))
    listed = set(re.findall(r"`(\w+)`", ROWS[name]))
    assert asked - {"nonsense"} <= listed, "a key that the page does not name"


def test_the_example_that_the_command_prints_is_good() -> None:
    text = (ROOT / "python/rulebus/config/example.toml").read_text(encoding="utf-8")
    config = read_router(text, Path("router.toml"))
    assert [rule.name for rule in config.rules] == ["big-orders", "warehouse"]
    # What is commented out is good, too.
    whole = re.sub(r"^# (?=[\[a-z]+.*(=|\]$))", "", text, flags=re.MULTILINE)
    assert "billing" in read_router(whole, Path("router.toml")).targets
