"""The command `rulebus`: one file per command, this one gathers them and turns failures into exit statuses.

0 done; 1 a negative answer (a rule is bad, an event does not match, a line is no event); 2 bad use or bad
input; 130 interrupted; 141 the reader of the output went away. Relies on click; must never import rich
outside `terminal`.
"""

from __future__ import annotations

import contextlib
import difflib
import importlib
import io
import os
import sys
from collections.abc import Sequence
from typing import Any

import click

import rulebus

__all__ = ["cli", "main"]

_COMMANDS = {
    "run": ("run", "run"),
    "match": ("match", "match"),
    "check": ("check", "check"),
    "explain": ("explain", "explain"),
    "bench": ("bench", "bench"),
    "dead-letters": ("dead_letters", "dead_letters"),
    "archive": ("archive", "archive"),
    "demo": ("demo", "demo"),
}
"""Name to module and object. A command is imported when it is asked for: matching need not load a bus."""


class _Ended(Exception):
    """The run ended from outside; the argument is the exit status."""


class _Group(click.Group):
    """Imports commands when they are asked for.

    click itself would turn a closed pipe into status 1, and print an empty line when interrupted.
    """

    def list_commands(self, context: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in _COMMANDS:
            return None
        module, attribute = _COMMANDS[name]
        command: click.Command = getattr(importlib.import_module(f"rulebus.cli.{module}"), attribute)
        return command

    def resolve_command(self, context: click.Context, args: list[str]) -> Any:
        try:
            return super().resolve_command(context, args)
        except click.UsageError as error:
            if near := difflib.get_close_matches(args[0], _COMMANDS, n=1):
                raise click.UsageError(f"{error.message} Did you mean {near[0]!r}?", context) from None
            raise

    def invoke(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except BrokenPipeError:
            raise _Ended(141) from None
        except KeyboardInterrupt:
            raise _Ended(130) from None


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(rulebus.__version__, message="%(prog)s %(version)s")
def cli() -> None:
    """An event bus of the kind of AWS EventBridge, and its rule engine alone.

    run, dead-letters and archive work with a bus that a router file describes; match, check, explain and bench with rules
    and events, without a bus.

    \b
    Rules files, wherever --rules stands:
      rules.json   an object NAME -> PATTERN
      rules.jsonl  lines of {"name": NAME, "pattern": PATTERN}
      rules/       a folder of NAME.json, one pattern each
    Files may be "-", standard input.

    \b
    Examples:
      rulebus demo
      rulebus check rules.json
      rulebus match --rules rules.json events.jsonl
      rulebus explain --rules rules.json --rule big-orders event.json
      rulebus bench --rules rules.json events.jsonl --report report.html
      rulebus run router.toml --events orders.jsonl
    """


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # Names of rules may hold what the terminal's encoding has not.
            stream.reconfigure(errors="backslashreplace")
    try:
        status = cli.main(args=arguments, prog_name="rulebus", standalone_mode=False)
        if sys.stdout is not None:  # the caller may have closed it
            sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        return 2
    except _Ended as end:
        status = end.args[0]
        if status == 130:
            click.echo("\nrulebus: interrupted", err=True)
        else:
            _silence()
    except BrokenPipeError:
        status = 141
        _silence()
    except OSError as error:
        where = f" {error.filename}" if error.filename else ""
        click.echo(f"rulebus: cannot read or write{where}: {error.strerror}", err=True)
        return 2
    return status if isinstance(status, int) else 0


def _silence() -> None:
    """Let the interpreter's last flush of a closed pipe succeed."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
