"""Plain scalar physics of one crust: equation of state, burn times, energies, as functions of numbers.

The same equations as in `gpucrust.eos`, `gpucrust.pycno` and `gpucrust.reactions`, one state at a time and without JAX,
for `gpucrust.scalar.recorder`. With numba installed they are compiled; without it they are plain Python. Masses of one
table only. Units: MeV, fm, per baryon.
"""

from collections.abc import Callable
from math import asin, asinh, exp, log, pi, sqrt
from typing import Any, NamedTuple

import numpy as np

from gpucrust.constants import (
    ATOMIC_MASS_UNIT,
    COULOMB,
    DYN_PER_CM2,
    ELECTRON_MASS,
    FM3_PER_CM3,
    HBAR_C,
    NEUTRON_EXCESS,
    RHO_PER_N_B,
)
from gpucrust.pycno import s_factor_parameters
from gpucrust.reactions import CHANNEL_DZ as DZ
from gpucrust.reactions import CHANNEL_K as DK

try:
    from numba import njit
except ImportError:

    def njit(**_: Any) -> Callable:  # type: ignore[no-redef]
        """Without numba: the function itself."""
        return lambda function: function


FUSION = 12
COLUMNS = 161  # of the chart: a nuclide's code is Z * 161 + N
Y_REACTS, Y_DROPPED = 1e-12, 1e-15


@njit(cache=True)
def electrons(n_e):
    """mu_e (with rest mass), P_e and n_e dmu_e/dn_e."""
    x = HBAR_C * (3 * pi**2 * n_e) ** (1 / 3) / ELECTRON_MASS
    root = sqrt(1 + x * x)
    P = ELECTRON_MASS**4 / (24 * pi**2 * HBAR_C**3) * (x * (2 * x * x - 3) * root + 3 * asinh(x))
    return ELECTRON_MASS * root, P, ELECTRON_MASS * x * x / (3 * root)


@njit(cache=True)
def neutrons(n_n, c):
    """mu_n (without rest mass), P_n and n_n dmu_n/dn_n; c are the coefficients of W(k)."""
    k = (1.5 * pi**2 * n_n) ** (1 / 3)
    mu = slope = kW = 0.0
    for i in range(4):
        term = c[i] * k ** (i + 1)
        mu += term * (1 + (i + 1) / 3)
        slope += term * (1 + (i + 1) / 3) * (i + 1) / 3
        kW += term * (i + 1) / 3
    return mu, n_n * kW, slope


@njit(cache=True)
def pressure(n_b, Y_e, Y_n, c):
    return electrons(n_b * Y_e)[1] + neutrons(n_b * Y_n, c)[1]


@njit(cache=True)
def solve_density(P, Y_e, Y_n, c, n_b):
    """n_b at P to rounding: Newton in ln n_b, until the steps no longer shrink."""
    last = np.inf
    for _ in range(100):
        P_b = electrons(n_b * Y_e)[2] * Y_e + neutrons(n_b * Y_n, c)[2] * Y_n
        step = (P - pressure(n_b, Y_e, Y_n, c)) / (n_b * P_b)
        if step == 0 or (abs(step) < 1e-13 and abs(step) >= last):
            break
        last = abs(step)
        n_b *= exp(min(max(step, -0.7), 0.7))
    return n_b


def _s_table() -> np.ndarray:
    """The seven parameters of S(E) for every Z1, Z2 in 4..14."""
    import jax

    Z = np.arange(4, 15)
    table = np.full((15, 15, 7), np.nan)
    with jax.enable_x64(True):
        table[4:, 4:] = np.stack([np.asarray(x) for x in s_factor_parameters(Z[:, None], Z)], axis=-1)
    return table


S_TABLE = _s_table()


@njit(cache=True)
def ln_s_factor(Z1, A1, Z2, A2, E):
    """ln of S in MeV barn."""
    R, d1a, d2a, d1b, d2b, delta, S0 = S_TABLE[Z1, Z2]
    R_C = R + (d1a if A1 >= 2 * Z1 else d1b) * abs(A1 - 2 * Z1) + (d2a if A2 >= 2 * Z2 else d2b) * abs(A2 - 2 * Z2)
    mu = ATOMIC_MASS_UNIT * A1 * A2 / (A1 + A2)
    zze2 = Z1 * Z2 * COULOMB
    E_C1 = zze2 / (R_C * (1 + delta))
    E_C = E_C1 * (2 + 3 * delta) / (2 * (1 + delta))
    beta = 1 / (delta * (2 + 3 * delta))
    E_R = zze2**2 * mu / (2 * HBAR_C**2)
    y = sqrt(delta / (2 + 3 * delta))
    inner = R_C / (HBAR_C * sqrt(beta)) * sqrt(2 * mu)
    g0 = 8 * sqrt(E_R / E_C1) - sqrt(E_C) * inner * (pi / 2 + asin(y) + y * sqrt(1 - y * y))
    g1 = -4 / 3 * sqrt(E_R / E_C1) / E_C1 + inner / sqrt(E_C) * (pi / 2 + asin(y))
    return log(S0) + g0 + g1 * E


