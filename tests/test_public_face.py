"""What `import gpucrust` gives: each name is that of its module, and does what it says."""

import numpy as np
import pytest
import xarray as xr

import gpucrust
from gpucrust.engine.inputs import Members, Problem, Stepper
from gpucrust.masses import load_model
from gpucrust.sensitivity.derivatives import linearize
from gpucrust.status import Status

SWEEP = """
[axes]
mass_model = ["DZ31"]
[physics]
policy = "mixed"
[stepper]
P_end = 1e28
dlnP = 0.2
[output]
ground_state = false
"""


@pytest.fixture
def sweep(tmp_path):
    path = tmp_path / "s.toml"
    path.write_text(SWEEP)
    return path


def test_the_names_are_shown():
    names = {"evolve", "linearize", "load_sweep", "open_result", "run"}
    assert set(gpucrust.__all__) == {"__version__", *names}
    assert names <= set(dir(gpucrust))


def test_a_sweep_is_loaded_and_run(sweep):
    checked = gpucrust.load_sweep(sweep, ["axes.g=[1e14,2e14]"])
    assert checked.axes.g == (1e14, 2e14)
    ds = gpucrust.run(checked)
    assert ds.sizes["g"] == 2
    assert np.all(ds.status == Status.OK)
    xr.testing.assert_equal(gpucrust.run(sweep).mu_e, ds.mu_e.sel(g=[2e14]))


def test_a_result_is_opened(result, result_file):
    for path in (result_file, str(result_file)):
        with gpucrust.open_result(path) as ds:
            xr.testing.assert_identical(ds.load(), result)


def test_an_ensemble_is_evolved():
    one = Members(np.zeros(1, int), np.zeros(1, int), np.zeros(1), np.zeros(1, int), np.full(1, 6e18))
    problem = Problem([load_model("DZ31", policy="mixed")], [{(26, 30): 1.0}], np.geomspace(1e27, 1e28, 12))
    evolution = gpucrust.evolve(one, problem)
    assert evolution.status == Status.OK
    assert np.all(np.diff(evolution.profiles["n_b"]) > 0)
    assert problem.stepper == Stepper()


def test_derivatives_are_those_of_the_package_sensitivity():
    assert gpucrust.linearize is linearize
