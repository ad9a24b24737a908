"""What runs give for the statements of CS20 in `published.CS20_STATEMENTS`: a number each, or one a mass model.

Crusts are those of sweeps/figure1_liquid_drop.toml (CS20's figure 1), and of sweeps/one_component.toml.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from cs20_crusts import Crust, one_component, runs
from gpucrust.constants import ATOMIC_MASS_UNIT, DYN_PER_CM2, EDDINGTON_MDOT
from gpucrust.masses.liquid_drop import liquid_drop_mass_excess
from gpucrust.nuclide import N_STRIDE
from gpucrust.physics import diffusion, eos, force_balance
from gpucrust.physics.eos import Matter, Mixture
from gpucrust.schema import Regime

TABULATED = ("FRDM95+DZ31", "FRDM12+DZ31", "HFB21+DZ31", "DZ31")
LATTICE = Matter(lattice=1.0)
AMPLE = 0.1
"""Share of baryons in free neutrons from which on the residual of eq. 9, relative to their weight, means something."""


# --- approximations


def lattice_share(c: Crust) -> float:
    """-eps_L/eps_e, at most."""
    p = {name: values[c.evolution] for name, values in runs()[1].profiles.items()}
    energy = eos.lattice_energy_density(p["n_b"], Mixture(p["Y_e"], p["Y_n"], p["Y_z53"]), LATTICE)
    return float(np.max(-energy / eos.electron_energy_density(p["n_b"] * p["Y_e"])))


def coupling(c: Crust) -> float:
    """Size of sum_a n_a (dm_a/dn_n) grad(n_n) over rho_ei g, at most; masses of the liquid drop."""
    evolution = runs()[1]
    n_n = c.n_b * c.X_n
    slope = jax.jit(jax.vmap(jax.grad(lambda n, Z, N: liquid_drop_mass_excess(Z, N, n_n_outside=n)), (None, 0, 0)))
    found = []
    for k in np.flatnonzero(c.inner)[1:-1:20]:
        codes, Y = evolution.nuclides[c.evolution, k], evolution.abundances[c.evolution, k]
        Z, N = np.where(Y > 0, codes // N_STRIDE, 26.0), np.where(Y > 0, codes % N_STRIDE, 30.0)
        dn_n_dP = (n_n[k + 1] - n_n[k - 1]) / (c.pressure[k + 1] - c.pressure[k - 1]) * DYN_PER_CM2
        found.append(c.n_b[k] * np.sum(Y * slope(n_n[k], Z, N)) * dn_n_dP / (1 - c.X_n[k]))
    return float(np.max(np.abs(found)))


def electrons_weight(c: Crust) -> float:
    """n_e m*_e/(n_i m_i), at most."""
    return float(np.max(c.Y_e * c.mu_e / c.energy_of_nuclei))


def slope_of_all_energies(c: Crust) -> float:
    """Difference of A m_u/(Z rho) from eq. 7 with m*_j = mu_j and rho = eps + P, relative, at most."""
    mixture = Mixture(c.Y_e, c.X_n, 0.0)
    rho = eos.energy_density(c.n_b, mixture, c.energy_of_nuclei, Matter()) + c.pressure / DYN_PER_CM2
    exact = diffusion.nodiff_slope_of_mass(c.energy_of_nuclei / c.nuclei, c.Z_mean, rho, c.mu_e)
    return float(np.max(np.abs(diffusion.nodiff_slope(c.A_mean, c.Z_mean, c.n_b) / exact - 1)))


# --- simplified network


def largest_jump() -> float:
    """Density of free neutrons from one recorded pressure to the next, a per cent deeper."""
    ds = one_component()
    n_n = (ds.n_b * ds.X_n).values
    return float(np.max(n_n[1:][n_n[:-1] > 0] / n_n[:-1][n_n[:-1] > 0]))


def broken_shells() -> float:
    """Share of recorded pressures with free neutrons at which R differs by more than a tenth from 1."""
    ds = one_component()
    return float(np.mean(np.abs(ds.equilibrium_ratio.values[ds.X_n.values > 0] - 1) > 0.1))


def most_nuclides(c: Crust) -> int:
    """Above a thousandth by mass, with free neutrons there."""
    evolution = runs()[1]
    codes, Y = (x[c.evolution][c.inner] for x in (evolution.nuclides, evolution.abundances))
    return int(np.max(np.sum((codes // N_STRIDE + codes % N_STRIDE) * Y > 1e-3, axis=-1)))


def field_over_weight(c: Crust) -> float:
    """-Z e grad(phi) of eq. 3 over m_i g, with grad(phi) of eq. 2 without friction, at least, where mu_e falls.

    Both are positive along gravity. Inner units, g = grad(P)/rho with grad(P) = 1.
    """
    rho = c.n_b * ATOMIC_MASS_UNIT
    grad_mu_e = c.dmu_e_dP * DYN_PER_CM2
    e_grad_phi = -force_balance.force_on_electron(grad_mu_e, 0.0, c.mu_e, 1 / rho)
    force = -c.Z_mean * e_grad_phi / (c.A_mean * ATOMIC_MASS_UNIT / rho)
    return float(np.min(np.asarray(force)[c.within(Regime.DECREASING) & (c.equilibrium_ratio < 0)]))


def ground_state_R(c: Crust) -> float:
    """|R - 1| of the ground state, at most, between recorded pressures in one layer with free neutrons at both."""
    same = (np.diff(c.gs_Z) == 0) & (np.diff(c.gs_A) == 0)
    nodiff = (c.gs_dmu_e_dP_nodiff[1:] + c.gs_dmu_e_dP_nodiff[:-1]) / 2
    R = np.diff(c.gs_mu_e) / np.diff(c.pressure) / nodiff
    wet = c.pressure[:-1] > 1.2 * c.pressure[c.inner][0]
    return float(np.max(np.abs(R - 1)[same & wet]))


def nodiff_of_both_crusts(c: Crust) -> float:
    """Slope of eq. 7 in one crust over that in the other at the same pressure, the larger over the smaller, at most."""
    ratio = np.log(c.dmu_e_dP_nodiff / c.gs_dmu_e_dP_nodiff)[c.inner]
    return float(np.exp(np.max(np.abs(ratio))))


# --- general network


def rise_of_lau(c: Crust) -> float:
    """Of mu_e (MeV) from rho = 1.7e12 to 2.4e12 g cm^-3."""
    low, high = np.interp([1.7e12, 2.4e12], c.rho, c.mu_e)
    return float(high - low)


def widest_plateau(c: Crust) -> tuple[float, float]:
    """Densities (g cm^-3) between which mu_e stays within 0.1 MeV, of largest ratio, in the inner crust to 1e13."""
    some = c.inner & (c.rho < 1e13)
    rho, mu_e = c.rho[some], c.mu_e[some]
    ends = [
        np.max(rho[i:][np.maximum.accumulate(mu_e[i:]) - np.minimum.accumulate(mu_e[i:]) <= 0.1])
        for i in range(len(rho))
    ]
    widest = int(np.argmax(ends / rho))
    return float(rho[widest]), float(ends[widest])


def lattice_decouples() -> float:
    """|n_e dmu_e + n_a dmu_a - d(P_e + P_L)|/dP_ei of 44Mg with the lattice's terms in mu_e and mu_a."""

    def mixture(n_i):
        return Mixture(12.0 * n_i, 0.0, 12.0 ** (5 / 3) * n_i)

    def energy(n_e, n_i):
        lattice = eos.lattice_energy_density(1.0, mixture(n_i)._replace(Y_e=n_e), LATTICE)
        return eos.electron_energy_density(n_e) + lattice

    potentials = jax.grad(energy, argnums=(0, 1))
    n_i = 1e-5
    _, (dmu_e, dmu_i) = jax.jvp(lambda n: potentials(12.0 * n, n), (n_i,), (1.0,))
    dP = jax.grad(lambda n: eos.pressure(1.0, mixture(n), LATTICE))(n_i)
    return float(jnp.abs((12.0 * n_i * dmu_e + n_i * dmu_i) / dP - 1))


