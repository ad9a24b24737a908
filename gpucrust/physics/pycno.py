"""Pycnonuclear fusion of light nuclei, (Z1,A1) + (Z2,A2) -> (Z1+Z2, A1+A2-k) + k n.

Rates: Yakovlev et al. 2006, PRC 74, 035803 (multi-component lattice, their C_exp, C_pyc, C_pl); astrophysical factor
S(E): Yakovlev, Beard, Gasques & Wiescher 2010, PRC 82, 044609. The rates are uncertain by many orders of magnitude
(Jain et al. 2023, arXiv:2306.12451): hence the axis `pycno_log10_scale` of a sweep.

A rate depends on the pair of nuclides through three constants and on the state of matter through a few scalars:
    ln R = pair.constant + pair.energy sqrt(n_e) - pair.barrier q^(-1/2) + ln(rho X_N <A> x1 x2) + (3 - C_pl) ln q,
with q^3 = rho X_N <Z>/(<A> RHO_OF_LAM) and lam = l_12 q, so that pairs can be tabulated once.
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from gpucrust.constants import ATOMIC_MASS_UNIT, COULOMB, FM3_PER_CM3, FUSING_Z, HBAR_C, RHO_PER_N_B
from gpucrust.support.precision import needs_x64
from gpucrust.support.shapes import Floats, Numbers

C_EXP, C_PYC, C_PL = 2.638, 3.90, 1.25
"""Pure numbers of the rate R ~ C_pyc lam^(3 - C_pl) exp(-C_exp/sqrt(lam)), of nuclei that tunnel out of the zero-point
vibrations of a lattice (Yakovlev et al. 2006, PRC 74, 035803)."""

Z_LIGHTEST, Z_HEAVIEST = FUSING_Z
"""Charges of the lightest and of the heaviest nuclei that fuse: the parameters of S(E), known for Z from 6 to 12, are
extrapolated no further."""

RHO_OF_LAM = 1.3574e11
"""Mass density in lam = l_12 q, g cm^-3: q^3 = rho X_N <Z>/(<A> RHO_OF_LAM) (Yakovlev et al. 2006, PRC 74, 035803)."""

_GRID_Z = (6, 8, 10, 12)
"""Charges Z1 and Z2 at which PRC 82, 044609 gives the parameters of S(E)."""
_GRID = {
    (6, 6): (7.4836, 0.1759, 0.1759, 0.0040, 0.0040, 0.0400, 1.3736),
    (6, 8): (7.8671, 0.1740, 0.1280, -0.0045, -0.0310, 0.0412, 1.5438),
    (6, 10): (7.9387, 0.1720, 0.1206, -0.0171, -0.0035, 0.0400, 1.9478),
    (6, 12): (8.0513, 0.1705, 0.1014, -0.0210, -0.0186, 0.0386, 2.4327),
    (8, 8): (8.0641, 0.1266, 0.1266, -0.0377, -0.0377, 0.0388, 2.1998),
    (8, 10): (8.1191, 0.1257, 0.1183, -0.0461, -0.0068, 0.0371, 2.9486),
    (8, 12): (8.2404, 0.1246, 0.0994, -0.0500, -0.0216, 0.0357, 3.7433),
    (10, 10): (8.1419, 0.1175, 0.1175, -0.0107, -0.0107, 0.0348, 4.2215),
    (10, 12): (8.2880, 0.1160, 0.0987, -0.0157, -0.0273, 0.0339, 5.2525),
    (12, 12): (8.4509, 0.0976, 0.0976, -0.0288, -0.0288, 0.0332, 5.9785),
}
"""Parameters of S(E) by (Z1, Z2), PRC 82, 044609: the fields of `SFactorParameters` in their order."""


def _full_grid() -> np.ndarray:
    """(4, 4, 7): the table made square; exchanging the nuclei exchanges dR1 and dR2."""
    grid = np.empty((4, 4, 7))
    for (Z1, Z2), row in _GRID.items():
        i, j = _GRID_Z.index(Z1), _GRID_Z.index(Z2)
        grid[i, j] = row
        grid[j, i] = np.array(row)[[0, 2, 1, 4, 3, 5, 6]]
    return grid


_PARAMETERS = _full_grid()
"""(4, 4, 7) Parameters of S(E) on the grid, indexed [Z1, Z2, parameter]."""


class SFactorParameters(NamedTuple):
    """Parameters of S(E) for a pair of elements, each of the shape of the pair (PRC 82, 044609)."""

    R: Floats
    """R_C of nuclei with A = 2Z, fm; the pure Coulomb potential begins at the distance R_C (1 + delta)."""
    dR1a: Floats
    """Growth of R_C with each neutron that nucleus 1 has beyond A = 2Z, fm."""
    dR2a: Floats
    """Growth of R_C with each neutron that nucleus 2 has beyond A = 2Z, fm."""
    dR1b: Floats
    """Growth of R_C with each neutron that nucleus 1 lacks of A = 2Z, fm."""
    dR2b: Floats
    """Growth of R_C with each neutron that nucleus 2 lacks of A = 2Z, fm."""
    delta: Floats
    """Width of the rounded top of the barrier over R_C."""
    S0: Floats
    """Factor of S(E) = S0 exp(g0 + g1 E), MeV barn."""


class PairConstants(NamedTuple):
    """What a pair of nuclides brings to ln R (module docstring)."""

    constant: Floats
    """ln of what depends on the pair alone."""
    energy: Floats
    """Growth of ln S by the zero-point energy, per sqrt(n_e), fm^(3/2)."""
    barrier: Floats
    """C_exp/sqrt(l_12), a pure number: the barrier's exponent at q = 1."""


