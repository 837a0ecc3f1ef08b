"""`rulebus explain`: why a rule matches an event or not.

Relies on `Matcher.explain`; must never decide a verdict itself.
"""

from __future__ import annotations

import dataclasses
import json
import sys

import click

from rulebus.cli.inputs import LEVELS, InputError, build_matcher
from rulebus.errors import EventError
from rulebus.matcher import Validation

__all__ = ["explain"]


@click.command(short_help="Show why a rule matches an event or not.")
@click.option("--rules", "-r", required=True, metavar="R", help="Rules file or folder.")
@click.option("--rule", "-n", "name", required=True, metavar="NAME", help="Name of the rule.")
@click.option(
    "--validation",
    type=LEVELS,
    default="strict",
    show_default=True,
    help="How closely the event is checked.",
)
@click.option("--json", "as_json", is_flag=True, help="The explanation as one JSON object.")
@click.argument("event")
def explain(rules: str, name: str, validation: Validation, as_json: bool, event: str) -> int:
    """Show why the rule NAME matches EVENT (a file with one event, "-", or the JSON text itself) or not.

    Exits with 0 when it matches and with 1 when it does not.

    \b
    Examples:
      rulebus explain --rules rules.json --rule big-orders event.json
      sed -n 17p events.jsonl | rulebus explain --rules rules.json --rule big-orders -
      rulebus explain --rules rules.json --rule gone '{"source": "aws.ec2"}'
    """
    if rules == "-" == event:
        raise InputError("rulebus: rules and event cannot both come from standard input")
    matcher = build_matcher(rules, validation)
    if name not in matcher:
        raise InputError(f"rulebus: {rules} has no rule {json.dumps(name)}{_nearest(name, list(matcher))}")
    text, file = _read(event)
    try:
        explanation = matcher.explain(name, text)
    except EventError as error:
        raise InputError(f"{error}\n  in {file}") from None
    if as_json:
        click.echo(json.dumps({"rule": name, **dataclasses.asdict(explanation)}, ensure_ascii=True))
    else:
        click.echo(str(explanation))
    return 0 if explanation.matched else 1


def _read(event: str) -> tuple[bytes, str]:
    if event == "-":
        return sys.stdin.buffer.read(), "-"
    if event.lstrip().startswith("{"):
        return event.encode("utf-8", "surrogateescape"), "the command line"
    try:
        with open(event, "rb") as stream:
            return stream.read(), event
    except OSError as error:
        raise InputError(f"rulebus: cannot read {event}: {error.strerror}") from None


def _nearest(name: str, names: list[str]) -> str:
    from difflib import get_close_matches

    close = get_close_matches(name, names[:100_000], n=1)
    return f"; did you mean {json.dumps(close[0])}?" if close else ""
