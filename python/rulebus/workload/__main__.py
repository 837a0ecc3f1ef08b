"""`python -m rulebus.workload`: writes generated events or rules as JSON lines to standard output.

Relies on the generators of this package; must never import the matcher, so that it also runs before a build.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from rulebus.workload import LOTS_SETS, MIXES, clone_family, envelopes, lots, lots_rules, needles, rules

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Write what the arguments ask for; returns the exit status."""
    given = _parser().parse_args(arguments)
    try:
        for line in _lines(given):
            sys.stdout.buffer.write(line + b"\n")
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m rulebus.workload", description="Write generated events or rules as JSON lines."
    )
    what = parser.add_subparsers(dest="what", required=True)
    for name, text in (("envelopes", "EventBridge events"), ("lots", "city lots")):
        command = what.add_parser(name, help=text)
        command.add_argument("count", type=int)
        command.add_argument("--seed", type=int, default=11 if name == "envelopes" else 7)
        if name == "envelopes":
            command.add_argument("--entities", type=int, default=1_000_000)
    command = what.add_parser("rules", help="rules for the EventBridge events")
    command.add_argument("mix", choices=MIXES)
    command.add_argument("count", type=int)
    command.add_argument("--seed", type=int, default=11)
    command.add_argument("--entities", type=int, default=1_000_000)
    command = what.add_parser("lots-rules", help="rules for the city lots")
    command.add_argument("set", choices=LOTS_SETS)
    for name in ("needles", "clones"):
        command = what.add_parser(name, help=f"{name}: rules, or with --events the events for them")
        command.add_argument("count", type=int)
        command.add_argument("--events", type=int, default=0)
    return parser


def _lines(given: argparse.Namespace) -> Iterator[bytes]:
    if given.what == "envelopes":
        yield from envelopes(given.count, given.seed, entities=given.entities)
    elif given.what == "lots":
        yield from lots(given.count, given.seed)
    elif given.what == "rules":
        yield from _named(rules(given.mix, given.count, given.seed, entities=given.entities))
    elif given.what == "lots-rules":
        yield from _named(lots_rules(given.set))
    else:
        made, events = (needles if given.what == "needles" else clone_family)(given.count, given.events)
        yield from events if given.events else _named(made)


def _named(pairs: Iterable[tuple[str, dict[str, Any]]]) -> Iterator[bytes]:
    for name, pattern in pairs:
        yield json.dumps(
            {"name": name, "pattern": pattern}, separators=(",", ":"), ensure_ascii=False
        ).encode()


if __name__ == "__main__":
    raise SystemExit(main())
