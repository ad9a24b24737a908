"""CS20's eqs 2-6: that they follow from one another, their limits, and which reading of the print they allow."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpucrust.constants import ATOMIC_MASS_UNIT, ATOMIC_MASS_UNIT_GRAM, DYN_PER_CM2, FM3_PER_CM3, NEUTRON_EXCESS
from gpucrust.masses import load_model
from gpucrust.physics import diffusion, eos, ground_state
from gpucrust.physics import force_balance as fb
from published import FLUX_EQ_11, FLUX_EQ_11_ROUNDED

M_N = ATOMIC_MASS_UNIT + NEUTRON_EXCESS
seeds = st.integers(0, 2**32 - 1)


class Slab:
    """Random matter of several kinds of nuclei, random gradients and frictions, in hydrostatic equilibrium alone."""

    def __init__(self, seed, kinds=3):
        rng = np.random.default_rng(seed)
        self.Z, self.A = rng.integers(8, 40, kinds).astype(float), rng.integers(50, 130, kinds).astype(float)
        self.m = self.A * ATOMIC_MASS_UNIT + rng.normal(0, 40, kinds)
        self.n, self.n_n = rng.uniform(1e-7, 1e-4, kinds), rng.uniform(1e-6, 1e-2)
        self.n_i, self.n_e = self.n.sum(), self.Z @ self.n
        self.m_i, self.Z_i = self.n @ self.m / self.n_i, self.n_e / self.n_i
        self.m_e, self.g = rng.uniform(1, 50), rng.uniform(0.5, 3)
        self.rho = self.n_e * self.m_e + self.n_i * self.m_i + self.n_n * M_N
        self.grad_mu = rng.normal(0, 1e3, kinds) * self.g
        self.grad_mu_e = rng.normal() * 1e3 * self.g
        self.grad_P = self.rho * self.g
        self.grad_mu_n = (self.grad_P - self.n_e * self.grad_mu_e - self.n @ self.grad_mu) / self.n_n
        self.e_grad_phi, self.f_in, self.f_ei, self.f_en = rng.normal(0, 1e3, 4) * self.g
        self.f_ie = fb.reaction(self.f_ei, self.n_e, self.n_i)
        self.f_ni = fb.reaction(self.f_in, self.n_i, self.n_n)
        self.f_ne = fb.reaction(self.f_en, self.n_e, self.n_n)

    def on_electron(self):
        return fb.force_on_electron(self.grad_mu_e, self.e_grad_phi, self.m_e, self.g, self.f_ei, self.f_en)

    def on_nuclei(self):
        return fb.force_on_nuclei(
            self.n, self.Z, self.m, self.e_grad_phi, self.g, self.f_in, self.f_ie, grad_mu=self.grad_mu
        )

    def on_neutron(self):
        return fb.force_on_neutron(self.grad_mu_n, M_N, self.g, self.f_ni, self.f_ne)

    def ei_gradient(self):
        """Right side of eq. 5."""
        return fb.ei_gradient(self.grad_P, self.n_i, self.m_i, self.rho, self.f_in, self.n_e, self.m_e, f_en=self.f_en)

    @property
    def size(self):
        """Of the terms per volume, for rounding."""
        terms = [self.grad_P, self.n_e * self.e_grad_phi, self.n_i * self.f_in, self.n_e * self.f_ei]
        gradients = [self.n_e * self.grad_mu_e, *self.n * self.grad_mu, self.n_n * self.grad_mu_n, self.n_e * self.f_en]
        return np.abs([*terms, *gradients]).sum()


# --- the equations follow from one another


@given(seeds)
@settings(deadline=None, max_examples=50)
def test_eqs_2_to_4_times_densities_add_up_to_hydrostatic_equilibrium(seed):
    """Whatever the field and all frictions are: charge neutrality, the third law and Gibbs-Duhem are enough."""
    slab = Slab(seed)
    slab.grad_mu_n *= 1.7  # nor need pressure balance weight
    grad_P = slab.n_e * slab.grad_mu_e + slab.n @ slab.grad_mu + slab.n_n * slab.grad_mu_n
    total = slab.n_e * slab.on_electron() + slab.n_i * slab.on_nuclei() + slab.n_n * slab.on_neutron()
    assert abs(total - fb.force_on_matter(grad_P, slab.rho, slab.g)) < 1e-14 * slab.size


@given(seeds)
@settings(deadline=None, max_examples=50)
def test_eq_5_is_the_sum_of_eqs_2_and_3_and_hydrostatic_equilibrium(seed):
    """It is no equation of its own: it differs from n_e (eq. 2) + n_i (eq. 3) by nothing once g is grad(P)/rho."""
    slab = Slab(seed)
    left = slab.n_e * slab.grad_mu_e + slab.n @ slab.grad_mu
    total = slab.n_e * slab.on_electron() + slab.n_i * slab.on_nuclei()
    assert abs(slab.ei_gradient() - left - total) < 1e-14 * slab.size


@given(seeds)
@settings(deadline=None, max_examples=50)
def test_eq_6_with_all_terms_is_eq_5_over_the_density_of_electrons(seed):
    slab = Slab(seed)
    grad_mu_i = fb.mean_over_nuclei(slab.n, slab.grad_mu)
    slope = fb.electron_gradient(
        slab.grad_P, slab.m_i, slab.Z_i, slab.rho, slab.f_in, slab.f_en, m_e=slab.m_e, grad_mu_i=grad_mu_i
    )
    eq_5 = (slab.ei_gradient() - slab.n @ slab.grad_mu) / slab.n_e
    np.testing.assert_allclose(slope, eq_5, rtol=0, atol=1e-14 * slab.size / slab.n_e)
    # and solved for the friction
    given = (slab.m_i, slab.Z_i, slab.g, slab.f_en, slab.m_e, grad_mu_i)
    f_in = fb.friction_on_neutrons(slope, *given)
    np.testing.assert_allclose(f_in, slab.f_in, rtol=0, atol=1e-13 * slab.size / slab.n_i)


@given(seeds)
@settings(deadline=None, max_examples=50)
def test_friction_of_eq_6_balances_every_component(seed):
    slab = Slab(seed)
    slab.f_in = fb.friction_on_neutrons(
        slab.grad_mu_e,
        slab.m_i,
        slab.Z_i,
        slab.g,
        slab.f_en,
        m_e=slab.m_e,
        grad_mu_i=fb.mean_over_nuclei(slab.n, slab.grad_mu),
    )
    slab.f_ni = fb.reaction(slab.f_in, slab.n_i, slab.n_n)
    slab.e_grad_phi = slab.grad_mu_e - slab.m_e * slab.g + slab.f_ei + slab.f_en  # eq. 2
    assert abs(slab.n_e * slab.on_electron()) < 1e-14 * slab.size
    assert abs(slab.n_i * slab.on_nuclei()) < 1e-14 * slab.size
    assert abs(slab.n_n * slab.on_neutron()) < 1e-13 * slab.size


@pytest.mark.parametrize("m_e", [0.0, 35.0])
def test_eq_7_is_the_slope_of_eq_6_without_friction(m_e):
    slab = Slab(7)
    slope = diffusion.nodiff_slope_of_mass(slab.m_i, slab.Z_i, slab.rho, m_e)
    frictionless = fb.electron_gradient(slab.grad_P, slab.m_i, slab.Z_i, slab.rho, 0.0, m_e=m_e)
    np.testing.assert_allclose(slope * slab.grad_P, frictionless, rtol=1e-15)
    f_in = fb.friction_on_neutrons(slope * slab.rho * slab.g, slab.m_i, slab.Z_i, slab.g, m_e=m_e)
    np.testing.assert_allclose(f_in, 0, atol=1e-14 * slab.m_i * slab.g)


def test_eq_6_in_terms_of_the_ratio():
    A, Z, n_b, g, dmu_e_dP = 56.0, 20.0, 1e-3, 2e14, 700.0
    R = diffusion.equilibrium_ratio(dmu_e_dP, diffusion.nodiff_slope(A, Z, n_b))
    m_i, rho = A * ATOMIC_MASS_UNIT_GRAM, n_b * ATOMIC_MASS_UNIT_GRAM
    f_in = fb.friction_on_neutrons(dmu_e_dP * rho * g, m_i, Z, g)
    np.testing.assert_allclose(diffusion.friction_from_ratio(A, g, R), f_in, rtol=1e-14)


# --- what CS20 neglect, and when


@given(seeds)
@settings(deadline=None, max_examples=20)
def test_what_eq_6_leaves_out_is_the_electrons_weight(seed):
    """Relative to the weight of nuclei Z m*_e/m_i: 0.011 for 44Mg and mu_e of 37 MeV."""
    slab = Slab(seed)
    given = (slab.grad_P, slab.m_i, slab.Z_i, slab.rho, 0.0)
    kept, left_out = fb.electron_gradient(*given, m_e=slab.m_e), fb.electron_gradient(*given)
    np.testing.assert_allclose(kept / left_out - 1, slab.Z_i * slab.m_e / slab.m_i, rtol=1e-10)
    magnesium = (1.0, 44 * ATOMIC_MASS_UNIT, 12.0, 1.0, 0.0)
    share = fb.electron_gradient(*magnesium, m_e=37.0) / fb.electron_gradient(*magnesium) - 1
    np.testing.assert_allclose(share, 0.0108, rtol=0.01)


def test_without_neutrons_there_is_no_friction_if_both_or_neither_weights_of_electrons_are_kept():
    """Outer crust: n_e dmu_e = dP. With m*_e in rho but not in eq. 6 nothing would rub nuclei with 1 per cent of g."""
    Z, A, n_i = 26.0, 56.0, 1e-6
    n_e, m_i, m_e = Z * n_i, A * ATOMIC_MASS_UNIT, 25.0
    kept, left_out = n_i * m_i + n_e * m_e, n_i * m_i
    np.testing.assert_allclose(n_e * diffusion.nodiff_slope_of_mass(m_i, Z, kept, m_e), 1, rtol=1e-14)
    np.testing.assert_allclose(n_e * diffusion.nodiff_slope_of_mass(m_i, Z, left_out), 1, rtol=1e-14)
    assert 0.985 < n_e * diffusion.nodiff_slope_of_mass(m_i, Z, kept) < 0.99


@pytest.mark.parametrize("lattice", [0.0, 1.0])
def test_nuclei_feel_the_lattice_so_that_the_gradients_add_up_to_that_of_the_pressure(lattice):
    """sum_a n_a dmu_a + n_e dmu_e = d(P_e + P_L): eqs 5 and 8 hold with the lattice, and it does not couple eq. 9."""
    Z, matter = jnp.array([12.0, 20.0]), eos.Matter(lattice=lattice)

    def energy(n_e, n):
        lattice_energy = eos.lattice_energy_density(1.0, eos.Mixture(n_e, 0.0, n @ Z ** (5 / 3)), matter)
        return eos.electron_energy_density(n_e) + lattice_energy

    def potentials(n):
        return jax.grad(energy, argnums=(0, 1))(n @ Z, n)

    def pressure(n):
        return eos.pressure(1.0, eos.Mixture(n @ Z, 0.0, n @ Z ** (5 / 3)), matter)

    n, dn = jnp.array([3e-6, 1e-6]), jnp.array([2e-7, -5e-7])
    _, (dmu_e, dmu) = jax.jvp(potentials, (n,), (dn,))
    _, dP = jax.jvp(pressure, (n,), (dn,))
    np.testing.assert_allclose(n @ dmu + (n @ Z) * dmu_e, dP, rtol=1e-9)
    assert bool(jnp.all(dmu != 0)) == (lattice > 0)


# --- the ground state: no friction


def test_the_ground_state_needs_no_friction_if_every_energy_weighs():
    """m*_j = mu_j for all j, rho = eps + P (general relativity): eqs 2-4 hold without friction to rounding.

    With CS20's rest masses of nuclei and neutrons and without m*_e, f_in/(m_i g) is up to half a per cent.
    """
    masses, matter = jnp.asarray(load_model("HFB21").mixed), eos.Matter()
    P = jnp.geomspace(1e30, 1e31, 9) / DYN_PER_CM2
    state = ground_state.ground_state(masses, P, matter)
    n_n, Z, A = state.n_b * state.X_n, state.Z, state.A
    n_e = (state.n_b - n_n) * Z / A
    m_i = A * ATOMIC_MASS_UNIT + ground_state.mass_of(masses, Z, A)
    mu_n = M_N + state.mu_n
    mixture = eos.Mixture(n_e / state.n_b, state.X_n, 0.0)
    rho = eos.energy_density(state.n_b, mixture, m_i * n_e / (Z * state.n_b), matter) + P
    np.testing.assert_allclose(rho, state.n_b * mu_n, rtol=1e-13)

    grad_P, g = 1.0, 1 / rho
    grad_mu_e = state.dmu_e_dP_nodiff * grad_P
    grad_mu_n = (grad_P - n_e * grad_mu_e) / n_n
    f_in = fb.friction_on_neutrons(grad_mu_e, m_i, Z, g, m_e=state.mu_e)
    np.testing.assert_allclose(f_in / (m_i * g), 0, atol=1e-13)
    np.testing.assert_allclose(fb.force_on_neutron(grad_mu_n, mu_n, g, 0.0) / (mu_n * g), 0, atol=1e-12)
    exact = diffusion.nodiff_slope_of_mass(m_i, Z, rho, state.mu_e)
    np.testing.assert_allclose(exact, diffusion.nodiff_slope(A, Z, state.n_b), rtol=1e-13)

    rest = n_e / Z * m_i + n_n * M_N
    missing = fb.friction_on_neutrons(grad_mu_e, m_i, Z, grad_P / rest) / (m_i * grad_P / rest)
    assert 0.002 < np.abs(missing).max() < 0.01


# --- readings of the print


def test_friction_is_per_particle_of_the_first_kind_and_acts_on_the_second():
    """CS20's words have f_jk per particle of kind k: eqs 2 and 3 then do not give eq. 5, nor does eq. 11 follow."""
    Z, A, n_i, n_n, g = 12.0, 70.0, 1.0, 35.0, 1e14
    n_e = Z * n_i
    f_ei = 1.0
    ours = n_e * f_ei + n_i * fb.reaction(f_ei, n_e, n_i)
    in_words = n_e * f_ei + n_i * -(n_i / n_e) * f_ei  # third law of volume forces n_k f_jk
    assert ours == 0
    np.testing.assert_allclose(in_words, (1 - 1 / Z**2) * n_e * f_ei)

    sigma, v_n = diffusion.cross_section(A), diffusion.neutron_velocity(1e12)
    f_in = diffusion.friction_from_ratio(A, g, 0.0)  # per nucleus, along gravity: nuclei would fall
    f_ni = fb.reaction(f_in, n_i, n_n)  # per neutron, against gravity: neutrons hold them
    J_n = diffusion.neutron_current(f_ni, n_n, n_i, sigma, v_n, m_n=ATOMIC_MASS_UNIT_GRAM)
    np.testing.assert_allclose(J_n, -FLUX_EQ_11, rtol=2e-3)  # against gravity, outwards
    per_nucleus = diffusion.neutron_current(-f_in, n_n, n_i, sigma, v_n)
    assert abs(per_nucleus) > 10 * FLUX_EQ_11_ROUNDED


