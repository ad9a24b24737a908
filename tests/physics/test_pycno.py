"""Pycnonuclear rates: symmetries and slopes, then the check values of the specification and of experiment."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gpucrust.constants import RHO_PER_N_B
from gpucrust.physics import pycno
from published import RATES, S_FACTORS

PAIRS = [(6, 12, 6, 12), (6, 14, 12, 40), (7, 25, 12, 40), (4, 8, 14, 46), (5, 9, 13, 27)]


def log10_rate(nuclides, rho, X_N, fractions):
    """log10 of the rate between the first and the last of a mixture of (Z, A), by number fractions."""
    Z, A = np.array(nuclides, float).T
    x = np.array(fractions)
    n_b = rho / RHO_PER_N_B
    matter = pycno.conditions(n_b, X_N, x @ A, x @ Z, X_N * (x @ Z) / (x @ A))
    pair = pycno.pair_constants(Z[0], A[0], Z[-1], A[-1])
    return float(pycno.ln_rate(pair, matter, jnp.log(x[0]), jnp.log(x[-1]))) / np.log(10)


@pytest.mark.parametrize("pair", PAIRS)
def test_rates_do_not_know_first_from_second(pair):
    Z1, A1, Z2, A2 = pair
    np.testing.assert_allclose(pycno.pair_constants(Z1, A1, Z2, A2), pycno.pair_constants(Z2, A2, Z1, A1), rtol=1e-13)


def test_parameters_on_the_grid_are_the_table_and_bilinear_between():
    for (Z1, Z2), row in pycno._GRID.items():
        np.testing.assert_allclose(pycno.s_factor_parameters(Z1, Z2), row, rtol=1e-14)
    corners = [pycno._GRID[pair] for pair in ((6, 8), (6, 10), (8, 8), (8, 10))]
    np.testing.assert_allclose(pycno.s_factor_parameters(7, 9), np.mean(corners, axis=0), rtol=1e-13)
    outside = 2 * np.array(pycno.s_factor_parameters(12, 12)) - np.array(pycno.s_factor_parameters(10, 12))
    np.testing.assert_allclose(pycno.s_factor_parameters(14, 12), outside, rtol=1e-13)


@pytest.mark.parametrize("pair", PAIRS)
def test_slope_of_the_burn_time_is_its_derivative(pair):
    Z1, A1, Z2, A2 = pair
    constants = pycno.pair_constants(*pair)

    def ln_tau(ln_n_b):
        n_b = jnp.exp(ln_n_b)
        matter = pycno.conditions(n_b, 0.7, (A1 + A2) / 2, (Z1 + Z2) / 2, 0.7 * (Z1 + Z2) / (A1 + A2))
        return pycno.ln_burn_time(constants, matter, -4.0, -5.0, -3.5, n_b), matter

    derivative, matter = jax.grad(ln_tau, has_aux=True)(jnp.log(1e-3))
    np.testing.assert_allclose(pycno.ln_burn_time_slope(constants, matter), derivative, rtol=1e-10)


def test_check_values():
    for pair, expected in S_FACTORS:
        c0, c1 = pycno.ln_s_factor(*pair)
        np.testing.assert_allclose((c0 + 0.1 * c1) / np.log(10), expected, atol=0.05)
    for nuclides, rho, X_N, fractions, expected in RATES:
        np.testing.assert_allclose(log10_rate(nuclides, rho, X_N, fractions), expected, atol=0.006)