class Conditions(NamedTuple):
    """What the state of matter brings to ln R; scalars of one state (or arrays of one shape)."""

    ln_common: Floats
    """ln(rho X_N <A>) + (3 - C_pl) ln q."""
    sqrt_n_e: Floats
    """Square root of the density of electrons, fm^(-3/2)."""
    q_inverse_sqrt: Floats
    """q^(-1/2), which multiplies the barrier's exponent."""


@needs_x64
def s_factor_parameters(Z1: Numbers, Z2: Numbers) -> SFactorParameters:
    """Table of PRC 82, 044609, bilinear in (Z1, Z2) and extrapolated at its ends."""
    grid = jnp.asarray(_PARAMETERS)
    z1, z2 = (jnp.asarray(Z, dtype=float) for Z in (Z1, Z2))
    i, j = (jnp.clip((z - _GRID_Z[0]) // 2, 0, 2).astype(int) for z in (z1, z2))
    u, v = (((z - _GRID_Z[0]) / 2 - cell.astype(float))[..., None] for z, cell in ((z1, i), (z2, j)))
    low = (1 - v) * grid[i, j] + v * grid[i, j + 1]
    high = (1 - v) * grid[i + 1, j] + v * grid[i + 1, j + 1]
    values = (1 - u) * low + u * high
    return SFactorParameters(*(values[..., c] for c in range(7)))


@needs_x64
def ln_s_factor(Z1: Numbers, A1: Numbers, Z2: Numbers, A2: Numbers) -> tuple[Floats, Floats]:
    """ln S(E) = c0 + c1 E below the barrier: returns (c0, c1), S in MeV barn, c1 in MeV^-1 (PRC 82, 044609).

    Parabolic barrier top joined to the Coulomb tail at R_1 = R_C (1 + delta).
    """
    Z1, A1, Z2, A2 = (jnp.asarray(x, dtype=float) for x in (Z1, A1, Z2, A2))
    p = s_factor_parameters(Z1, Z2)
    excess1, excess2 = A1 - 2 * Z1, A2 - 2 * Z2
    R_C = (
        p.R
        + jnp.where(excess1 >= 0, p.dR1a, p.dR1b) * jnp.abs(excess1)
        + jnp.where(excess2 >= 0, p.dR2a, p.dR2b) * jnp.abs(excess2)
    )
    zze2 = Z1 * Z2 * COULOMB
    mu = ATOMIC_MASS_UNIT * A1 * A2 / (A1 + A2)
    E_C1 = zze2 / (R_C * (1 + p.delta))
    E_C = E_C1 * (2 + 3 * p.delta) / (2 * (1 + p.delta))
    beta = 1 / (p.delta * (2 + 3 * p.delta))
    E_R = zze2**2 * mu / (2 * HBAR_C**2)
    y = jnp.sqrt(p.delta / (2 + 3 * p.delta))
    I = R_C / (HBAR_C * jnp.sqrt(beta)) * jnp.sqrt(2 * mu)  # noqa: E741 (the specification's letter)
    root = jnp.sqrt(E_R / E_C1)
    g0 = 8 * root - jnp.sqrt(E_C) * I * (jnp.pi / 2 + jnp.arcsin(y) + y * jnp.sqrt(1 - y**2))
    g1 = -(4 / 3) * root / E_C1 + I / jnp.sqrt(E_C) * (jnp.pi / 2 + jnp.arcsin(y))
    return jnp.log(p.S0) + g0, g1


@needs_x64
def pair_constants(Z1: Numbers, A1: Numbers, Z2: Numbers, A2: Numbers) -> PairConstants:
    """The three constants of a pair (module docstring); arguments broadcast."""
    Z1, A1, Z2, A2 = (jnp.asarray(x, dtype=float) for x in (Z1, A1, Z2, A2))
    c0, c1 = ln_s_factor(Z1, A1, Z2, A2)
    z_sum = jnp.cbrt(Z1) + jnp.cbrt(Z2)
    l_12 = (A1 + A2) / (A1 * A2 * Z1 * Z2 * z_sum)
    mu = ATOMIC_MASS_UNIT * A1 * A2 / (A1 + A2)
    # E_pk = hbar omega/2, omega^2 = 4 pi Z1 Z2 e^2 n_12/(2 mu), n_12 = 8 n_e/(Z1^(1/3) + Z2^(1/3))^3
    zero_point = 0.5 * HBAR_C * jnp.sqrt(4 * jnp.pi * Z1 * Z2 * COULOMB * (8 / z_sum**3) / (2 * mu))
    identical = (Z1 == Z2) & (A1 == A2)
    prefactor = 1e46 * C_PYC * 8 * A1 * A2 * (Z1 * Z2) ** 2 / (jnp.where(identical, 2, 1) * (A1 + A2) ** 2)
    return PairConstants(
        constant=jnp.log(prefactor) + c0 + (3 - C_PL) * jnp.log(l_12),
        energy=c1 * zero_point,
        barrier=C_EXP / jnp.sqrt(l_12),
    )


@needs_x64
def conditions(n_b: Numbers, X_N: Numbers, A_mean: Numbers, Z_mean: Numbers, Y_e: Numbers) -> Conditions:
    """State of matter as the rates see it. n_b in fm^-3; X_N mass fraction in nuclei; means over nuclei."""
    rho_X = RHO_PER_N_B * jnp.asarray(n_b) * X_N
    ln_q = jnp.log(rho_X * Z_mean / (A_mean * RHO_OF_LAM)) / 3
    return Conditions(
        ln_common=jnp.log(rho_X * A_mean) + (3 - C_PL) * ln_q,
        sqrt_n_e=jnp.sqrt(n_b * jnp.asarray(Y_e)),
        q_inverse_sqrt=jnp.exp(-0.5 * ln_q),
    )


@needs_x64
def ln_rate(pair: PairConstants, matter: Conditions, ln_x1: Numbers, ln_x2: Numbers) -> Floats:
    """ln R, R in cm^-3 s^-1 (Yakovlev et al. 2006, eq. 33 in the form of the module docstring).

    ln_x1, ln_x2: logarithms of the number fractions of the two nuclides among nuclei.
    """
    return (
        pair.constant
        + pair.energy * matter.sqrt_n_e
        - pair.barrier * matter.q_inverse_sqrt
        + matter.ln_common
        + ln_x1
        + ln_x2
    )


@needs_x64
def ln_burn_time(
    pair: PairConstants, matter: Conditions, ln_Y1: Numbers, ln_Y2: Numbers, ln_Y_nuclei: Numbers, n_b: Numbers
) -> Floats:
    """ln of tau = min(n_1, n_2)/R in s, before the factor 1/2 for identical nuclei (see `identical_ln_factor`)."""
    ln_Y1, ln_Y2 = jnp.asarray(ln_Y1), jnp.asarray(ln_Y2)
    ln_n = jnp.log(n_b * FM3_PER_CM3) + jnp.minimum(ln_Y1, ln_Y2)
    return ln_n - ln_rate(pair, matter, ln_Y1 - ln_Y_nuclei, ln_Y2 - ln_Y_nuclei)


@needs_x64
def ln_burn_time_slope(pair: PairConstants, matter: Conditions) -> Floats:
    """d ln tau/d ln n_b at frozen composition."""
    return -((3 - C_PL) / 3 + pair.energy * matter.sqrt_n_e / 2 + pair.barrier * matter.q_inverse_sqrt / 6)