def test_reaction():
    f_jk, n_j, n_k = np.array([2.0, -3.0]), np.array([1.0, 4.0]), np.array([5.0, 0.0])
    f_kj = fb.reaction(f_jk, n_j, n_k)
    np.testing.assert_allclose(n_j[0] * f_jk[0] + n_k[0] * f_kj[0], 0, atol=1e-15)
    assert f_kj[1] == 0, "nobody there to act on"


# --- units, batches, derivatives


@pytest.mark.parametrize("factor", [3.0, 1e14])
def test_all_forces_scale_with_g(factor):
    slab, heavy = Slab(5), Slab(5)
    names = ("g", "grad_P", "grad_mu_e", "grad_mu_n", "grad_mu", "e_grad_phi")
    for name in (*names, "f_in", "f_ei", "f_en", "f_ie", "f_ni", "f_ne"):
        setattr(heavy, name, factor * getattr(slab, name))
    for part in ("on_electron", "on_nuclei", "on_neutron", "ei_gradient"):
        value, scaled = getattr(slab, part)(), getattr(heavy, part)()
        np.testing.assert_allclose(scaled, factor * value, rtol=1e-11, atol=1e-13 * factor * slab.size / slab.n_n)


def test_any_system_of_units_gives_the_same_slope():
    """MeV and fm against CGS: masses and energies, lengths."""
    slab, speed_of_light = Slab(3), 2.99792458e10
    erg = DYN_PER_CM2 / FM3_PER_CM3  # in an MeV
    cm = 1e-13  # in a fm
    g = slab.g * speed_of_light**2 / cm  # of a slab with g in c^2 per fm
    rho = slab.rho * erg / speed_of_light**2 * FM3_PER_CM3
    m_i, f_in, f_en = slab.m_i * erg / speed_of_light**2, slab.f_in * erg / cm, slab.f_en * erg / cm
    cgs = fb.electron_gradient(rho * g, m_i, slab.Z_i, rho, f_in, f_en)
    inner = fb.electron_gradient(slab.grad_P, slab.m_i, slab.Z_i, slab.rho, slab.f_in, slab.f_en)
    np.testing.assert_allclose(cgs, inner * erg / cm, rtol=1e-13)


