"""The packages that users install: built anew, looked at, installed into empty environments and used
there.

Relies on maturin and zig beside this interpreter (the development environment) and on a package index for
the two base dependencies. Must never build in place: everything goes to a temporary folder and cargo's
own target folder."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

import rulebus
from integration.tree import ROOT

SMOKE = """
import rulebus, sys
m = rulebus.Matcher({"eu": {"region": [{"prefix": "eu-"}]}})
assert m.match(b'{"region": "eu-west-1"}') == ["eu"], "match"
assert m.match({"region": "us-east-1"}) == [], "no match"
try:
    rulebus.Pattern("{}")
except rulebus.PatternError as error:
    assert error.code
else:
    raise SystemExit("an empty pattern was accepted")
print(rulebus.__file__)
"""


def maturin(*arguments: str) -> None:
    tool = Path(sys.executable).with_name("maturin")
    if not tool.exists():
        pytest.skip("maturin is not installed beside this interpreter; `make test` installs it")
    # zig is a module of this environment; maturin finds it through the environment's own python.
    path = os.pathsep.join([str(tool.parent), os.environ.get("PATH", "")])
    subprocess.run(
        [tool, *arguments], cwd=ROOT, env={**os.environ, "PATH": path}, check=True, stdin=subprocess.DEVNULL
    )


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the manylinux2014 wheel and the source distribution."""
    folder = tmp_path_factory.mktemp("dist")
    maturin(
        "build", "--release", "--quiet", "--zig", "--compatibility", "manylinux2014", "--out", str(folder)
    )
    maturin("sdist", "--out", str(folder))
    return folder


def use_in_empty_environment(package: Path, folder: Path) -> None:
    """Installs into a new environment, then imports, matches and runs the command there."""
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    environment = {
        key: value for key, value in os.environ.items() if key not in {"PYTHONPATH", "VIRTUAL_ENV"}
    }

    def run(*command: str | Path) -> str:
        done = subprocess.run(
            command,
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", package)
    assert run(python, "-c", SMOKE).strip().startswith(str(folder))
    assert "match" in run(folder / "bin" / "rulebus", "--help")


def test_tests_see_the_installed_package() -> None:
    assert not Path(rulebus.__file__).is_relative_to(ROOT / "python"), "python/ shadows the installed wheel"


def test_import_is_light() -> None:
    """At most 40 ms of CPU over an empty interpreter, the best of five; no extra is imported."""

    def cpu(code: str) -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT / "tests")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    empty = min(cpu("pass") for _ in range(5))
    assert min(cpu("import rulebus") for _ in range(5)) - empty <= 0.040
    loaded = (
        "import sys, rulebus; print(*sorted({'rich', 'hypothesis', 'pytest', 'click'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", loaded], check=True, cwd=ROOT / "tests", capture_output=True, text=True
    )
    assert done.stdout.split() == []


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="manylinux wheels are built on Linux")
def test_wheel_is_abi3_and_manylinux2014(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    python, abi, platforms = wheel.stem.split("-")[-3:]
    assert (python, abi) == ("cp311", "abi3")
    tags = {tag.partition("_x86")[0].partition("_aarch")[0] for tag in platforms.split(".")}
    assert tags == {"manylinux2014", "manylinux_2_17"}, wheel.name
    with zipfile.ZipFile(wheel) as opened:
        names = opened.namelist()
    assert any(name.startswith("rulebus/_core") and name.endswith(".so") for name in names)
    assert {"rulebus/py.typed", "rulebus/_core.pyi", "rulebus/__init__.py"} <= set(names)
    assert not [name for name in names if "__pycache__" in name or name.startswith(("tests/", "fuzz/"))]
    assert wheel.stat().st_size < 5 << 20


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="manylinux wheels are built on Linux")
def test_wheel_works_in_an_empty_environment(built: Path, tmp_path: Path) -> None:
    use_in_empty_environment(next(built.glob("*.whl")), tmp_path / "environment")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the fixture also builds the manylinux wheel")
def test_source_distribution_builds_and_works(built: Path, tmp_path: Path) -> None:
    (archive,) = built.glob("*.tar.gz")
    with tarfile.open(archive) as opened:
        names = opened.getnames()
    assert any(name.endswith("src/core/lib.rs") for name in names)
    assert any(name.endswith("/LICENSE") for name in names)
    use_in_empty_environment(archive, tmp_path / "environment")
