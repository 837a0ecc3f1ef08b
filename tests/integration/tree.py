"""The checkout as the integration tests see it: the files that git tracks, and the tables and fenced
blocks of Markdown.

Relies on git where there is a repository, and on the file system in a source distribution."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent.parent
GENERATED = {
    "target",
    ".venv",
    "dist",
    "__pycache__",
    ".hypothesis",
    ".pytest_cache",
    ".mypy_cache",
    ".ruff_cache",
}


def tracked() -> list[Path]:
    """Every file that belongs to the project, as paths from the root."""
    listing = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        capture_output=True,
        check=False,
    )
    if listing.returncode == 0:
        names = [Path(name.decode()) for name in listing.stdout.split(b"\0") if name]
        return [name for name in names if (ROOT / name).is_file()]
    found = (path.relative_to(ROOT) for path in ROOT.rglob("*") if path.is_file())
    return [path for path in found if not GENERATED & set(path.parts)]


def table(markdown: str, heading: str) -> list[list[str]]:
    """The rows (without the head) of the first table below a heading."""
    section = markdown.split(f"\n{heading}\n", 1)[1]
    lines = re.search(r"^\|.*\n\|[-| :]+\|\n((?:\|.*\n?)*)", section, re.MULTILINE)
    assert lines, f"no table below {heading!r}"
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[1].splitlines()]


class Block(NamedTuple):
    """A fenced block."""

    file: str
    line: int
    language: str
    text: str


def blocks(file: str) -> list[Block]:
    """The fenced blocks of a Markdown file of the checkout."""
    text = (ROOT / file).read_text(encoding="utf-8")
    found = re.finditer(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [Block(file, text.count("\n", 0, m.start()) + 1, m[1], m[2]) for m in found]


def run_python(block: Block, names: dict[str, object]) -> int:
    """Runs a python block; `EXPRESSION  # -> VALUE` must give that value. Returns how many were compared."""
    compared = 0
    lines = block.text.splitlines()
    for node in ast.parse(block.text).body:
        where = f"{block.file}:{block.line + node.lineno}"
        source = ast.Module([node], [])
        promise = re.search(r"#\s*->\s*(.*)$", lines[(node.end_lineno or node.lineno) - 1])
        if promise and isinstance(node, ast.Expr):
            value = eval(compile(ast.Expression(node.value), where, "eval"), names)
            assert value == eval(promise[1], names), f"{where}: {value!r}, but the text says {promise[1]}"
            compared += 1
        else:
            exec(compile(source, where, "exec"), names)
    return compared