def test_kinds_lie_along_the_last_axis_and_states_along_the_others():
    slabs = [Slab(seed) for seed in range(4)]
    n, Z, m, grad_mu = (np.stack([getattr(s, name) for s in slabs]) for name in ("n", "Z", "m", "grad_mu"))
    phi, g, f_in, f_ie = (np.stack([getattr(s, x) for s in slabs]) for x in ("e_grad_phi", "g", "f_in", "f_ie"))
    batch = fb.force_on_nuclei(n, Z, m, phi, g, f_in, f_ie, grad_mu)
    np.testing.assert_allclose(batch, [s.on_nuclei() for s in slabs], rtol=1e-14)
    np.testing.assert_allclose(jax.vmap(fb.force_on_nuclei)(n, Z, m, phi, g, f_in, f_ie, grad_mu), batch, rtol=1e-14)


@pytest.mark.parametrize(("argument", "derivative"), [(4, -1 / 12.0), (5, -1.0), (7, -1 / 12.0)])
def test_derivatives_of_eq_6_are_its_coefficients(argument, derivative):
    given = [3.0, 40.0, 12.0, 2.0, 0.5, 0.2, 0.1, 0.3]
    np.testing.assert_allclose(jax.grad(fb.electron_gradient, argument)(*given), derivative, rtol=1e-15)


def test_derivatives_are_finite_without_free_neutrons():
    assert jnp.isfinite(jax.grad(lambda n_n: fb.reaction(1.0, 1.0, n_n))(0.0))
