"""Reactions driven by compression: the channels of a nuclide and the Gibbs energy each would release.

CS20 section 2.3.1, after Shchechilin & Chugunov 2019 (MNRAS 490, 3454) and Steiner 2012. A channel (dZ, k)
turns the nuclide (Z, A) into (Z + dZ, A - k) and sets k neutrons free (k < 0: takes them in).

Masses appear as E(Z, A), the nuclear mass energy less A m_u, MeV: baryon number is conserved, so A m_u cancels
and no digits are lost to it.
"""

from enum import IntEnum

import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float64, Shaped

from gpucrust.constants import COULOMB, NEUTRON_EXCESS
from gpucrust.physics import eos
from gpucrust.physics.eos import Matter, Mixture
from gpucrust.support.precision import needs_x64
from gpucrust.support.shapes import Floats, Numbers, SomeFloats, Table, Tables

EMISSION, CAPTURE, FAST_FUSION, WEAK, SLOW_FUSION = 0.0, 1.0, 1.5, 2.0, 3.0
"""Classes of reactions by their speed: emission of neutrons, their capture, fusion within the time of a weak reaction,
weak reactions, slower fusion. Of all reactions that are allowed one of the lowest class goes first."""

CHANNEL_DZ = np.array([0, 0, 0, 0, -1, -1, -1, -1, -1, -1, -1, +1])
"""(12,) Change of charge dZ by channel: emission of one and of two neutrons, capture of one and of two, electron
capture with the emission of 0 to 6 neutrons, beta decay."""

CHANNEL_K = np.array([1, 2, -1, -2, 0, 1, 2, 3, 4, 5, 6, 0])
"""(12,) Neutrons k set free by channel, negative where they are taken in; the channels as in CHANNEL_DZ."""

CHANNEL_CLASS = np.array([EMISSION] * 2 + [CAPTURE] * 2 + [WEAK] * 8)
"""(12,) Class of each channel; the channels as in CHANNEL_DZ."""

CHANNELS = len(CHANNEL_DZ)
"""Number of channels, 12."""

Channels = Float64[Array, "channels *shape"]
"""One float64 for each channel of nuclides in an array of any shape."""
ChannelTable = Shaped[np.ndarray, "channels nZ nN"]
"""One value of any type for each channel of each nuclide, indexed [channel, Z, N]."""

THRESHOLD = -1e-5
"""Affinity below which a channel is allowed, MeV: less than zero by more than rounding, so that never a reaction and
its reverse are both allowed."""


class Source(IntEnum):
    """Table from which a reaction under the policy `unmixed` takes the masses of its parent and its daughter."""

    MEASURED = 0
    """AME's measured masses."""
    THEORY = 1
    """The theory of the mass model."""
    DUFLO_ZUKER = 2
    """DZ31, beyond the theory's table."""


def daughters(values: Table, absent: int | float) -> ChannelTable:
    """``values[Z, N]`` of each nuclide's daughters: (nZ, nN) -> (12, nZ, nN), ``absent`` off the chart (Z < 2 too)."""
    n_Z, n_N = values.shape
    Z, N = np.mgrid[:n_Z, :n_N]
    out = np.full((CHANNELS, n_Z, n_N), absent, dtype=values.dtype)
    for c, (dZ, k) in enumerate(zip(CHANNEL_DZ, CHANNEL_K, strict=True)):
        Zd, Nd = Z + dZ, N - dZ - k
        inside = (Zd >= 2) & (Zd < n_Z) & (Nd >= 0) & (Nd < n_N)
        out[c][inside] = values[Zd[inside], Nd[inside]]
    return out


def channel_energies(masses: Table) -> ChannelTable:
    """E(daughter) - E(parent) by channel, MeV: (nZ, nN) -> (12, nZ, nN); +inf where either mass is missing."""
    with np.errstate(invalid="ignore"):
        difference = daughters(masses, np.nan) - masses
    return np.where(np.isnan(difference), np.inf, difference)


def same_table_energies(sources: Tables) -> tuple[ChannelTable, ChannelTable]:
    """Channel energies of the policy `unmixed`: both masses from the first table that has both (CS20 section 2.1).

    sources: (n, nZ, nN), tables in order of preference. Returns the energies (12, nZ, nN), MeV, +inf where no table
    has both, and the index of the table used (12, nZ, nN).
    """
    by_table = np.stack([channel_energies(table) for table in sources])
    first = np.argmax(np.isfinite(by_table), axis=0)
    return np.take_along_axis(by_table, first[None], axis=0)[0], first


