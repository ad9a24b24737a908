"""Parameters of members, and what mass models leave uncertain."""

import numpy as np

from gpucrust.engine.inputs import Members, Physics
from gpucrust.masses import Origin, load_model, packaged_table
from gpucrust.sensitivity.parameters import mass_sigma, parameters_of


def test_only_theory_is_uncertain():
    model = load_model("HFB21+DZ31")
    sigma = mass_sigma(model)
    measured, theory = (packaged_table(name) for name in ("AME2016", "HFB21"))
    masses = dict(zip(zip(theory.Z, theory.N, strict=True), theory.mass_excess, strict=True))
    both = [
        masses[Z, N] - excess
        for Z, N, excess in zip(measured.Z, measured.N, measured.mass_excess, strict=True)
        if 8 <= Z <= 60 and N >= 8 and (Z, N) in masses
    ]
    np.testing.assert_allclose(sigma.rms["theory"], np.sqrt(np.mean(np.square(both))), rtol=1e-9)
    assert not sigma.chart[(model.origin == Origin.MEASURED).ravel()].any()
    assert (sigma.chart[(model.origin > Origin.MEASURED).ravel()] > 0).all()


def test_a_perturbed_member_has_its_samples_masses():
    model = load_model("DZ31")
    members = Members(np.zeros(3, int), np.zeros(3, int), np.zeros(3), np.array([0, 1, 1]), np.ones(3))
    physics = Physics(sigma=0.5, seed=4)
    plain, one, again = (np.asarray(parameters_of(model, m, members, physics, 2e14, 3e4).E) for m in range(3))
    theory = (model.origin > Origin.MEASURED).ravel()
    np.testing.assert_array_equal(one, again)
    np.testing.assert_array_equal(one[~theory], plain[~theory])
    np.testing.assert_allclose(np.std((one - plain)[theory]), 0.5, rtol=0.05)
