"""Wheel and source distribution: they build, hold what they must, and the wheel works away from the sources."""

import ast
import os
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from importlib.metadata import packages_distributions, requires

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import gpucrust
from paths import ROOT


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """(wheel, sdist)"""
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run([sys.executable, "-m", "build", "--outdir", folder, ROOT], check=True, capture_output=True)
    (wheel,), (sdist,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    return wheel, sdist


def test_names_carry_the_one_version(built):
    assert "version" in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dynamic"]
    assert [path.name for path in built] == [
        f"gpucrust-{gpucrust.__version__}-py3-none-any.whl",
        f"gpucrust-{gpucrust.__version__}.tar.gz",
    ]


def test_the_wheel_is_typed_and_has_the_masses_and_nothing_that_may_not_be_passed_on(built):
    with zipfile.ZipFile(built[0]) as wheel:
        names = wheel.namelist()
    assert {"gpucrust/py.typed", "gpucrust/masses/data/masses.npz", "gpucrust/cli/run.py"} <= set(names)
    assert all(name.startswith("gpucrust") for name in names)
    assert not [name for name in names if "frdm2012" in name.lower()]


def test_the_sdist_has_what_building_documents_and_testing_need(built):
    with tarfile.open(built[1]) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    for name in ("pyproject.toml", "mkdocs.yml", "docs/measured.json", "tests/published.py", "sweeps/figure1.toml"):
        assert name in names
    assert not [name for name in names if "frdm2012" in name.lower() or name.endswith(".nc")]


def test_what_the_package_imports_its_requirements_bring():
    """In an environment that has nothing else, as after `pip install gpucrust`."""
    imported = set()
    for path in (ROOT / "gpucrust").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom):
                imported.add(str(node.module).partition(".")[0])
            elif isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
    brought, left = set(), tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    while left:
        requirement = Requirement(left.pop())
        name = canonicalize_name(requirement.name)
        if name not in brought and (requirement.marker is None or requirement.marker.evaluate({"extra": ""})):
            brought.add(name)
            left += requires(name) or []
    by_module = {module: {canonicalize_name(d) for d in found} for module, found in packages_distributions().items()}
    missing = {m for m in imported - set(sys.stdlib_module_names) if not by_module.get(m, set()) & brought}
    assert missing == {"gpucrust", "distributed"}, "Dask is for --workers and --scheduler, and they say so"


def test_the_wheel_runs_a_sweep_away_from_the_sources(built, tmp_path):
    target, work = tmp_path / "site", tmp_path / "work"
    work.mkdir()
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", target, built[0]]
    subprocess.run(pip, check=True, capture_output=True)
    program = "import gpucrust; print(gpucrust.__file__); from gpucrust.cli import main; main()"
    environment = {**os.environ, "PYTHONPATH": str(target)}
    small = [f"stepper.{key}" for key in ("P_end=1e28", "dlnP=0.1", "chunk=0.1")]
    for arguments in (["init"], ["run", "sweep.toml", *(x for s in small for x in ("--set", s))], ["info", "sweep.nc"]):
        command = [sys.executable, "-c", program, *arguments]
        done = subprocess.run(command, cwd=work, env=environment, check=True, capture_output=True, text=True)
        assert str(target) in done.stdout
    assert "FRDM95+DZ31" in done.stdout
    assert (work / "sweep.png").exists()