def z53(Z: Numbers) -> Floats:
    """Z^(5/3), the weight of a nucleus in the lattice energy."""
    root: Floats = eos.cube_root(Z)
    return jnp.asarray(Z, float) * root**2


def z53_change(Z: Numbers, dZ: Numbers) -> Floats:
    """Change of a nucleus's weight in the lattice energy when its charge number changes by dZ; arguments broadcast."""
    return z53(jnp.maximum(jnp.asarray(Z) + dZ, 0)) - z53(Z)


@needs_x64
def affinity(
    dE: Numbers,
    dZ: Numbers,
    k: Numbers,
    dz53: Numbers,
    amount: Numbers,
    n_b: Numbers,
    mixture: Mixture,
    matter: Matter,
) -> Floats:
    """Mean Gibbs energy change per reaction when `amount` reactions per baryon happen at constant pressure, MeV.

    g = dE + dZ mu_e + k mu_n(half-way) + (d/2) [...], the specification's form of the threshold condition of CS20
    2.3.1: the finite change, not its first-order part, so that what is allowed always lowers the Gibbs energy.
    The neutron term is taken at the density half-way through the step, mu_n(n_b max(Y_n + k d/2, 0)), because mu_n
    is too steep near Y_n = 0 for a quadratic form. What remains of the quadratic form is, with F the energy per
    baryon at fixed n_b and x = (Y_e, Y_n, sum Z^(5/3) Y), v the change of x,
        v.F_xx.v (without its nn part) - (v.P_x)^2/(n_b^2 dP/dn_b),
    finite at Y_n = 0. With the lattice, F and P carry its energy, so mu_e becomes dF/dY_e and every nucleus
    contributes dF/d(sum Z^(5/3) Y).

    All arguments broadcast. dE: E(daughter) - E(parent), MeV; dz53: change of sum Z^(5/3); amount d per baryon;
    n_b in fm^-3.
    """
    Y_e, Y_n = jnp.asarray(mixture.Y_e), jnp.asarray(mixture.Y_n)
    dE, dZ, k, n_b = (jnp.asarray(x, float) for x in (dE, dZ, k, n_b))
    n_e, n_n = n_b * Y_e, n_b * Y_n
    e, a = eos.electron_stiffness(n_e), eos.neutron_stiffness(n_n, matter)
    half_way = mixture._replace(Y_n=jnp.maximum(Y_n + k * amount / 2, 0.0))
    mu_e, mu_n, ell = chemical_potentials(n_b, half_way, matter)
    ell_S = ell * mixture.Y_z53 / Y_e

    dP = dZ * (e + ell_S / 9) + k * a + dz53 * ell / 3  # v.P_x/n_b
    curvature = (
        dZ**2 * (e - (2 / 9) * ell_S) / Y_e
        + 2 * dZ * dz53 * ell / (3 * Y_e)
        - n_b * dP**2 / eos.pressure_slope(n_b, mixture, matter)
    )
    return dE + dZ * mu_e + k * mu_n + dz53 * ell + amount / 2 * curvature


@needs_x64
def chemical_potentials(n_b: Numbers, mixture: Mixture, matter: Matter) -> tuple[SomeFloats, SomeFloats, SomeFloats]:
    """Gibbs energy that an electron, a free neutron and a unit of Z^(5/3) of a nucleus add, MeV; arguments broadcast.

    mu_e, with rest mass and with what the electron adds to the lattice energy, ell sum n_i Z_i^(5/3)/(3 n_e); mu_n,
    counted from m_u; ell, `lattice_chemical_potential`.
    """
    n_b, Y_e, Y_n = (jnp.asarray(x) for x in (n_b, mixture.Y_e, mixture.Y_n))
    n_e = n_b * Y_e
    ell = lattice_chemical_potential(n_e, matter)
    mu_e = eos.electron_chemical_potential(n_e) + ell * mixture.Y_z53 / Y_e / 3
    return mu_e, NEUTRON_EXCESS + eos.neutron_chemical_potential(n_b * Y_n, matter), ell


@needs_x64
def lattice_chemical_potential(n_e: Numbers, matter: Matter) -> Floats:
    """Lattice energy per unit of Z^(5/3) of a nucleus, -MADELUNG e^2 n_e^(1/3), MeV: d(eps_L/n_b)/d(sum Z^(5/3) Y)."""
    strength = jnp.asarray(matter.lattice)
    return -eos.MADELUNG * COULOMB * strength * (eos.electron_fermi_momentum(n_e) / eos.FERMI)
