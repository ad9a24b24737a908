"""Replays of recorded crusts: they are the crust, and they keep its laws at other parameters."""

import numpy as np
import pytest

from gpucrust.engine.slide.record import Amount
from gpucrust.nuclide import nuclide_N, nuclide_Z
from gpucrust.physics import eos
from gpucrust.physics.reactions import CHANNELS
from gpucrust.sensitivity.derivatives import crust_outputs
from gpucrust.sensitivity.replay import replay
from gpucrust.sensitivity.thresholds import sums_along
from recorded_crusts import IRON, ITERATIONS, MDOT, MIXTURE, PRESSURES, STEP, G
from twins import slide


def test_a_replay_is_the_crust(crusts):
    for i, tape in enumerate(crusts.tapes):
        crust, n = crusts.member(i), len(tape.P)
        for iterations in (0, ITERATIONS):
            path = replay(crust.steps, crust.parameters, iterations)
            # the engine solves for pressures to 1e-11; amounts follow less well where neutrons first appear
            np.testing.assert_allclose(path.P[:n], tape.P, rtol=1e-11)
            np.testing.assert_allclose(path.n_b[:n], tape.n_b, rtol=1e-10)
            np.testing.assert_allclose(path.Y[:n], tape.Y, rtol=0, atol=1e-11)
        outputs = crust_outputs(*crust, iterations=ITERATIONS)
        np.testing.assert_allclose(outputs.heat, tape.heat[tape.grid_index >= 0], rtol=0, atol=1e-10)


@pytest.mark.parametrize("case", [0, 1])
def test_the_tape_is_the_crust_of_the_plain_code(models, crusts, case):
    """With the same steps; heat is taken there from the masses, here from affinities."""
    ash = (IRON, MIXTURE)[case]
    plain = slide.evolve(models[case].mixed, ash, step=STEP, pressures=PRESSURES, g_mdot=G * MDOT)
    outputs = crust_outputs(*crusts.member(case), iterations=ITERATIONS)
    np.testing.assert_allclose(outputs.mu_e, plain.mu_e, rtol=1e-6)
    np.testing.assert_allclose(outputs.heat, plain.heat, rtol=0, atol=2e-6)


def test_a_moved_replay_keeps_the_laws(crusts):
    """Baryons are conserved, pressure is that of the state, and triggers stay marginal, with other masses too."""
    rng = np.random.default_rng(6)
    steps, _, parameters = crusts.member(0)
    tape = steps.tape
    shifts = 1e-3 * rng.standard_normal(parameters.E.shape)
    path = replay(steps, parameters._replace(E=parameters.E + shifts), ITERATIONS)
    A = nuclide_Z(tape.nuclide) + nuclide_N(tape.nuclide)
    np.testing.assert_allclose(np.sum(A * path.Y, axis=1) + path.Y_n, 1.0, rtol=0, atol=1e-12)
    sums = sums_along(nuclide_Z(tape.nuclide), path.Y, path.Y_n)
    np.testing.assert_allclose(eos.pressure(path.n_b, sums.mixture, parameters.matter), path.P, rtol=1e-11)
    marginal = np.asarray((tape.amount == Amount.MARGINAL) & (tape.trigger.channel < CHANNELS))
    assert marginal.sum() > 10
    t = steps.trigger
    E = np.asarray(parameters.E) + shifts
    mu_e = eos.electron_chemical_potential(path.n_b * sums.Y_e)
    mu_n = 8.07131806 + eos.neutron_chemical_potential(path.n_b * path.Y_n, parameters.matter)
    g = E[t.daughter] - E[t.parent] + t.dZ * mu_e + t.k * mu_n
    np.testing.assert_allclose(g[marginal], 0.0, rtol=0, atol=1e-9)