@njit(cache=True)
def ln_fusion_rate(Z1, A1, x1, Z2, A2, x2, same, n_b, X_N, mean_A, mean_Z, n_e):
    """ln of R in cm^-3 s^-1."""
    rho = n_b * RHO_PER_N_B
    cube = Z1 ** (1 / 3) + Z2 ** (1 / 3)
    a12 = cube / 2 * (3 / (4 * pi * n_e)) ** (1 / 3)
    mu = ATOMIC_MASS_UNIT * A1 * A2 / (A1 + A2)
    E_pk = HBAR_C * sqrt(4 * pi * Z1 * Z2 * COULOMB * 3 / (4 * pi * a12**3) / (2 * mu)) / 2
    lam = (A1 + A2) / (A1 * A2 * Z1 * Z2 * cube) * (rho * X_N * mean_Z / (mean_A * 1.3574e11)) ** (1 / 3)
    front = 3.90 * 8 * rho * X_N * x1 * x2 * A1 * A2 * mean_A * (Z1 * Z2) ** 2 / ((2 if same else 1) * (A1 + A2) ** 2)
    return 46 * log(10) + log(front) + ln_s_factor(Z1, A1, Z2, A2, E_pk) + (3 - 1.25) * log(lam) - 2.638 / sqrt(lam)


class Rules(NamedTuple):
    """What holds for a whole crust."""

    mixed: np.ndarray  # (61, 161) masses, NaN where there is none
    neutron: tuple[float, ...]  # coefficients of neutron matter
    chunk: float  # abundance that a packet counts for in burn times, in units of Y_start
    Y_start: float  # nuclei per baryon at the start
    g_mdot: float  # dyn cm^-2 s^-1
    pycno: bool
    ln_scale: float
    t_weak: float  # s


class Now(NamedTuple):
    """Composition: who is present, how much, and its sums."""

    codes: np.ndarray
    Y: np.ndarray
    Y_e: float
    Y_n: float


@njit(cache=True)
def energy_change(Z, N, channel, rules):
    """E(daughter) - E(parent); NaN where there is none."""
    Zd, Nd = Z + DZ[channel], N - DZ[channel] - DK[channel]
    if Zd < 2 or Zd > 60 or Nd < 0 or Nd > 160:
        return np.nan
    return rules.mixed[Zd, Nd] - rules.mixed[Z, N]


@njit(cache=True)
def ln_burn_time(i, j, n_b, now, rules):
    """ln of tau in s."""
    sum_Y, X_N = 0.0, 0.0
    for m in range(len(now.Y)):
        sum_Y += now.Y[m]
        X_N += now.Y[m] * (now.codes[m] // COLUMNS + now.codes[m] % COLUMNS)
    Z1, Z2 = now.codes[i] // COLUMNS, now.codes[j] // COLUMNS
    A1, A2 = Z1 + now.codes[i] % COLUMNS, Z2 + now.codes[j] % COLUMNS
    x1, x2 = now.Y[i] / sum_Y, now.Y[j] / sum_Y
    mean_A, mean_Z = X_N / sum_Y, now.Y_e / sum_Y
    ln_R = ln_fusion_rate(Z1, A1, x1, Z2, A2, x2, i == j, n_b, X_N, mean_A, mean_Z, n_b * now.Y_e) + rules.ln_scale
    return log(n_b * FM3_PER_CM3 * min(now.Y[i], now.Y[j]) * (0.5 if i == j else 1.0)) - ln_R


@njit(cache=True)
def ln_compression_time(n_b, now, rules):
    return log(pressure(n_b, now.Y_e, now.Y_n, rules.neutron) * DYN_PER_CM2 / rules.g_mdot)


@njit(cache=True)
def fusion_product(i, j, n_b, now, rules):
    """Neutrons set free and energy released; -inf where there is no product."""
    Z1, N1, Z2, N2 = now.codes[i] // COLUMNS, now.codes[i] % COLUMNS, now.codes[j] // COLUMNS, now.codes[j] % COLUMNS
    free = NEUTRON_EXCESS + neutrons(n_b * now.Y_n, rules.neutron)[0]
    best, k_best = np.inf, 0
    for N in range(min(N1 + N2, COLUMNS - 1) + 1):
        E = rules.mixed[Z1 + Z2, N] + (N1 + N2 - N) * free  # NaN is never less
        if E < best:
            best, k_best = E, N1 + N2 - N
    return k_best, rules.mixed[Z1, N1] + rules.mixed[Z2, N2] - best


@njit(cache=True)
def add(codes, Y, code, amount):
    """Abundances kept sorted by code."""
    at = np.searchsorted(codes, code)
    if at < len(codes) and codes[at] == code:
        Y[at] += amount
        return codes, Y
    new_codes, new_Y = np.empty(len(codes) + 1, codes.dtype), np.empty(len(codes) + 1)
    new_codes[:at], new_codes[at], new_codes[at + 1 :] = codes[:at], code, codes[at:]
    new_Y[:at], new_Y[at], new_Y[at + 1 :] = Y[:at], amount, Y[at:]
    return new_codes, new_Y
