"""The packet-and-slide code: laws, and the chunk stepper tends to it."""

import numpy as np
import pytest

from ensembles import ASHES, G_MDOT
from gpucrust.masses import load_model
from twins import reference, slide

MODELS = ("FRDM95+DZ31", "HFB21+DZ31", "HFB24+DZ31")
PRESSURES = np.geomspace(1e27, 3e31, 1032)


def crust(model, ash, **options):
    masses = load_model(model, policy="mixed").mixed
    return slide.evolve(masses, ASHES[ash], pressures=PRESSURES, g_mdot=G_MDOT, **options)


@pytest.mark.parametrize("ash", ASHES)
@pytest.mark.parametrize("model", [*MODELS, "BSkG4+DZ31", "DZ31"])
def test_laws(model, ash):
    result = crust(model, ash)
    np.testing.assert_allclose(result.baryons, 1.0, rtol=0, atol=1e-12)
    assert np.all(np.diff(result.heat) > -1e-9), "Gibbs energy only falls at constant pressure"
    assert np.all(np.diff(result.n_b) > 0), "density rises inwards"


@pytest.mark.parametrize("ash", ["Fe56", "Pd106"])
@pytest.mark.parametrize("model", MODELS)
def test_chunk_stepper_tends_to_it(model, ash):
    masses = load_model(model, policy="mixed")
    limit = crust(model, ash, step=0.0025)
    errors = []
    for chunk in (0.004, 0.001):
        stepped = reference.evolve(
            masses.mixed, masses.sources, ASHES[ash], pressures=PRESSURES, g_mdot=G_MDOT, chunk=chunk
        )
        errors.append(np.mean(np.abs(stepped.mu_e / limit.mu_e - 1)))
        heat = stepped.heat[-1]
    assert errors[1] < errors[0]
    assert errors[1] < 1e-4
    assert abs(heat - limit.heat[-1]) < 0.01


def test_steps_of_pressure_do_not_matter():
    coarse, fine = (crust("HFB21+DZ31", "Fe56", step=step) for step in (0.01, 0.0025))
    assert np.quantile(np.abs(coarse.mu_e / fine.mu_e - 1), 0.9) < 1e-4
    assert abs(coarse.heat[-1] - fine.heat[-1]) < 1e-3
