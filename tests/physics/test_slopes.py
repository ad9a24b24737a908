"""Slopes of mu_e(P): against derivatives of the equation of state, and against thermodynamics."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gpucrust.physics import eos, slopes
from gpucrust.physics.reactions import CHANNEL_DZ, CHANNEL_K

MACKIE_BAYM = jnp.array(eos.NEUTRON_MATTER["mackie-baym"])
# (n_b fm^-3, Y_e, Y_n, Z): outer crust, just past drip, deep inner crust
STATES = [(1e-6, 0.45, 0.0, 26.0), (3e-4, 0.25, 1e-6, 20.0), (3e-4, 0.25, 0.30, 16.0), (2e-2, 0.05, 0.80, 20.0)]


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("lattice", [0.0, 1.0])
def test_frozen_slope_is_the_derivative_of_mu_e_of_n_b_of_P(state, lattice):
    n_b, Y_e, Y_n, Z = state
    matter = eos.Matter(MACKIE_BAYM, lattice)
    mixture = eos.Mixture(Y_e, Y_n, Y_e * Z ** (2 / 3))

    def mu_e(P):
        return eos.electron_chemical_potential(Y_e * eos.density_at_pressure(P, mixture, matter, n_b))

    P = eos.pressure(n_b, mixture, matter)
    np.testing.assert_allclose(slopes.frozen_slope(n_b, mixture, matter), jax.grad(mu_e)(P), rtol=1e-12)


@pytest.mark.parametrize(("dZ", "k"), list(zip(CHANNEL_DZ.tolist(), CHANNEL_K.tolist(), strict=True)))
def test_a_reaction_followed_at_its_threshold_has_the_marginal_slope(dZ, k):
    """Raise the pressure by converting Z, with every quantity recomputed from the equation of state."""
    matter = eos.Matter(MACKIE_BAYM, 0.0)
    n_b, Y_e, Y_n = 2e-3, 0.12, 0.6

    def potentials(n_b, amount):
        n_e, n_n = n_b * (Y_e + dZ * amount), n_b * (Y_n + k * amount)
        mu_e, mu_n = eos.electron_chemical_potential(n_e), eos.neutron_chemical_potential(n_n, matter)
        P = eos.electron_pressure(n_e) + eos.neutron_pressure(n_n, matter)
        return jnp.array([mu_e, mu_n, P])

    d_n_b, d_amount = jax.jacobian(potentials, argnums=(0, 1))(n_b, 0.0)
    affinity = jnp.array([dZ, k], float)
    # the path on which the affinity stays zero while n_b grows by 1
    amount = -(affinity @ d_n_b[:2]) / (affinity @ d_amount[:2])
    dmu_e, _, dP = d_n_b + amount * d_amount
    slope = slopes.marginal_slope(dZ, k, n_b * Y_e, n_b * Y_n)
    np.testing.assert_allclose(slope, dmu_e / dP, rtol=1e-10, atol=1e-10)


def test_marginal_slope_of_known_reactions():
    n_e, n_n = 1e-4, 3e-4
    assert slopes.marginal_slope(-1, 0, n_e, n_n) == 0
    np.testing.assert_allclose(slopes.marginal_slope(0, jnp.array([1, -2]), n_e, n_n), 1 / n_e)
    np.testing.assert_allclose(slopes.marginal_slope(-1, jnp.arange(1, 4), n_e, 0.0), 1 / n_e)
    np.testing.assert_allclose(slopes.marginal_slope(-1, 2, n_e, n_n), 2 / (2 * n_e + n_n))


def test_slopes_are_differentiable_and_batched():
    matter = eos.Matter(MACKIE_BAYM, 1.0)
    n_b = jnp.array([3e-4, 2e-3, 2e-2])

    def frozen(n_b):
        return slopes.frozen_slope(n_b, eos.Mixture(0.1, 0.7, 0.1 * 16.0 ** (2 / 3)), matter)

    np.testing.assert_allclose(jax.vmap(jax.grad(frozen))(n_b), [jax.grad(frozen)(x) for x in n_b], rtol=1e-14)
    h = 1e-5 * n_b
    np.testing.assert_allclose(
        jax.vmap(jax.grad(frozen))(n_b), (frozen(n_b + h) - frozen(n_b - h)) / (2 * h), rtol=1e-7
    )
