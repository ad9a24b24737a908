"""Crusts that several modules look at: recorded once."""

import tomllib

import pytest

from gpucrust.masses import load_model
from gpucrust.sensitivity.derivatives import make_crusts
from gpucrust.sensitivity.run import run_sensitivity
from gpucrust.sweep.config import check_sweep
from gpucrust.sweep.plan import make_plan, recorded_pressures
from recorded_crusts import CASES, IRON, PRESSURES, SWEEP, record_models

COARSE = recorded_pressures(1e28, 2e31, 0.05)
"""The pressures of SWEEP."""


@pytest.fixture(scope="session")
def models():
    """The mass model of each case."""
    return [load_model(name) for name, *_ in CASES.values()]


@pytest.fixture(scope="session")
def crusts(models):
    """One crust a case."""
    tapes, parameters = [], []
    for model, (_, ash, physics) in zip(models, CASES.values(), strict=True):
        own = record_models([model], [ash], PRESSURES, physics)
        tapes += own[0]
        parameters += own[1]
    return make_crusts(tapes, parameters)


@pytest.fixture(scope="session")
def iron():
    """A mass model, the pressures of a coarse grid, and the crust of an iron ash."""
    model = load_model("FRDM95+DZ31")
    return model, COARSE, make_crusts(*record_models([model], [IRON], COARSE))


@pytest.fixture(scope="session")
def two_models():
    """The plan of SWEEP."""
    return make_plan(check_sweep(tomllib.loads(SWEEP)))


@pytest.fixture(scope="session")
def ds(two_models):
    """Derivatives of SWEEP with respect to masses."""
    of = "total_heat,broken_thickness,mu_e@1e31,R@1e31,layer_thickness,threshold_pressure"
    return run_sensitivity(two_models, of, "masses")
