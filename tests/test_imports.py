"""What importing a module brings with it: JAX, xarray and figures only where they are needed."""

import importlib
import pkgutil
import subprocess
import sys

import pytest

import gpucrust

LIGHT = {
    "gpucrust": "jax numpy xarray pydantic",
    "gpucrust.version": "jax numpy xarray pydantic",
    "gpucrust.constants": "jax numpy xarray pydantic",
    "gpucrust.status": "jax numpy xarray pydantic",
    "gpucrust.nuclide": "jax numpy xarray pydantic",
    "gpucrust.cli": "jax numpy xarray pydantic",
    "gpucrust.schema": "jax xarray pydantic",
    "gpucrust.sweep.config": "jax xarray",
    "gpucrust.sweep.template": "jax xarray",
    "gpucrust.sweep.portions": "jax xarray pydantic",
    "gpucrust.profiles.ragged": "jax xarray",
    "gpucrust.profiles.reduced": "jax xarray",
    "gpucrust.jobs.store": "jax xarray",
    "gpucrust.results.files": "jax matplotlib",
    "gpucrust.results.summary": "jax netCDF4 matplotlib",
    "gpucrust.results.plots": "jax netCDF4",
    "gpucrust.results.html_report": "jax netCDF4",
}
"""Modules, and what none of them may bring."""


@pytest.mark.parametrize("module", LIGHT)
def test_light_modules_bring_nothing_heavy(module):
    program = f"import sys, {module}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert not set(done.stdout.split()) & set(LIGHT[module].split())


FACES = ["gpucrust", *(f"gpucrust.{m.name}" for m in pkgutil.iter_modules(gpucrust.__path__) if m.ispkg)]


@pytest.mark.parametrize("name", FACES)
def test_what_a_package_offers_is_there(name):
    """And stays what it is once the module that it comes from has been imported."""
    package = importlib.import_module(name)
    offered = getattr(package, "__all__", [])
    assert len(set(offered)) == len(offered)
    modules = {m.name for m in pkgutil.iter_modules(getattr(package, "__path__", []))}
    assert set(offered) <= set(dir(package)) | modules
    for one in set(offered) - modules:
        first = getattr(package, one)
        assert first is getattr(package, one)
    with pytest.raises(AttributeError, match=f"module '{name}' has no attribute 'nothing'"):
        _ = package.nothing
