"""The engine package as seen from outside: what it exports, and that its modules import each other in one direction."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import gpucrust.engine

ROOT = Path(gpucrust.engine.__file__).parent
OTHERS = ("cli", "jobs", "profiles", "results", "sensitivity", "sweep")
"""Packages that import this one, and that it knows nothing of."""


def imports_of(path):
    """Names of all modules that a module may mean by its imports."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module
            yield from (f"{node.module}.{name.name}" for name in node.names)


def test_modules_import_each_other_in_one_direction_and_nothing_above_them():
    modules = {}
    for path in ROOT.rglob("*.py"):
        name = ".".join(("gpucrust.engine", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__")
        modules[name] = set(imports_of(path))
    for name, imported in modules.items():
        above = [other for other in imported if other.startswith(tuple(f"gpucrust.{package}" for package in OTHERS))]
        assert not above, name
    order = list(
        TopologicalSorter(
            {m: imported & set(modules) - {"gpucrust.engine"} for m, imported in modules.items()}
        ).static_order()
    )
    assert order.index("gpucrust.engine.interface") < order.index("gpucrust.engine.ensemble")


def test_what_others_use_is_exported():
    expected = {"Engine", "Evolution", "Members", "Physics", "Problem", "Progress", "Stepper", "evolve", "evolve_each"}
    assert set(gpucrust.engine.__all__) == expected
    assert all(hasattr(gpucrust.engine, name) for name in expected)
