"""Holds the code to the layer tables of ARCHITECTURE.md: who may use whom, in Rust and in Python; no
cycles.

Reads sources as text and syntax trees, imports nothing of them. A module without a row fails, so does a
row without a module: the map stays a map."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from integration.tree import ROOT, table

CORE = ROOT / "src" / "core"
PACKAGE = ROOT / "python" / "rulebus"


def allowed(heading: str) -> dict[str, set[str]]:
    """Module to the modules that it may use, in the table's order."""
    rows = table((ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8"), heading)
    return {row[0].strip("`"): set(re.findall(r"`(\w+)`", row[2])) for row in rows}


RUST = allowed("## Layers: Rust (`src/core`)")
PYTHON = allowed("## Layers: Python (`python/rulebus`)")


def rust_modules() -> dict[str, list[Path]]:
    files = [
        f
        for f in CORE.rglob("*.rs")
        if f.relative_to(CORE).parts[0] not in {"tests", "examples", "benches", "target"}
    ]
    modules: dict[str, list[Path]] = {}
    for file in files:
        name = file.relative_to(CORE).parts[0].removesuffix(".rs")
        if name != "lib":
            modules.setdefault(name, []).append(file)
    return modules


def without_comments_and_tests(source: str) -> str:
    """Rust source without comments, strings, and what stands behind `#[cfg(test)]` at the end of the file."""
    source = re.split(
        r"^#\[cfg\(test\)\]\s*(?:#\[[^\n]*\]\s*)*mod \w+ \{", source, maxsplit=1, flags=re.MULTILINE
    )[0]
    source = re.sub(r"//[^\n]*", "", source)
    return re.sub(r'"(?:[^"\\\n]|\\.)*"', '""', source)


def rust_uses(source: str) -> Iterator[str]:
    """The top modules named behind `crate::`, also inside a braced group."""
    for match in re.finditer(r"\bcrate::", source):
        rest = source[match.end() :]
        if not rest.startswith("{"):
            if name := re.match(r"\w+", rest):
                yield name[0]
            continue
        depth, item = 0, ""
        for char in rest:
            depth += (char == "{") - (char == "}")
            if depth == 0 or (depth == 1 and char == ","):
                if name := re.match(r"\s*(\w+)", item):
                    yield name[1]
                item = ""
                if depth == 0:
                    break
            elif not (depth == 1 and char == "{"):
                item += char


def python_modules() -> dict[str, list[Path]]:
    modules: dict[str, list[Path]] = {}
    for file in [*PACKAGE.rglob("*.py"), *PACKAGE.rglob("*.pyi")]:
        name = file.relative_to(PACKAGE).parts[0].split(".")[0]
        if name not in {"__init__", "__main__", "__pycache__"}:
            modules.setdefault(name, []).append(file)
    return modules


def python_uses(file: Path) -> Iterator[str]:
    """The modules of the package that a file imports, also inside functions; "" is the package itself."""
    package = file.relative_to(PACKAGE.parent).with_suffix("").parts[:-1]
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) + "." if node.level else ""
            module = (base + (node.module or "")).rstrip(".")
            names = [f"{module}.{alias.name}" for alias in node.names] if module == "rulebus" else [module]
        for name in names:
            top, _, rest = name.partition(".")
            if top == "rulebus":
                yield rest.split(".")[0]


@pytest.mark.parametrize("name", sorted(rust_modules()))
def test_rust_module_uses_only_lower_ones(name: str) -> None:
    assert name in RUST, f"src/core/{name} has no row in ARCHITECTURE.md"
    for file in rust_modules()[name]:
        used = set(rust_uses(without_comments_and_tests(file.read_text(encoding="utf-8")))) - {name}
        assert used <= RUST[name], (
            f"{file.relative_to(ROOT)} uses {used - RUST[name]}, which its row does not allow"
        )


@pytest.mark.parametrize("name", sorted(python_modules()))
def test_python_module_uses_only_lower_ones(name: str) -> None:
    assert name in PYTHON, f"python/rulebus/{name} has no row in ARCHITECTURE.md"
    top = {"cli", "testing"}  # May use the package's public names, as users do.
    for file in python_modules()[name]:
        if file.suffix == ".pyi":
            continue  # A stub imports for types alone; nothing happens at run time.
        used = set(python_uses(file)) - {name}
        used = {use for use in used if use in PYTHON or (use == "" and name not in top) or (name not in top)}
        assert used <= PYTHON[name], (
            f"{file.relative_to(ROOT)} uses {used - PYTHON[name]}, which its row does not allow"
        )


@pytest.mark.parametrize(
    ("layers", "modules"), [(RUST, rust_modules), (PYTHON, python_modules)], ids=["rust", "python"]
)
def test_tables_name_what_is_there_and_have_no_cycle(layers: dict[str, set[str]], modules: object) -> None:
    assert callable(modules)
    assert set(layers) == set(modules()), "a row without a module, or a module without a row"
    lower: set[str] = set()
    for name, uses in layers.items():
        assert uses <= lower, f"{name} uses {uses - lower}, which stands not above it"
        lower.add(name)


def test_reference_imports_the_standard_library_only() -> None:
    for file in python_modules()["reference"]:
        assert set(python_uses(file)) <= {"reference"}, file
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            imported = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and not node.level:
                imported = [node.module or ""]
            for name in imported:
                top = name.split(".")[0]
                assert top == "rulebus" or top in sys.stdlib_module_names, f"{file.name} imports {name}"


def test_the_reader_of_rust_sources_sees_groups() -> None:
    source = without_comments_and_tests(
        "use crate::{a::{x, y}, b, c::Z};\n// crate::d\nlet e = crate::f::g();"
    )
    assert set(rust_uses(source)) == {"a", "b", "c", "f"}