def fuses_where_most_violated(c: Crust) -> int:
    """Whether fusion goes on at the recorded pressure of largest |dP_n/dP - rho_n/rho| = (1 - X_n)|1 - R|."""
    worst = np.argmax((1 - c.X_n) * np.abs(1 - c.equilibrium_ratio))
    return int(np.any(c.fuses[worst - 1 : worst + 1]))


def neutrons_of_fusion(c: Crust, deepest: float = np.inf) -> float:
    """Neutrons set free where fusion goes on, down to a density, over the baryons of the nuclei that vanish there."""
    lost = -np.diff(c.nuclei) * (c.A_mean[1:] + c.A_mean[:-1]) / 2
    some = c.fuses & (c.rho[1:] < deepest)
    return float(np.sum(np.diff(c.X_n)[some]) / np.sum(lost[some]))


def thickest_fusion(c: Crust) -> float:
    """Of stretches in which fusion goes on without a gap, m."""
    ends = np.flatnonzero(np.diff(np.concatenate([[0], c.fuses, [0]])))
    return float(np.max(c.depth[ends[1::2]] - c.depth[ends[::2]]))


# --- fluxes


def fermi_velocity() -> float:
    """hbar k_F/m_n of free neutrons of 1e12 g cm^-3, cm s^-1."""
    hbar = 1.054571817e-27
    return float(hbar * np.cbrt(3 * np.pi**2 * 1e12 / diffusion.NEUTRON_MASS_GRAM) / diffusion.NEUTRON_MASS_GRAM)


def bare_flux() -> float:
    """Eq. 11 with sigma_ni = 1e-23 A^(2/3) cm^2, at A = 70, g = 1e14, rho_n = 1e12."""
    return float(70 * 1e14 / (1e-23 * 70 ** (2 / 3) * diffusion.neutron_velocity(1e12)))


def friction_where_flat(c: Crust) -> float:
    """f_in over the weight m_i g, in the mean over depth of flat and falling layers."""
    weights = np.gradient(c.depth) * c.within(Regime.DECREASING, Regime.FLAT)
    return float(np.average(1 - c.equilibrium_ratio, weights=weights))


