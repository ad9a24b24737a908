"""Strict tests: float64 on, shapes checked, no silent promotion (warnings are errors: see pyproject.toml); one small
result that several modules read."""

import os

import jax
import pytest
from jaxtyping import install_import_hook

from gpucrust.support.cache import KEEP_PROGRAMS

jax.config.update("jax_enable_x64", True)
os.environ[KEEP_PROGRAMS] = "0"  # tests change the package as they run
# from here on, every call of their functions is held against its signature: types, and shapes of arrays
install_import_hook(["gpucrust.physics"], "beartype.beartype")

# fixtures
from fakes.sweep import command, half, plan, played_back, undisturbed, work  # noqa: E402, F401

STRICT = ("masses", "physics")
"""Folders of tests in which JAX may not change a type or a rank that nobody asked it to change."""


@pytest.fixture(scope="module", autouse=True)
def _let_go_of_programs():
    """Compiled programs are many memory maps each, of which a process may have some 65,000."""
    yield
    jax.clear_caches()


@pytest.fixture(scope="module", autouse=True)
def _no_promotion(request):
    """Integers become float64, and arrays of unequal rank meet, only where the code says so."""
    strict = request.path.parent.name in STRICT
    types, ranks = ("strict", "raise") if strict else ("standard", "allow")
    with jax.numpy_dtype_promotion(types), jax.numpy_rank_promotion(ranks):
        yield


SMALL_RESULT = {
    "title": "A small result",
    "axes": {"mass_model": ["FRDM95+DZ31", "DZ31"]},
    "physics": {"policy": "mixed"},
    "stepper": {"chunk": 0.02, "dlnP": 0.02, "P_end": 1.2e31},
    "output": {"composition": True},
}


@pytest.fixture(scope="session")
def result():
    """The dataset of SMALL_RESULT; do not change it."""
    import gpucrust

    return gpucrust.run(SMALL_RESULT)


@pytest.fixture(scope="session")
def result_file(result, tmp_path_factory):
    """The same as a netCDF file."""
    from gpucrust.results.files import write_netcdf

    path = tmp_path_factory.mktemp("result") / "small.nc"
    write_netcdf(result, path)
    return path
