"""Ground state of the crust: eq. 7 and thermodynamics first, then the known outer crust."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import brentq

from gpucrust.constants import DYN_PER_CM2, ELECTRON_MASS, FINE_STRUCTURE, HBAR_C, NEUTRON_EXCESS
from gpucrust.masses import load_model
from gpucrust.physics import eos
from gpucrust.physics import ground_state as gs
from published import NEUTRON_DRIP, OUTER_CRUST

MACKIE_BAYM = jnp.array(eos.NEUTRON_MATTER["mackie-baym"])
MATTERS = {
    "cs20": eos.Matter(MACKIE_BAYM, 0.0),
    "lattice": eos.Matter(MACKIE_BAYM, 1.0),
    "free-gas": eos.Matter(jnp.array(eos.NEUTRON_MATTER["free-gas"]), 0.0),
}
TOP, BOTTOM = 2e23 / DYN_PER_CM2, 3e31 / DYN_PER_CM2
GRID = np.geomspace(TOP, BOTTOM, 300)


# Pearson, Goriely & Chamel 2011, PRC 83, 065810, with HFB-21: (Z, A) from the top down to neutron drip
@pytest.fixture(scope="module")
def charts():
    return jnp.stack([load_model(name, ame="AME2016", policy="mixed").mixed for name in ("HFB21", "HFB24")])


@pytest.fixture(scope="module")
def masses(charts):
    return np.asarray(charts[0])


@pytest.fixture(params=MATTERS, ids=str)
def matter(request):
    return MATTERS[request.param]


@pytest.fixture(scope="module")
def all_layers(masses):
    return {name: gs.layers(masses, TOP, BOTTOM, matter) for name, matter in MATTERS.items()}


@pytest.fixture(scope="module")
def on_grid(charts):
    """Ground states of both charts, (2, 300), by matter."""
    batched = jax.vmap(gs.ground_state, (0, None, None))
    return {name: batched(charts, GRID, matter) for name, matter in MATTERS.items()}


@pytest.fixture
def here(on_grid, request):
    return jax.tree.map(lambda x: x[0], on_grid[request.node.callspec.params["matter"]])


@pytest.fixture
def layers(all_layers, request):
    return all_layers[request.node.callspec.params["matter"]]


def padded(*arrays):
    """Each repeated to one length: layers of different matter then share their compilation."""
    return [np.resize(array, 40) for array in arrays]


# --- eq. 7


def test_eq_7_is_the_numerical_derivative_of_mu_e_inside_every_layer(masses, layers, matter):
    """Central differences of eighth order in ln P at fixed nuclide."""
    h = 0.002
    steps, weights = np.arange(-4, 5), np.array([1 / 280, -4 / 105, 1 / 5, -4 / 5, 0, 4 / 5, -1 / 5, 4 / 105, -1 / 280])
    Z, A, middle = padded(layers.Z, layers.A, np.sqrt(layers.P_start * layers.P_end))
    P = middle * np.exp(h * steps[:, None])
    stencil = gs.matter_of_nuclide(P, masses[Z, A - Z], Z, A, matter)
    # neutrons must not begin within the stencil
    np.testing.assert_array_equal(stencil.X_n[0] > 0, stencil.X_n[-1] > 0)
    np.testing.assert_allclose((P * stencil.dmu_e_dP_nodiff)[4], weights @ stencil.mu_e / h, rtol=1e-10)


def test_eq_7_is_the_implicit_derivative_of_mu_e_everywhere(masses, here, matter):
    E = gs.mass_of(masses, here.Z, here.A)
    slope = jax.jit(jax.grad(lambda P: jnp.sum(gs.matter_of_nuclide(P, E, here.Z, here.A, matter).mu_e)))(GRID)
    np.testing.assert_allclose(slope, here.dmu_e_dP_nodiff, rtol=1e-10)


@pytest.mark.parametrize("name", ["FRDM95+DZ31", "HFB26+DZ31", "BSkG3+DZ31", "BSkG4+DZ31", "DZ31", "MB-refit"])
@pytest.mark.parametrize("lattice", [0.0, 1.0])
def test_eq_7_holds_for_other_mass_models(name, lattice):
    masses, matter = jnp.asarray(load_model(name).mixed), eos.Matter(MACKIE_BAYM, jnp.array(lattice))
    here = gs.ground_state(masses, GRID, matter)
    assert len(np.unique(here.A)) > 10
    E = gs.mass_of(masses, here.Z, here.A)
    slope = jax.grad(lambda P: jnp.sum(gs.matter_of_nuclide(P, E, here.Z, here.A, matter).mu_e))(jnp.asarray(GRID))
    np.testing.assert_allclose(slope, here.dmu_e_dP_nodiff, rtol=1e-10)


def test_without_the_lattice_eq_7_is_A_over_Z_n_b(on_grid):
    here = jax.tree.map(lambda x: x[0], on_grid["cs20"])
    np.testing.assert_allclose(here.dmu_e_dP_nodiff, here.A / (here.Z * here.n_b), rtol=1e-14)


# --- thermodynamics


def test_mu_b_is_gibbs_energy_per_baryon(masses, here, matter):
    """mu_b = (eps + P)/n_b with the energy density of `eos`, and the pressures add up."""
    Y = (1 - here.X_n) / here.A
    mixture = eos.Mixture(here.Z * Y, here.X_n, here.Z ** (5 / 3) * Y)
    np.testing.assert_allclose(eos.pressure(here.n_b, mixture, matter), GRID, rtol=1e-13)
    n_n = here.n_b * here.X_n
    eps = (
        here.n_b * Y * gs.mass_of(masses, here.Z, here.A)
        + eos.electron_energy_density(here.n_b * mixture.Y_e)
        + eos.neutron_energy_density(n_n, matter)
        + NEUTRON_EXCESS * n_n
        + eos.lattice_energy_density(here.n_b, mixture, matter)
    )
    np.testing.assert_allclose((eps + GRID) / here.n_b, here.mu_b, atol=1e-11)
    np.testing.assert_allclose(eos.neutron_pressure(n_n, matter) + here.P_ei, GRID, rtol=1e-14)
    free = here.X_n > 0
    np.testing.assert_allclose(here.mu_n[free] + NEUTRON_EXCESS, here.mu_b[free], rtol=1e-14)
    assert np.all(here.mu_b[~free] <= NEUTRON_EXCESS)


def test_mu_b_is_continuous_across_layers_and_density_jumps_up(masses, layers, matter):
    def at_boundaries(side):
        P, Z, A = padded(layers.P_end[:-1], layers.Z[side], layers.A[side])
        return gs.matter_of_nuclide(P, masses[Z, A - Z], Z, A, matter)

    above, below = at_boundaries(slice(None, -1)), at_boundaries(slice(1, None))
    np.testing.assert_array_equal(layers.P_end[:-1], layers.P_start[1:])
    np.testing.assert_allclose(above.mu_b, below.mu_b, atol=1e-13)
    np.testing.assert_allclose(above.P_ei, below.P_ei, rtol=1e-12)
    assert np.all(below.n_b > above.n_b)


def test_layers_and_the_search_at_each_pressure_agree(here, layers, matter):
    index = np.searchsorted(layers.P_end, GRID)
    np.testing.assert_array_equal(here.Z, layers.Z[index])
    np.testing.assert_array_equal(here.A, layers.A[index])
    assert np.all(np.diff(here.mu_b) > 0)


def test_derivatives_of_mu_b(masses):
    """At fixed P, dmu_b/dM = n_i/n_b for the nuclide present and 0 for others; dmu_b/dP = 1/n_b."""
    matter = MATTERS["lattice"]
    derivatives = jax.jit(jax.grad(lambda masses, P: gs.ground_state(masses, P, matter).mu_b[0], argnums=(0, 1)))
    for P in (jnp.array([1e-5]), jnp.array([1e-3])):
        by_mass, by_P = derivatives(masses, P)
        here = gs.ground_state(masses, P, matter)
        Z, N = int(here.Z[0]), int(here.A[0] - here.Z[0])
        np.testing.assert_allclose(by_mass[Z, N], (1 - here.X_n[0]) / here.A[0], rtol=1e-12)
        assert np.count_nonzero(by_mass) == 1
        np.testing.assert_allclose(by_P, 1 / here.n_b, rtol=1e-12)


# --- the least of all


def neutrons_of(k, c):
    """mu_n - m_n and P_n of neutrons of wave number k, in plain Python."""
    mu_n = sum(cj * (1 + j / 3) * k**j for j, cj in enumerate(c, 1))
    return mu_n, k**3 / (1.5 * math.pi**2) * sum(cj * j / 3 * k**j for j, cj in enumerate(c, 1))


def pressure_of(x, share):
    """P_e + P_L of electrons of Fermi momentum x m_e."""
    free = x * (2 * x * x / 3 - 1) * math.sqrt(1 + x * x) + math.asinh(x)
    return ELECTRON_MASS**4 / (8 * math.pi**2 * HBAR_C**3) * (free - share * (2 / 3) * x**4)


def mu_b_without_neutrons(P, E, Z, A, lattice):
    share = (4 / 3) * lattice * 1.444231 * FINE_STRUCTURE * Z ** (2 / 3) / (3 * math.pi**2) ** (1 / 3)
    x = brentq(lambda x: pressure_of(x, share) / P - 1, 0.1, 500, xtol=1e-13)
    return (E + Z * ELECTRON_MASS * (math.hypot(1, x) - share * x)) / A


def mu_b_with_neutrons(P, E, Z, A, c):
    def excess(k):
        mu_n, P_n = neutrons_of(k, c)
        mu_e = (A * (NEUTRON_EXCESS + mu_n) - E) / Z
        return (pressure_of(math.sqrt(max((mu_e / ELECTRON_MASS) ** 2 - 1, 0)), 0.0) + P_n) / P - 1

    return NEUTRON_EXCESS + neutrons_of(brentq(excess, 0, 2.5, xtol=1e-14), c)[0]


def least_mu_b(masses, P, matter):
    """(mu_b, Z, A), every nuclide on its own."""
    nuclides = [(float(masses[Z, N]), int(Z), int(Z + N)) for Z, N in zip(*np.nonzero(~np.isnan(masses)), strict=True)]
    without = min((mu_b_without_neutrons(P, *nuclide, matter.lattice), *nuclide[1:]) for nuclide in nuclides)
    if without[0] <= NEUTRON_EXCESS:
        return without
    assert matter.lattice == 0, "not written for the lattice"
    c = [float(cj) for cj in matter.neutron]
    return min((mu_b_with_neutrons(P, *nuclide, c), *nuclide[1:]) for nuclide in nuclides)


@pytest.mark.parametrize(
    ("P", "name"), [(1e28, "cs20"), (1e28, "lattice"), (5e29, "lattice"), (6.9e29, "cs20"), (5e30, "cs20")]
)
def test_no_nuclide_of_the_chart_is_better(masses, P, name):
    P = P / DYN_PER_CM2
    matter = MATTERS[name]
    mu_b, Z, A = least_mu_b(masses, P, matter)
    here = gs.ground_state(masses, jnp.array([P]), matter)
    assert (int(here.Z[0]), int(here.A[0])) == (Z, A)
    np.testing.assert_allclose(here.mu_b[0], mu_b, atol=1e-12)


def test_free_neutrons_on_the_chart_are_no_nucleus(charts):
    P, matter = jnp.array([1e-3]), MATTERS["cs20"]
    with_row_0 = gs.ground_state(charts[0].at[0].set(-1e3), P, matter)
    assert with_row_0.mu_b == gs.ground_state(charts[0], P, matter).mu_b


# --- the known outer crust


def test_outer_crust_of_hfb21_is_that_of_pearson_goriely_and_chamel(all_layers):
    layers = all_layers["lattice"]
    assert list(zip(layers.Z, layers.A, strict=True))[: len(OUTER_CRUST)] == OUTER_CRUST


def test_neutron_drip_of_hfb21(masses, all_layers):
    layers = all_layers["lattice"]
    P, here = gs.neutron_drip(masses, MATTERS["lattice"])
    assert (here.Z, here.A) == (38, 124)
    np.testing.assert_allclose(here.n_b, NEUTRON_DRIP, rtol=0.01)
    np.testing.assert_allclose(here.mu_b, NEUTRON_EXCESS, rtol=1e-14)
    assert layers.P_start[len(OUTER_CRUST) - 1] < P < layers.P_end[len(OUTER_CRUST) - 1]


@pytest.mark.parametrize("side", [1 - 1e-9, 1 + 1e-9])
def test_neutrons_appear_at_drip_and_not_before(masses, matter, side):
    P, _ = gs.neutron_drip(masses, matter)
    assert (gs.ground_state(masses, side * P[None], matter).X_n[0] > 0) == (side > 1)


# --- several charts


def test_several_mass_models_at_once_are_each_alone(charts, on_grid):
    for name, matter in MATTERS.items():
        for i, chart in enumerate(charts):
            for j in (0, 140, 299):
                alone = gs.ground_state(chart, GRID[j : j + 1], matter)
                for together, value in zip(on_grid[name], alone, strict=True):
                    np.testing.assert_allclose(together[i, j], value[0], rtol=1e-13)