def mean_fluxes(c: Crust, *regimes: Regime) -> np.ndarray:
    """|J_n| of the layers, each a mean over its depth, cm^-2 s^-1."""
    return np.abs(c.layers(*regimes).layer_J_n.values)


def eddington() -> float:
    """Baryon flux of Eddington accretion, cm^-2 s^-1."""
    return float(diffusion.accretion_flux(EDDINGTON_MDOT))


def per_model(measure: Callable[[Crust], float], **axes: float) -> Callable[[], dict[str, float]]:
    """The number of each tabulated mass model that is there."""

    def measured() -> dict[str, float]:
        present = [model.name for model in runs()[0].models]
        return {name: measure(Crust(name, **axes)) for name in TABULATED if name in present}

    return measured


MEASURES: dict[str, Callable[[], float | dict[str, float]]] = {
    "lattice is small": per_model(lattice_share),
    "masses hardly feel neutrons": lambda: coupling(Crust("MB-refit")),
    "violated by the leading term": per_model(lambda c: float(np.max(np.abs(c.equilibrium_ratio - 1)[c.inner]))),
    "electrons weigh little": per_model(electrons_weight),
    "right-hand form of eq. 7": per_model(slope_of_all_energies),
    "one component jumps": largest_jump,
    "many components": per_model(most_nuclides),
    "mu_e falls": per_model(lambda c: c.layers(Regime.DECREASING).sizes["layer"]),
    "all forces downwards": per_model(field_over_weight),
    "steep": per_model(lambda c: c.layers(Regime.STEEP).sizes["layer"]),
    "flat": per_model(lambda c: c.layers(Regime.FLAT).sizes["layer"]),
    "shells of one component": broken_shells,
    "ground state in equilibrium": per_model(ground_state_R),
    "eq. 7 differs": per_model(nodiff_of_both_crusts),
    "Lau": lambda: rise_of_lau(Crust("FRDM95+DZ31")),
    "Lau, width": lambda: widest_plateau(Crust("FRDM95+DZ31"))[1] / widest_plateau(Crust("FRDM95+DZ31"))[0],
    "Lau, place": lambda: widest_plateau(Crust("FRDM95+DZ31"))[0],
    "Lau, faster fusion": lambda: rise_of_lau(Crust("FRDM95+DZ31", scale=4.0)),
    "lattice decouples": lattice_decouples,
    "neutrons stay free": per_model(lambda c: float(np.min(c.X_n[np.argmax(c.inner) :]))),
    "neutrons increase": per_model(lambda c: float(np.min(np.diff(np.log((c.n_b * c.X_n)[c.inner]))))),
    "eq. 9 is violated": per_model(lambda c: float(np.max(np.abs(c.residual_n)[c.X_n > AMPLE]))),
    "most by fusion": per_model(fuses_where_most_violated),
    "nuclei become neutrons": per_model(neutrons_of_fusion),
    "nuclei become neutrons, Lau": lambda: neutrons_of_fusion(Crust("FRDM95+DZ31"), deepest=2.4e12),
    "fusion is thick": per_model(thickest_fusion),
    "triggered": per_model(lambda c: c.mean_R(c.captures(0, 6))),
    "triggered, few neutrons": per_model(lambda c: c.mean_R(c.captures(0, 1))),
    "triggered, many neutrons": per_model(lambda c: c.mean_R(c.captures(2, 6))),
    "direct, somewhere": per_model(lambda c: float(np.min(c.equilibrium_ratio[1:][c.fuses_directly]))),
    "direct, mean": per_model(lambda c: c.mean_R(c.fuses_directly)),
    "velocity": fermi_velocity,
    "eq. 11": lambda: float(diffusion.neutron_flux_scale(70.0, 1e14, 1e12)),
    "eq. 11, bare nuclei": bare_flux,
    "friction is the weight": per_model(friction_where_flat),
    "Eddington": eddington,
    "flux, least": per_model(lambda c: float(np.min(mean_fluxes(c)) / eddington())),
    "flux, largest": per_model(lambda c: float(np.max(mean_fluxes(c)) / eddington())),
    "flux of transients": per_model(
        lambda c: float(np.min(mean_fluxes(c, Regime.DECREASING, Regime.FLAT)) / diffusion.accretion_flux(c.mdot)),
        mdot=1e3,
    ),
}


def statements() -> dict[str, float | dict[str, float]]:
    """A number for each statement."""
    return {name: measure() for name, measure in MEASURES.items()}


def layers() -> dict[str, list[tuple[str, float, float, float, float]]]:
    """Layers of figure 1 by model: regime, pressures (dyn cm^-2), thickness (m), mean J_n over Eddington's flux."""
    found = {}
    for name in (model.name for model in runs()[0].models):
        ds = Crust(name).layers()
        columns = (ds.layer_P_start, ds.layer_P_end, ds.layer_thickness, ds.layer_J_n / eddington())
        kinds = [Regime(int(r)).name.lower() for r in ds.layer_regime.values]
        found[name] = list(zip(kinds, *(column.values.tolist() for column in columns), strict=True))
    return found
