"""Channels and affinities: an affinity is a difference of Gibbs energies, whatever the formula."""

import jax.numpy as jnp
import numpy as np
import pytest

from gpucrust.constants import NEUTRON_EXCESS
from gpucrust.physics import eos, reactions
from gpucrust.physics.eos import Matter, Mixture

MATTER = {
    "no lattice": Matter(jnp.array(eos.NEUTRON_MATTER["mackie-baym"]), 0.0),
    "lattice": Matter(jnp.array(eos.NEUTRON_MATTER["mackie-baym"]), 1.0),
    "free gas": Matter(jnp.array(eos.NEUTRON_MATTER["free-gas"]), 1.0),
}


def gibbs_energy(P, mixture, matter):
    """Gibbs energy per baryon without the nuclear masses, MeV, at given pressure (nuclei press only as a lattice)."""
    n_b = eos.density_at_pressure(P, mixture, matter, eos.cold_density_guess(P, mixture.Y_e), 30)
    energy = (
        eos.electron_energy_density(n_b * mixture.Y_e)
        + eos.neutron_energy_density(n_b * mixture.Y_n, matter)
        + eos.lattice_energy_density(n_b, mixture, matter)
    )
    return energy / n_b + NEUTRON_EXCESS * mixture.Y_n + P / n_b


# where there are no free neutrons the first ones are not quadratic: see the next test
CASES = [
    (channel, *state)
    for channel in range(reactions.CHANNELS)
    for state in [(26, 0.46, 0.0, 1e-5), (12, 0.2, 0.3, 1e-3), (16, 0.1, 0.6, 5e-3)]
    if state[2] > 0 or reactions.CHANNEL_K[channel] == 0
]


@pytest.mark.parametrize("name", MATTER)
@pytest.mark.parametrize(("channel", "Z", "Y_e", "Y_n", "P"), CASES)
def test_affinity_is_the_change_of_gibbs_energy_to_third_order(name, channel, Z, Y_e, Y_n, P):
    matter, dZ, k = MATTER[name], reactions.CHANNEL_DZ[channel], reactions.CHANNEL_K[channel]
    before = Mixture(Y_e, Y_n, Y_e * Z ** (2 / 3))
    n_b = eos.density_at_pressure(P, before, matter, eos.cold_density_guess(P, Y_e), 30)
    dz53 = reactions.z53(Z + dZ) - reactions.z53(Z)

    def error(d):
        after = Mixture(Y_e + d * dZ, Y_n + d * k, before.Y_z53 + d * dz53)
        exact = gibbs_energy(P, after, matter) - gibbs_energy(P, before, matter)
        return float(d * reactions.affinity(0.0, dZ, k, dz53, d, n_b, before, matter) - exact)

    # third order: halving the amount divides the error of the energy by eight
    coarse, fine = error(4e-4), error(2e-4)
    assert abs(coarse) < 1e-7
    assert abs(fine) < abs(coarse) / 6 + 1e-13


@pytest.mark.parametrize("k", [1, 2, 6])
def test_first_neutrons_cost_their_half_way_chemical_potential(k):
    """Where mu_n ~ n_n^(1/3) no quadratic form holds; the half-way value keeps the sign and size right."""
    matter, d, P, Y_e = MATTER["no lattice"], 2e-5, 6e-4, 0.3
    before, after = Mixture(Y_e, 0.0, 0.0), Mixture(Y_e, k * d, 0.0)
    n_b = eos.density_at_pressure(P, before, matter, eos.cold_density_guess(P, Y_e), 30)
    exact = (gibbs_energy(P, after, matter) - gibbs_energy(P, before, matter)) / d - k * NEUTRON_EXCESS
    g = reactions.affinity(0.0, 0, k, 0.0, d, n_b, before, matter) - k * NEUTRON_EXCESS
    np.testing.assert_allclose(g, exact, rtol=0.1)


def test_affinity_vanishes_at_the_closed_form_threshold():
    """Electron capture without neutrons in the outer crust starts where mu_e = E(Z-1) - E(Z)."""
    matter = MATTER["no lattice"]
    mu_e = 12.345
    n_b = eos.electron_density(mu_e) / 0.4
    g = reactions.affinity(mu_e, -1, 0, 0.0, 1e-3, n_b, Mixture(0.4, 0.0, 0.0), matter)
    assert abs(g) < 1e-12


def test_lattice_shifts_the_threshold_by_the_closed_form():
    """The lattice adds to mu_e(threshold) what it changes the energy of the nucleus by, at charge neutrality."""
    Z, A, n_e = 26, 56, 3e-5
    mixture = Mixture(Z / A, 0.0, Z ** (5 / 3) / A)
    n_b = n_e / mixture.Y_e
    dz53 = (Z - 1) ** (5 / 3) - Z ** (5 / 3)
    args = (0.0, -1, 0, dz53, 0.0, n_b, mixture)
    shift = reactions.affinity(*args, MATTER["lattice"]) - reactions.affinity(*args, MATTER["no lattice"])
    a = 1.444231 * 197.3269804 / 137.035999084 * n_e ** (1 / 3)
    np.testing.assert_allclose(shift, a * (Z ** (5 / 3) - (Z - 1) ** (5 / 3) + Z ** (2 / 3) / 3), rtol=1e-12)


def test_channels_conserve_baryons_and_daughters_are_found():
    Z, N = np.mgrid[:61, :161]
    labels = (1000 * Z + N).astype(float)
    daughters = reactions.daughters(labels, np.nan)
    for c, (dZ, k) in enumerate(zip(reactions.CHANNEL_DZ, reactions.CHANNEL_K, strict=True)):
        known = ~np.isnan(daughters[c])
        Zd, Nd = daughters[c][known] // 1000, daughters[c][known] % 1000
        assert np.all(Zd == Z[known] + dZ)
        assert np.all(Zd + Nd + k == Z[known] + N[known])
        assert np.all(Zd >= 2)


def test_same_table_energies_never_mix_tables():
    rng = np.random.default_rng(1)
    sources = rng.normal(size=(3, 61, 161))
    sources[0][rng.random((61, 161)) < 0.7] = np.nan
    sources[1][rng.random((61, 161)) < 0.4] = np.nan
    energies, table = reactions.same_table_energies(sources)
    for c, Z, N in rng.integers([0, 0, 0], [12, 61, 161], size=(4000, 3)):
        dZ, k = reactions.CHANNEL_DZ[c], reactions.CHANNEL_K[c]
        Zd, Nd = Z + dZ, N - dZ - k
        inside = 2 <= Zd <= 60 and 0 <= Nd <= 160
        options = [s[Zd, Nd] - s[Z, N] for s in sources] if inside else [np.nan]
        usable = [i for i, value in enumerate(options) if np.isfinite(value)]
        if usable:
            assert energies[c, Z, N] == options[usable[0]]
            assert table[c, Z, N] == usable[0]
        else:
            assert energies[c, Z, N] == np.inf
