"""DZ31: symmetries of the formula, its derivatives, then the reference values."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gpucrust.masses import DZ31_COEFFICIENTS, DZ31_DEFORMED_NAMES, DZ31_NAMES, binding_terms, duflo_zuker
from paths import SHARED_DATA
from published import DZ31

REFERENCE = SHARED_DATA / "dz31_reference.csv"


@pytest.fixture(autouse=True)
def x64():
    with jax.enable_x64(True):
        yield


@pytest.fixture(scope="module")
def chart():
    Z, N = np.meshgrid(np.arange(6, 51), np.arange(6, 161), indexing="ij")
    return Z.ravel(), N.ravel()


def test_the_33_coefficients_have_names():
    assert len(DZ31_NAMES) == len(set(DZ31_NAMES)) == 33
    assert DZ31_COEFFICIENTS.shape == (33,)
    assert DZ31_COEFFICIENTS.dtype == np.float64


def test_every_term_but_coulomb_is_the_same_for_mirror_nuclei():
    Z, N = np.meshgrid(np.arange(6, 51), np.arange(6, 51), indexing="ij")
    nuclear = np.array([name != "C" for name in DZ31_NAMES])
    np.testing.assert_allclose(binding_terms(Z, N)[..., nuclear], binding_terms(N, Z)[..., nuclear], rtol=1e-13)


def test_closed_oscillator_shells_have_no_valence_particles():
    # 14, 28, 50, 82, 126 close the subshells of Duflo & Zuker's extruder-intruder scheme
    S3 = binding_terms(np.array([14, 28, 50]), np.array([28, 82, 126]))[:, DZ31_NAMES.index("S3")]
    np.testing.assert_allclose(S3, 0.0, atol=1e-12)


def test_even_numbers_are_bound_more_tightly(chart):
    Z, N = chart
    mass = np.full((51, 161), np.nan)
    mass[Z, N] = duflo_zuker(Z, N)
    # second differences in N at a given even Z: a cusp at every even N
    staggering = mass[20:51:2, 20:100] - (mass[20:51:2, 19:99] + mass[20:51:2, 21:101]) / 2
    assert (staggering[:, ::2] < 0).mean() > 0.99
    assert (staggering[:, 1::2] > 0).mean() > 0.9


def test_binding_is_linear_in_the_coefficients(chart):
    terms = binding_terms(*chart)
    hydrogen_and_neutron = duflo_zuker(*chart, np.zeros(33))
    np.testing.assert_allclose(hydrogen_and_neutron - terms @ DZ31_COEFFICIENTS, duflo_zuker(*chart), atol=1e-9)
    np.testing.assert_allclose(jax.jacobian(lambda c: duflo_zuker(*chart, c))(DZ31_COEFFICIENTS), -terms, atol=1e-12)


def test_derivatives_agree_with_finite_differences():
    Z, N = jnp.array([6, 12, 20, 26, 50]), jnp.array([150, 28, 21, 30, 82])

    def mass(c):
        return duflo_zuker(Z, N, c)

    exact = jax.jacobian(mass)(jnp.asarray(DZ31_COEFFICIENTS))
    step = 1e-3
    for k in range(33):
        plus, minus = (mass(jnp.asarray(DZ31_COEFFICIENTS).at[k].add(s)) for s in (step, -step))
        np.testing.assert_allclose(exact[:, k], (plus - minus) / (2 * step), rtol=1e-7, atol=1e-8)


def test_only_the_deformed_branch_has_no_effect(chart):
    effect = np.abs(binding_terms(*chart)).max(axis=0)
    assert {name for name, size in zip(DZ31_NAMES, effect, strict=True) if size == 0} == set(DZ31_DEFORMED_NAMES)


def test_the_same_numbers_when_jitted_mapped_and_broadcast():
    Z, N = jnp.arange(10, 20), jnp.arange(20, 40)
    plain = duflo_zuker(Z[:, None], N)
    np.testing.assert_allclose(jax.jit(duflo_zuker)(Z[:, None], N), plain, atol=1e-9)
    mapped = jax.vmap(jax.vmap(duflo_zuker, (None, 0)), (0, None))(Z, N)
    np.testing.assert_allclose(mapped, plain, atol=1e-9)
    assert duflo_zuker(26, 30).shape == ()


@pytest.mark.parametrize(("Z", "N"), [(5, 20), (51, 60), (20, 5), (20, 161), (0, 0), (2, 16)])
def test_no_mass_where_the_formula_does_not_hold(Z, N):
    assert np.isnan(duflo_zuker(Z, N))


def test_a_nuclide_outside_does_not_spoil_the_derivatives_of_the_others():
    def total(c):
        mass = duflo_zuker(jnp.array([0, 26]), jnp.array([0, 30]), c)
        return jnp.sum(jnp.where(jnp.isnan(mass), 0.0, mass))

    assert np.isfinite(jax.grad(total)(jnp.asarray(DZ31_COEFFICIENTS))).all()


def test_numbers_of_particles_must_be_integers():
    with pytest.raises(TypeError, match="must be integers"):
        duflo_zuker(26.0, 30)


def test_single_precision_is_refused():
    with jax.enable_x64(False), pytest.raises(RuntimeError, match="needs float64"):
        duflo_zuker(26, 30)


@pytest.mark.parametrize(("Z", "N", "expected"), DZ31)
def test_check_values(Z, N, expected):
    assert float(duflo_zuker(Z, N)) == pytest.approx(expected, abs=5e-4)


def test_every_reference_value():
    if not REFERENCE.is_file():
        pytest.skip("the reference table of DZ31 is not here")
    Z, N, expected = np.loadtxt(REFERENCE, delimiter=",", comments="#", skiprows=2, unpack=True)
    assert len(Z) == 45 * 145
    np.testing.assert_allclose(duflo_zuker(Z.astype(int), N.astype(int)), expected, rtol=0, atol=1e-5)
